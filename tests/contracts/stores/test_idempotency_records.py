"""Idempotency records of refusals: the first is stored, and the same request gets it again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.cause import Cause
from shared.errors import BadInput, Conflict, FieldError, NotFound, Refused
from shared.trace import Trace
from tests.support.stores import NOW, AnyStore, MakeStore


def cause(cause_id: str | None, *, digest: str = "d") -> Cause:
    return Cause(NOW, "ann", Trace("correlation"), cause_id, digest)


async def kept(store: AnyStore, given: Cause, refusal: Refused) -> dict[str, Any]:
    """The refusal that is raised."""
    with pytest.raises(Refused) as raised:
        await store.keep_refusal(given, refusal)
    return raised.value.problem()


async def test_a_refusal_is_stored_and_raised_again_as_it_was(store: AnyStore) -> None:
    first = BadInput("not so", [FieldError("/a.b", "no number")])
    assert await kept(store, cause("c1"), first) == first.problem()
    assert await kept(store, cause("c1"), NotFound("gone")) == first.problem()
    assert await kept(store, cause("c2"), NotFound("gone")) == NotFound("gone").problem()


async def test_the_same_id_with_another_body_is_refused(store: AnyStore) -> None:
    await kept(store, cause("c1"), NotFound("gone"))
    assert (await kept(store, cause("c1", digest="other"), NotFound("gone")))["type"].endswith("id-reused")


async def test_what_is_not_final_or_has_no_id_is_not_stored_3_42(store: AnyStore) -> None:
    await store.keep_refusal(cause(None), NotFound("gone"))
    for status in (401, 403, 429, 503):
        await store.keep_refusal(cause("c1"), Refused("not now", slug="not-now", status=status))
    await store.keep_refusal(cause("c1"), Conflict("in migration", retry_after=5))
    assert await kept(store, cause("c1"), NotFound("gone")) == NotFound("gone").problem()


async def test_two_processes_at_once_get_one_outcome(make_store: MakeStore) -> None:
    stores = [make_store(), make_store()]
    for one in stores:
        await one.start()
    for number in range(10):
        given = cause(f"c{number}")
        first, second = await asyncio.gather(*(kept(one, given, Conflict(f"by {n}")) for n, one in enumerate(stores)))
        assert first == second == await kept(stores[0], given, NotFound("later"))
