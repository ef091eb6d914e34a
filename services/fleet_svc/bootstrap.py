"""Assembles fleet_svc: binds its use cases to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from services.fleet_svc.adapters.command_answers import CommandAnswers
from services.fleet_svc.app.accept_proposal import accept_proposal, show_proposal
from services.fleet_svc.app.bulk.bulk_store import BulkStore
from services.fleet_svc.app.bulk.cancel_bulk_job import cancel_bulk_job
from services.fleet_svc.app.bulk.start_bulk_job import start_bulk_job, start_of_command
from services.fleet_svc.app.bulk.work_bulk_jobs import BulkWork
from services.fleet_svc.app.bulk.write_rows import OwnRows
from services.fleet_svc.app.create_fleet import create_fleet
from services.fleet_svc.app.delete_fleet import delete_fleet
from services.fleet_svc.app.fleet_buffer import fleet_buffer
from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.hosts import on_orders_changed, report_inventory
from services.fleet_svc.app.mend_lines import mend_lines
from services.fleet_svc.app.on_events_changed import on_events_changed
from services.fleet_svc.app.publish_due_jobs import DueJobs
from services.fleet_svc.app.refresh_bau import BAUStore, EventDays, bau_documents, on_traffic_changed
from services.fleet_svc.app.report_throttling import report_throttling
from services.fleet_svc.app.show_bau_dashboard import show_bau_dashboard
from services.fleet_svc.app.turn_traffic_day import turn_traffic_day
from services.fleet_svc.app.update_fleet import restore_fleet, update_fleet
from services.fleet_svc.entrypoints.bau_dashboard import bau_dashboard_routes
from services.fleet_svc.entrypoints.bulk_http import bulk_routes
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.entrypoints.messages import subscriptions
from services.fleet_svc.entrypoints.proposals import proposal_routes
from services.fleet_svc.entrypoints.throttling import throttling_routes
from services.fleet_svc.resources import RESOURCES
from shared.clock import Clock
from shared.documents import DocumentTypes
from shared.documents.dry import DryStore
from shared.jobs import Worker
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared
from shared.schemas.fleet_svc.bulk_job import CancelBulkJob, StartBulkJob
from shared.schemas.fleet_svc.fleet import CreateFleet, DeleteFleet, ReportInventory, RestoreFleet, UpdateFleet
from shared.schemas.fleet_svc.proposal import AcceptProposal
from shared.schemas.fleet_svc.throttling import ReportThrottling
from shared.service import DocumentKit, RunningService
from shared.settings import Settings
from shared.web import Routes

_MEND_EVERY: Final = 3600.0
_SWEEP_EVERY: Final = 3600.0
_LOOK_FOR_JOBS: Final = 5.0  # seconds; a job that another process was given, or left, is found this soon
_OWN_AT_ONCE: Final = 2  # jobs of each process; a small one need not wait for a large one
_AWAITING_AT_ONCE: Final = 4  # jobs of each process that wait for other services, and do nothing else meanwhile
_DUE_EVERY: Final = 20.0  # seconds; the slots of a schedule are whole minutes
_DAY_EVERY: Final = 60.0  # seconds; a BAUTPM that is of yesterday for a minute harms nobody


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """fleet_svc, not started."""
    kit = DocumentKit("fleet_svc", settings, transport, clock)
    fleets = Fleets(kit.store)
    declared = declared_on(kit.store, fleets, clock)
    bau = bau_on(kit.store, declared, fleets, clock)
    report, accept = report_command(declared), accept_command(declared, bau)
    commands = [*commands_of(fleets), report, accept]
    own = [*declared.commands(), *commands]
    bulk = BulkJobs(kit, transport, own)
    due_jobs = DueJobs(declared["BAUHostJob"].documents, clock)
    turn_day = partial(turn_traffic_day, store=bau, leases=kit.store.leases())
    return kit.service(
        declared=declared,
        routes=[
            fleet_routes(commands, fleets, clock),
            throttling_routes(report, declared["Throttling"], clock),
            *bau_routes(accept, declared, bau),
            bulk.routes,
        ],
        subscriptions=[
            CommandSubscription("fleet.commands", [*own, *bulk.commands]),
            *subscriptions(
                on_orders_changed=partial(on_orders_changed, fleets=fleets),
                on_events_changed=partial(on_events_changed, fleets=fleets, event_days=bau.event_days),
                clock=clock,
            ),
        ],
        periodic=[
            kit.every(_MEND_EVERY, "mend fleet lines", partial(mend_lines, clock, fleets=fleets)),
            kit.every(_DUE_EVERY, "publish due jobs", due_jobs.publish),
            kit.every(_DAY_EVERY, "turn the day of traffic", turn_day),
            *bulk.periodic(kit),
        ],
        description="Services, their fleets with hosts and lines for events, and what their hosts are planned by.",
    )


def declared_on(store: DocumentTypes, fleets: Fleets, clock: Clock) -> Declared:
    """The declared resources, on a store that is not started yet."""
    declared = Declared(RESOURCES, store, clock, others={"Fleet": fleets.bases})
    declared["Exception"].look_up(partial(fleet_buffer, fleets=fleets))
    return declared


class BulkJobs:
    """The bulk jobs: their routes, their commands, and the workers. ``own`` are the commands of this service."""

    def __init__(self, kit: DocumentKit, transport: Transport, own: Sequence[Command[Any]]) -> None:
        clock, jobs = kit.clock, BulkStore(kit.store, kit.clock)
        self._jobs = jobs
        dry = DryStore(kit.store)
        fleets = Fleets(dry)
        dry_commands = [*declared_on(dry, fleets, clock).commands(), *commands_of(fleets)]
        work = BulkWork(
            jobs,
            kit.store.leases(),
            own=OwnRows({command.name: command for command in own}, clock),
            dry=OwnRows({command.name: command for command in dry_commands}, clock),
            answers=CommandAnswers(transport, kit.publish, clock),
            clock=clock,
            in_order=[one.name for one in RESOURCES if one.among is not None],
        )
        of_others = replace(work, of_others=True)
        self._workers = [
            Worker("bulk jobs", work, poll=_LOOK_FOR_JOBS, concurrency=_OWN_AT_ONCE),
            Worker("bulk jobs of others", of_others, poll=_LOOK_FOR_JOBS, concurrency=_AWAITING_AT_ONCE),
        ]
        cancel = Command(CancelBulkJob, partial(cancel_bulk_job, jobs=jobs), "bulkjob.cancel", conditional=False)
        start = partial(start_of_command, jobs=jobs, wake=self._wake)
        self.commands: list[Command[Any]] = [Command(StartBulkJob, start, "bulkjob.start", conditional=False), cancel]
        self.routes = bulk_routes(partial(start_bulk_job, jobs=jobs, wake=self._wake), cancel, jobs, clock)

    def _wake(self) -> None:
        for worker in self._workers:
            worker.wake()

    def periodic(self, kit: DocumentKit) -> list[Worker]:
        """What works in the background."""
        return [*self._workers, kit.every(_SWEEP_EVERY, "sweep bulk jobs", self._jobs.sweep)]


def commands_of(fleets: Fleets) -> list[Command[Any]]:
    """The commands about fleets, which HTTP calls as well."""
    return [
        Command(CreateFleet, partial(create_fleet, fleets=fleets), "fleet.create"),
        Command(UpdateFleet, partial(update_fleet, fleets=fleets), "fleet.update"),
        Command(DeleteFleet, partial(delete_fleet, fleets=fleets), "fleet.delete"),
        Command(RestoreFleet, partial(restore_fleet, fleets=fleets), "fleet.restore"),
        Command(ReportInventory, partial(report_inventory, fleets=fleets), "inventory.report", conditional=False),
    ]


def report_command(declared: Declared) -> Command[Any]:
    """The command about what is applied of the limits, which HTTP calls as well."""
    throttlings, projections = declared["Throttling"].documents, declared["Projection"].documents
    report = partial(report_throttling, throttlings=throttlings, projections=projections)
    return Command(ReportThrottling, report, "throttling.report", conditional=False)


def bau_on(store: DocumentTypes, declared: Declared, fleets: Fleets, clock: Clock) -> BAUStore:
    """What BAUTPM is worked out from, on a store that is not started yet; it is worked out after each write."""
    bau = BAUStore(declared.apart("Traffic"), bau_documents(store), fleets, EventDays(fleets), clock)
    for word in ("create", "update", "delete", "restore"):
        declared["Traffic"].after(word, partial(on_traffic_changed, store=bau))
    return bau


def accept_command(declared: Declared, bau: BAUStore) -> Command[Any]:
    """The command about a proposal, which HTTP calls as well."""
    accept = partial(accept_proposal, projections=declared["Projection"], bau=bau.bau, fleets=bau.fleets)
    return Command(AcceptProposal, accept, "proposal.accept")


def bau_routes(accept: Command[Any], declared: Declared, bau: BAUStore) -> list[Routes]:
    """The routes of what follows from BAUTPM: proposals and the dashboard."""
    propose = partial(show_proposal, bau=bau.bau, fleets=bau.fleets)
    show = partial(show_bau_dashboard, declared=declared, bau=bau.bau, fleets=bau.fleets, clock=bau.clock)
    return [proposal_routes(accept, declared["Projection"], bau.clock, show=propose), bau_dashboard_routes(show)]
