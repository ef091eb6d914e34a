"""A service as a process of its own: configured by variables, ended in order, found again as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.flows.reference import EVENT
from tests.servers import Server, free_port

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[3]


@contextmanager
def service(
    folder: Path, *, name: str = "event_svc", **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
    given = {"EPIC_DATA_DIR": str(folder), "EPIC_HTTP_PORT": str(port), "EPIC_NOW": "2024-06-15T09:00:00Z", **variables}
    with (folder / "out.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.main"], env={**kept, **given}, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until_ready(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "out.log").read_text()
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((folder / "out.log").read_text())


@pytest.mark.slow
def test_it_ends_in_order_at_sigterm_and_is_found_again_as_it_was_even_after_a_kill(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    with service(tmp_path) as (process, url):
        until_ready(process, url, tmp_path)
        assert httpx.post(f"{url}/event", json=EVENT).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["event"] == "service stopped"
    request = next(line for line in lines if line["event"] == "request")
    assert (request["service"], request["status"]) == ("event_svc", 200)
    assert request["correlation_id"]

    log.write_text("")
    with service(tmp_path, EPIC_NOW="2024-01-01T00:00:00Z") as (process, url):
        until_ready(process, url, tmp_path)
        changed = httpx.put(f"{url}/event/PD2024", json={"EventName": "again"}).json()
        assert changed["VersionId"] == 2
        assert changed["AuditMetadata"]["Timestamp"] >= changed["CreatedAt"] > "2024-06-15"
        with service(tmp_path) as (second, _):
            assert second.wait(30) == 1
        said = [line for line in log.read_text().splitlines() if not line.startswith("{")]
        assert len(said) == 1
        assert said[0].startswith("epic: ")
        process.kill()
        process.wait(20)

    with service(tmp_path) as (process, url):
        until_ready(process, url, tmp_path)
        assert httpx.get(f"{url}/event/PD2024").json()["EventName"] == "again"


@pytest.mark.slow
def test_a_bad_variable_is_one_line_and_2(tmp_path: Path) -> None:
    with service(tmp_path, EPIC_TRANSPORTE="kafka") as (process, _):
        assert process.wait(30) == 2
    said = (tmp_path / "out.log").read_text()
    assert said == "epic: EPIC_TRANSPORTE is not a variable of EPIC; did you mean EPIC_TRANSPORT?\n"


def until_it_listens(process: subprocess.Popen[bytes], url: str, folder: Path) -> float:
    """Seconds until it is alive."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        assert process.poll() is None, (folder / "out.log").read_text()
        try:
            assert httpx.get(f"{url}/health/live").status_code == 200
            return time.monotonic() - began
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((folder / "out.log").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variable", "url_of"),
    [
        ("hotw_svc", "EPIC_MYSQL_URL", "mysql+aiomysql://epic:epic@127.0.0.1:{}/hotw"),
        ("event_svc", "EPIC_MONGO_URL", "mongodb://127.0.0.1:{}/?directConnection=true"),
    ],
)
def test_a_store_that_is_away_at_the_start_is_waited_for_and_told(
    tmp_path: Path, name: str, variable: str, url_of: str
) -> None:
    away = {variable: url_of.format(free_port()), "EPIC_LOG_FORMAT": "json"}
    with service(tmp_path, name=name, **away) as (process, url):
        until_it_listens(process, url, tmp_path)
        ready = httpx.get(f"{url}/health/ready")
        assert ready.status_code == 503
        store = ready.json()["Checks"]["store"]
        assert store["Status"] == "Failed"
        path = "/hotw/order" if name == "hotw_svc" else "/event"
        for answer in (httpx.get(f"{url}{path}"), httpx.post(f"{url}{path}", json={})):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
        deadline = time.monotonic() + 180
        while not httpx.get(f"{url}/health/ready").json()["Checks"]["store"]["Detail"].startswith("away: "):
            assert time.monotonic() < deadline, (tmp_path / "out.log").read_text()
            time.sleep(0.1)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "out.log").read_text()


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_database_that_comes_late_is_migrated_and_used(tmp_path: Path, mysql_server: Server) -> None:
    mysql_server.stop()
    try:
        with service(tmp_path, name="hotw_svc", EPIC_MYSQL_URL=mysql_server.url) as (process, address):
            until_it_listens(process, address, tmp_path)
            assert httpx.get(f"{address}/hotw/order", timeout=30).status_code == 503
            mysql_server.start_again()
            until_ready(process, address, tmp_path)
            assert httpx.get(f"{address}/hotw/order").status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    finally:
        mysql_server.start_again()


@pytest.mark.docker
@pytest.mark.slow
def test_a_wrong_password_is_told_and_waited_out(tmp_path: Path, mysql_url: str) -> None:
    user, _, place = mysql_url.partition("://")[2].partition("@")
    wrong = f"mysql+aiomysql://{user.partition(':')[0]}:wrong@{place}"
    with service(tmp_path, name="hotw_svc", EPIC_MYSQL_URL=wrong) as (process, address):
        until_it_listens(process, address, tmp_path)
        deadline = time.monotonic() + 180
        while "Access denied" not in httpx.get(f"{address}/health/ready", timeout=30).text:
            assert time.monotonic() < deadline, (tmp_path / "out.log").read_text()
            assert process.poll() is None, (tmp_path / "out.log").read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.slow
def test_it_answers_at_once_while_kafka_is_away(tmp_path: Path) -> None:
    away = {"EPIC_TRANSPORT": "kafka", "EPIC_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    with service(tmp_path, **away) as (process, url):
        assert until_it_listens(process, url, tmp_path) < 20
        ready = httpx.get(f"{url}/health/ready", timeout=30)
        assert ready.status_code == 503
        assert ready.json()["Checks"]["broker"]["Status"] == "Failed"
        deadline = time.monotonic() + 60
        while (answer := httpx.post(f"{url}/event", json=EVENT, timeout=30)).status_code == 503:
            assert time.monotonic() < deadline, (tmp_path / "out.log").read_text()
            time.sleep(0.1)
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
