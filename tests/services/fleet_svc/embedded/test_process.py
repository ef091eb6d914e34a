"""A service as a process of its own: configured by variables, ended in order, found again as it was."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.reference import EVENT
from tests.support.servers import HOST, Server, free_port

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[4]
PATIENCE = 180
"""Seconds that anything here may take on a busy machine: a start, an answer, an end."""


@contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens, as long as this lasts."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield held.getsockname()[1]


@contextmanager
def service(
    folder: Path, *, name: str = "event_svc", **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The process, and who calls it over HTTP."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
    given = {"EPIC_DATA_DIR": str(folder), "EPIC_HTTP_PORT": str(port), "EPIC_NOW": "2024-06-15T09:00:00Z", **variables}
    with (folder / "out.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "epic", "serve", name], env={**kept, **given}, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=PATIENCE) as http:
            yield process, http
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(holds: Callable[[], bool], what: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Returns when it holds; fails, with the log, when the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert process.poll() is None, (folder / "out.log").read_text()
        assert time.monotonic() < deadline, f"{what} was awaited:\n{(folder / 'out.log').read_text()}"
        time.sleep(0.05)


def answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def until_ready(process: subprocess.Popen[bytes], http: httpx.Client, folder: Path) -> None:
    until(lambda: answers(http, "/health/ready"), "readiness", process, folder)


def until_it_listens(process: subprocess.Popen[bytes], http: httpx.Client, folder: Path) -> None:
    until(lambda: answers(http, "/health/live"), "an answer", process, folder)


@pytest.mark.slow
def test_it_ends_in_order_at_sigterm_and_is_found_again_as_it_was_even_after_a_kill(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    with service(tmp_path) as (process, http):
        until_ready(process, http, tmp_path)
        assert http.post("/event", json=EVENT).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["event"] == "service stopped"
    request = next(line for line in lines if line["event"] == "request")
    assert (request["service"], request["status"]) == ("event_svc", 200)
    assert request["correlation_id"]

    log.write_text("")
    with service(tmp_path, EPIC_NOW="2024-01-01T00:00:00Z") as (process, http):
        until_ready(process, http, tmp_path)
        changed = http.put("/event/PD2024", json={"EventName": "again"}).json()
        assert changed["VersionId"] == 2
        assert changed["AuditMetadata"]["Timestamp"] >= changed["CreatedAt"] > "2024-06-15"
        with service(tmp_path) as (second, _):
            assert second.wait(PATIENCE) == 1
        output = [line for line in log.read_text().splitlines() if not line.startswith("{")]
        assert len(output) == 1
        assert output[0].startswith("epic: ")
        process.kill()
        process.wait(PATIENCE)

    with service(tmp_path) as (process, http):
        until_ready(process, http, tmp_path)
        assert http.get("/event/PD2024").json()["EventName"] == "again"


@pytest.mark.slow
def test_a_bad_variable_is_one_line_and_2(tmp_path: Path) -> None:
    with service(tmp_path, EPIC_TRANSPORTE="kafka") as (process, _):
        assert process.wait(PATIENCE) == 2
    output = (tmp_path / "out.log").read_text()
    assert output == "epic: EPIC_TRANSPORTE is not a variable of EPIC; did you mean EPIC_TRANSPORT?\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variable", "url_of"),
    [
        ("hotw_svc", "EPIC_MYSQL_URL", "mysql+aiomysql://epic:epic@127.0.0.1:{}/hotw"),
        ("event_svc", "EPIC_MONGO_URL", "mongodb://127.0.0.1:{}/?directConnection=true"),
    ],
)
def test_a_store_that_is_away_at_the_start_is_waited_for_and_reported(
    tmp_path: Path, name: str, variable: str, url_of: str
) -> None:
    with (
        nobody() as port,
        service(tmp_path, name=name, EPIC_LOG_FORMAT="json", **{variable: url_of.format(port)}) as (process, http),
    ):
        until_it_listens(process, http, tmp_path)
        ready = http.get("/health/ready")
        assert ready.status_code == 503
        store = ready.json()["Checks"]["store"]
        assert store["Status"] == "Failed"
        path = "/hotw/order" if name == "hotw_svc" else "/event"
        for answer in (http.get(path), http.post(path, json={})):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
        until(
            lambda: http.get("/health/ready").json()["Checks"]["store"]["Detail"].startswith("away: "),
            "readiness says that the store is away",
            process,
            tmp_path,
        )
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "Traceback" not in (tmp_path / "out.log").read_text()


@pytest.mark.docker
@pytest.mark.slow
def test_a_database_that_comes_late_is_migrated_and_used(tmp_path: Path, mysql_server: Server) -> None:
    mysql_server.stop()
    try:
        with service(tmp_path, name="hotw_svc", EPIC_MYSQL_URL=mysql_server.url) as (process, http):
            until_it_listens(process, http, tmp_path)
            assert http.get("/hotw/order").status_code == 503
            mysql_server.start_again()
            until_ready(process, http, tmp_path)
            assert http.get("/hotw/order").status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    finally:
        mysql_server.start_again()


@pytest.mark.docker
@pytest.mark.slow
def test_a_wrong_password_is_reported_and_waited_out(tmp_path: Path, mysql_url: str) -> None:
    user, _, place = mysql_url.partition("://")[2].partition("@")
    wrong = f"mysql+aiomysql://{user.partition(':')[0]}:wrong@{place}"
    with service(tmp_path, name="hotw_svc", EPIC_MYSQL_URL=wrong) as (process, http):
        until_it_listens(process, http, tmp_path)
        until(
            lambda: "Access denied" in http.get("/health/ready").text,
            "readiness says that access is denied",
            process,
            tmp_path,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_it_answers_at_once_while_kafka_is_away(tmp_path: Path) -> None:
    with (
        nobody() as port,
        service(tmp_path, EPIC_TRANSPORT="kafka", EPIC_KAFKA_BOOTSTRAP_SERVERS=f"{HOST}:{port}") as (process, http),
    ):
        until_it_listens(process, http, tmp_path)
        ready = http.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["Checks"]["broker"]["Status"] == "Failed"
        until(lambda: http.post("/event", json=EVENT).status_code != 503, "a write is taken", process, tmp_path)
        assert http.get("/event/PD2024").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    output = [json.loads(line)["event"] for line in (tmp_path / "out.log").read_text().splitlines()]
    listening = next(place for place, event in enumerate(output) if event.startswith("Uvicorn running"))
    assert "service started" not in output[:listening], "it waited for Kafka before it listened"


@pytest.mark.slow
def test_a_bulk_job_goes_on_after_a_kill_and_applies_no_row_twice(tmp_path: Path) -> None:
    """4.595, 4.596: every row creates, so that a row that is applied twice is refused."""
    rows = [{"ServiceId": f"S{number}", "ServiceType": "Registered", "Owner": "ann"} for number in range(4_000)]
    body = "\n".join(map(json.dumps, rows)).encode()
    headers = {"content-type": "application/x-ndjson"}

    def job_of(http: httpx.Client) -> dict[str, Any]:
        answer: dict[str, Any] = http.get(f"/bulkjobs/{job_id}").json()
        return answer

    with service(tmp_path, name="fleet_svc") as (process, http):
        until_ready(process, http, tmp_path)
        job_id = http.post("/bulkjobs/service?Mode=create", content=body, headers=headers).json()["JobId"]
        until(lambda: job_of(http)["RowsDone"] > 0, "the first rows are written", process, tmp_path)
        process.kill()
        process.wait(PATIENCE)
    with service(tmp_path, name="fleet_svc") as (process, http):
        until_ready(process, http, tmp_path)
        before = job_of(http)
        assert (before["Status"], before["RowsDone"] < len(rows)) == ("Running", True), "it was killed too late"
        until(lambda: job_of(http)["Status"] != "Running", "the job has ended", process, tmp_path)
        job = job_of(http)
        assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", len(rows), 0)
        assert http.get("/service/S3999").json()["VersionId"] == 1
