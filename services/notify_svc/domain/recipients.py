"""The recipients of a mail about a service: mail addresses of its owner and its leader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipients:
    """``addresses`` in the order of the names, each once; ``unknown``: the aliases that have no address."""

    addresses: tuple[str, ...]
    unknown: tuple[str, ...]


def recipients_of(names: Iterable[str | None], mail_domain: str | None) -> Recipients:
    """The addresses of owners and aliases; an alias without ``@`` is one of the mail domain (ADR 0012)."""
    addresses: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for name in names:
        if name:
            address = _address(name, mail_domain)
            (unknown if address is None else addresses)[address or name] = None
    return Recipients(tuple(addresses), tuple(unknown))


def _address(name: str, mail_domain: str | None) -> str | None:
    if "@" in name:
        return name
    return f"{name}@{mail_domain}" if mail_domain else None


def owner_and_leader(service: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The two who get the mails about a service's hardware."""
    return service.get("Owner"), service.get("LeaderAlias")
