"""What every declared resource does, over all declarations: a new one is tested as soon as it is declared.

The bodies are the golden messages of its commands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from shared.cause import Cause
from shared.messaging.commands import Command
from shared.resources import Declared, Resource
from shared.schemas.validation import validated
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.http import after_patch, pointers, version_of
from tests.support.resources import ALL, EACH, among, body_of, change_of, key_of, path_of


@EACH
async def test_it_is_created_read_and_listed(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    read = await http.get(path_of(resource, made))
    assert (read.json(), version_of(read)) == (made, 1)
    assert (await http.get(resource.path)).json() == {"Items": [among(resource, made)], "NextCursor": None}
    resource.contract.read.model_validate(made)
    for name, member in resource.listing.members.items():
        value = made.get(member.partition(".")[0])
        if isinstance(value, str | int):
            assert len((await http.get(resource.path, params={name: value})).json()["Items"]) == 1
            other = await http.get(resource.path, params={name: f"{value}-other"})
            assert other.json().get("Items") == [] or pointers(other) == [f"/{name}"]


@EACH
async def test_its_list_is_sorted(resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]) -> None:
    assert resource.listing.sort
    one = [among(resource, made)]
    for name in resource.listing.sort:
        for sort in (name, f"-{name}"):
            found = await http.get(resource.path, params={"Sort": sort, "Limit": "1"})
            assert found.json() == {"Items": one, "NextCursor": None}, found.text
    refused = await http.get(resource.path, params={"Sort": "Nothing"})
    assert (refused.status_code, pointers(refused)) == (400, ["/Sort"])


@EACH
async def test_it_can_be_sent_back_as_it_was_read(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    answer = await http.put(path_of(resource, made), json=made, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()) == (200, made)


@EACH
async def test_a_change_makes_a_version_and_a_stale_one_none(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    path = path_of(resource, made)
    changed = await http.put(path, json=change_of(resource), headers={"If-Match": '"1"'})
    assert (changed.status_code, version_of(changed)) == (200, 2), changed.text
    assert (await http.put(path, json=change_of(resource), headers={"If-Match": '"1"'})).status_code == 412
    assert [item["VersionId"] for item in (await http.get(f"{path}/versions")).json()["Items"]] == [2, 1]
    assert (await http.get(f"{path}/versions/1")).json()["VersionId"] == 1
    assert (await http.get(f"{path}/versions/0")).json() == changed.json()


@EACH
async def test_it_is_deleted_and_its_history_stays(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any], published: Published
) -> None:
    path = path_of(resource, made)
    deleted = await http.delete(path)
    assert (deleted.status_code, deleted.json()["Deleted"]) == (200, True)
    assert [(await http.get(path)).status_code, (await http.put(path, json={})).status_code] == [404, 404]
    assert [item["VersionId"] for item in (await http.get(f"{path}/versions")).json()["Items"]] == [2, 1]
    again = await http.post(resource.path, json={**body_of(resource, "Create"), **key_of(resource, made)})
    assert version_of(again) == 3, again.text
    messages = await published(resource.contract.key_in(made))
    assert [message.type for message in messages] == [
        f"{resource.contract.topic}.{verb}" for verb in ("created", "deleted", "created")
    ]
    for message in messages:
        resource.contract.snapshot.model_validate(message.body())


@EACH
async def test_a_former_version_can_be_restored(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    """3.20, 3.20a, 3.20c: a member that the former version lacks is cleared; the managed ones stay the present's."""
    path, contract = path_of(resource, made), resource.contract
    await http.put(path, json=change_of(resource))
    body, stale = {"Reason": "a mistake"}, {"If-Match": '"1"'}
    assert (await http.post(f"{path}/versions/1/restore", json=body, headers=stale)).status_code == 412
    restored = await http.post(f"{path}/versions/1/restore", json=body, headers={"If-Match": '"2"'})
    assert (restored.status_code, version_of(restored)) == (200, 3), restored.text
    assert restored.json()["AuditMetadata"]["Message"] == "a mistake"
    former = (await http.get(f"{path}/versions/1")).json()
    kept = {one: restored.json().get(one) for one in contract.settable}
    assert kept == {one: former.get(one) for one in contract.settable}
    assert (await http.post(f"{path}/versions/9/restore", json=body)).status_code == 404
    await http.delete(path)
    assert (await http.post(f"{path}/versions/1/restore", json=body)).status_code == 404
    await http.post(resource.path, json={**body_of(resource, "Create"), **key_of(resource, made)})
    answer = await http.post(f"{path}/versions/4/restore", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:deletion")


@EACH
async def test_the_difference_of_two_versions_makes_the_one_into_the_other(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    """3.19, 4.102."""
    path = path_of(resource, made)
    await http.put(path, json=change_of(resource))
    versions = {number: (await http.get(f"{path}/versions/{number}")).json() for number in (1, 2)}
    for a, b in ((1, 2), (2, 1), (1, 1)):
        answer = await http.get(f"{path}/versions/{a}/diff/{b}")
        assert answer.status_code == 200
        assert after_patch(versions[a], answer.json()["Patch"]) == versions[b]
        assert len(answer.json()["Changes"]) == len(answer.json()["Patch"])
    assert (await http.get(f"{path}/versions/1/diff/9")).status_code == 404
    assert pointers(await http.get(f"{path}/versions/1/diff/x")) == ["/OtherVersionId"]


@EACH
async def test_a_batch_gives_the_latest_of_many_and_names_what_is_not_there(
    resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]
) -> None:
    """3.21, 4.104."""
    await http.put(path_of(resource, made), json=change_of(resource))
    key, path = resource.contract.key_in(made), f"{resource.path}/batch"
    latest = (await http.get(path_of(resource, made))).json()
    answer = await http.post(path, json={"Keys": ["nothing", key, key]})
    assert (answer.status_code, answer.json()) == (200, {"Items": [among(resource, latest)], "Missing": ["nothing"]})
    for bad, pointer in ((["k"] * 1_001, "/Keys"), ([5], "/Keys/0"), (None, "/Keys")):
        answer = await http.post(path, json={"Keys": bad})
        assert (answer.status_code, pointers(answer)) == (400, [pointer])


@EACH
async def test_a_repeated_request_gets_the_first_answer(resource: Resource[Any], http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k", "X-Epic-User": "ann"}
    first = await http.post(resource.path, json=body_of(resource, "Create"), headers=key)
    again = await http.post(resource.path, json=body_of(resource, "Create"), headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    body = {**body_of(resource, "Create"), **key_of(resource, first.json())}
    assert (await http.post(resource.path, json=body)).json()["type"] == "urn:epic:problem:exists"
    reused = await http.post(resource.path, json={**body, "AuditMetadata": {"Message": "another"}}, headers=key)
    assert reused.json()["type"] == "urn:epic:problem:id-reused"


@EACH
async def test_bad_input_is_named(resource: Resource[Any], http: httpx.AsyncClient, made: dict[str, Any]) -> None:
    path = path_of(resource, made)
    for method, at in (("POST", resource.path), ("PUT", path), ("DELETE", path)):
        body = body_of(resource, "Create") if method == "POST" else {}
        answer = await http.request(method, at, json={**body, "Colour": "red"})
        assert (answer.status_code, pointers(answer)) == (400, ["/Colour"])
    assert pointers(await http.get(resource.path, params={"Colour": "red"})) == ["/Colour"]
    bad = await http.put(path, json={"AuditMetadata": {"User": 5}})
    assert (bad.status_code, pointers(bad)) == (400, ["/AuditMetadata/User"])
    missing = await http.post(resource.path, json={})
    required = {f"/{field.alias}" for field in resource.contract.create.model_fields.values() if field.is_required()}
    assert (missing.status_code, set(pointers(missing))) == (400, required)


@EACH
async def test_a_command_does_what_http_does(
    resource: Resource[Any], declared: Declared, http: httpx.AsyncClient, clock: FixedClock
) -> None:
    commands: dict[str, Command[Any]] = {command.name: command for command in declared.commands()}
    assert set(commands) == {command.__name__ for command in resource.contract.commands}
    cause = Cause(clock.now(), "ann", Trace.begin(), id="tests/1")
    accepted = []
    for verb in ("Create", "Update", "Delete"):
        command = commands[f"{verb}{resource.name}"]
        body = body_of(resource, verb)
        parts = [] if verb == "Create" else accepted[0].id.removeprefix(resource.contract.key_prefix).split("#")
        key = dict(zip(resource.contract.key, parts, strict=True)) if parts else {}
        own = cause if verb == "Create" else replace(cause, id=None)
        written = await command.use_case(validated(command.model, {**body, **key}), own)
        accepted.append(written.accepted)
        assert command.action == f"{resource.contract.topic}.{verb.lower()}"
    assert [one.version for one in accepted] == [1, 2, 3]
    assert len({one.id for one in accepted}) == 1


@pytest.mark.parametrize("resource", ALL, ids=[resource.name for resource in ALL])
def test_a_document_as_read_has_only_members_that_a_request_may_repeat(resource: Resource[Any]) -> None:
    contract = resource.contract
    known = {field.alias for field in contract.create.model_fields.values()} | contract.create.ignored
    assert {field.alias for field in contract.read.model_fields.values()} <= known


@pytest.mark.parametrize("resource", ALL, ids=[resource.name for resource in ALL])
def test_its_actions_are_those_of_the_contract(resource: Resource[Any]) -> None:
    assert tuple(action.command for action in resource.actions) == resource.contract.actions
    extra = {event.verb for event in resource.contract.extra_events}
    assert {action.event for action in resource.actions if action.event is not None} <= extra
