"""``epic produce`` and ``epic tail``: what is sent, refused, answered and printed."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest

from epic.messages import SeenRecord
from tests.epic.fake import FakeEpic, accepted, problem
from tests.support.epic_command import Run
from tests.support.goldens import golden


def test_produce_waits_for_the_answer_and_its_exit_code_shows_it(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"FleetId": "F", "HostsPresent": 150}')
    result = {"CommandId": "1", "Source": "s", "Outcome": "Accepted", "Id": "F", "VersionId": 3}
    epic.answer = lambda asked: (200, {**accepted(asked)[1], "Answer": result})
    arguments = ("produce", "fleet.commands", "--type", "ReportInventory", "--key", "F", str(file), "--url", epic.url)
    assert run(*arguments)[:2] == (0, "Accepted: ReportInventory F, VersionId 3\n")
    sent = epic.asked[0].body
    assert (sent["Topic"], sent["Key"], base64.b64decode(sent["Value"])) == ("fleet.commands", "F", file.read_bytes())
    headers = {name: base64.b64decode(value).decode() for name, value in sent["Headers"]}
    assert headers["ce_type"] == "ReportInventory"
    assert sent["AnswerWithin"] == 30
    refused = {
        **result,
        "Outcome": "Refused",
        "Problem": {"status": 404, "detail": "there is no fleet F", "errors": [{"pointer": "/FleetId", "detail": "x"}]},
    }
    epic.answer = lambda asked: (200, {**accepted(asked)[1], "Answer": refused})
    assert run(*arguments)[::2] == (1, "Refused (404): there is no fleet F\n  /FleetId: x\n")
    epic.answer = lambda asked: (200, {**accepted(asked)[1], "Answer": None, "Detail": "was not answered within 30 s"})
    assert run(*arguments)[::2] == (1, "epic: was not answered within 30 s\n")
    epic.answer = accepted
    assert run(*arguments, "--no-wait", "--id", "mine")[:2] == (0, "produced ReportInventory mine to fleet.commands\n")
    assert "AnswerWithin" not in epic.asked[-1].body


@pytest.mark.parametrize(
    ("topic", "ce_type", "data", "printed"),
    [
        ("fleet.comands", "UpdateFleet", "{}", "there is no topic fleet.comands"),
        ("fleet.commands", "UpdateFlet", "{}", "carries no UpdateFlet; give --type one of "),
        ("fleet.commands", "UpdateFleet", "{", "not one JSON object"),
        ("fleet.commands", "UpdateFleet", "[]", "not one JSON object"),
        ("service.created", "service.created", "{}", "this is no ServiceSnapshot (/VersionId: required; add it"),
        (
            "fleet.commands",
            "ReportInventory",
            '{"FleetId": "F"}',
            "this is no ReportInventory (/HostsPresent: required",
        ),
        ("fleet.commands", "DeleteFleet", '{"FleetId": "a#b"}', "/FleetId: an id is 1 to 128 letters"),
        ("fleet.commands", "DeleteFleet", '{"FleetId": "F", "Nonsense": 1}', "/Nonsense: unknown field; remove it"),
    ],
)
def test_produce_refuses_what_its_contract_does_not_take_and_names_the_field(
    run: Run, epic: FakeEpic, tmp_path: Path, topic: str, ce_type: str, data: str, printed: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text(data)
    code, _, err = run("produce", topic, "-t", ce_type, "-k", "F", str(file), "--url", epic.url)
    assert code == 2
    assert printed in err
    assert epic.asked == []


@pytest.mark.parametrize(
    ("option", "value", "printed"),
    [
        ("--key", "", "--key: give 1 to 512 characters"),
        ("--key", "k" * 513, "--key: give 1 to 512 characters"),
        ("--id", "i" * 256, "--id: give 1 to 255 printable characters"),
        ("--user", "nadia ", "--user: give 1 to 255 printable characters, with no space at either end"),
        ("--if-match", "three", "--if-match: "),
    ],
)
def test_produce_refuses_a_command_whose_answer_could_not_name_it(
    run: Run, epic: FakeEpic, tmp_path: Path, option: str, value: str, printed: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"FleetId": "F"}')
    code, _, err = run(
        "produce", "fleet.commands", "-t", "DeleteFleet", "-k", "F", str(file), option, value, "--url", epic.url
    )
    assert code == 2
    assert printed in err
    assert err.count("\n") == 1
    assert epic.asked == []


def test_produce_sends_an_event_that_fits_its_contract(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(golden("service.created", "service.created").data)
    arguments = ("produce", "service.created", "-t", "service.created", "-k", "S", str(file), "--url", epic.url)
    assert run(*arguments)[0] == 0
    assert base64.b64decode(epic.asked[0].body["Value"]) == file.read_bytes()


def test_produce_unchecked_waits_for_no_answer(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{")
    code, out, _ = run(
        "produce", "fleet.commands", "-t", "UpdateFleet", "-k", "F", str(file), "--unchecked", "--url", epic.url
    )
    assert code == 0
    assert "AnswerWithin" not in epic.asked[0].body
    assert "`epic dlq list`" in out


def test_tail_and_produce_name_kafka_for_a_real_stack(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"FleetId": "F", "HostsPresent": 150}')
    epic.answer = lambda _: problem(404, "No service answers this path", "no-such-path")
    for arguments in (
        ("tail", "event.created"),
        ("produce", "fleet.commands", "-t", "ReportInventory", "-k", "F", str(file)),
    ):
        code, _, err = run(*arguments, "--url", epic.url)
        assert code == 2
        assert "give --bootstrap-servers (EPIC_KAFKA_BOOTSTRAP_SERVERS)" in err
        assert err.count("\n") == 1


def test_tail_prints_a_line_a_record_cloudevent_or_not(run: Run, epic: FakeEpic) -> None:
    good = SeenRecord(
        "event.created",
        0,
        4,
        1_718_442_000_000,
        b"PD2024",
        b'{"EventId":"PD2024"}',
        (
            ("ce_id", b"1"),
            ("ce_source", b"event_svc"),
            ("ce_type", b"event.created"),
            ("ce_specversion", b"1.0"),
            ("ce_time", b"2024-06-15T09:00:00Z"),
        ),
    )
    bad = SeenRecord("event.created", 0, 5, 1_718_442_000_000, None, b"\xff", ())
    records = [good, bad]

    epic.answer = lambda _: (200, records[0].wire())
    arguments = ("tail", "event.created", "--no-follow", "--from-beginning", "--url", epic.url)
    assert run(*arguments)[:2] == (0, '2024-06-15T09:00:00.000Z  PD2024  event.created  {"EventId":"PD2024"}\n')
    shown = orjson.loads(run(*arguments, "--json")[1])
    assert (shown["Offset"], shown["Key"], shown["Data"]) == (4, "PD2024", {"EventId": "PD2024"})
    records[:] = [bad]
    code, out, _ = run(*arguments)
    assert code == 0
    assert "[no CloudEvent: ce_id, ce_source, ce_type, ce_specversion missing]  \\xff" in out
    assert "Poison" in orjson.loads(run(*arguments, "--json")[1])
