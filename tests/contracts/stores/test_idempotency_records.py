"""Idempotency records: the first outcome of a request is stored, and the same request gets it again."""

from __future__ import annotations

import asyncio

import pytest

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord
from shared.errors import Conflict, NotFound, Refused
from shared.trace import Trace
from tests.support.stores import NOW, AnyStore, MakeStore


def cause(cause_id: str | None, *, digest: str = "d") -> Cause:
    return Cause(NOW, "ann", Trace("correlation"), cause_id, digest)


async def test_the_first_of_several_outcomes_is_the_stored_one(store: AnyStore) -> None:
    first = IdempotencyRecord({"a.b": 1})
    assert await store.record_of(cause("c1")) is None
    assert await store.keep_record(cause("c1"), first) == first
    assert await store.keep_record(cause("c1"), IdempotencyRecord({"Other": 1})) == first
    assert await store.record_of(cause("c1")) == first


async def test_the_same_id_with_another_body_is_refused(store: AnyStore) -> None:
    await store.keep_record(cause("c1"), IdempotencyRecord({}))
    with pytest.raises(Conflict) as refused:
        await store.record_of(cause("c1", digest="other"))
    assert refused.value.slug == "id-reused"


async def test_a_refusal_is_stored_and_raised_again_as_it_was(store: AnyStore) -> None:
    await store.keep_record(cause("c2"), IdempotencyRecord(refusal=NotFound("gone")))
    stored = await store.record_of(cause("c2"))
    assert stored is not None
    with pytest.raises(Refused, match="gone") as raised:
        stored.result()
    assert raised.value.problem() == NotFound("gone").problem()


async def test_without_an_id_nothing_is_stored(store: AnyStore) -> None:
    record = IdempotencyRecord({"A": 1})
    assert await store.keep_record(cause(None), record) == record
    assert await store.record_of(cause(None)) is None


async def test_two_processes_at_once_get_one_outcome(make_store: MakeStore) -> None:
    stores = [make_store(), make_store()]
    for one in stores:
        await one.start()
    for number in range(10):
        outcomes = await asyncio.gather(
            *(one.keep_record(cause(f"c{number}"), IdempotencyRecord({"By": n})) for n, one in enumerate(stores))
        )
        assert outcomes[0] == outcomes[1] == await stores[0].record_of(cause(f"c{number}"))
