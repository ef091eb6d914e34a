"""The fuzzing of a whole stack: every topic gets its share, good traffic in between, and what must come of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer

from shared.schemas.topics import COMMAND_RESULTS, TOPICS, Topic
from tests.faults.fuzzed import fuzzed
from tests.faults.harness import RealHarness
from tests.faults.invariants import violations
from tests.faults.ledger import Command
from tests.faults.load import Load
from tests.faults.ordering import run_of
from tests.faults.picture import Picture
from tests.faults.plan import Sizes, company
from tests.faults.rounds import expect, retire

_SIZES: Final = Sizes(4, 2)
_AT_ONCE: Final = 200
_SECONDS_A_RECORD: Final = 0.01


@dataclass
class Fuzz:
    """What was written and what came of it."""

    records: int = 0
    topics: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    refused: set[str] = field(default_factory=set)
    writes: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.records} records of {len(self.kinds)} kinds in {self.topics} topics, {self.letters} dead letters, "
            f"{len(self.refused)} commands refused, {self.writes} good writes between them"
        )


async def fuzz_every_topic(harness: RealHarness, seed: int, records: int) -> Fuzz:
    """So many records into each topic while a small company is written; then nothing of it may be missing."""
    found, here = Fuzz(), company(f"{seed} fuzz", "z", _SIZES)
    load = Load(f"{seed} fuzz", here, _SIZES, harness.clients)
    patience = 400 + records * len(TOPICS) * _SECONDS_A_RECORD
    await asyncio.gather(load.run(), _write(harness, seed, records, found))
    await harness.at_rest(seconds=patience)
    await asyncio.gather(*(run_of(load, event.id) for event in here.events))
    await harness.at_rest(seconds=patience)
    await harness.all_back()
    expect(harness.ledger, here)
    picture = await harness.picture_at_rest()
    found.letters, found.writes = len(picture.letters), len(harness.ledger.writes)
    found.violations += (
        violations(picture, harness.ledger)
        + harness.ended()
        + harness.ledger.take_strange()
        + _not_refused(picture, found.refused)
    )
    await retire(harness, load)
    return found


async def _write(harness: RealHarness, seed: int, records: int, found: Fuzz) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=harness.stack.kafka, acks="all", enable_idempotence=True, max_request_size=1_048_576
    )
    await producer.start()
    try:
        for start in range(0, records, _AT_ONCE):
            count = min(_AT_ONCE, records - start)
            for topic in TOPICS.values():
                await _write_some(harness, producer, topic, f"{seed}-{topic.name}-{start}", count, found)
    finally:
        await producer.stop()
    found.topics = len(TOPICS)


async def _write_some(
    harness: RealHarness, producer: AIOKafkaProducer, topic: Topic, name: str, count: int, found: Fuzz
) -> None:
    rng, ledger, futures = random.Random(name), harness.ledger, []
    for number in range(count):
        record = fuzzed(topic, rng, f"fz-{name}-{number}")
        sent = await producer.send(topic.name, record.value, record.key, headers=record.headers)
        futures.append((record, sent))
        found.kinds[record.kind.partition(" is ")[0]] += 1
    for record, sent in futures:
        where = await sent
        found.records += 1
        if record.answered is not None:
            command = record.answered
            ledger.commands[command] = Command(command, topic.name, "fuzzed", command, {})
            found.refused.add(command)
        else:
            ledger.fuzzed.add((where.topic, where.partition, where.offset))


def _not_refused(picture: Picture, commands: set[str]) -> list[str]:
    wrong = []
    for record in picture.published:
        answer = record.data if record.topic == COMMAND_RESULTS else None
        if answer is not None and answer.get("CommandId") in commands and answer.get("Outcome") != "Refused":
            wrong.append(f"the fuzzed command {answer['CommandId']} was {answer.get('Outcome')}")
    return wrong
