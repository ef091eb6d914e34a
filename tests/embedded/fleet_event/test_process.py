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
from tests.servers import free_port

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[3]


@contextmanager
def service(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
    given = {"EPIC_DATA_DIR": str(folder), "EPIC_HTTP_PORT": str(port), "EPIC_NOW": "2024-06-15T09:00:00Z", **variables}
    with (folder / "out.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.event_svc.main"], env={**kept, **given}, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until_ready(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + 60
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
