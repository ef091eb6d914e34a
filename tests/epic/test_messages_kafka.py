"""``epic produce`` and ``epic tail`` on a real Kafka."""

from __future__ import annotations

import io
import sys
import uuid

import orjson
import pytest

from epic import cli
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import ensure_topics
from tests.support.goldens import golden

pytestmark = pytest.mark.docker


@pytest.fixture
async def kafka(kafka_bootstrap: str) -> str:
    transport = KafkaTransport(kafka_bootstrap)
    await transport.start()
    await ensure_topics(transport)
    await transport.stop()
    return kafka_bootstrap


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, data: bytes = b"") -> int:
    monkeypatch.setattr(sys, "argv", ["epic", *arguments])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_what_is_produced_is_seen_by_tail_by_option_and_by_variable(
    kafka: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, data = uuid.uuid4().hex, golden("event.created", "event.created").data
    sent = ("produce", "event.created", "-t", "event.created", "-k", key, "--bootstrap-servers", kafka)
    assert run(monkeypatch, *sent, data=data) == 0
    monkeypatch.setenv("EPIC_KAFKA_BOOTSTRAP_SERVERS", kafka)
    capsys.readouterr()
    assert run(monkeypatch, "tail", "event.created", "--from-beginning", "--no-follow", "--json") == 0
    seen = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["Data"] for record in seen if record["Key"] == key] == [orjson.loads(data)]


def test_a_command_without_an_answer_fails_with_the_remedy(
    kafka: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("produce", "event.commands", "-t", "DeleteEvent", "-k", "X", "--bootstrap-servers", kafka)
    assert run(monkeypatch, *asked, "--timeout", "2", data=b'{"EventId":"X"}') == 1
    assert "was not answered within 2 s; its service may be down or behind" in capsys.readouterr().err


def test_an_unknown_topic_and_a_broker_that_is_not_there_are_one_line(
    kafka: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "tail", "no.such.topic", "--bootstrap-servers", kafka) == 2
    assert capsys.readouterr().err == (
        f"epic: Kafka at {kafka} has no topic no.such.topic; `epic topics` lists those of EPIC\n"
    )
    assert run(monkeypatch, "tail", "event.created", "--bootstrap-servers", "127.0.0.1:1") == 2
    assert "epic: no Kafka answers at 127.0.0.1:1" in capsys.readouterr().err
