"""The row form of NDJSON files: one resource a line, and the HTTP request that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from shared import exact_json
from shared.errors import BadInput
from shared.schemas.base import VERSION_MEMBERS, WireModel, wire_names
from shared.schemas.decoding import decode_object
from shared.schemas.fleet_svc.fleet import FLEET, Inventory
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.topics import SERVICES

if TYPE_CHECKING:
    from shared.resources import Resource

_KEY_BYTES: Final = 16


@dataclass(frozen=True)
class Kind:
    """One kind of row. ``body`` is its contract; a row may also have the members in ``ignored``.

    ``phase`` orders the loading: a row is checked against rows of earlier phases. ``in_order``: rows of the kind are
    checked against each other, so each is sent after those in lines above it. The path's members are not sent in the
    body.
    """

    name: str
    phase: int
    key: tuple[str, ...]
    body: type[WireModel]
    ignored: frozenset[str]
    path: str
    method: str = "POST"
    in_order: bool = False

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The members that a row must have."""
        fields = self.body.model_fields.items()
        of_body = [field.alias or name for name, field in fields if field.is_required()]
        return tuple(dict.fromkeys([*(name for name in self.key if f"{{{name}}}" in self.path), *of_body]))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The members that name a row: its key, or its first member where EPIC assigns the key."""
        return tuple(name for name in self.key if name in self.required) or self.required[:1]

    @cached_property
    def known(self) -> frozenset[str]:
        """The members that a row may have."""
        return wire_names(self.body) | self.ignored | {*self.key, "AuditMetadata"}

    def knows(self, members: Iterable[str]) -> bool:
        """Whether such a row may have these members."""
        return self.known.issuperset(members)

    def is_complete_with(self, members: Iterable[str]) -> bool:
        """Whether these members include all that such a row must have."""
        return set(members).issuperset(self.required)


def declarations() -> dict[str, tuple[Resource[Any], ...]]:
    """The declared resources of each service, by its name; none where a service declares nothing."""
    packages = {service: f"services.{service}.resources" for service in SERVICES}
    return {
        service: import_module(package).RESOURCES if find_spec(package) else () for service, package in packages.items()
    }


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of row by its name, in the order of loading: service by service, in each what is referenced first.

    Imports the services, which takes half a second.
    """
    found: list[Kind] = []
    for number, resources in enumerate(declarations().values()):
        for resource in resources:
            contract = resource.contract
            if not resource.read_only:
                phase = 10 * number + 2 * _depth(resource, resources)
                ignored, in_order = _ignored(contract), resource.among is not None
                kind = Kind(
                    contract.name, phase, contract.key, contract.body, ignored, resource.path, in_order=in_order
                )
                found.append(kind)
    # A fleet and its inventory have use cases of their own, and no declaration.
    found.append(Kind("Fleet", 1, FLEET.key, FLEET.body, _ignored(FLEET), "/fleet"))
    found.append(Kind("Inventory", 2, FLEET.key, Inventory, VERSION_MEMBERS, "/fleet/{FleetId}/inventory", "PUT"))
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.phase)}


def _depth(resource: Resource[Any], resources: Sequence[Resource[Any]]) -> int:
    """How many kinds of rows of its service come before a resource's: those that it names, and those that they name."""
    named = [one for one in resources if one.contract in resource.references]
    return max((1 + _depth(one, resources) for one in named), default=1 if resource.references else 0)


def _ignored(contract: ResourceContract[Any]) -> frozenset[str]:
    return contract.ignored | ({contract.joined_key} if contract.joined_key else frozenset())


class BadRow(Exception):
    """A line that is no resource; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a row. ``idempotency_key`` comes from the row alone: the same row is the same request.

    ``created``: the members that the answer has, as for ``epic.api.Answer.has``: VersionId, and the row's ids. ``row``:
    the members as a row of a bulk job, those of the path among them. ``in_order`` as of its kind.
    """

    kind: str
    id: str
    phase: int
    method: str
    path: str
    body: bytes
    idempotency_key: str
    created: Mapping[str, Any]
    row: bytes
    in_order: bool = False


def read_row(line: bytes) -> Request:
    """The request of one line: a JSON object, the body as HTTP takes it, with or without ``Resource``. BadRow if none.

    ``{"Resource": "Service", "ServiceId": …}`` names the kind. Without ``Resource`` the members decide, where they are
    those of one kind alone.
    """
    try:
        row = decode_object(line)
    except BadInput as error:
        raise BadRow("; ".join(f"{one.pointer}: {one.detail}" for one in error.errors) or error.detail) from None
    kind = _named(row.pop("Resource")) if "Resource" in row else _recognised(row)
    for member in kind.names:
        if not isinstance(row.get(member), str) or not row[member]:
            raise BadRow(f"{kind.name} needs {member}, a string; add it")
    return _request(kind, row)


def _named(name: object) -> Kind:
    kind = kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadRow(f"Resource {name!r} is not known; use one of {', '.join(kinds())}")
    return kind


def _recognised(row: Mapping[str, Any]) -> Kind:
    """The kind that knows all members of the row; of several the one that needs no more."""
    fitting = [kind for kind in kinds().values() if kind.knows(row)]
    complete = [kind for kind in fitting if kind.is_complete_with(row)]
    for found in (complete, fitting):
        if len(found) == 1:
            return found[0]
    names = ", ".join(kinds())
    raise BadRow(f'its members are not those of one resource alone; add "Resource": one of {names}')


def _request(kind: Kind, row: dict[str, Any]) -> Request:
    names = [row[member] for member in kind.names]
    created = {"VersionId": None, **{member: row.get(member) for member in kind.key}}
    whole = exact_json.dumps(row)
    path = kind.path
    for member in kind.key:
        if f"{{{member}}}" in path:
            path = path.replace(f"{{{member}}}", quote(row.pop(member), safe=""))
    body = exact_json.dumps(row)
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    digest.update(f"{kind.method} {path} {'#'.join(names)} ".encode())
    digest.update(exact_json.canonical(row))
    key = f"row-{digest.hexdigest()}"
    return Request(kind.name, "#".join(names), kind.phase, kind.method, path, body, key, created, whole, kind.in_order)
