"""Where consumers read: committed offsets, seeks, and partitions shared in a group."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalOperation, IllegalStateError

from shared.messaging.transport import Consumer, Transport
from tests.support.transport import NewTopic, consuming, producing, send, send_and_wait, take, values
from tests.support.waiting import until


class Recording(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.calls.append(("revoked", len(revoked)))

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.calls.append(("assigned", len(assigned)))


async def test_a_group_goes_on_where_it_committed(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    place = TopicPartition(topic, 0)
    await send(transport, topic, [b"%d" % number for number in range(10)])

    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert await transport.lag(f"{topic}.g") == {}
        assert values(await take(consumer, 4, max_records=4)) == [b"0", b"1", b"2", b"3"]
        await consumer.commit()
        assert await transport.lag(f"{topic}.g") == {place: 6}
        await take(consumer, 3, max_records=3)

    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert values(await take(consumer, 6)) == [b"4", b"5", b"6", b"7", b"8", b"9"]
        await consumer.commit({place: 9})
    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert values(await take(consumer, 1)) == [b"9"]
        await consumer.commit({place: 5})
    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        assert values(await take(consumer, 5)) == [b"5", b"6", b"7", b"8", b"9"]


async def test_groups_know_nothing_of_each_other(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(2)
    await send(transport, topic, [b"1", b"2"])
    for name in ("a", "b"):
        async with consuming(transport, topic, group_id=f"{topic}.{name}") as consumer:
            assert values(await take(consumer, 2)) == [b"1", b"2"]
            await consumer.commit()


async def test_a_new_group_begins_at_the_first_record(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    place = TopicPartition(topic, 0)
    await send(transport, topic, [b"old"])
    async with consuming(transport, topic, group_id=f"{topic}.new") as consumer:
        assert await consumer.position(place) == 0
        await send(transport, topic, [b"new"])
        assert values(await take(consumer, 2)) == [b"old", b"new"]


async def test_a_seek_delivers_again(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    place = TopicPartition(topic, 0)
    await send(transport, topic, [b"0", b"1", b"2"])
    async with consuming(transport, topic) as consumer:
        assert values(await take(consumer, 3)) == [b"0", b"1", b"2"]
        assert await consumer.position(place) == 3
        consumer.seek(place, 1)
        assert await consumer.position(place) == 1
        assert values(await take(consumer, 2)) == [b"1", b"2"]
        consumer.seek(place, 0)
        assert values(await take(consumer, 3)) == [b"0", b"1", b"2"]
        with pytest.raises(ValueError, match=r"[Oo]ffset"):
            consumer.seek(place, -1)
        with pytest.raises(IllegalStateError):
            consumer.seek(TopicPartition(topic, 7), 0)


async def test_partitions_can_be_assigned_by_hand(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(2)
    one, other = TopicPartition(topic, 0), TopicPartition(topic, 1)
    async with producing(transport) as producer:
        for number in (0, 1):
            await send_and_wait(producer, topic, b"%d" % number, partition=number)
    async with consuming(transport) as consumer:
        consumer.assign([other])
        assert consumer.assignment() == {other}
        assert values(await take(consumer, 1)) == [b"1"]
        assert await transport.end_offsets(topic) == {one: 1, other: 1}
        with pytest.raises(IllegalOperation):
            await consumer.commit()
        with pytest.raises(IllegalStateError):
            consumer.subscribe([topic])


async def test_a_partition_of_somebody_else_is_not_committed(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    async with consuming(transport, topic, group_id=f"{topic}.g") as consumer:
        with pytest.raises(IllegalStateError):
            await consumer.commit({TopicPartition(topic, 3): 1})


async def test_two_of_a_group_share_the_partitions_and_one_takes_over(
    transport: Transport, new_topic: NewTopic
) -> None:
    topic = await new_topic(4)
    group = f"{topic}.shared"
    recorded = Recording()
    first = transport.consumer(group_id=group)
    first.subscribe([topic], listener=recorded)
    await first.start()
    await until(lambda: len(first.assignment()) == 4, "all partitions are the first's")
    async with producing(transport) as producer:
        for number in range(4):
            await send_and_wait(producer, topic, b"a%d" % number, partition=number)
        assert sorted(values(await take(first, 4))) == [b"a0", b"a1", b"a2", b"a3"]
        await first.commit()
        taken: dict[str, list[bytes]] = {"first": [], "second": []}
        running = [asyncio.create_task(_collect(first, taken["first"]))]

        second = transport.consumer(topic, group_id=group)
        await second.start()
        running.append(asyncio.create_task(_collect(second, taken["second"])))
        await until(lambda: len(first.assignment()) == len(second.assignment()) == 2, "two partitions each")
        assert not first.assignment() & second.assignment()
        for number in range(4):
            await send_and_wait(producer, topic, b"b%d" % number, partition=number)
        await until(lambda: len(taken["first"]) == len(taken["second"]) == 2, "two records each")
        assert {value for held in taken.values() for value in held} == {b"b0", b"b1", b"b2", b"b3"}
        await second.commit()
        of_second = second.assignment()

        for number in range(4):
            await send_and_wait(producer, topic, b"c%d" % number, partition=number)
        await until(lambda: len(taken["second"]) == 4, "two more for the second")
        await second.stop()  # what it read and did not commit comes again, to the other
        whole = {TopicPartition(topic, number) for number in range(4)}
        await until(lambda: first.assignment() == whole, "all partitions are the first's again")
        again = {b"c%d" % place.partition for place in of_second}
        await until(lambda: again <= set(taken["first"]), "what the second did not commit")
        assert not {b"b%d" % place.partition for place in of_second} & set(taken["first"])
    await first.stop()
    await asyncio.gather(*running, return_exceptions=True)
    assert recorded.calls[:1] in ([("assigned", 4)], [("revoked", 0)])
    assert [call for call in recorded.calls if call[1]] == [
        ("assigned", 4),
        ("revoked", 4),
        ("assigned", 2),
        ("revoked", 2),
        ("assigned", 4),
    ]


async def _collect(consumer: Consumer, into: list[bytes]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            into += values(records)


async def test_more_consumers_than_partitions_leave_one_waiting(transport: Transport, new_topic: NewTopic) -> None:
    topic = await new_topic(1)
    async with (
        consuming(transport, topic, group_id=f"{topic}.g") as one,
        consuming(transport, topic, group_id=f"{topic}.g") as two,
    ):
        await until(lambda: len(one.assignment()) + len(two.assignment()) == 1, "one of them has the partition")
        await send(transport, topic, [b"v"])
        busy = one if one.assignment() else two
        assert values(await take(busy, 1)) == [b"v"]
