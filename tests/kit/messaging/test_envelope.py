"""CloudEvents over Kafka: binary mode written, both modes read, and what is none named as what is missing."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.envelope import Message, decode, encode_headers, plain_type
from shared.errors import Poison
from shared.trace import Trace
from tests.support.messaging import event, raw, record_of

BASE = [("ce_id", b"1"), ("ce_source", b"test"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]
words = st.text(min_size=1, max_size=40)
times = st.integers(0, 4_102_444_800_000).map(lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC))


@given(
    st.builds(
        Message,
        topic=st.just("thing.created"),
        type=words,
        key=words,
        data=st.binary(min_size=1),
        source=words,
        time=times,
        trace=st.builds(Trace, words, st.none() | words, st.none() | words),
        id=words,
        subject=words,
        if_match=st.none() | words,
        user=st.none() | words,
    )
)
def test_what_is_written_is_read_again(message: Message) -> None:
    record = record_of(message)

    assert decode(record) == message
    assert plain_type(record) == message.type.encode()


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_each_required_attribute_is_named_when_it_is_missing(missing: str) -> None:
    headers = [header for header in BASE if header[0] != missing]

    with pytest.raises(Poison, match=f"no CloudEvent: {missing} missing"):
        decode(raw("thing.created", b"k", b"{}", headers))


@pytest.mark.parametrize("empty", [b"", None])
def test_an_empty_attribute_is_a_missing_one(empty: bytes | None) -> None:
    headers = [("ce_id", empty), *BASE[1:]]

    with pytest.raises(Poison, match="ce_id missing"):
        decode(raw("thing.created", b"k", b"{}", headers))
    assert plain_type(raw("thing.created", b"k", b"{}", [*headers, *[("x", b"y")] * 6])) is None


def test_no_headers_at_all_are_no_cloud_event() -> None:
    with pytest.raises(Poison, match="ce_id, ce_source, ce_type, ce_specversion missing"):
        decode(raw("thing.created", None, None))


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([*BASE[:3], ("ce_specversion", b"0.3")], "ce_specversion is '0.3'"),
        ([*BASE, ("ce_time", b"yesterday")], "ce_time"),
        ([*BASE, ("ce_time", b"2024-06-15T09:00:00")], "no time zone"),
        ([("ce_id", b"\xff"), *BASE[1:]], "not UTF-8"),
    ],
)
def test_an_attribute_that_cannot_be_read_says_which(headers: list[tuple[str, bytes]], reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        decode(raw("thing.created", b"k", b"{}", headers))


def test_a_foreign_header_may_hold_anything() -> None:
    record = raw("thing.created", b"k", b"{}", [*BASE, ("x-binary", b"\xff\xfe"), ("x-null", None)])

    assert decode(record).id == "1"


def test_a_record_without_time_or_correlation_gets_the_broker_s_time_and_its_own_id() -> None:
    message = decode(raw("thing.created", b"k", b"{}", BASE))

    assert message.time == datetime(2024, 6, 15, 9, tzinfo=UTC)
    assert message.trace.correlation_id == "1"


def test_header_names_are_read_in_any_letter_case() -> None:
    headers = [(name.upper(), value) for name, value in BASE]

    assert decode(raw("thing.created", b"k", b"{}", headers)).type == "thing.created"


@pytest.mark.parametrize("content_type", [b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=x"])
def test_structured_mode_is_read(content_type: bytes) -> None:
    envelope = {
        "specversion": "1.0",
        "id": "7",
        "source": "test",
        "type": "thing.created",
        "time": "2024-06-15T09:00:00Z",
        "correlationid": "c",
        "causationid": "b",
        "traceparent": "00-a-b-01",
        "data": {"ThingId": "a"},
    }

    message = decode(raw("thing.created", b"a", orjson.dumps(envelope), [("Content-Type", content_type)]))

    assert message.body() == {"ThingId": "a"}
    assert (message.id, message.key, message.trace) == ("7", "a", Trace("c", "b", "00-a-b-01"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"specversion": "1.0"}', "ce_id, ce_source, ce_type missing"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%"}', "data_base64"),
    ],
)
def test_a_structured_event_that_is_none_says_why(value: bytes, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        decode(raw("thing.created", b"a", value, [("content-type", b"application/cloudevents+json")]))


def test_base64_data_of_a_structured_event_is_its_data() -> None:
    value = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"eyJhIjoxfQ=="}'

    message = decode(raw("thing.created", b"a", value, [("content-type", b"application/cloudevents+json")]))

    assert message.body() == {"a": 1}


@pytest.mark.parametrize("data", [b"", b"[1]", b'"x"', b"{,}", b"\xff", b"null"])
def test_data_that_is_no_json_object_is_poison(data: bytes) -> None:
    with pytest.raises(Poison):
        decode(raw("thing.created", b"k", data, BASE)).body()


def test_the_same_message_has_the_same_cause_id_wherever_it_lies() -> None:
    message = event("a")

    assert {decode(record_of(message, offset)).cause_id for offset in (1, 9)} == {"test_svc/a:1"}
    assert dict(encode_headers(message))["content-type"] == b"application/json"


def test_the_data_of_a_structured_event_keeps_every_digit_2_15b() -> None:
    value = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"A":10.000000000000000001,"B":1.5}}'

    message = decode(raw("thing.created", b"a", value, [("content-type", b"application/cloudevents+json")]))

    assert message.data == b'{"A":10.000000000000000001,"B":1.5}'
