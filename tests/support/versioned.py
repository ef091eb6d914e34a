"""Every versioned resource that callers write, declared or not: how it is written, and running by itself.

The bodies are the golden messages of its commands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.bootstrap import commands_of
from shared.documents import Documents
from shared.documents.sqlite import SqliteStore
from shared.messaging.commands import Command
from shared.resources import Apart, Resource
from shared.schemas.base import CommandBody, WireModel
from shared.schemas.eventplan_svc import EVENT_PLAN, PlanKeys
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.operation import DocumentKeys
from shared.schemas.resource_contract import ResourceContract
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process
from tests.support.fleet import routes_on
from tests.support.http import app_of, calling
from tests.support.resources import WRITABLE, calling_resource, declared_on, golden_body
from tests.support.snapshots import event, fleet, service

Body = dict[str, Any]
_RESTORE: Final = "/versions/{VersionId}/restore"
_OF_LINE: Final = ("EventId", "FleetProjection")
"""What the golden messages of a fleet have for its line for an event."""


@dataclass(frozen=True, slots=True)
class Running:
    """A resource on a store of the test's own: its routes, its commands and its documents."""

    http: httpx.AsyncClient
    commands: Sequence[Command[Any]]
    documents: Documents


@dataclass(frozen=True, slots=True)
class Write:
    """A write of a document that is there. ``at`` follows its path, and ``named`` is what that names beside the key.

    ``part``: the member of the body that names a part of the document, which may be unknown.
    """

    command: str
    method: str
    at: str
    body: Body
    named: Body = field(default_factory=dict)
    conditional: bool = True
    part: str = ""

    def whole(self, key: Body) -> Body:
        """The body of the command, which has what the path names."""
        return {**key, **self.named, **self.body}


@dataclass(frozen=True, kw_only=True)
class Versioned:
    """One resource.

    ``creation`` is the body that makes a document, with ``key`` unless EPIC assigns it. The first of ``writes`` is an
    ordinary change; ``back`` gives the body of another one at the same place, for a document as it was made.
    """

    contract: ResourceContract[Any]
    path: str
    item_path: str
    creation: Body
    key: Body
    writes: Sequence[Write]
    back: Callable[[Body], Body]
    batch: type[WireModel] = DocumentKeys
    apart: Apart | None = None
    run: Callable[[SqliteStore, FixedClock], AbstractAsyncContextManager[Running]]

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def change(self) -> Body:
        """The body of the first write, without its reason."""
        return {name: value for name, value in self.writes[0].body.items() if name != "AuditMetadata"}

    @property
    def deletion(self) -> Write | None:
        return next((write for write in self.writes if write.method == "DELETE"), None)

    def command(self, name: str) -> type[CommandBody]:
        return next(one for one in self.contract.commands if one.__name__ == name)

    def batch_of(self, *documents: Body) -> Body:
        """The body of a batch of these."""
        if self.batch is PlanKeys:
            return {"EventId": self.key["EventId"], "FleetIds": [one["FleetId"] for one in documents]}
        return {"Keys": [self.contract.key_in(one) for one in documents]}


def _write(name: str, method: str, at: str, key: Collection[str], **members: Any) -> Write:
    """The write of a golden message."""
    body = {member: value for member, value in golden_body(name).items() if member not in key}
    named = {"VersionId": body.pop("VersionId")} if "{VersionId}" in at else {}
    return Write(name, method, at.format_map(named), body, named, **members)


def _declared(resource: Resource[Any]) -> Versioned:
    contract, name = resource.contract, resource.name
    key = {part: {**contract.key_defaults, **golden_body(f"Update{name}")}[part] for part in contract.key}
    change = _write(f"Update{name}", "PUT", "", key)

    @asynccontextmanager
    async def run(store: SqliteStore, clock: FixedClock) -> AsyncIterator[Running]:
        declared = declared_on(resource, store, clock)
        async with calling_resource(resource, declared, store, clock) as http:
            yield Running(http, declared.commands(), declared[name].documents)

    return Versioned(
        contract=contract,
        path=resource.path,
        item_path=resource.item_path,
        creation=golden_body(f"Create{name}"),
        key=key,
        writes=[
            change,
            *(_write(one.command.__name__, one.method, f"/{one.word}", key) for one in resource.actions),
            _write(f"Restore{name}", "POST", _RESTORE, key),
            _write(f"Delete{name}", "DELETE", "", key),
        ],
        back=lambda made: {member: made.get(member) for member in change.body if member != "AuditMetadata"},
        apart=resource.apart,
        run=run,
    )


def _fleet() -> Versioned:
    """A fleet's own line."""
    creation = {name: value for name, value in golden_body("CreateFleet").items() if name not in _OF_LINE}
    of_path = {"FleetId", *_OF_LINE}

    @asynccontextmanager
    async def run(store: SqliteStore, clock: FixedClock) -> AsyncIterator[Running]:
        fleets = Fleets(store)
        routes = routes_on(store, fleets, clock)
        await store.start()
        async with calling(app_of(*routes)) as http:
            yield Running(http, commands_of(fleets), fleets.bases)

    def back(made: Body) -> Body:
        return {"FleetConfiguration": {"HostThroughPutTPM": made["FleetConfiguration"]["HostThroughPutTPM"]}}

    return Versioned(
        contract=FLEET,
        path="/fleet",
        item_path="/fleet/{FleetId}",
        creation=creation,
        key={"FleetId": creation["FleetId"]},
        writes=[
            _write("UpdateFleet", "PUT", "", of_path),
            _write("ReportInventory", "PUT", "/inventory", of_path, conditional=False),
            _write("RestoreFleet", "POST", _RESTORE, of_path),
            _write("DeleteFleet", "DELETE", "", of_path),
        ],
        back=back,
        run=run,
    )


def _plan() -> Versioned:
    """A plan that a person makes and changes; nobody deletes one."""
    creation = golden_body("CreateEventPlan")
    key = {part: creation[part] for part in EVENT_PLAN.key}

    @asynccontextmanager
    async def run(store: SqliteStore, clock: FixedClock) -> AsyncIterator[Running]:
        process = Process(store, clock)
        await store.start()
        await process.know(event(), fleet(), service())
        wiring = process.wiring
        async with calling(app_of(*wiring.routes)) as http:
            yield Running(http, wiring.commands, wiring.read_plans.documents)

    return Versioned(
        contract=EVENT_PLAN,
        path="/eventplan",
        item_path="/eventplan/{EventId}/{FleetId}",
        creation=creation,
        key=key,
        writes=[
            _write("SetMilestone", "PUT", "/milestone", key, part="EventMilestoneId"),
            _write("SetMilestoneStatus", "PUT", "/status", key, part="EventMilestoneId"),
            _write("ReplaceMilestones", "PUT", "/milestones", key),
            _write("RestoreEventPlan", "POST", _RESTORE, key),
        ],
        back=lambda _: {"EventMilestoneId": "UpdateThrottlingInSDC", "MilestoneCompletionStatus": "Blocked"},
        batch=PlanKeys,
        run=run,
    )


VERSIONED: Final = [*map(_declared, WRITABLE), _fleet(), _plan()]
EACH: Final = pytest.mark.parametrize("resource", VERSIONED, ids=[resource.name for resource in VERSIONED])
