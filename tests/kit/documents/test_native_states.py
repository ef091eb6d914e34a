"""What an operator finds of a state in MongoDB: a native sub-document, which can be queried."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from tests.support.document_stores import Backend, cause, creating, setting

pytestmark = pytest.mark.docker

STATE = {"Lifecycle": "Planning", "Place": {"Region": "NA"}, "Hosts": {"c5.2xlarge": 50, "$x": [1.5, None]}}
STORED = {**STATE, "Hosts": {"c5%2E2xlarge": 50, "%24x": [1.5, None]}}
FILTERS = ("Lifecycle", "Place.Region")


@pytest.fixture
async def backend(mongo_url: str) -> AsyncIterator[Backend]:
    made = Backend(mongo_url, f"t{uuid.uuid4().hex[:12]}")
    yield made
    await made.close()


@pytest.fixture
def database(backend: Backend) -> Any:
    with pymongo.MongoClient[dict[str, Any]](str(backend.place)) as client:
        yield client[backend.database]
        client.drop_database(backend.database)


def indexed(collection: Any) -> set[str]:
    return {index["key"][0][0] for index in collection.index_information().values()}


async def test_documents_are_found_by_members_of_their_state(backend: Backend, database: Database[Any]) -> None:
    store, documents = await backend.open(filters=FILTERS)
    await documents.update("F1", creating(STATE), cause())
    await documents.create_many([("F2", {**STATE, "Lifecycle": "Closed"})], "thing.created", cause())
    await documents.update("F1", lambda present: setting({**present.state, "More": 1}), cause())
    await documents.amend("F2", lambda _: (STATE, ()), cause())
    await store.drain()

    heads, items = database["thing.heads"], database["thing.items"]
    found = heads.find({"Item.State.Lifecycle": "Planning", "Item.State.Place.Region": "NA"}).to_list()
    assert [(head["_id"], head["Item"]["State"]) for head in found] == [("F1", {**STORED, "More": 1})]
    assert [head["_id"] for head in heads.find({"Item.State.More": {"$gte": 1}})] == ["F1"]
    assert [form["Item"]["State"] for form in items.find({"Item.State.Hosts.c5%2E2xlarge": 50}).limit(1)] == [STORED]
    assert [head["_id"] for head in heads.find({"Side.State.Place.Region": "NA"})] == ["F2"]
    assert {"Item.State.Lifecycle", "Item.State.Place.Region"} <= indexed(heads)


async def test_read_models_are_found_by_members_of_their_state(backend: Backend, database: Database[Any]) -> None:
    store = backend.make()
    read_model = store.read_model("fleet", filters=FILTERS)
    await store.start()
    backend.stores.append(store)
    await read_model.put([("F1", 1, STATE), ("F2", 1, {"Lifecycle": "Closed"})])

    collection = database["read_model.fleet"]
    assert [form["State"] for form in collection.find({"State.Lifecycle": "Planning"})] == [STORED]
    assert await read_model.get("F1") == STATE
    assert {"State.Lifecycle", "State.Place.Region"} <= indexed(collection)

    await read_model.put([("F1", 2, {"Lifecycle": "Closed", "Rate": "5%25"})])
    assert await read_model.get("F1") == {"Lifecycle": "Closed", "Rate": "5%25"}
