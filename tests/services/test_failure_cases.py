"""How every declared resource takes what is wrong, late, doubled, or comes at once, generated from its contract.

A wrong body is one that the contract's JSON Schema refuses: what OpenAPI promises is held, over HTTP and by commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
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
from shared.resources import Declared, Resource
from shared.schemas.base import BODY_LIMIT, RESERVED_IDS
from shared.schemas.results import CommandResult
from shared.schemas.topics import TOPICS
from shared.trace import Trace
from tests.support.broker import Broker
from tests.support.clock import FixedClock
from tests.support.contract_schema import UNKNOWN, pointer, spoiled
from tests.support.fixtures import Published
from tests.support.goldens import golden
from tests.support.http import pointers, version_of
from tests.support.resources import EACH, body_of, change_of, golden_body, key_of, path_of

Body = dict[str, Any]
BAD_IDS = ["", " ", "a b", "-a", ".", "a/b", "a#b", "a%b", "\u00e9", "a\0", "x" * 129, *sorted(RESERVED_IDS)]
_WRITERS = 8


class Commands:
    """Sends commands as records of the resource's topic, and gives what they are answered."""

    def __init__(self, resource: Resource[Any], declared: Declared, clock: FixedClock) -> None:
        self._subscription = CommandSubscription(self._topic(resource), declared.commands())
        self._clock = clock
        self._sent = 0

    @staticmethod
    def _topic(resource: Resource[Any]) -> str:
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
def commands(resource: Resource[Any], declared: Declared, clock: FixedClock, http: httpx.AsyncClient) -> Commands:
    return Commands(resource, declared, clock)


@pytest.fixture
def documents(resource: Resource[Any], declared: Declared) -> Documents:
    return declared[resource.name].documents


@pytest.fixture
def path(resource: Resource[Any], made: Body) -> str:
    return path_of(resource, made)


def writes_of(resource: Resource[Any], path: str) -> Iterator[tuple[str, str, str, Body]]:
    """Each write of a document that is there: command, method, path and the body that its golden message has."""
    for name, method, at in (
        (f"Update{resource.name}", "PUT", path),
        *((action.command.__name__, action.method, f"{path}/{action.word}") for action in resource.actions),
        (f"Delete{resource.name}", "DELETE", path),
    ):
        yield name, method, at, without_keys(resource, golden_body(name))


def without_keys(resource: Resource[Any], body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in resource.contract.key}


def is_about(errors: list[str], place: str) -> bool:
    """Whether an error is at the place, in it, or of the object that it is in."""
    return any(error == place or error.startswith(f"{place}/") or place.startswith(f"{error}/") for error in errors)


async def assert_unchanged(resource: Resource[Any], http: httpx.AsyncClient, made: Body, published: Published) -> None:
    assert (await http.get(path_of(resource, made))).json() == made
    assert len(await published(resource.contract.key_in(made))) == 1


@EACH
async def test_a_wrong_body_makes_nothing_and_its_place_is_named(
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, documents: Documents, published: Published
) -> None:
    wrong = list(spoiled(resource.contract.create, body_of(resource, "Create")))
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
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    for name, method, at, body in writes_of(resource, path):
        model = next(one for one in resource.contract.commands if one.__name__ == name)
        key = key_of(resource, made)
        for place, whole in spoiled(model, {**key, **body}):
            if place[0] in key:
                continue  # the path's own
            answer = await http.request(method, at, json=without_keys(resource, whole))
            assert answer.status_code == 400, (name, place, whole, answer.text)
            assert is_about(list(pointers(answer)), pointer(place)), (name, place, answer.text)
            result = await commands.send(name, whole)
            assert result.problem is not None
            assert result.problem["errors"] == answer.json()["errors"]
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_a_bad_id_is_named_wherever_it_stands(
    resource: Resource[Any], http: httpx.AsyncClient, documents: Documents
) -> None:
    """2.11 to 2.11c; names and days have rules of their own, which their schema tells in part (2.13)."""
    body = body_of(resource, "Create")
    ids = [member for member in resource.contract.key if member not in resource.contract.key_types]
    for member in ids:
        for bad in BAD_IDS:
            answer = await http.post(resource.path, json={**body, member: bad})
            assert (answer.status_code, pointers(answer)) == (400, [f"/{member}"]), bad
    for member in (name for name in ids if f"{{{name}}}" in resource.item_path):
        for bad in ("a b", "-a", "a#b", "a%b", "\u00e9", "x" * 129, "versions"):
            at = path_of(resource, {**_golden_key(resource), member: "{}"}).replace("{}", _quoted(bad))
            for method in ("GET", "PUT", "DELETE"):
                answer = await http.request(method, at, json={} if method == "PUT" else None)
                assert answer.status_code in (400, 404, 405), (method, at, answer.text)
                if bad != "versions":
                    assert pointers(answer) == [f"/{member}"], (method, at)
    assert (await documents.list()).items == []


def _golden_key(resource: Resource[Any]) -> Body:
    body = body_of(resource, "Update")
    return key_of(resource, {**resource.contract.key_defaults, **body})


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@EACH
async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    """4.11e. Up to the limit each of its members is judged."""
    large, just = b" " * (BODY_LIMIT - 1) + b"{}", b" " * (BODY_LIMIT - 2) + b"{}"
    kind = {"content-type": "application/json"}
    for method, at in (("POST", resource.path), *((method, at) for _, method, at, _ in writes_of(resource, path))):
        answer = await http.request(method, at, content=large, headers=kind)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:epic:problem:too-large"), (method, at)
    assert (await http.request("POST", resource.path, content=just, headers=kind)).status_code == 400
    whole = await commands.send(f"Create{resource.name}", {UNKNOWN: "x" * BODY_LIMIT})
    assert whole.problem is not None
    assert whole.problem["status"] == 413
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_a_condition_that_does_not_hold_keeps_a_write_from_being_done(
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, made: Body, path: str, published: Published
) -> None:
    """3.24b to 3.28, of every write of the resource."""
    for name, method, at, body in writes_of(resource, path):
        for header, value, status in (
            ("If-Match", '"9"', 412),
            ("If-Match", 'W/"1"', 412),
            ("If-Match", '"base-1"', 412),
            ("If-Match", "1", 400),
            ("If-Match", '"1', 400),
            ("If-None-Match", "*", 412),
            ("If-None-Match", (await http.get(path)).headers["etag"], 412),
        ):
            answer = await http.request(method, at, json=body, headers={header: value})
            assert answer.status_code == status, (name, header, value, answer.text)
        result = await commands.send(name, {**key_of(resource, made), **body}, if_match='"9"')
        assert result.problem is not None
        assert result.problem["status"] == 412, name
    await assert_unchanged(resource, http, made, published)


@EACH
async def test_what_is_not_there_is_404_whatever_is_asked_of_it(
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, documents: Documents
) -> None:
    key = _golden_key(resource)
    path = path_of(resource, key)
    for at in (path, f"{path}/versions", f"{path}/versions/1", f"{path}/versions/0"):
        assert (await http.get(at)).status_code == 404
    for name, method, at, body in writes_of(resource, path):
        assert (await http.request(method, at, json=body)).status_code == 404, name
        result = await commands.send(name, {**key, **body})
        assert result.problem is not None
        assert result.problem["status"] == 404
    assert (await documents.list()).items == []


@EACH
async def test_each_write_that_is_sent_again_is_done_once(
    resource: Resource[Any], http: httpx.AsyncClient, commands: Commands, made: Body, path: str
) -> None:
    """3.31 to 3.40, of every write: the first answer again, and another body under the key is refused."""
    for name, method, at, body in writes_of(resource, path):
        send = partial(http.request, method, at, headers={"Idempotency-Key": name, "X-Epic-User": "ann"})
        first = await send(json=body)
        again = await send(json=body)
        assert (again.status_code, again.content) == (first.status_code, first.content), name
        assert again.headers.get("etag") == first.headers.get("etag")
        other = await send(json={**body, "AuditMetadata": {"Message": "for another reason"}})
        assert other.json()["type"] == "urn:epic:problem:id-reused", name
    assert (await http.get(path)).status_code == 404, "the last was the deletion"

    key = key_of(resource, made)
    for name, body in ((f"Create{resource.name}", {**body_of(resource, "Create"), **key}), *_changes(resource, key)):
        answers = [await commands.send(name, body, id=name) for _ in range(2)]
        assert answers[0] == answers[1], name
        reused = await commands.send(name, {**body, "AuditMetadata": {"Message": "for another reason"}}, id=name)
        assert reused.problem is not None
        assert reused.problem["type"] == "urn:epic:problem:id-reused"
    versions = [item["VersionId"] for item in (await http.get(f"{path}/versions")).json()["Items"]]
    assert versions == list(range(versions[0], 0, -1))


def _changes(resource: Resource[Any], key: Body) -> Iterator[tuple[str, Body]]:
    for name, _, _, body in writes_of(resource, ""):
        yield name, {**key, **body}


@EACH
async def test_of_many_that_create_at_once_one_does(resource: Resource[Any], http: httpx.AsyncClient) -> None:
    body = body_of(resource, "Create")
    assigned = set(resource.contract.key) - body.keys() - resource.contract.key_defaults.keys()
    body |= dict.fromkeys(assigned, "T-1")
    answers = await asyncio.gather(*(http.post(resource.path, json=body) for _ in range(_WRITERS)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * (_WRITERS - 1)]


@EACH
async def test_of_many_that_change_one_version_at_once_one_does(
    resource: Resource[Any], http: httpx.AsyncClient, path: str, published: Published, made: Body
) -> None:
    change = partial(http.put, path, json=change_of(resource), headers={"If-Match": '"1"'})
    answers = await asyncio.gather(*(change() for _ in range(_WRITERS)))
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * (_WRITERS - 1)]
    messages = await published(resource.contract.key_in(made))
    assert [message.body()["VersionId"] for message in messages] == [1, 2]


@EACH
async def test_racing_writers_lose_no_version_and_publish_each_in_order(
    resource: Resource[Any], http: httpx.AsyncClient, made: Body, path: str, published: Published
) -> None:
    """3.7, 3.8, 3.27: changes there and back, and a deletion among them."""
    there = change_of(resource)
    back = {name: made.get(name) for name in there}
    requests: list[Callable[[], Any]] = [
        partial(http.put, path, json=there if number % 2 == 0 else back) for number in range(_WRITERS)
    ]
    requests.insert(_WRITERS // 2, partial(http.delete, path))
    answers = await asyncio.gather(*(request() for request in requests))
    assert {answer.status_code for answer in answers} <= {200, 404}
    versions = (await http.get(f"{path}/versions")).json()["Items"]
    numbers = [version["VersionId"] for version in versions]
    assert numbers == list(range(numbers[0], 0, -1))
    assert [version.get("Deleted", False) for version in versions] == [True, *[False] * (len(versions) - 1)]
    messages = await published(resource.contract.key_in(made))
    assert [message.body()["VersionId"] for message in messages] == numbers[::-1]
    for message, version in zip(messages, reversed(versions), strict=True):
        shown = {name: value for name, value in message.body().items() if name in version}
        assert shown.items() <= version.items(), "each event holds its own version"


@EACH
async def test_its_events_read_again_from_the_first_leave_the_latest(
    resource: Resource[Any],
    http: httpx.AsyncClient,
    made: Body,
    path: str,
    published: Published,
    broker: Broker,
    tmp_path: Path,
) -> None:
    """2.8a, 2.8b: whoever keeps the resource as a read model has its newest version, whatever comes again or late."""
    key = resource.contract.key_in(made)
    await http.put(path, json=change_of(resource))
    latest = (await http.get(path)).json()
    await http.delete(path)
    again = await http.post(resource.path, json={**body_of(resource, "Create"), **key_of(resource, made)})
    assert again.status_code == 200
    snapshots = [(key, message.body()["VersionId"], message.body()) for message in await published(key)]
    assert [version for _, version, _ in snapshots] == [1, 2, 3, 4]
    before, deleted = snapshots[:2], snapshots[:3]
    cases = [
        (order, wanted)
        for seen, wanted in ((before, latest["VersionId"]), (deleted, None), (snapshots, version_of(again)))
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
