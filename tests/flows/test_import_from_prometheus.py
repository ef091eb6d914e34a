"""``epic import prometheus`` against Debian's Prometheus: what it was given of requests is the traffic of fleets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.programs import program
from tests.support.reference import FLEET
from tests.support.scenario import Caller
from tests.support.servers import HOST, free_port
from tests.support.stacks import ROOT, Embedded, running
from tests.support.waiting import until

pytestmark = pytest.mark.slow

FLEET_ID = FLEET["FleetId"]
BEGIN = datetime(2024, 6, 13, 23, 0, tzinfo=UTC)
SCRAPE = timedelta(seconds=30)
SCRAPES = 241  # two hours, the midnight between two days of traffic in their middle
SILENT = range(60, 90)  # scrapes that found nothing: from 23:30 to 23:45


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    stack = Embedded(tmp_path)
    async with running(stack), httpx.AsyncClient(timeout=60) as http:
        yield Caller(stack, http)


@contextmanager
def prometheus(folder: Path, metrics: str) -> Iterator[str]:
    """A Prometheus that has these metrics, in the text of OpenMetrics; its address."""
    server, promtool = (program(name, package="prometheus") for name in ("prometheus", "promtool"))
    data, port = folder / "tsdb", free_port()
    (folder / "metrics.txt").write_text(metrics)
    (folder / "prometheus.yml").write_text("global: {}\n")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "metrics.txt"), str(data)]
    subprocess.run(blocks, check=True, capture_output=True)
    options = {
        "config.file": str(folder / "prometheus.yml"),
        "storage.tsdb.path": str(data),
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"{HOST}:{port}",
    }
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([server, *(f"--{name}={value}" for name, value in options.items())], stderr=log)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(30)


def metrics() -> str:
    """Two hosts that count the requests of one fleet, and one of a fleet that EPIC does not know."""
    lines = ["# TYPE requests counter"]
    for host, fleet, each_scrape in (("a", FLEET_ID, 250), ("b", FLEET_ID, 150), ("c", "Unknown", 10)):
        for number in range(SCRAPES):
            if number not in SILENT:
                at = (BEGIN + number * SCRAPE).timestamp()
                lines.append(f'requests_total{{fleet="{fleet}",host="{host}"}} {number * each_scrape} {at:.0f}')
    return "\n".join([*lines, "# EOF", ""])


async def epic(caller: Caller, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "epic", *arguments, "--url", caller.stack.url("")]
    return await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=120)


async def test_requests_that_prometheus_counted_become_traffic(caller: Caller, tmp_path: Path) -> None:
    await caller.post_reference()
    mapping = tmp_path / "labels.json"
    mapping.write_text('{"FleetId": "{fleet}"}')
    with prometheus(tmp_path, metrics()) as address:

        async def answers() -> bool:
            try:
                return (await caller.http.get(f"{address}/-/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, "Prometheus is ready")
        period = ("--from", "2024-06-13T23:00:00Z", "--to", "2024-06-14T01:00:00Z")
        query = ("--per-second", "--query", "sum by (fleet) (rate(requests_total[1m]))")
        command = ("import", "prometheus", address, "--mapping", str(mapping), *period, *query)

        dry = await epic(caller, *command, "--dry-run")
        assert f"+ {FLEET_ID} 2024-06-14: new, 61 minutes of 800 to 800 TPM" in dry.stdout, dry
        assert (await caller.call("GET", "/traffic"))["Items"] == []

        done = await epic(caller, *command)
        assert (done.returncode, "Unknown" in done.stderr) == (1, True), done  # the fleet that nobody knows is named
        day = await caller.call("GET", f"/traffic/{FLEET_ID}/2024-06-13")
        assert set(day["Series"].values()) == {800}, "250 and 150 requests in each half of a minute"
        assert {"23:01", "23:29", "23:46", "23:59"} <= day["Series"].keys()
        assert not {"23:31", "23:44"} & day["Series"].keys(), "minutes in which nothing was measured stay unknown"
        assert day["Source"] == f"prometheus {address}"

        again = await epic(caller, *command)
        assert FLEET_ID not in again.stdout, "nothing changes the second time"
