"""The list of what is measured, in the order it is run."""

from __future__ import annotations

from typing import Final

from bench.figure import Bench
from bench.measures import (
    batch,
    bulk,
    consume,
    dashboard,
    embedded,
    idle,
    latest,
    listing,
    memory,
    plans,
    put,
    runs,
    traffic_day,
    updates,
)

BENCHES: Final[tuple[Bench, ...]] = (
    consume.BENCH,
    idle.BENCH,
    plans.BENCH,
    updates.BENCH,
    bulk.BENCH,
    runs.BENCH,
    latest.BENCH,
    put.BENCH,
    listing.BENCH,
    batch.BENCH,
    dashboard.BENCH,
    embedded.BENCH,
    traffic_day.BENCH,
    memory.BENCH,
)
