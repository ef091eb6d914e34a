"""Who asks for something, and whether they may have it: the same for HTTP and for commands."""

from shared.security.callers import ANONYMOUS, Principal, PrincipalKind, author_of, caller_of_http, caller_of_message
from shared.security.permission import ACTION_RULE, authorize, is_action

__all__ = [
    "ACTION_RULE",
    "ANONYMOUS",
    "Principal",
    "PrincipalKind",
    "author_of",
    "authorize",
    "caller_of_http",
    "caller_of_message",
    "is_action",
]
