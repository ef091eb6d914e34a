"""The wiring of hotw_svc."""

from __future__ import annotations

from functools import partial
from typing import Final

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.adapters.providers.configured import provider_of
from services.hotw_svc.adapters.queries.queries import Queries
from services.hotw_svc.adapters.store import migrate, store_in
from services.hotw_svc.app.external.record_dashboard import record_dashboard
from services.hotw_svc.app.external.record_execution import record_execution
from services.hotw_svc.app.external.record_run import record_run
from services.hotw_svc.app.on_inputs_changed import on_event_changed, on_inputs_changed
from services.hotw_svc.app.orders.change_order import report_delivery, review_order
from services.hotw_svc.app.orders.check_gaps import check_gaps
from services.hotw_svc.app.orders.review_orders import review_orders, review_worker
from services.hotw_svc.app.orders.settle_order_books import settle_order_books
from services.hotw_svc.app.ports import Commands
from services.hotw_svc.app.providers.ask_provider import ask_provider
from services.hotw_svc.app.providers.look_at_groups import look_at_groups
from services.hotw_svc.app.runs.cancel_run import cancel_run
from services.hotw_svc.app.runs.execute_fleet import execute_fleet
from services.hotw_svc.app.runs.schedule_runs import start_scheduled_runs
from services.hotw_svc.app.runs.start_run import start_run
from services.hotw_svc.app.runs.worker import run_worker
from services.hotw_svc.app.store_preferred_asgs import store_preferred_asgs
from services.hotw_svc.entrypoints.gaps_http import gap_routes
from services.hotw_svc.entrypoints.http import routes
from services.hotw_svc.entrypoints.messages import subscriptions
from shared.clock import Clock
from shared.jobs import Worker
from shared.messaging.transport import Transport
from shared.relational import Database
from shared.service import RunningService, ServiceKit
from shared.settings import Settings

_NAME: Final = "hotw_svc"
_ASK_EVERY: Final = 5.0  # seconds; so late is a provider asked for what was decided
_LOOK_EVERY: Final = 10.0  # seconds between passes; each group is looked at once a minute
_CHECK_EVERY: Final = 1.0  # seconds; so late may a changed input open or close a gap
_SETTLE_EVERY: Final = 5.0  # seconds; so late may an override start or an order expire
_SCHEDULE_EVERY: Final = 15.0  # seconds; so late may a run of the schedule start, whose slots are whole minutes


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """hotw_svc, not started."""
    open_store = partial(Database, settings.mysql_url or settings.data_dir / "hotw.db", migrate)
    kit = ServiceKit(_NAME, settings, transport, clock, open_store=open_store)
    database = kit.store
    provider = provider_of(settings)
    store = store_in(database, az_factors(settings.az_factor_map), queue_groups=provider is not None)
    worker = run_worker(store, clock)
    reviews = review_worker(store, clock)
    gaps = Worker("gaps", partial(check_gaps, store=store, clock=clock), poll=_CHECK_EVERY)
    commands = Commands(
        start_run=partial(start_run, store=store, wake_workers=worker.wake),
        cancel_run=partial(cancel_run, store=store),
        execute_fleet=partial(execute_fleet, store=store, clock=clock),
        review_order=partial(review_order, store=store),
        review_orders=partial(review_orders, store=store, clock=clock, wake=reviews.wake),
        report_delivery=partial(report_delivery, store=store),
        store_preferred_asgs=partial(store_preferred_asgs, store=store),
        record_run=partial(record_run, store=store),
        record_execution=partial(record_execution, store=store),
        record_dashboard=partial(record_dashboard, store=store),
    )
    periodic = [kit.every(_SETTLE_EVERY, "settle order books", partial(settle_order_books, store=store, clock=clock))]
    if settings.hotw_schedule is not None:
        scheduled = partial(
            start_scheduled_runs,
            schedule=settings.hotw_schedule,
            store=store,
            clock=clock,
            wake_workers=worker.wake,
        )
        periodic.append(kit.every(_SCHEDULE_EVERY, "start scheduled runs", scheduled))
    parts = [worker, reviews, gaps]
    if provider is not None:
        asking = partial(ask_provider, store=store, provider=provider.provider, clock=clock)
        parts.append(Worker("provider", asking, poll=_ASK_EVERY))
        if provider.looks:
            look = partial(
                look_at_groups,
                store=store,
                leases=database.leases(),
                provider=provider.provider,
                clock=clock,
                repair=settings.hotw_repair_drift,
            )
            periodic.append(kit.every(_LOOK_EVERY, "look at groups", look))
    queries = Queries(database)
    return kit.service(
        routes=[routes(commands, queries, clock), gap_routes(queries, clock)],
        subscriptions=subscriptions(
            commands,
            on_inputs_changed=partial(on_inputs_changed, store=store, clock=clock),
            on_event_changed=partial(on_event_changed, store=store, clock=clock),
        ),
        parts=parts,
        periodic=periodic,
        description="Works out, orders and follows the hosts every fleet needs for a peak.",
    )
