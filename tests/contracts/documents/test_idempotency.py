"""What comes again gets its first answer again, and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.documents import Change, Documents, Store
from shared.errors import Conflict, NotFound, Refused, Stale, Unavailable
from tests.support.document_stores import Backend, adding, cause, creating, setting


def refusing(_: object) -> Change:
    raise Conflict("a rule says no", slug="rule")


@pytest.fixture(params=["at once", "after the outbox is empty"])
def settled(request: pytest.FixtureRequest) -> bool:
    """An answer is found in the head's outbox first, later among the kept ones."""
    return request.param != "at once"


async def test_a_redelivered_cause_changes_nothing_and_gets_its_first_answer(
    store: Store, documents: Documents, settled: bool
) -> None:
    first = await documents.update("F1", adding(), cause("c1"))
    if settled:
        await store.drain()
    await documents.update("F1", adding(), cause("c2"))
    again = await documents.update("F1", adding(), cause("c1"))
    assert again.replayed
    assert (again.document, again.changed) == (first.document, first.changed)
    assert (await documents.latest("F1")).state == {"Count": 2}


async def test_a_refusal_is_kept_too(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", adding(), cause())
    for key in ("F1", "none"):
        with pytest.raises(Refused) as first:
            await documents.update(key, refusing, cause(f"c-{key}"))
        if settled:
            await store.drain()
        with pytest.raises(Refused) as again:
            await documents.update(key, adding(), cause(f"c-{key}"))
        assert again.value.problem() == first.value.problem()
    assert (await documents.latest("F1")).version == 1
    assert await documents.latest("none") is None


async def test_a_stale_condition_is_kept_as_the_answer(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", adding(), cause())
    await documents.update("F1", adding(), cause())
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await documents.update("F1", adding(), cause("c1"), expected=1)
        assert refused.value.status == 412
        if settled:
            await store.drain()
    with pytest.raises(Stale):
        await documents.update("F1", adding(), cause(), expected=1)


async def test_no_change_is_an_answer(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", adding(), cause())
    await documents.update("F1", lambda _: None, cause("c1"))
    if settled:
        await store.drain()
    await documents.update("F1", adding(), cause())
    again = await documents.update("F1", adding(), cause("c1"))
    assert (again.changed, again.replayed, again.document.version) == (False, True, 1)
    with pytest.raises(NotFound):
        await documents.update("none", lambda _: None, cause("c2"))
    with pytest.raises(Refused) as refused:
        await documents.update("none", adding(), cause("c2"))
    assert refused.value.status == 404


async def test_an_amendment_is_done_once(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", adding(), cause())
    for _ in range(2):
        written = await documents.amend("F1", lambda d: ({"Times": d.side.get("Times", 0) + 1}, ()), cause("c1"))
        assert written.changed
        if settled:
            await store.drain()
    assert written.replayed
    assert (await documents.latest("F1")).side == {"Times": 1}


async def test_another_body_under_the_same_id_is_refused(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", adding(), cause("c1"))
    if settled:
        await store.drain()
    for key in ("F1", "F2"):
        with pytest.raises(Conflict) as refused:
            await documents.update(key, adding(), cause("c1", digest="other"))
        assert refused.value.slug == "id-reused"
    assert await documents.latest("F2") is None
    assert (await documents.update("F1", adding(), cause("c1"))).replayed


async def test_one_cause_may_write_several_documents(store: Store, documents: Documents, settled: bool) -> None:
    for _ in range(2):
        for key in ("F1", "F1#PD2024", "F2"):
            await documents.update(key, adding(), cause("c1"))
        if settled:
            await store.drain()
    for key in ("F1", "F1#PD2024", "F2"):
        assert (await documents.latest(key)).state == {"Count": 1}
    await store.drain()
    assert (await documents.update("F2", adding(), cause("c1"))).replayed


async def test_what_only_says_to_come_again_is_not_kept(documents: Documents) -> None:
    def limited(_: object) -> Change:
        raise Refused("too many", slug="rate", status=429)

    with pytest.raises(Refused, match="too many"):
        await documents.update("F1", limited, cause("c1"))
    assert (await documents.update("F1", adding(), cause("c1"))).changed

    def away(_: object) -> Change:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await documents.update("F1", away, cause("c2"))
    assert (await documents.update("F1", adding(), cause("c2"))).document.version == 2


@pytest.mark.parametrize("there", [False, True])
async def test_one_cause_delivered_to_two_replicas_at_once_is_done_once(backend: Backend, there: bool) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]
    for number in range(25):
        key = f"F{number}"
        if there:
            await replicas[0].update(key, adding(), cause())
        written = await asyncio.gather(
            *(documents.update(key, adding(), cause(f"c{number}")) for documents in replicas for _ in range(3))
        )
        assert {w.document.version for w in written} == {1 + there}
        assert [w.replayed for w in written].count(False) == 1
        assert (await replicas[0].latest(key)).state == {"Count": 1 + there}


async def test_two_replicas_at_once_are_refused_alike(backend: Backend) -> None:
    """Whether the rule says no depends on what others write: the first answer holds for both all the same."""
    replicas = [(await backend.open())[1] for _ in range(2)]

    def full(present: Any) -> Change:
        if present is None:
            return setting({"Count": 1})
        if present.state["Count"] % 2:
            raise Conflict("odd")
        return setting({"Count": present.state["Count"] + 1})

    async def outcome(documents: Documents, cause_id: str) -> object:
        try:
            return (await documents.update("F1", full, cause(cause_id))).document.version
        except Refused as refused:
            return refused.detail

    for number in range(20):
        outcomes = await asyncio.gather(
            outcome(replicas[0], f"c{number}"),
            replicas[0].update("F1", adding(), cause()),
            outcome(replicas[1], f"c{number}"),
            replicas[1].update("F1", adding(2), cause()),
        )
        assert outcomes[0] == outcomes[2] == await outcome(replicas[1], f"c{number}")


async def test_a_request_refused_before_any_document_stays_refused_3_39(
    store: Store, documents: Documents, settled: bool
) -> None:
    """Such as a reference that led nowhere, and that leads somewhere by now."""
    with pytest.raises(Refused, match="no such fleet"):
        await store.keep_refusal(cause("c1"), NotFound("no such fleet"))
    await documents.update("F0", adding(), cause("c2"))
    with pytest.raises(Refused, match="full"):
        await store.keep_refusal(cause("c2"), Conflict("full"))
    if settled:
        await store.drain()
    for number in (1, 2):
        with pytest.raises(Refused, match="no such fleet" if number == 1 else "full"):
            await documents.update("F1", adding(), cause(f"c{number}"))
    assert await documents.latest("F1") is None
    assert (await documents.update("F0", adding(), cause("c2"))).replayed


async def test_other_answers_and_documents_answers_do_not_meet(store: Store, documents: Documents) -> None:
    await documents.update("F1", creating({"A": 1}), cause("c1"))
    await store.drain()
    for refusal in (NotFound("gone"), NotFound("another")):
        with pytest.raises(Refused, match="gone"):
            await store.keep_refusal(cause("c1"), refusal)
    assert (await documents.update("F1", adding(), cause("c1"))).document.state == {"A": 1}
