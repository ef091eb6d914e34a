"""What a handler is given: the cause of its writes, and a command's body checked as HTTP would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.cause import AUTOMATION, Cause
from shared.conditions import Condition
from shared.durability.idempotency import retention_of
from shared.envelope import Message
from shared.errors import Poison
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Handler, Received, Subscription
from shared.schemas.base import CommandBody
from shared.schemas.fleet_svc.projection import PROJECTION
from shared.schemas.results import Accepted, Outcome
from shared.schemas.validation import validated
from tests.support.clock import FixedClock
from tests.support.messaging import NOW, MakeThing, Thing, event, raw, record_of, registry

CLOCK = FixedClock(NOW)


async def accept(command: CommandBody, cause: Cause) -> Accepted:
    return Accepted()


async def ignore(received: Any) -> None:
    """A use case that does nothing."""


def events() -> Subscription:
    return Subscription("test_svc.things", Handler(Thing, ("thing.created",), each=ignore), registry=registry())


def commands() -> CommandSubscription:
    return CommandSubscription("thing.commands", [Command(MakeThing, accept, "thing.make")], registry=registry())


class BreakThing(MakeThing):
    """Another command with the same body."""


async def cause_of(message: Message) -> Cause:
    """What the use case of a command is given as the cause of its writes."""
    causes: list[Cause] = []

    async def keep(command: CommandBody, cause: Cause) -> Accepted:
        causes.append(cause)
        return Accepted()

    known = [Command(model, keep, "thing.make") for model in (MakeThing, BreakThing)]
    subscription = CommandSubscription("thing.commands", known, registry=registry())
    await subscription.handle(subscription.read(record_of(message)), CLOCK)
    (cause,) = causes
    return cause


def command(data: dict[str, Any] | None = None, **more: Any) -> Message:
    return replace(event("a", topic="thing.commands", data=data or {"ThingId": "a"}), type="MakeThing", **more)


def test_an_event_s_cause_is_automation_s_and_known_again_at_a_redelivery() -> None:
    first = events().read(record_of(event("a"), offset=3)).cause(CLOCK)
    again = events().read(record_of(event("a"), offset=99)).cause(CLOCK)

    assert first == again
    assert (first.id, first.user, first.message, first.now) == ("test_svc/a:1", AUTOMATION, None, NOW)
    assert (first.trace.correlation_id, first.trace.causation_id) == ("corr", "a:1")


def test_a_snapshot_s_own_author_is_not_the_author_of_what_follows_from_it() -> None:
    body = {"ThingId": "a", "VersionId": 1, "AuditMetadata": {"User": "jsmith", "Message": "typed in"}}
    cause = events().read(record_of(event("a", data=body))).cause(CLOCK)

    assert (cause.user, cause.message) == (AUTOMATION, None)


@pytest.mark.parametrize(
    ("header", "body", "user"),
    [
        ("asmith", {"AuditMetadata": {"User": "jsmith"}}, "asmith"),
        (None, {"AuditMetadata": {"User": "jsmith"}}, "jsmith"),
        (None, {}, "anonymous"),
        (None, {"AuditMetadata": None}, "anonymous"),
    ],
)
async def test_a_command_s_cause_is_its_asker_s(header: str | None, body: dict[str, Any], user: str) -> None:
    assert (await cause_of(command({"ThingId": "a", **body}, user=header))).user == user


async def test_a_command_s_reason_is_kept() -> None:
    body = {"ThingId": "a", "AuditMetadata": {"Message": "as agreed"}}

    assert (await cause_of(command(body))).message == "as agreed"


@pytest.mark.parametrize(
    "other", [command({"ThingId": "b"}), command(if_match='"3"'), replace(command(), type="BreakThing")]
)
async def test_another_body_condition_or_type_is_another_request_3_35(other: Message) -> None:
    assert (await cause_of(other)).digest != (await cause_of(command())).digest


async def test_the_order_of_members_makes_no_other_request_3_35a() -> None:
    one, other = (
        replace(command(), data=data)
        for data in (
            b'{"ThingId":"a","AuditMetadata":{"User":"u","Message":"m"}}',
            b'{ "AuditMetadata": {"Message": "m", "User": "u"}, "ThingId": "a" }',
        )
    )
    assert (await cause_of(one)).digest == (await cause_of(other)).digest


async def test_a_command_s_record_is_its_asker_s_under_source_and_id_3_33_3_36() -> None:
    named = [
        command(id="c1", source="s"),
        command(id="c2", source="s"),
        command(id="c1", source="t"),
        command(id="c1", source="s", user="asmith"),
        command({"ThingId": "a", "AuditMetadata": {"User": "jsmith"}}, id="c1", source="s"),
        command(id="b/c", source="a"),
        command(id="c", source="a/b"),
    ]
    ids = [(await cause_of(one)).id for one in named]

    assert len(set(ids)) == len(named)
    assert (await cause_of(named[0])).id == ids[0]
    assert ids[0] is not None
    assert retention_of(ids[0]).days == 30


def test_the_envelope_and_the_validated_data_are_there() -> None:
    received = events().read(record_of(event("a", 4)))

    assert received.message.id == "a:4"
    assert received.data == Thing(thing_id="a", version_id=4)


def test_an_unregistered_topic_is_an_error_when_the_service_is_wired() -> None:
    with pytest.raises(KeyError, match=r"nothing\.created"):
        Subscription("test_svc.things", Handler(Thing, ("nothing.created",), each=ignore))


def test_a_handler_of_another_contract_is_an_error_when_the_service_is_wired() -> None:
    with pytest.raises(TypeError, match="carries Thing, its handler takes CreateProjection"):
        Subscription(
            "test_svc.things", Handler(PROJECTION.create, ("thing.created",), each=ignore), registry=registry()
        )


@pytest.mark.parametrize("member", ["ProjectionId", "VersionId", "LatestVersionId", "CreatedBy"])
def test_a_command_may_hold_what_a_document_is_read_with(member: str) -> None:
    body = {"FleetId": "F", "EventId": "E", "TotalInputTPM": 5, member: "F#E#Peak"}

    assert validated(PROJECTION.create, body).wire()["FleetId"] == "F"


@pytest.mark.parametrize("audit", ["nonsense", {"User": 5}, {"Colour": "red"}])
async def test_a_command_with_bad_audit_metadata_is_refused(audit: Any) -> None:
    received = commands().read(record_of(command({"ThingId": "a", "AuditMetadata": audit})))
    done = await commands().handle(received, CLOCK)

    problem = orjson.loads(done.answers[0].data)["Problem"]
    assert (problem["status"], problem["errors"][0]["pointer"][:14]) == (400, "/AuditMetadata")


def test_a_merge_patch_may_hold_any_member_and_null() -> None:
    body = {"FleetId": "F", "EventId": "E", "ManualOverride": None}
    command = validated(PROJECTION.update, body)

    assert command.patch == {"ManualOverride": None}


async def test_a_command_that_names_a_member_twice_is_refused() -> None:
    twice = replace(command(), data=b'{"ThingId": "a", "ThingId": "b"}')

    done = await commands().handle(commands().read(record_of(twice)), CLOCK)

    assert done.outcome is Outcome.REFUSED
    problem = orjson.loads(done.answers[0].data)["Problem"]
    assert (problem["type"], problem["errors"][0]["pointer"]) == ("urn:epic:problem:duplicate-member", "/ThingId")


@pytest.mark.parametrize("given", ['"base-3"', "base-3"])
async def test_the_condition_of_a_command_is_in_its_cause(given: str) -> None:
    cause = await cause_of(command(if_match=given))

    assert cause.condition == Condition(('"base-3"',))


def test_a_group_is_named_by_owner_and_purpose() -> None:
    assert commands().group == "test_svc.commands"


@pytest.mark.parametrize("value", [b'{"ThingId":"a","VersionId":NaN}', b'{"ThingId":"a","VersionId":1', b"\xff"])
def test_what_is_no_json_is_poison(value: bytes) -> None:
    headers = record_of(event("a")).headers

    with pytest.raises(Poison):
        events().read(raw("thing.created", b"a", value, headers))


def test_structured_mode_is_validated_alike() -> None:
    envelope = {"specversion": "1.0", "id": "1", "source": "s", "type": "thing.created", "data": {"ThingId": "a"}}
    record = raw("thing.created", b"a", orjson.dumps(envelope), [("content-type", b"application/cloudevents+json")])

    with pytest.raises(Poison, match="/VersionId: required"):
        events().read(record)


async def test_a_batch_of_two_handlers_goes_to_each_in_order() -> None:
    created: list[str] = []
    updated: list[str] = []

    async def on_created(batch: Sequence[Received[Thing]]) -> None:
        created.extend(received.message.id for received in batch)

    async def on_updated(batch: Sequence[Received[Thing]]) -> None:
        updated.extend(received.message.id for received in batch)

    subscription = Subscription(
        "test_svc.things",
        Handler(Thing, ("thing.created",), bulk=on_created),
        Handler(Thing, ("thing.updated",), bulk=on_updated),
        registry=registry(),
    )
    messages = [event("a", 1), updated_event("a", 2), event("b", 1), updated_event("b", 2)]
    assert subscription.handle_all is not None
    await subscription.handle_all([subscription.read(record_of(message)) for message in messages])

    assert (created, updated) == (["a:1", "b:1"], ["a:2", "b:2"])


async def test_one_handler_of_single_events_has_the_group_handle_them_one_by_one() -> None:
    subscription = Subscription(
        "test_svc.things",
        Handler(Thing, ("thing.created",), each=ignore),
        Handler(Thing, ("thing.updated",), bulk=ignore),
        registry=registry(),
    )

    assert subscription.handle_all is None
    done = await subscription.handle(subscription.read(record_of(updated_event("a", 2))), CLOCK)
    assert done.outcome is Outcome.ACCEPTED


async def test_a_condition_on_a_command_without_a_version_is_refused() -> None:
    unconditional = Command(MakeThing, accept, "thing.make", conditional=False)
    subscription = CommandSubscription("thing.commands", [unconditional], registry=registry())

    done = await subscription.handle(subscription.read(record_of(command(if_match='"3"'))), CLOCK)

    assert done.outcome is Outcome.REFUSED
    assert orjson.loads(done.answers[0].data)["Problem"]["type"] == "urn:epic:problem:bad-if-match"


def test_an_action_without_a_verb_is_an_error_when_the_service_is_wired() -> None:
    with pytest.raises(ValueError, match="is no action"):
        Command(MakeThing, accept, "Make it")


def updated_event(key: str, version: int) -> Message:
    return replace(event(key, version, topic="thing.updated"), type="thing.updated")
