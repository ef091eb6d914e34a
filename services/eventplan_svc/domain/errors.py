"""What the plans' rules answer when they say no."""

from __future__ import annotations

from shared.errors import BadInput, Conflict, FieldError


class RefusedByRule(Conflict):
    """A rule forbids the change (409); `slug` names the rule, `detail` says why to a person."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail, slug=slug)


class BadValue(BadInput):
    """A member of the body cannot be taken (400); `pointer` is its JSON pointer in the body."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}" if pointer else detail, errors=(FieldError(pointer, detail),))
        self.pointer = pointer
