"""A short run of what ``make faults`` does for long: faults, fuzzed records, availability, doctored stores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pymongo
import pymysql
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from sqlalchemy import make_url

from tests.faults import availability
from tests.faults.fuzz import fuzz_every_topic
from tests.faults.harness import RealHarness, real_harness
from tests.faults.invariants import violations
from tests.faults.mending import mend_and_replay
from tests.faults.plan import Sizes
from tests.faults.rounds import play_round

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.asyncio(loop_scope="module"),
]
SEED = 20240616
SIZES = Sizes(fleets=4, events=2, window=5, disturbances=3)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def harness() -> AsyncIterator[RealHarness]:
    async with real_harness() as one:
        yield one


@pytest.mark.parametrize("number", [1, 2])
async def test_a_round_under_faults_violates_nothing(harness: RealHarness, number: int) -> None:
    report = await play_round(harness, SEED, number, SIZES)
    assert report.violations == [], [str(one) for one in report.disturbances]


async def test_one_of_two_replicas_may_be_killed_at_any_time(harness: RealHarness) -> None:
    figure = await availability.measure(harness, SEED, 10, patience=60)
    assert figure.violations == []
    assert all(figure.available(kind) > 99 for kind in figure.asked), figure.failures  # too few for the target itself
    assert figure.kills.total() > 0


async def test_fuzzed_records_in_every_topic_are_dead_letters_or_refused(harness: RealHarness) -> None:
    found = await fuzz_every_topic(harness, SEED, 10)
    assert found.violations == []


async def test_a_letter_is_replayed_once_its_handler_is_mended(harness: RealHarness) -> None:
    assert await mend_and_replay(harness) == []


def in_mongo(database: str, collection: str, change: Callable[..., object]) -> Callable[[RealHarness], object]:
    def doctored(harness: RealHarness) -> object:
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(harness.stack.servers["mongo"].url)
        with client:
            return change(client[database][collection])

    return doctored


def in_mysql(statement: str) -> Callable[[RealHarness], object]:
    def doctored(harness: RealHarness) -> object:
        url = make_url(harness.stack.mysql)
        connection = pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.username,
            password=str(url.password),
            database=url.database,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            return cursor.execute(statement)

    return doctored


LETTER = {"Id": "x", "Group": "g", "Topic": "t", "Partition": 0, "Offset": 0, "Reason": "none"}
SHOWN = {"Version": 1, "Deleted": False, "Rewritten": False, "State": {"ByColour": {"Green": 1}}}
DOCTORED = {
    "version_numbers_are_contiguous": in_mongo("fleet", "service.items", lambda items: items.delete_many({})),
    "outboxes_are_empty": in_mongo("fleet", "intents", lambda intents: intents.insert_one({"Keys": ["x"]})),
    "dead_letters_are_what_was_poisoned": in_mongo(
        "notify", "dead_letters", lambda letters: letters.insert_one({"_id": "x", "Letter": json.dumps(LETTER)})
    ),
    "every_change_of_colour_is_listed": in_mongo(
        "eventplan", "read_model.colour_change", lambda announced: announced.delete_many({})
    ),
    "a_day_of_the_trend_is_a_recount": in_mongo(
        "eventplan",
        "read_model.trend",
        lambda days: days.insert_one({"_id": "x@2024-06-15", **SHOWN}),
    ),
    "replicas_hold_the_latest": in_mysql("UPDATE read_model_fleet SET VersionId = VersionId + 1"),
    "one_execution_per_fleet_and_run": in_mysql("DELETE FROM hotw_execution"),
    "hosts_add_up": in_mysql("UPDATE fulfillment_details SET FulfillmentValue = FulfillmentValue + 1"),
}


async def test_real_stores_that_are_doctored_are_found_out(harness: RealHarness) -> None:
    """The last of them all: nothing is whole afterwards."""
    await harness.at_rest(mails_too=True)
    await harness.stack.stop()
    assert violations(await harness.picture(), harness.ledger) == []
    for invariant, doctor in DOCTORED.items():
        await asyncio.to_thread(doctor, harness)
        assert invariant in {wrong.partition(":")[0] for wrong in violations(await harness.picture(), harness.ledger)}
    record = next(record for record in harness.topics.published if record.topic == "event.created" and record.id)
    producer = AIOKafkaProducer(bootstrap_servers=harness.stack.kafka)
    await producer.start()
    headers = [("ce_id", record.id.encode()), ("ce_source", record.source.encode()), ("ce_type", b"event.created")]
    await producer.send_and_wait(record.topic, b"{}", record.key.encode(), headers=headers)
    await producer.stop()
    found = {wrong.partition(":")[0] for wrong in violations(await harness.picture(), harness.ledger)}
    assert "no_id_has_two_contents" in found
