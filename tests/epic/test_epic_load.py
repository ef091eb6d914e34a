"""``epic load`` and ``epic sample``, as a person runs them: exit codes, what is printed, stdin and stdout."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.epic.fake import Asked, FakeEpic, accepted, problem
from tests.support.epic_command import Run


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
