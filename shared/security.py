"""Who asks for something, and whether they may have it: the same for HTTP and for commands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.envelope import Message
from shared.errors import BadInput, FieldError
from shared.schemas.base import NAME_RULE, AuditMetadata, is_name

_ACTION: Final = re.compile(r"[a-z][a-z-]*(\.[a-z][a-z-]*){1,3}")
_USER_HEADER: Final = b"x-epic-user"


class PrincipalKind(StrEnum):
    """What is known about a caller's name."""

    ANONYMOUS = "anonymous"
    DECLARED = "declared"  # the caller gave the name; nothing proves it


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request: its name, and what is known about that name."""

    name: str
    kind: PrincipalKind


ANONYMOUS: Final = Principal("anonymous", PrincipalKind.ANONYMOUS)


def caller_of_http(headers: Iterable[tuple[bytes, bytes]]) -> Principal:
    """The caller of an HTTP request by its raw headers: ``X-Epic-User``, else anonymous."""
    for name, value in headers:
        if name == _USER_HEADER:
            return Principal(value.decode("latin-1"), PrincipalKind.DECLARED)
    return ANONYMOUS


def caller_of_message(message: Message) -> Principal:
    """The caller of a command by its envelope: ``ce_user``, else anonymous."""
    return Principal(message.user, PrincipalKind.DECLARED) if message.user else ANONYMOUS


def author_of(caller: Principal, audit: AuditMetadata | None) -> str:
    """The name that a write records: the caller's, else ``AuditMetadata.User`` of the body, else ``anonymous``.

    BadInput when the caller's name is not a usable name.
    """
    if caller.kind is PrincipalKind.ANONYMOUS:
        return (audit.user if audit else None) or caller.name
    if not is_name(caller.name):
        raise BadInput("X-Epic-User is not usable", [FieldError("/X-Epic-User", f"give {NAME_RULE}")])
    return caller.name


def check_action(action: str) -> None:
    """ValueError for a text that has not the form of an action's name."""
    if not _ACTION.fullmatch(action):
        rule = "lower-case words joined by dots, the last one a verb, such as event.create or hotw.run.start"
        raise ValueError(f"{action!r} is no action; give {rule}")


def authorize(principal: Principal, action: str) -> None:
    """Returns when ``principal`` may do ``action``; raises Refused otherwise. Every route and every command asks here.

    Today everybody may do everything: EPIC has no roles yet (ADR 0013).
    """
