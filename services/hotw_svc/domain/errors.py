"""What the rules of HOTW answer when they say no."""


class RuleError(Exception):
    """A rule's refusal: a slug for programs, a detail for people."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail


class RefusedByRule(RuleError):
    """The request is well formed, but the present state does not allow it (HTTP 409)."""


class InvalidInput(RuleError):
    """The request can never be right as it stands (HTTP 400); `pointer` is the JSON pointer of the bad member."""

    def __init__(self, slug: str, detail: str, *, pointer: str) -> None:
        super().__init__(slug, detail)
        self.pointer = pointer
