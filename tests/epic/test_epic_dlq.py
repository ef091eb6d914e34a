"""``epic dlq``: list, show, replay and drop dead letters."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

import orjson
import pytest

from shared.schemas.topics import SERVICES
from tests.epic.fake import Asked, FakeEpic, accepted, problem
from tests.support.epic_command import Run

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
