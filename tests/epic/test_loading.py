from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from epic import bulk, loading
from epic.api import Api
from epic.failure import CommandFailed, NotEpic, Unreachable
from epic.loading import Loaded, RowFailure, files_of, load, read_rows
from epic.rows import kinds
from epic.terminal import Terminal
from tests.epic.fake import Asked, FakeEpic, accepted, problem


@pytest.fixture
async def epic() -> AsyncIterator[FakeEpic]:
    async with FakeEpic().running() as fake:
        yield fake


def lines(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows) + "\n")
    return path


def service(name: str) -> dict[str, Any]:
    return {"Resource": "Service", "ServiceId": name, "ServiceType": "Registered", "Owner": "o"}


def fleet(name: str) -> dict[str, Any]:
    return {"FleetId": name, "ServiceId": "S", "FleetConfiguration": {}}


async def loaded(epic: FakeEpic, path: Path, **options: Any) -> tuple[Loaded, list[RowFailure], str]:
    failures: list[RowFailure] = []
    out = io.StringIO()
    async with Api(epic.url, patience=60) as api:
        outcome = await load(read_rows(files_of(path)), api, Terminal(out), failed=failures.append, **options)
    return outcome, failures, out.getvalue()


async def test_what_others_are_checked_against_goes_first_whatever_the_order_of_the_lines(
    epic: FakeEpic, tmp_path: Path
) -> None:
    path = lines(
        tmp_path / "a.ndjson",
        {"FleetId": "F", "EventId": "E", "TotalInputTPM": 5},
        {"EventId": "E", "PeakStartDate": "2024-07-16"},
        {"FleetId": "F", "HostsPresent": 5},
        fleet("F"),
        service("S"),
    )
    outcome, _, _ = await loaded(epic, path)
    assert [asked.path for asked in epic.asked[:2]] == ["/service", "/fleet"]
    assert {asked.path for asked in epic.asked[2:4]} == {"/projection", "/fleet/F/inventory"}
    assert epic.asked[4].path == "/event"
    assert outcome.loaded == {"Service": 1, "Fleet": 1, "Event": 1, "Projection": 1, "Inventory": 1}


async def test_a_folder_is_loaded_file_by_file_and_other_files_are_left_alone(epic: FakeEpic, tmp_path: Path) -> None:
    lines(tmp_path / "b.ndjson", service("B"))
    lines(tmp_path / "a.jsonl", service("A"), "", "   ")
    lines(tmp_path / "README.md", "no resource")
    outcome, failures, _ = await loaded(epic, tmp_path)
    assert sorted(asked.body["ServiceId"] for asked in epic.asked) == ["A", "B"]
    assert (outcome.rows, failures) == (2, [])


async def test_a_second_load_sends_the_same_keys_again(epic: FakeEpic, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.ndjson", service("A"), service("B"))
    await loaded(epic, path)
    await loaded(epic, path)
    keys = [asked.headers["Idempotency-Key"] for asked in epic.asked]
    assert sorted(keys[:2]) == sorted(keys[2:])
    assert len(set(keys)) == 2


async def test_what_is_already_there_is_counted_and_is_no_failure(epic: FakeEpic, tmp_path: Path) -> None:
    epic.answer = lambda _: problem(409, "Service A is there already; PUT changes it", "exists")
    outcome, failures, _ = await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))
    assert (outcome.already_there, outcome.loaded, failures) == ({"Service": 1}, {}, [])
    assert "1 already there, left as they are" in outcome.text()


async def test_another_conflict_is_a_failure(epic: FakeEpic, tmp_path: Path) -> None:
    epic.answer = lambda _: problem(409, "the key was used for another body", "id-reused")
    outcome, failures, _ = await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))
    assert [failure.reason for failure in failures] == ["the key was used for another body"]
    assert outcome.failures == failures


async def test_each_failed_row_is_named_by_file_line_resource_field_and_remedy(epic: FakeEpic, tmp_path: Path) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        if asked.path == "/fleet":
            errors = [{"pointer": "/FleetConfiguration/Region", "detail": "required; add it"}]
            return problem(400, "the body has bad fields; see errors", "bad-input", errors=errors)
        return accepted(asked)

    epic.answer = answer
    path = lines(tmp_path / "a.ndjson", service("S"), "{broken", "", fleet("F"), {"Resource": "Flet"})
    outcome, failures, _ = await loaded(epic, path)
    assert [failure.text() for failure in sorted(failures, key=lambda failure: failure.line)] == [
        failures[0].text(),
        "a.ndjson:4: Fleet F: /FleetConfiguration/Region: required; add it",
        f"a.ndjson:5: Resource 'Flet' is not known; use one of {', '.join(kinds())}",
    ]
    assert failures[0].text().startswith("a.ndjson:2: the body is not JSON: ")
    assert outcome.loaded == {"Service": 1}
    wire = outcome.wire()
    assert (wire["Rows"], wire["Failed"], len(wire["Errors"])) == (4, 3, 3)
    assert wire["Errors"][-1] == {
        "File": "a.ndjson",
        "Line": 4,
        "Resource": "Fleet",
        "Id": "F",
        "Status": 400,
        "Detail": "the body has bad fields; see errors",
        "Errors": [{"Pointer": "/FleetConfiguration/Region", "Detail": "required; add it"}],
    }


async def test_a_store_that_is_away_for_a_moment_is_waited_for(epic: FakeEpic, tmp_path: Path) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        if len(epic.asked) < 4:
            return *problem(503, "the store is away"), {"Retry-After": "0"}
        return accepted(asked)

    epic.answer = answer
    outcome, failures, _ = await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))
    assert (outcome.loaded, failures, len(epic.asked)) == ({"Service": 1}, [], 4)
    assert len({asked.headers["Idempotency-Key"] for asked in epic.asked}) == 1


async def test_a_request_still_under_way_is_asked_again(epic: FakeEpic, tmp_path: Path) -> None:
    def answer(asked: Asked) -> tuple[Any, ...]:
        if len(epic.asked) < 3:
            return *problem(409, "still under way", "under-way"), {"Retry-After": "0"}
        return accepted(asked)

    epic.answer = answer
    outcome, _, _ = await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))
    assert outcome.loaded == {"Service": 1}


async def test_a_store_away_for_longer_than_the_patience_fails_the_row(epic: FakeEpic, tmp_path: Path) -> None:
    epic.answer = lambda _: (*problem(503, "the store is away"), {"Retry-After": "0"})
    async with Api(epic.url, patience=0.2) as api:
        answer = await api.call("POST", "/service", {})
    assert (answer.status, answer.reason()) == (503, "the store is away")


async def test_many_rows_go_at_once_but_no_more_than_asked_for(tmp_path: Path) -> None:
    now, most = 0, 0

    class Slow(FakeEpic):
        async def _handle(self, request: Any) -> Any:
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0)
            try:
                return await super()._handle(request)
            finally:
                now -= 1

    async with Slow().running() as epic:
        path = lines(tmp_path / "a.ndjson", *(service(f"S{number}") for number in range(200)))
        outcome, _, _ = await loaded(epic, path, concurrency=8)
    assert outcome.loaded == {"Service": 200}
    assert 1 < most <= 8


async def test_organizations_are_loaded_one_by_one_in_the_order_of_their_lines(epic: FakeEpic, tmp_path: Path) -> None:
    """A parent stands above its children: a refusal for want of one would be the row's answer for a day."""
    names = [f"O{number}" for number in range(20)]
    rows = [{"OrganizationId": name, "Name": name, "ParentId": "O0"} for name in names]
    path = lines(tmp_path / "a.ndjson", *rows, service("S"))
    await loaded(epic, path, concurrency=8)
    bodies = [asked.body for asked in epic.asked if asked.path == "/organization"]
    assert [body["OrganizationId"] for body in bodies] == names


async def test_nothing_at_the_address_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unreachable) as failure:
            await loaded(FakeEpic(url=url), lines(tmp_path / "a.ndjson", service("A"), service("B")))
    assert failure.value.text == (
        f"nothing answers at {url} (connection refused); start EPIC with `epic up`, or give its address by --url"
    )


async def test_an_epic_that_goes_away_ends_the_command_with_the_remedy() -> None:
    async with FakeEpic().running() as epic, Api(epic.url, patience=0.2) as api:
        await api.call("GET", "/")
        api.url = "http://127.0.0.1:1"
        with pytest.raises(CommandFailed) as failure:
            await api.call("GET", "/")
    assert "went away" in failure.value.text
    assert "give the same command again" in failure.value.text


@pytest.mark.parametrize("other", [{}, {"VersionId": 1}, {"ServiceId": "A"}, {"ServiceId": "B", "VersionId": 1}])
async def test_a_row_is_loaded_only_when_the_answer_has_its_ids_and_a_version(
    epic: FakeEpic, tmp_path: Path, other: dict[str, Any]
) -> None:
    epic.answer = lambda _: (200, other)
    with pytest.raises(NotEpic):
        await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))


def test_no_file_no_folder_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="is not there; give an NDJSON file"):
        files_of(tmp_path / "nothing")
    with pytest.raises(CommandFailed, match=r"holds no \.ndjson or \.jsonl file"):
        files_of(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"ServiceId":"A","ServiceType":"Registered"}\r\n\r\n')
    (row,) = read_rows([path])
    assert not isinstance(row, RowFailure)


async def test_off_a_terminal_progress_is_a_plain_line_a_phase(epic: FakeEpic, tmp_path: Path) -> None:
    _, _, out = await loaded(epic, lines(tmp_path / "a.ndjson", service("A"), fleet("F")))
    first, second = out.splitlines()
    assert first.startswith("Service: 1 of 1, ")
    assert second.startswith("Fleet: 1 of 1, ")


async def test_many_rows_of_a_kind_go_as_a_bulk_job(
    epic: FakeEpic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of a row there is counted as for a single request, and named by its own line."""
    monkeypatch.setattr(loading, "_IN_BULK", 3)
    monkeypatch.setattr(bulk, "_LOOK", 0.01)
    looks = iter([{"Status": "Running", "RowsDone": 1}, {"Status": "Done", "RowsDone": 4, "RowsFailed": 2}])

    def answer(asked: Asked) -> tuple[Any, ...]:
        if asked.path == "/bulkjobs/j1/failures":
            refused = ("B,2,exists,it is there", "C,3,bad-input,/Owner: give a text")
            return 200, "\r\n".join(("ServiceId,_Line,_Type,_Reason", *refused))
        if asked.path.startswith("/bulkjobs"):
            job = next(looks) if asked.method == "GET" else {}
            return 200, {"JobId": "j1", "RowsFailed": 0, "Status": "Running", **job}
        return accepted(asked)

    epic.answer = answer
    path = lines(tmp_path / "a.ndjson", fleet("F"), *map(service, "ABCD"))
    outcome, failures, out = await loaded(epic, path)
    assert (outcome.loaded, outcome.already_there) == ({"Service": 2, "Fleet": 1}, {"Service": 1})
    assert [one.text() for one in failures] == ["a.ndjson:4: Service C: /Owner: give a text"]
    sent = epic.asked[0]
    assert (sent.method, sent.path) == ("POST", "/bulkjobs/service?Mode=create&DryRun=false")
    assert [row["ServiceId"] for row in sent.body] == ["A", "B", "C", "D"]
    assert "Resource" not in sent.body[0]
    assert epic.asked[-1].path == "/fleet"
    assert "Service: 4 of 4" in out


async def test_a_bulk_job_that_does_not_write_all_rows_ends_the_load(
    epic: FakeEpic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_IN_BULK", 1)
    epic.answer = lambda _: (200, {"JobId": "j1", "Status": "Cancelled", "RowsDone": 0, "RowsFailed": 0})
    with pytest.raises(CommandFailed, match="j1 did not write all rows: it is Cancelled"):
        await loaded(epic, lines(tmp_path / "a.ndjson", service("A")))
