"""What a bulk job can be about: each resource that a caller may write, whichever service owns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from shared.errors import BadInput, FieldError, NotFound
from shared.schemas.base import CommandBody, WireModel, wire_names
from shared.schemas.fleet_svc.bulk_job import BulkMode
from shared.schemas.fleet_svc.fleet import FLEET, Inventory, ReportInventory
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.topics import RESOURCES

SOURCE: Final = "fleet_svc"
"""The service that works on bulk jobs: rows of its own resources need no command."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """One kind of row. ``word`` names it in a path; ``create`` and ``update`` are its commands, where it has them."""

    name: str
    service: str
    contract: ResourceContract[Any]
    model: type[WireModel]
    create: type[CommandBody] | None
    update: type[CommandBody] | None

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def command_topic(self) -> str:
        return f"{self.service.removesuffix('_svc')}.commands"

    @property
    def required_key(self) -> tuple[str, ...]:
        """The members of the key that every row has: EPIC gives no default and no id for them."""
        fields = {field.alias or name: field for name, field in self.contract.model.model_fields.items()}
        return tuple(name for name in self.contract.key if fields[name].is_required())

    @property
    def known(self) -> frozenset[str]:
        """The members that a row may have."""
        joined = {self.contract.joined_key} if self.contract.joined_key else frozenset[str]()
        models = (self.model, self.create, self.update)
        own = wire_names(*(model for model in models if model is not None))
        return own | self.contract.ignored | joined | {*self.contract.key, "AuditMetadata"}

    def key_in(self, fields: Mapping[str, Any]) -> str | None:
        """The key of the document that a row is about; None where EPIC has yet to give one, or the row is wrong."""
        values = {**self.contract.key_defaults, **fields}
        parts = [values.get(name) for name in self.contract.key]
        return "#".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None

    def message_key(self, fields: Mapping[str, Any]) -> str:
        """The key of a row's command (5.22): the fleet, the service or the event that it concerns."""
        wanted = (
            *(name for name in ("FleetId", "ServiceId", "EventId") if name in self.contract.key),
            *self.contract.key,
        )
        return next((fields[name] for name in wanted if isinstance(fields.get(name), str)), self.word)

    def commands(self, mode: BulkMode, fields: Mapping[str, Any]) -> list[type[CommandBody]]:
        """The commands of a row: if the first finds nothing to change, the second makes it.

        An upsert changes first: only so can a row leave out what the document has already.
        """
        wanted = {BulkMode.CREATE: [self.create], BulkMode.UPDATE: [self.update]}.get(mode, [self.update, self.create])
        if mode is BulkMode.UPSERT and self.key_in(fields) is None and self.create is not None:
            wanted = [self.create]  # EPIC gives the key
        return [command for command in wanted if command is not None]

    def check_mode(self, mode: BulkMode) -> None:
        """BadInput for a mode in which no row could be written."""
        if not self.commands(mode, {}):
            other = BulkMode.UPDATE if mode is BulkMode.CREATE else BulkMode.CREATE
            error = FieldError("/Mode", f"give {other} or {BulkMode.UPSERT}")
            raise BadInput(f"{self.name} has no {mode} in bulk", [error])


@cache
def row_kinds() -> Mapping[str, RowKind]:
    """Every kind of row by its word."""
    found = [
        RowKind(
            contract.name,
            service,
            contract,
            contract.body,
            _named(contract, f"Create{contract.name}"),
            _named(contract, f"Update{contract.name}"),
        )
        for service, contracts in RESOURCES.items()
        for contract in contracts
    ]
    found.append(RowKind("Inventory", FLEET.owner, FLEET, Inventory, None, ReportInventory))
    return {kind.word: kind for kind in found if kind.create or kind.update}


def _named(contract: ResourceContract[Any], name: str) -> type[CommandBody] | None:
    return next((command for command in contract.commands if command.__name__ == name), None)


def row_kind(resource: str) -> RowKind:
    """The kind of this name, in capitals or not. NotFound when there is none."""
    kind = row_kinds().get(resource.lower())
    if kind is None:
        known = ", ".join(sorted(row_kinds()))
        raise NotFound(f"there is no resource {resource!r} to write in bulk; use one of {known}")
    return kind
