"""How large a document may be, and what becomes of an event that is too large for the broker all the same."""

from __future__ import annotations

import orjson
import pytest

from shared.documents import Documents, Store
from shared.documents.contract import MAX_STATE_BYTES
from shared.errors import Refused, TooLarge
from tests.support.broker import Broker
from tests.support.document_stores import cause, creating, setting

_FRAME = len(orjson.dumps({"Text": ""}))


def text(size: int) -> dict[str, str]:
    """A state of just so many bytes."""
    return {"Text": "x" * (size - _FRAME)}


async def test_the_largest_document_is_written_and_published(
    store: Store, documents: Documents, broker: Broker
) -> None:
    await documents.update("F1", creating(text(MAX_STATE_BYTES)), cause())
    await documents.update("F1", lambda _: setting(text(MAX_STATE_BYTES)), cause())

    assert (await documents.latest("F1")).state == text(MAX_STATE_BYTES)
    await store.drain()
    assert broker.versions("F1") == [1, 2]


async def test_a_larger_one_is_refused_before_anything_is_stored(
    store: Store, documents: Documents, broker: Broker
) -> None:
    await documents.update("F1", creating({"Text": "y"}), cause())
    for key, cause_id in (("F1", "c1"), ("F1", None), ("F2", "c2"), ("F2", None)):
        with pytest.raises(TooLarge) as refused:
            await documents.update(key, lambda _: setting(text(MAX_STATE_BYTES + 1)), cause(cause_id))
        assert refused.value.problem() == {
            "type": "urn:epic:problem:too-large",
            "title": "Document too large",
            "status": 413,
            "detail": f"{key} would be 2097153 bytes of JSON, and 2097152 are the most: take out what is not needed, "
            "or divide it among several",
        }

    assert (await documents.latest("F1")).state == {"Text": "y"}
    assert (await documents.history("F1")).items[0].version == 1
    assert await documents.latest("F2") is None
    await store.drain()
    assert len(broker.taken) == 1


@pytest.mark.parametrize("settled", [False, True])
async def test_the_refusal_is_kept_as_the_answer(store: Store, documents: Documents, settled: bool) -> None:
    await documents.update("F1", creating({"Text": "y"}), cause())
    for key in ("F1", "F2"):
        with pytest.raises(TooLarge) as first:
            await documents.update(key, lambda _: setting(text(MAX_STATE_BYTES + 1)), cause(f"c-{key}"))
        if settled:
            await store.drain()
        with pytest.raises(Refused) as again:
            await documents.update(key, lambda _: setting({"Text": "small"}), cause(f"c-{key}"))
        assert again.value.problem() == first.value.problem()


async def test_bytes_count_and_not_characters(documents: Documents) -> None:
    with pytest.raises(TooLarge):
        await documents.update("F1", creating({"Text": "é" * (MAX_STATE_BYTES // 2)}), cause())
