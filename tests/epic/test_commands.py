from __future__ import annotations

import asyncio
import base64
import io
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from epic.messages import SeenRecord
from shared.schemas.topics import SERVICES, TOPICS
from tests.epic.fake import Asked, FakeEpic, accepted, problem
from tests.support.epic_command import Run
from tests.support.goldens import golden

LETTER: dict[str, Any] = {
    "Id": "hotw_svc.commands:hotw.commands:3:17",
    "Group": "hotw_svc.commands",
    "Topic": "hotw.commands",
    "Partition": 3,
    "Offset": 17,
    "Timestamp": "2024-06-15T09:00:00.000Z",
    "Key": base64.b64encode(b"PD2024").decode(),
    "Value": base64.b64encode(b'{"EventId": 7}').decode(),
    "Headers": [["ce_id", "x"], ["ce_type", "StartRun"]],
    "Reason": "no CloudEvent: ce_source missing",
    "Attempts": 1,
    "DeadSince": "2024-06-15T09:00:01.000Z",
}


@pytest.fixture
def epic() -> Iterator[FakeEpic]:
    """A fake EPIC on an event loop of its own: commands bring theirs."""
    fake, ready, loop = FakeEpic(), threading.Event(), asyncio.new_event_loop()
    end = asyncio.Event()

    async def live() -> None:
        async with fake.running():
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    assert ready.wait(60)
    yield fake
    loop.call_soon_threadsafe(end.set)
    thread.join(60)
    loop.close()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "up",
        "serve",
        "load",
        "sample",
        "produce",
        "tail",
        "topics",
        "dlq",
        "dlq list",
        "dlq show",
        "dlq replay",
        "dlq drop",
    ],
)
def test_every_command_has_its_help(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage: epic")
    assert "…" not in out


def test_the_exit_code_of_load_shows_whether_rows_failed(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        return problem(400, "Owner is missing") if "Owner" not in asked.body else accepted(asked)

    epic.answer = answer
    file = tmp_path / "a.ndjson"
    file.write_text('{"ServiceId":"A","ServiceType":"Registered","Owner":"o"}\n')
    code, out, err = run("load", str(file), "--url", epic.url)
    assert (code, err) == (0, "")
    assert "loaded 1 Service, in " in out
    file.write_text(file.read_text() + '{"ServiceId":"B","ServiceType":"Registered"}\n')
    code, out, err = run("load", str(file), "--url", epic.url)
    assert (code, err) == (1, "a.ndjson:2: Service B: Owner is missing\n")
    assert "loaded 1 Service; 1 failed, in " in out
    code, out, _ = run("load", str(file), "--url", epic.url, "--json")
    assert code == 1
    output = orjson.loads(out)
    assert (output["Rows"], output["Loaded"], output["Failed"]) == (2, {"Service": 1}, 1)


def test_load_prints_the_first_failures_and_counts_the_rest(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text("{\n" * 150)
    code, _, err = run("load", str(file), "--url", epic.url)
    assert code == 1
    assert len(err.splitlines()) == 101
    assert err.splitlines()[-1] == "and 50 more rows failed; --json lists them all"


@pytest.mark.parametrize(
    "answer", [(200, {"status": "ok"}), (200, {"Items": [{"a": 1}]}), (301, {}, {"Location": "/elsewhere"}), (404, {})]
)
def test_no_command_takes_another_server_for_epic(
    run: Run, epic: FakeEpic, tmp_path: Path, answer: tuple[Any, ...]
) -> None:
    epic.answer = lambda _: answer
    row, data = tmp_path / "a.ndjson", tmp_path / "a.json"
    row.write_text('{"ServiceId":"A","ServiceType":"Registered","Owner":"o"}\n')
    data.write_text('{"FleetId": "F", "HostsPresent": 150}')
    produce = ("produce", "fleet.commands", "-t", "ReportInventory", "-k", "F", str(data))
    letter = str(LETTER["Id"])
    for arguments in (
        ("load", str(row)),
        produce,
        (*produce, "--no-wait"),
        ("tail", "event.created", "--no-follow"),
        ("dlq", "list"),
        ("dlq", "show", letter),
        ("dlq", "replay", letter),
        ("dlq", "drop", letter, "--yes"),
    ):
        code, out, err = run(*arguments, "--url", epic.url)
        assert code == 2, arguments
        assert "loaded" not in out
        assert err.startswith(f"epic: what answers at {epic.url} is not EPIC (")
        assert err.count("\n") == 1
    assert not any("elsewhere" in asked.path for asked in epic.asked)


def answered_with(result: dict[str, Any], asked: Asked) -> tuple[int, Any]:
    return 200, {**accepted(asked)[1], **result}


def test_an_answer_to_a_command_that_is_no_result_is_not_epics(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"FleetId": "F", "HostsPresent": 150}')
    for result in ({}, {"Answer": None}, {"Answer": 3}, {"Answer": {"Outcome": "Accepted"}}):
        epic.answer = partial(answered_with, result)
        code, _, err = run(
            "produce", "fleet.commands", "-t", "ReportInventory", "-k", "F", str(file), "--url", epic.url
        )
        assert code == 2
        assert "is not EPIC" in err


def test_nobody_at_the_address_is_one_line_and_exit_code_2(run: Run) -> None:
    code, out, err = run("dlq", "list", "--url", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "nothing answers at http://127.0.0.1:1" in err


def test_a_bad_address_and_an_unknown_variable_are_refused_with_the_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("dlq", "list", "--url", "localhost:1")[::2] == (
        2,
        "epic: --url localhost:1 is not an address; give one such as http://127.0.0.1:8000\n",
    )
    monkeypatch.setenv("EPIC_HTP_PORT", "1")
    code, _, err = run("dlq", "list")
    assert code == 2
    assert "EPIC_HTP_PORT is not a variable of EPIC; did you mean EPIC_HTTP_PORT?" in err


def test_dlq_list_asks_every_service_and_prints_each_letter_whole(run: Run, epic: FakeEpic) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        return 200, {"Items": [LETTER] if asked.path == "/hotw_svc/dlq" else [], "NextCursor": None}

    epic.answer = answer
    code, out, _ = run("dlq", "list", "--url", epic.url)
    assert code == 0
    assert {asked.path for asked in epic.asked} == {f"/{service}/dlq" for service in SERVICES}
    assert LETTER["Id"] in out
    assert "no CloudEvent: ce_source missing" in out
    assert orjson.loads(run("dlq", "list", "--url", epic.url, "--json")[1]) == [LETTER]
    code, out, _ = run("dlq", "list", "--service", "event_svc", "--url", epic.url)
    assert (code, out) == (0, "No dead letters.\n")
    assert run("dlq", "list", "--service", "event", "--url", epic.url)[0] == 2


def test_dlq_list_takes_one_service_either_way(run: Run, epic: FakeEpic) -> None:
    epic.answer = lambda _: (200, {"Items": [], "NextCursor": None})
    for given in (("hotw_svc",), ("--service", "hotw_svc"), ("hotw_svc", "--service", "hotw_svc")):
        epic.asked.clear()
        assert run("dlq", "list", *given, "--url", epic.url)[0] == 0
        assert [asked.path for asked in epic.asked] == ["/hotw_svc/dlq"]
    assert run("dlq", "list", "hotw", "--url", epic.url)[0] == 2
    assert run("dlq", "list", "hotw_svc", "--service", "event_svc", "--url", epic.url)[0] == 2


def test_dlq_list_goes_from_page_to_page(run: Run, epic: FakeEpic) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        first = "Cursor" not in asked.path
        letter = {**LETTER, "Id": "first" if first else "second"}
        return 200, {"Items": [letter], "NextCursor": "next" if first else None}

    epic.answer = answer
    out = run("dlq", "list", "--service", "hotw_svc", "--url", epic.url, "--json")[1]
    assert [letter["Id"] for letter in orjson.loads(out)] == ["first", "second"]


def test_dlq_show_prints_key_and_value_as_text(run: Run, epic: FakeEpic) -> None:
    epic.answer = lambda _: (200, LETTER)
    code, out, _ = run("dlq", "show", str(LETTER["Id"]), "--url", epic.url)
    assert code == 0
    assert epic.asked[0].path == "/hotw_svc/dlq/hotw_svc.commands:hotw.commands:3:17"
    assert '{"EventId": 7}' in out
    assert "StartRun" in out
    assert "PD2024" in out


def test_a_dlq_replay_that_fails_prints_the_reason_and_ends_with_1(run: Run, epic: FakeEpic) -> None:
    epic.answer = lambda _: problem(409, "it failed again: no such fleet", "replay-failed")
    code, _, err = run("dlq", "replay", str(LETTER["Id"]), "--url", epic.url)
    assert (code, err) == (1, "epic: it failed again: no such fleet\n")
    epic.answer = accepted
    assert run("dlq", "replay", str(LETTER["Id"]), "--url", epic.url)[:2] == (0, f"{LETTER['Id']}: replayed\n")
    assert run("dlq", "drop", str(LETTER["Id"]), "--yes", "--url", epic.url)[:2] == (0, f"{LETTER['Id']}: dropped\n")
    assert [(asked.method, asked.path.rpartition("/")[2]) for asked in epic.asked] == [
        ("POST", "replay"),
        ("POST", "replay"),
        ("DELETE", "hotw_svc.commands:hotw.commands:3:17"),
    ]


@pytest.mark.parametrize(("typed", "dropped"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_dlq_drop_asks_a_person_first(
    run: Run, epic: FakeEpic, monkeypatch: pytest.MonkeyPatch, typed: str, dropped: bool
) -> None:
    stdin = io.StringIO(typed)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, err = run("dlq", "drop", str(LETTER["Id"]), "--url", epic.url, "--json")
    assert f"Remove {LETTER['Id']} for good, without handling it? [y/N]" in err
    assert [asked.method for asked in epic.asked] == (["DELETE"] if dropped else [])
    assert code == (0 if dropped else 2)
    assert (LETTER["Id"] in out) == dropped


def test_dlq_drop_without_a_person_to_ask_needs_yes(run: Run, epic: FakeEpic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, out, err = run("dlq", "drop", str(LETTER["Id"]), "--url", epic.url)
    assert (code, out) == (2, "")
    assert err.endswith("there is no terminal to ask on; give --yes\n")
    assert epic.asked == []
    assert run("dlq", "drop", str(LETTER["Id"]), "--yes", "--url", epic.url)[0] == 0


def test_topics_lists_the_registry(run: Run) -> None:
    code, out, _ = run("topics")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(TOPICS)
    code, out, _ = run("topics", "--json")
    output = {topic["Topic"]: topic for topic in orjson.loads(out)}
    assert list(output) == list(TOPICS)
    assert output["fleet.commands"]["Partitions"] == TOPICS["fleet.commands"].partitions
    assert {message["Type"] for message in output["event.commands"]["Messages"]} == {
        "CreateEvent",
        "UpdateEvent",
        "DeleteEvent",
    }
    assert run("topics", "--owner", "nobody")[0] == 2


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
        ("fleet.commands", "UpdateFlet", "{}", "carries no UpdateFlet; give --type one of CreateFleet,"),
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


def test_sample_writes_a_file_that_load_takes(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    out = tmp_path / "s.ndjson"
    assert run("sample", "--services", "3", "--fleets-per-service", "2", "--out", str(out))[0] == 0
    assert run("load", str(out), "--url", epic.url)[0] == 0
    assert len(epic.asked) == 3 + 6 * 3 + 1
    assert run("sample", "--out", str(tmp_path / "no" / "s"))[0] == 2
    assert run("sample", "--out", str(out), "--event", "a#b")[0] == 2
    assert "2024-07-16 00:00" not in run("sample", "--help")[1]


def test_a_sample_goes_to_stdout_and_load_takes_it_from_stdin(
    run: Run, epic: FakeEpic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "s.ndjson"
    assert run("sample", "--services", "2", "--out", str(file))[0] == 0
    code, out, err = run("sample", "--services", "2", "--out", "-")
    assert (code, out.encode()) == (0, file.read_bytes())
    assert err.endswith("rows: 2 services with 8 fleets.\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes() + b"{\n")))
    code, _, err = run("load", "-", "--url", epic.url)
    assert code == 1
    assert err.startswith("stdin:")
    assert len(epic.asked) == len(file.read_bytes().splitlines())


def test_serve_and_up_refuse_in_one_line_what_cannot_be_run(run: Run, tmp_path: Path) -> None:
    for arguments, printed in (
        (("serve", "plan_svc"), "plan_svc is not a service of EPIC; give one of fleet_svc,"),
        (("up", "--now", "tomorrow"), "--now tomorrow is not an instant; give one such as 2024-06-15T09:00:00Z"),
        (("up", "--now", "2024-06-15T09:00:00"), "--now 2024-06-15T09:00:00 is not an instant"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert err.startswith(f"epic: {printed}")
        assert err.count("\n") == 1
