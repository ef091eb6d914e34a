"""``epic import`` as a person runs it: what is shown, what is sent, and the exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.epic.fake import Asked, FakeEpic
from tests.epic.test_imports import BEGIN, answer, group
from tests.support.epic_command import Run


def job_of(present: dict[str, Any], **more: Any) -> Callable[[Asked], tuple[Any, ...]]:
    """An EPIC with these documents, whose bulk jobs are done at once."""

    def answered(asked: Asked) -> tuple[Any, ...]:
        if asked.path.endswith("/batch"):
            there = [key for key in asked.body["Keys"] if key in present]
            missing = [key for key in asked.body["Keys"] if key not in present]
            return 200, {"Items": [present[key] for key in there], "Missing": missing}
        return 200, {"JobId": "j1", "Status": "Done", "RowsDone": 1, "RowsFailed": 0, **more}

    return answered


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    groups, mapping = tmp_path / "groups.json", tmp_path / "tags.json"
    groups.write_bytes(orjson.dumps({"AutoScalingGroups": [group("asg-1a")]}))
    mapping.write_bytes(orjson.dumps({"FleetId": "{app}-{realm}", "ServiceId": "{app}", "HostThroughPutTPM": 250}))
    return str(groups), str(mapping)


def test_a_dry_run_shows_the_difference_and_checks_the_rows(run: Run, epic: FakeEpic, files: tuple[str, str]) -> None:
    epic.answer = job_of({})
    groups, mapping = files
    code, out, err = run("import", "aws", groups, "--mapping", mapping, "--dry-run", "--url", epic.url)
    assert (code, err) == (0, "")
    assert "+ fortress-NA-X0: new, of fortress in us-east-1, with asg-1a" in out
    assert "1 fleet rows would be written, 0 refused, 0 left out" in out
    (sent,) = [asked for asked in epic.asked if asked.path.startswith("/bulkjobs")]
    assert (sent.method, sent.path) == ("POST", "/bulkjobs/fleet?Mode=upsert&DryRun=true")
    assert sent.headers["Content-Type"] == "application/x-ndjson"
    assert sent.body[0]["FleetConfiguration"]["HostThroughPutTPM"] == 250


def test_nothing_is_sent_where_nothing_changes(run: Run, epic: FakeEpic, files: tuple[str, str]) -> None:
    groups, mapping = files
    epic.answer = job_of({})
    run("import", "aws", groups, "--mapping", mapping, "--url", epic.url)
    row = next(asked.body[0] for asked in epic.asked if asked.path.startswith("/bulkjobs"))
    epic.answer = job_of({"fortress-NA-X0": row})
    epic.asked.clear()
    code, out, _ = run("import", "aws", groups, "--mapping", mapping, "--url", epic.url)
    assert (code, [asked.path for asked in epic.asked]) == (0, ["/fleet/batch"])
    assert "0 fleet rows written" in out


@pytest.mark.parametrize(
    ("mapping", "reason"), [("{", "not JSON"), ('{"FleetId": "{a}"}', "/ServiceId: required; add it")]
)
def test_a_bad_mapping_is_named_before_anything_is_sent(
    run: Run, epic: FakeEpic, files: tuple[str, str], tmp_path: Path, mapping: str, reason: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(mapping)
    code, _, err = run("import", "aws", files[0], "--mapping", str(bad), "--url", epic.url)
    assert (code, epic.asked) == (2, [])
    assert reason in err


def test_traffic_of_a_saved_answer_is_imported(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    saved, mapping = tmp_path / "answer.json", tmp_path / "labels.json"
    saved.write_bytes(answer(({"fleet": "F1"}, [(BEGIN, "10")]), ({"pod": "a"}, [(BEGIN, "10")])))
    mapping.write_text('{"FleetId": "{fleet}"}')
    epic.answer = job_of({})
    what = ("import", "prometheus", str(saved), "--mapping", str(mapping), "--per-second")
    code, out, err = run(*what, "--url", epic.url)
    assert code == 1
    assert '{pod="a"}: it has no fleet for FleetId' in err
    assert "+ F1 2024-06-14: new, 1 minutes of 600 to 600 TPM" in out
    sent = next(asked for asked in epic.asked if asked.path.startswith("/bulkjobs/traffic"))
    assert sent.body[0]["Series"] == {"23:59": 600}


def test_a_day_of_traffic_that_is_there_is_compared_minute_by_minute(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    saved, mapping = tmp_path / "answer.json", tmp_path / "labels.json"
    saved.write_bytes(answer(({"fleet": "F1"}, [(BEGIN, "10")]), ({"fleet": "F2"}, [(BEGIN, "10")])))
    mapping.write_text('{"FleetId": "{fleet}"}')
    days = {f"{fleet}#2024-06-14": {"FleetId": fleet, "Date": "2024-06-14"} for fleet in ("F1", "F2")}
    in_bulk = job_of(days)
    series = {"F1": {"23:59": 10}, "F2": {"23:58": 1, "23:59": 11}}  # what a read of many days has not

    def answered(asked: Asked) -> tuple[Any, ...]:
        fleet = asked.path.split("/")[2]
        return (200, {"Series": series[fleet]}) if asked.method == "GET" and fleet in series else in_bulk(asked)

    epic.answer = answered
    code, out, _ = run("import", "prometheus", str(saved), "--mapping", str(mapping), "--url", epic.url)
    assert (code, "F1" in out) == (0, False)
    assert "~ F2 2024-06-14: 0 minutes new, 1 changed" in out
    sent = next(asked for asked in epic.asked if asked.path.startswith("/bulkjobs/traffic"))
    assert [row["FleetId"] for row in sent.body] == ["F2"]


def test_a_file_takes_no_query(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    code, _, err = run("import", "prometheus", "a.json", "-m", "b.json", "--query", "up", "--url", epic.url)
    assert code == 2
    assert "--query" in err
