"""The failures of a command: each is one line with its remedy, and an exit code."""

from __future__ import annotations

SOME_FAILED = 1  # a part of the work failed
NOTHING_DONE = 2  # the command could not begin: a wrong argument, or nothing to talk to


class CommandFailed(Exception):
    """Printed instead of a stack trace: what is wrong, and the remedy."""

    def __init__(self, text: str, exit_code: int = NOTHING_DONE) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


class Declined(CommandFailed):
    """EPIC refused; ``slug`` is the slug of its problem."""

    def __init__(self, text: str, slug: str, exit_code: int = NOTHING_DONE) -> None:
        super().__init__(text, exit_code)
        self.slug = slug


class NotEpic(CommandFailed):
    """Something else answers where EPIC should be; ``answered`` says what, such as ``GET / got 200 text/html``."""

    def __init__(self, url: str, answered: str) -> None:
        super().__init__(f"what answers at {url} is not EPIC ({answered}); give EPIC's address by --url")


class Unreachable(CommandFailed):
    """Nothing answers where EPIC should be."""

    def __init__(self, url: str, why: str = "") -> None:
        reason = f" ({why})" if why else ""
        super().__init__(f"nothing answers at {url}{reason}; start EPIC with `epic up`, or give its address by --url")
