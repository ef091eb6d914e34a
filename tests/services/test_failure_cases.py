"""How every versioned resource takes what is wrong, late, doubled, or comes at once, generated from its contract.

A wrong body is one that the contract's JSON Schema refuses: what OpenAPI promises is held, over HTTP and by commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.documents import Documents
from shared.documents.sqlite import SqliteStore
from shared.envelope import Record, encode_headers
from shared.messaging.commands import CommandSubscription
from shared.schemas.base import BODY_LIMIT, RESERVED_IDS
from shared.schemas.results import CommandResult
from shared.schemas.topics import TOPICS
from shared.trace import Trace
from tests.support.broker import Broker
from tests.support.clock import FixedClock
from tests.support.contract_schema import UNKNOWN, pointer, spoiled
from tests.support.fixtures import Published
from tests.support.goldens import golden
from tests.support.http import pointers
from tests.support.resources import among, create_at, key_of, path_of
from tests.support.versioned import EACH, Body, Running, Versioned

pytestmark = pytest.mark.slow

BAD_IDS = ["", " ", "a b", "-a", ".", "a/b", "a#b", "a%b", "\u00e9", "a\0", "x" * 129, *sorted(RESERVED_IDS)]
_WRITERS = 8


class Commands:
    """Sends commands as records of the resource's topic, and gives what they are answered."""

    def __init__(self, resource: Versioned, running: Running, clock: FixedClock) -> None:
        self._subscription = CommandSubscription(self._topic(resource), running.commands)
        self._clock = clock
        self._sent = 0

    @staticmethod
    def _topic(resource: Versioned) -> str:
        return next(name for name, topic in TOPICS.items() if topic.message(f"Create{resource.name}"))

    async def send(self, name: str, body: Body, **attributes: Any) -> CommandResult:
        """``attributes``: ``id``, ``if_match``; each command has an id of its own unless one is given."""
        self._sent += 1
        given = golden(self._subscription.topic, name)
        message = replace(given, if_match=None, data=orjson.dumps(body), id=f"c{self._sent}", trace=Trace.begin())
        message = replace(message, **attributes)
        headers, key = tuple(encode_headers(message)), message.key.encode()
        record = Record(message.topic, 0, self._sent, 1718442000000, key, message.data, headers)
        done = await self._subscription.handle(self._subscription.read(record), self._clock)
        return CommandResult.model_validate_json(done.answers[0].data)


@pytest.fixture
async def running(resource: Versioned, store: SqliteStore, clock: FixedClock) -> AsyncIterator[Running]:
    async with resource.run(store, clock) as running:
        yield running


@pytest.fixture
def http(running: Running) -> httpx.AsyncClient:
    return running.http


@pytest.fixture
def documents(running: Running) -> Documents:
    return running.documents


@pytest.fixture
def commands(resource: Versioned, running: Running, clock: FixedClock) -> Commands:
    return Commands(resource, running, clock)


@pytest.fixture
async def made(resource: Versioned, http: httpx.AsyncClient) -> Body:
    return await create_at(resource.path, resource.creation, http)


@pytest.fixture
def path(resource: Versioned, made: Body) -> str:
    return path_of(resource, made)


def is_about(errors: list[str], place: str) -> bool:
    """Whether an error is at the place, in it, or of the object that it is in."""
    return any(error == place or error.startswith(f"{place}/") or place.startswith(f"{error}/") for error in errors)


async def assert_unchanged(resource: Versioned, http: httpx.AsyncClient, made: Body, published: Published) -> None:
    assert (await http.get(path_of(resource, made))).json() == made
    assert len(await published(resource.contract.key_in(made))) == 1


@EACH
async def test_a_wrong_body_makes_nothing_and_its_place_is_named(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, documents: Documents, published: Published
) -> None:
    wrong = list(spoiled(resource.command(f"Create{resource.name}"), resource.creation))
    assert len(wrong) > 20
    for place, body in wrong:
        answer = await http.post(resource.path, json=body)
        assert answer.status_code == 400, (place, body, answer.text)
        assert is_about(list(pointers(answer)), pointer(place)), (place, answer.text)
        result = await commands.send(f"Create{resource.name}", body)
        assert result.problem is not None
        assert result.problem["errors"] == answer.json()["errors"], "by a command as over HTTP"
    assert (await documents.list()).items == []
    assert await published() == []


@EACH
async def test_a_wrong_change_changes_nothing_and_its_place_is_named(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    key = key_of(resource, made)
    for write in resource.writes:
        of_path = key.keys() | write.named.keys()
        for place, whole in spoiled(resource.command(write.command), write.whole(key)):
            if place[0] in of_path:
                continue
            body = {name: value for name, value in whole.items() if name not in of_path}
            answer = await http.request(write.method, f"{path}{write.at}", json=body)
            result = await commands.send(write.command, whole)
            assert result.problem is not None
            if place == (write.part,) and answer.status_code == 404:
                assert result.problem["status"] == 404
                continue
            assert answer.status_code == 400, (write.command, place, whole, answer.text)
            assert is_about(list(pointers(answer)), pointer(place)), (write.command, place, answer.text)
            assert result.problem["errors"] == answer.json()["errors"]
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_a_bad_id_is_named_wherever_it_stands(
    resource: Versioned, http: httpx.AsyncClient, documents: Documents
) -> None:
    """2.11 to 2.11c; names and days have rules of their own, which their schema tells in part (2.13)."""
    body = resource.creation
    ids = [member for member in resource.contract.key if member not in resource.contract.key_types]
    for member in ids:
        for bad in BAD_IDS:
            answer = await http.post(resource.path, json={**body, member: bad})
            assert (answer.status_code, pointers(answer)) == (400, [f"/{member}"]), bad
    methods = {"GET", *(write.method for write in resource.writes if not write.at)}
    for member in (name for name in ids if f"{{{name}}}" in resource.item_path):
        for bad in ("a b", "-a", "a#b", "a%b", "\u00e9", "x" * 129, "versions"):
            at = path_of(resource, {**resource.key, member: "{}"}).replace("{}", _quoted(bad))
            for method in methods:
                answer = await http.request(method, at, json={} if method == "PUT" else None)
                assert answer.status_code in (400, 404, 405), (method, at, answer.text)
                if bad != "versions":
                    assert pointers(answer) == [f"/{member}"], (method, at)
    assert (await documents.list()).items == []


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@EACH
async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    """4.11e. Up to the limit each of its members is judged."""
    large, just = b" " * (BODY_LIMIT - 1) + b"{}", b" " * (BODY_LIMIT - 2) + b"{}"
    kind = {"content-type": "application/json"}
    requests = [("POST", resource.path), ("POST", f"{resource.path}/batch")]
    requests += [(write.method, f"{path}{write.at}") for write in resource.writes]
    for method, at in requests:
        answer = await http.request(method, at, content=large, headers=kind)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:epic:problem:too-large"), (method, at)
    assert (await http.request("POST", resource.path, content=just, headers=kind)).status_code == 400
    whole = await commands.send(f"Create{resource.name}", {UNKNOWN: "x" * BODY_LIMIT})
    assert whole.problem is not None
    assert whole.problem["status"] == 413
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_a_condition_that_does_not_hold_keeps_a_write_from_being_done(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    """3.24b to 3.28, of every write of the resource."""
    for write in resource.writes:
        for header, value, status in (
            ("If-Match", '"9"', 412),
            ("If-Match", 'W/"1"', 412),
            ("If-Match", '"base-1"', 412),
            ("If-Match", "1", 400),
            ("If-Match", '"1', 400),
            ("If-None-Match", "*", 412),
            ("If-None-Match", (await http.get(path)).headers["etag"], 412),
        ):
            headers, wanted = {header: value}, status if write.conditional else 400
            answer = await http.request(write.method, f"{path}{write.at}", json=write.body, headers=headers)
            assert answer.status_code == wanted, (write.command, header, value, answer.text)
        result = await commands.send(write.command, write.whole(key_of(resource, made)), if_match='"9"')
        assert result.problem is not None
        assert result.problem["status"] == (412 if write.conditional else 400), write.command
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_what_is_not_there_is_404_whatever_is_asked_of_it(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, documents: Documents
) -> None:
    path = path_of(resource, resource.key)
    for at in ("", "/versions", "/versions/1", "/versions/0", "/versions/1/diff/0"):
        assert (await http.get(f"{path}{at}")).status_code == 404
    batch = await http.post(f"{resource.path}/batch", json=resource.batch_of(resource.key))
    assert (batch.status_code, batch.json()["Items"], len(batch.json()["Missing"])) == (200, [], 1)
    for write in resource.writes:
        answer = await http.request(write.method, f"{path}{write.at}", json=write.body)
        assert answer.status_code == 404, write.command
        result = await commands.send(write.command, write.whole(resource.key))
        assert result.problem is not None
        assert result.problem["status"] == 404
    assert (await documents.list()).items == []


@EACH
async def test_each_write_that_is_sent_again_is_done_once(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, made: Body, path: str
) -> None:
    """3.31 to 3.40, of every write: the first answer again, and another body under the key is refused."""
    for write in resource.writes:
        headers = {"Idempotency-Key": write.command, "X-Epic-User": "ann"}
        send = partial(http.request, write.method, f"{path}{write.at}", headers=headers)
        first = await send(json=write.body)
        again = await send(json=write.body)
        assert (again.status_code, again.content) == (first.status_code, first.content), write.command
        assert again.headers.get("etag") == first.headers.get("etag")
        other = await send(json={**write.body, "AuditMetadata": {"Message": "for another reason"}})
        assert other.json()["type"] == "urn:epic:problem:id-reused", write.command
    assert (await http.get(path)).status_code == (404 if resource.deletion else 200), "the last was the deletion"

    key = key_of(resource, made)
    creation = [(f"Create{resource.name}", {**resource.creation, **key})] if resource.deletion else []
    for name, body in (*creation, *((write.command, write.whole(key)) for write in resource.writes)):
        answers = [await commands.send(name, body, id=name) for _ in range(2)]
        assert answers[0] == answers[1], name
        reused = await commands.send(name, {**body, "AuditMetadata": {"Message": "for another reason"}}, id=name)
        assert reused.problem is not None
        assert reused.problem["type"] == "urn:epic:problem:id-reused"
    versions = [item["VersionId"] for item in (await http.get(f"{path}/versions")).json()["Items"]]
    assert versions == list(range(versions[0], 0, -1))


@EACH
async def test_a_refused_restore_stays_refused_when_it_is_sent_again(
    resource: Versioned, http: httpx.AsyncClient, commands: Commands, made: Body, path: str
) -> None:
    """3.31 to 3.40: also once there is such a version."""
    restore = next(write for write in resource.writes if write.command == f"Restore{resource.name}")
    named = {"VersionId": 2}
    send = partial(http.post, f"{path}/versions/2/restore", json=restore.body, headers={"Idempotency-Key": "k"})
    body = replace(restore, named=named).whole(key_of(resource, made))
    first, result = await send(), await commands.send(restore.command, body, id="c")
    assert first.status_code == 404
    await http.put(f"{path}{resource.writes[0].at}", json=resource.change)
    again = await send()
    assert (again.status_code, again.content) == (404, first.content)
    assert await commands.send(restore.command, body, id="c") == result
    answer = await http.post(f"{path}/versions/2/restore", json=restore.body)
    assert answer.status_code == 200, answer.text


@EACH
async def test_a_bad_version_number_is_named(resource: Versioned, http: httpx.AsyncClient, path: str) -> None:
    for bad in ("x", "-1", "1.0", "\u0661", "9" * 20, " 1"):
        number = _quoted(bad)
        for method, at, member in (
            ("GET", f"/versions/{number}", "VersionId"),
            ("GET", f"/versions/{number}/diff/1", "VersionId"),
            ("GET", f"/versions/1/diff/{number}", "OtherVersionId"),
            ("POST", f"/versions/{number}/restore", "VersionId"),
        ):
            answer = await http.request(method, f"{path}{at}", json={} if method == "POST" else None)
            assert (answer.status_code, pointers(answer)) == (400, [f"/{member}"]), (method, at, answer.text)


@EACH
async def test_a_wrong_batch_is_refused_and_its_place_is_named(
    resource: Versioned, http: httpx.AsyncClient, made: Body
) -> None:
    """3.21e; it may repeat a key, and hold none."""
    right = resource.batch_of(made)
    for place, body in spoiled(resource.batch, right):
        answer = await http.post(f"{resource.path}/batch", json=body)
        assert answer.status_code == 400, (place, body, answer.text)
        assert is_about(list(pointers(answer)), pointer(place)), (place, answer.text)
    (member, keys) = list(right.items())[-1]
    for many, status in (([], 200), (keys * 1_000, 200), (keys * 1_001, 400)):
        answer = await http.post(f"{resource.path}/batch", json={**right, member: many})
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == {"Items": [among(resource, made)] if many else [], "Missing": []}


@EACH
async def test_of_many_that_create_at_once_one_does(resource: Versioned, http: httpx.AsyncClient) -> None:
    body = resource.creation
    assigned = set(resource.contract.key) - body.keys() - resource.contract.key_defaults.keys()
    body |= dict.fromkeys(assigned, "T-1")
    answers = await asyncio.gather(*(http.post(resource.path, json=body) for _ in range(_WRITERS)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * (_WRITERS - 1)]


@EACH
async def test_of_many_that_change_one_version_at_once_one_does(
    resource: Versioned, http: httpx.AsyncClient, path: str, published: Published, made: Body
) -> None:
    change = partial(http.put, f"{path}{resource.writes[0].at}", json=resource.change, headers={"If-Match": '"1"'})
    answers = await asyncio.gather(*(change() for _ in range(_WRITERS)))
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * (_WRITERS - 1)]
    messages = await published(resource.contract.key_in(made))
    assert [message.body()["VersionId"] for message in messages] == [1, 2]


@EACH
async def test_racing_writers_lose_no_version_and_publish_each_in_order(
    resource: Versioned, http: httpx.AsyncClient, made: Body, path: str, published: Published
) -> None:
    """3.7, 3.8, 3.27: changes there and back, a restore and a deletion among them."""
    bodies, at = (resource.change, resource.back(made)), f"{path}{resource.writes[0].at}"
    requests: list[Callable[[], Any]] = [partial(http.put, at, json=bodies[number % 2]) for number in range(_WRITERS)]
    requests.insert(_WRITERS // 2, partial(http.post, f"{path}/versions/1/restore", json={}))
    if resource.deletion:
        requests.insert(_WRITERS // 2 + 1, partial(http.delete, path))
    answers = await asyncio.gather(*(request() for request in requests))
    assert {answer.status_code for answer in answers} <= {200, 404}
    versions = (await http.get(f"{path}/versions")).json()["Items"]
    numbers = [version["VersionId"] for version in versions]
    assert numbers == list(range(numbers[0], 0, -1))
    deleted = [version.get("Deleted", False) for version in versions]
    assert deleted == [resource.deletion is not None, *[False] * (len(versions) - 1)]
    messages = await published(resource.contract.key_in(made))
    assert [message.body()["VersionId"] for message in messages] == numbers[::-1]
    for message, version in zip(messages, reversed(versions), strict=True):
        shown = {name: value for name, value in message.body().items() if name in version}
        assert shown.items() <= version.items(), "each event holds its own version"


@EACH
async def test_its_events_read_again_from_the_first_leave_the_latest(
    resource: Versioned,
    http: httpx.AsyncClient,
    made: Body,
    path: str,
    published: Published,
    broker: Broker,
    tmp_path: Path,
) -> None:
    """2.8a, 2.8b: whoever keeps the resource as a read model has its newest version, whatever comes again or late."""
    key = resource.contract.key_in(made)
    await http.put(f"{path}{resource.writes[0].at}", json=resource.change)
    if resource.deletion:
        await http.delete(path)
        again = await http.post(resource.path, json={**resource.creation, **key_of(resource, made)})
        assert again.status_code == 200
    snapshots = [(key, message.body()["VersionId"], message.body()) for message in await published(key)]
    wanted_after: dict[int, int | None] = {2: 2, 3: None, 4: 4} if resource.deletion else {2: 2}
    assert [version for _, version, _ in snapshots] == list(range(1, max(wanted_after) + 1))
    cases = [
        (order, wanted)
        for number, wanted in wanted_after.items()
        for seen in [snapshots[:number]]
        for order in ([*seen, *seen], seen[::-1], [*seen[::-1], *seen])
    ]
    reader = SqliteStore(tmp_path / "reader.db", broker.publish, source="reader")
    read_models = [reader.read_model(f"kept{number}") for number in range(len(cases))]
    await reader.start()
    for (order, wanted), read_model in zip(cases, read_models, strict=True):
        for snapshot in order:
            await read_model.put([snapshot])
        kept = await read_model.get(key)
        assert (None if kept is None else kept["VersionId"]) == wanted
    await reader.stop()
