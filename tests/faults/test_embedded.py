"""``epic up`` killed again and again under load keeps everything it acknowledged; a doctored folder is found out."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.faults.embedded import EmbeddedHarness, embedded_harness
from tests.faults.from_files import picture_of_files, published_in_folder
from tests.faults.invariants import violations
from tests.faults.plan import Sizes
from tests.faults.rounds import play_round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
SEED = 20240615
DOCTORED = {
    "version_numbers_are_contiguous": ("fleet", 'DELETE FROM "service.items" WHERE version = 1'),
    "outboxes_are_empty": (
        "event",
        "INSERT INTO outbox (resource, key, version, type, at, correlation_id) "
        "VALUES ('event', 'x', 1, 'event.updated', '2024-06-15T09:00:00Z', '')",
    ),
    "replicas_hold_the_latest": ("notify", 'UPDATE "read_model.event" SET version = 1'),
    "hosts_add_up": ("hotw", "UPDATE fulfillment_details SET FulfillmentValue = FulfillmentValue + 1"),
    "one_execution_per_fleet_and_run": ("hotw", "DELETE FROM hotw_execution"),
    "no_acknowledged_write_is_missing": ("eventplan", "DELETE FROM \"eventplan.items\" WHERE message LIKE '%-w%'"),
}


async def test_epic_up_killed_under_load_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    async with embedded_harness() as harness:
        report = await play_round(harness, SEED, 1, Sizes(fleets=4, events=2, window=10, disturbances=4))
        assert report.violations == []
        assert harness.counts["kill epic up"] == 4 + 2
        await harness.at_rest(mails_too=True)
        await harness.stack.stop()
        assert await found_in(harness, harness.folder) == set()
        for invariant, (name, statement) in DOCTORED.items():
            copy = tmp_path / invariant
            shutil.copytree(harness.folder, copy)
            doctor(copy / f"{name}.db", statement)
            assert invariant in await found_in(harness, copy)


def doctor(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    assert connection.execute(statement).rowcount > 0, statement
    connection.close()


async def found_in(harness: EmbeddedHarness, folder: Path) -> set[str]:
    """The names of the invariants that do not hold of a folder's files."""
    picture = picture_of_files(folder)
    picture.published, picture.groups = await published_in_folder(folder), harness.groups
    return {wrong.partition(":")[0] for wrong in violations(picture, harness.ledger)}
