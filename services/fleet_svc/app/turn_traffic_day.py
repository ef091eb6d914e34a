"""Use case: a day has begun, so every BAUTPM is of another four weeks, and the oldest day of traffic is deleted.

A day later its versions go too, so that what lies in the store does not grow from year to year.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

from services.fleet_svc.app.refresh_bau import BAUStore, refresh_bau
from services.fleet_svc.domain.traffic import first_kept
from shared.cause import AUTOMATION, Cause
from shared.durability.lease import Leases
from shared.jobs import Chunk, Jobs, Progress
from shared.tasks import for_each
from shared.trace import current_trace

_JOB: Final = "traffic day"
_LEASE: Final = 30.0  # seconds after which another process goes on where one died
_FLEETS: Final = 100  # in a chunk: their 2,800 days are one read of some MB
_AT_ONCE: Final = 32  # more gain nothing: the store commits that many writes together
_OLDEST: Final = 400  # days for which EPIC may have been off while traffic waits to be deleted


async def turn_traffic_day(*, store: BAUStore, leases: Leases) -> None:
    """Does it once for each day among all processes, from where it was interrupted."""
    jobs = Jobs(leases, lease=_LEASE, now=lambda: store.clock.now().timestamp())

    def is_due(last: Progress | None) -> bool:
        return last is None or datetime.fromtimestamp(last.begun_at, UTC).date() < store.clock.now().date()

    await jobs.run(_JOB, partial(_turn, store), due=is_due)


async def _turn(store: BAUStore, cursor: str | None) -> AsyncGenerator[Chunk, None]:
    """The cursor is the last fleet whose BAUTPM is done; the deletions, which come after all of them, begin again."""
    cause = Cause(store.clock.now(), AUTOMATION, current_trace())
    after: str | None = cursor
    while True:
        page = await store.bau.list(after=after, limit=_FLEETS)
        if page.items:
            await refresh_bau([document.key for document in page.items], cause, store=store)
            after = page.items[-1].key
            yield Chunk(len(page.items), after)
        if page.next_after is None:
            break
    oldest = first_kept(cause.now.date())
    gone = [oldest - timedelta(days=ago) for ago in range(1, _OLDEST + 1)]
    for day in gone:
        await _delete(day, cause, store)
    # Those of yesterday have been read by whoever followed the deletions. What stayed would make every list slower.
    await store.traffic.documents.purge({"Date": [day.isoformat() for day in gone[1:]]})


async def _delete(day: date, cause: Cause, store: BAUStore) -> None:
    async for page in store.traffic.documents.scan({"Date": day.isoformat()}):
        keys = [document.key for document in page]
        await for_each(keys, partial(store.traffic.forget, cause=cause), at_once=_AT_ONCE)
