"""Owns the row form of NDJSON files: one resource a line, and the HTTP request that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

__all__ = ["KINDS", "BadRow", "Kind", "Request", "read_row"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource that a row may be: its members that tell it, its key, and where it goes.

    ``phase`` orders the loading: what others are checked against goes first.
    """

    name: str
    phase: int
    key: tuple[str, ...]
    told_by: frozenset[str]
    method: str = "POST"
    path: str = ""


def _kind(name: str, phase: int, key: str, told_by: str, path: str, method: str = "POST") -> Kind:
    return Kind(name, phase, tuple(key.split()), frozenset(told_by.split()), method, path)


# Recognised in this order: an inventory and a projection also name a fleet, a fleet also names its service.
_IN_ORDER: Final = (
    _kind("Ticket", 4, "Title", "Title", "/ticket"),
    _kind("Inventory", 3, "FleetId", "FleetId HostsPresent", "/fleet/{FleetId}/inventory", "PUT"),
    _kind("Fleet", 1, "FleetId", "FleetId FleetConfiguration", "/fleet"),
    _kind("Projection", 3, "FleetId EventId", "FleetId EventId TotalInputTPM", "/projection"),
    _kind("Projection", 3, "FleetId EventId", "FleetId EventId CloudTuneProjection", "/projection"),
    _kind("Projection", 3, "FleetId EventId", "FleetId EventId ManualOverride", "/projection"),
    _kind("Event", 2, "EventId", "EventId PeakStartDate", "/event"),
    _kind("Service", 0, "ServiceId", "ServiceId ServiceType", "/service"),
)
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in reversed(_IN_ORDER)}
_KEY_BYTES: Final = 16


class BadRow(Exception):
    """A line that is no resource; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a row asks for. ``idempotency_key`` comes from the row alone: the same row again is the same request."""

    kind: str
    id: str
    phase: int
    method: str
    path: str
    body: bytes
    idempotency_key: str


def read_row(line: bytes) -> Request:
    """The request of one line: a JSON object, the body as HTTP takes it, with or without ``Resource``. BadRow if none.

    ``{"Resource": "Service", "ServiceId": …}`` says what it is; without ``Resource`` its members tell.
    """
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRow(f"not JSON: {error}; put one JSON object on the line") from None
    if not isinstance(row, dict):
        raise BadRow('not a JSON object; put one object on the line, such as {"Resource": "Service", "ServiceId": …}')
    kind = _named(row.pop("Resource")) if "Resource" in row else _told(row)
    for member in kind.key:
        if not isinstance(row.get(member), str) or not row[member]:
            raise BadRow(f"a {kind.name} needs {member}, a string; add it")
    return _request(kind, row)


def _named(name: object) -> Kind:
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadRow(f"Resource {name!r} is not known; use one of {', '.join(KINDS)}")
    return kind


def _told(row: Mapping[str, Any]) -> Kind:
    for kind in _IN_ORDER:
        if kind.told_by <= row.keys():
            return kind
    raise BadRow(f'its members do not tell what it is; add "Resource": one of {", ".join(KINDS)}')


def _request(kind: Kind, row: dict[str, Any]) -> Request:
    names = [row[member] for member in kind.key]
    path = kind.path
    if kind.method == "PUT":
        for member in kind.key:
            path = path.replace("{" + member + "}", quote(row.pop(member), safe=""))
    body = orjson.dumps(row)
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    digest.update(f"{kind.method} {path} {'#'.join(names)} ".encode())
    digest.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    return Request(kind.name, "#".join(names), kind.phase, kind.method, path, body, f"row-{digest.hexdigest()}")
