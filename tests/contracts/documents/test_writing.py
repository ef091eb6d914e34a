"""What a write makes of a document, alike on every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clock import iso
from shared.documents import Change, Documents, OutgoingEvent, Store
from shared.errors import Conflict, NotFound, Stale
from tests.support.broker import Broker
from tests.support.document_stores import NOW, adding, cause, creating, setting


async def test_each_write_makes_the_next_version(documents: Documents) -> None:
    made = [await documents.update("F1", adding(), cause(user=user)) for user in ("ann", "bob")]
    assert [(written.document.version, written.changed, written.replayed) for written in made] == [
        (1, True, False),
        (2, True, False),
    ]
    latest = await documents.latest("F1")
    assert (latest.version, latest.latest_version, latest.state) == (2, 2, {"Count": 2})
    assert (latest.user, latest.created_by) == ("bob", "ann")


async def test_a_change_says_by_whom_and_why(documents: Documents) -> None:
    change = replace(setting({"A": 1}), message="HOTW placed hardware order", user="HOTWAutomation")
    written = await documents.update("P1", lambda _: change, cause(user="ann", message="other"))
    assert (written.document.user, written.document.message) == ("HOTWAutomation", "HOTW placed hardware order")


async def test_created_only_if_absent(documents: Documents) -> None:
    def create(present: object) -> Change:
        if present is not None:
            raise Conflict("there already")
        return setting({"A": 1}, "thing.created")

    await documents.update("F1", create, cause())
    with pytest.raises(Conflict, match="there already"):
        await documents.update("F1", create, cause())
    assert (await documents.latest("F1")).version == 1


async def test_no_change_makes_no_version(documents: Documents, store: Store, broker: Broker) -> None:
    await documents.update("F1", adding(), cause())
    written = await documents.update("F1", lambda _: None, cause())
    assert (written.changed, written.document.version, written.document.state) == (False, 1, {"Count": 1})
    with pytest.raises(NotFound):
        await documents.update("none", lambda _: None, cause())
    await store.drain()
    assert broker.versions("F1") == [1]


async def test_a_stale_condition_writes_nothing(documents: Documents) -> None:
    await documents.update("F1", adding(), cause())
    await documents.update("F1", adding(), cause(), expected=1)
    with pytest.raises(Stale):
        await documents.update("F1", adding(), cause(), expected=1)
    for change in (adding(), lambda _: None):
        with pytest.raises(Stale):
            await documents.update("new", change, cause(), expected=1)
    assert (await documents.latest("F1")).version == 2
    assert await documents.latest("new") is None


async def test_a_deleted_document_is_gone_and_its_history_stays(documents: Documents, store: Store) -> None:
    await documents.update("F1", creating({"ServiceId": "S1"}), cause())
    gone = await documents.update("F1", lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())
    assert (gone.document.version, gone.document.deleted) == (2, True)
    assert await documents.latest("F1") is None
    assert (await documents.list({"ServiceId": "S1"})).items == []
    history = (await documents.history("F1")).items
    assert [(document.version, document.deleted) for document in history] == [(2, True), (1, False)]
    assert history[0].wire()["Deleted"] is True
    with pytest.raises(NotFound):
        await documents.update("F1", lambda _: Change(None, ()), cause())
    with pytest.raises(NotFound):
        await documents.amend("F1", lambda _: ({}, ()), cause())


async def test_a_document_made_anew_goes_on_counting_and_stays_created_at_first(documents: Documents) -> None:
    """3.18c, 3.18d."""
    await documents.update("F1", creating({"A": 1}), cause())
    await documents.amend("F1", lambda _: ({"Hosts": 3}, ()), cause())
    await documents.update("F1", lambda _: Change(None, ()), cause())
    later = replace(cause(user="bob"), now=NOW + timedelta(days=1))
    seen: list[object] = []

    def create(present: object) -> Change:
        seen.append(present)
        return setting({"B": 2}, "thing.created")

    again = (await documents.update("F1", create, later)).document
    assert seen == [None]
    assert (again.version, again.state, again.side) == (3, {"B": 2}, {})
    assert (again.user, again.changed) == ("bob", iso(NOW + timedelta(days=1)))
    assert (again.created_by, again.created) == ("ann", iso(NOW))
    assert await documents.latest("F1") == again
    assert [document.version for document in (await documents.history("F1")).items] == [3, 2, 1]


async def test_a_tombstone_publishes_the_last_state(documents: Documents, store: Store, broker: Broker) -> None:
    await documents.update("F1", creating({"FleetId": "F1"}), cause())
    await documents.update("F1", lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())
    await store.drain()
    assert broker.of("F1")[-1].type == "thing.deleted"
    assert broker.bodies("F1")[-1].items() >= {"FleetId": "F1", "VersionId": 2, "Deleted": True}.items()


async def test_an_event_is_the_snapshot_of_its_version(documents: Documents, store: Store, broker: Broker) -> None:
    await documents.update("F1", adding(), cause())
    await documents.amend("F1", lambda _: ({"Hosts": 3}, ()), cause())
    await documents.update("F1", adding(), cause())
    await store.drain()
    first, second = broker.of("F1")
    assert (first.topic, first.type, first.key, first.id) == (
        "thing.updated",
        "thing.updated",
        "F1",
        "F1:1:thing.updated",
    )
    assert (first.source, first.time, first.trace) == ("thing_svc", NOW, cause().trace)
    assert first.body() == {
        "Count": 1,
        "VersionId": 1,
        "LatestVersionId": 1,
        "CreatedAt": "2024-06-15T09:00:00.123Z",
        "CreatedBy": "ann",
        "SchemaVersion": 1,
        "AuditMetadata": {"User": "ann", "Timestamp": "2024-06-15T09:00:00.123Z"},
    }
    assert second.body()["VersionId"] == 2


async def test_an_event_may_have_a_key_an_id_and_data_of_its_own(
    documents: Documents, store: Store, broker: Broker
) -> None:
    own = OutgoingEvent("inventory.reported", key="other", id="F1:now:inventory.reported", data={"a.b": 1})
    await documents.update("F1", lambda _: Change({"A": 1}, (OutgoingEvent("thing.created"), own)), cause())
    await store.drain()
    (message,) = broker.of("other")
    assert (message.topic, message.id, message.body()) == (own.type, own.id, own.data)
    assert len(broker.of("F1")) == 1


async def test_an_amendment_makes_no_version_and_disturbs_no_condition(
    documents: Documents, store: Store, broker: Broker
) -> None:
    await documents.update("F1", adding(), cause())
    fact = OutgoingEvent("inventory.reported", id="i1", data={"HostsPresent": 150})
    written = await documents.amend(
        "F1", lambda document: ({"HostsPresent": 150, "Was": document.side}, (fact,)), cause()
    )
    assert written.changed
    assert written.document.version == 1
    latest = await documents.latest("F1")
    assert (latest.version, latest.side) == (1, {"HostsPresent": 150, "Was": {}})
    assert latest.wire()["HostsPresent"] == 150
    await documents.update("F1", adding(), cause(), expected=1)
    latest = await documents.latest("F1")
    assert (latest.version, latest.side["HostsPresent"]) == (2, 150)
    assert "HostsPresent" not in (await documents.version("F1", 1)).wire()
    unchanged = await documents.amend("F1", lambda _: None, cause())
    assert not unchanged.changed
    with pytest.raises(NotFound):
        await documents.amend("none", lambda _: ({}, ()), cause())
    await store.drain()
    assert [message.id for message in broker.of("F1")] == ["F1:1:thing.updated", "i1", "F1:2:thing.updated"]


async def test_an_error_in_the_function_changes_nothing(documents: Documents) -> None:
    await documents.update("F1", adding(), cause())

    def fail(_: object) -> Change:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await documents.update("F1", fail, cause("c1"))
    assert (await documents.update("F1", adding(), cause("c1"))).document.version == 2


async def test_an_event_of_an_amendment_may_be_the_snapshot(documents: Documents, store: Store, broker: Broker) -> None:
    await documents.create_many([("F1", {"Count": 1})], "thing.created", cause())
    await documents.amend("F1", lambda _: ({"Side": 1}, (OutgoingEvent("thing.amended"),)), cause())
    await store.drain()
    assert {message.id for message in broker.of("F1")} == {"F1:1:thing.created", "F1:1:thing.amended"}
    assert all(body["Count"] == 1 and "Side" not in body for body in broker.bodies("F1"))
