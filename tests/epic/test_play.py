"""The play as a person sees it: ``epic up --play`` as a process, off a terminal, started twice on one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.servers import free_port

pytestmark = [pytest.mark.embedded, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
HEADER = ["Fleet", "Region", "Needed", "Present", "Ordered", "Delivered", "Colour", "Awaited"]


PLANNED_BY = ["Philosophy", "Exception", "Traffic", "Throttling", "TPM"]

get = partial(httpx.get, timeout=60)


def waited(process: int) -> float:
    """Seconds for which the threads of a process waited for a processor that others had."""
    found = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[1]) for file in found) / 1e9


class Up:
    """One ``epic up --play``, its lines read until it serves; ``seconds``: what that took on a machine of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "epic", "up", "--play", "--data", str(folder), "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("EPIC is ready"):
                break
        else:
            _, errors = self.process.communicate(timeout=120)
            pytest.fail("\n".join([*self.lines, errors]))
        self.seconds = time.monotonic() - self.began - waited(self.process.pid)

    def table(self) -> list[str]:
        start = next(number for number, line in enumerate(self.lines) if line.split() == HEADER)
        end = next(number for number, line in enumerate(self.lines) if line.startswith("40 fleets: "))
        return self.lines[start + 1 : end + 1]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=120)
        return self.process.returncode, rest, errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("epic")


@pytest.fixture(scope="module")
def first(folder: Path) -> Iterator[Up]:
    up = Up(folder, free_port())
    yield up
    if up.process.poll() is None:
        up.stop()


def fleets(up: Up) -> dict[str, tuple[list[str], str]]:
    """Of each fleet the six columns after its name, and what it awaits."""
    found = {}
    for line in up.table()[:-1]:
        words = line.split()
        found[words[0]] = (words[1:7], " ".join(words[7:]))
    return found


def test_the_play_shows_every_fleet_every_colour_and_every_wait(first: Up) -> None:
    shown = fleets(first)
    assert len(shown) == 40
    assert {columns[5] for columns, _ in shown.values()} == {"Green", "Yellow", "Red"}
    assert shown["FORTRESSService-NA-X0"] == (
        ["us-east-1", "200", "150", "50", "40", "Yellow"],
        "FMC: 1 of 3 orders pending",
    )
    assert shown["SearchService-NA-X0"][1] == "FMC: 1 of 4 orders pending"
    assert shown["FORTRESSService-EU-X0"] == (["eu-west-1", "132", "120", "12", "12", "Green"], "")
    assert shown["OrderService-EU-X0"] == (["eu-west-1", "88", "90", "0", "0", "Green"], "")
    assert shown["InventoryService-NA-X0"][1] == "AWS: 0 of 3 approved"
    assert shown["PricingService-NA-X0"] == (
        ["us-east-1", "110", "60", "30", "30", "Red"],
        "EPIC: 30 of 50 hosts ordered, 20 found no room",
    )
    assert shown["RecommendationService-NA-X0"][1] == "EPIC: gap of 26 hosts"
    assert "CatalogService" in shown["RecommendationService-EU-X0"][1]
    assert shown["ShippingService-NA-X0"][0] == ["us-east-1", "99", "90", "9", "0", "Yellow"]


def test_the_play_shows_what_the_plans_were_made_from(first: Up) -> None:
    start = next(number for number, line in enumerate(first.lines) if line.startswith("Planned by"))
    shown = first.lines[start + 1 : first.lines.index("", start)]
    assert [line.split()[0] for line in shown] == ["Event", *["Organization"] * 5, *PLANNED_BY]
    text = "\n".join(" ".join(line.split()) for line in shown)
    assert "Event PD2024 us-east-1, eu-west-1, us-west-2; UpdateThrottlingInSDC 10 days before" in text
    assert "Organization Retail 40 fleets: 23 green, 8 yellow, 9 red" in text
    assert "Philosophy IdentityService PerformanceBased, 10 % headroom" in text
    assert "Exception CheckoutService-EU-X0 buffer 1.3 in place of 1.1, approved by dchen" in text
    assert "Traffic SearchService-EU-X0 1,440 minutes of 2024-06-14: BAUTPM 33,865 × CTFactor 1.5" in text
    assert "Throttling 15 fleets 15 applied by Gizmo" in text
    assert "TPM 13 mails 13 sent to downstream services" in text
    needed = {name: columns[1] for name, (columns, _) in fleets(first).items()}
    assert needed["IdentityService-NA-X0"] == "109"  # 72,000 × 1.1 × 1.1 / 800: the philosophy's headroom
    assert needed["CheckoutService-EU-X0"] == "130"  # 30,000 × 1.3 / 300: the exception's buffer
    assert needed["SearchService-EU-X0"] == "125"  # 50,798 × 1.1 / 450: the accepted proposal


def test_off_a_terminal_progress_is_plain_lines(first: Up) -> None:
    text = "\n".join(first.lines)
    assert "\x1b" not in text
    assert "1/14 Organizations, services, fleets and hosts are registered" in text
    assert any(line.startswith("plans created: 40 of 40, ") for line in first.lines)
    assert any(line.startswith("fleets calculated by HOTW: ") for line in first.lines)
    assert any(line.startswith("eventplan.ready: ") for line in first.lines)


def test_the_play_is_done_in_under_a_minute(first: Up) -> None:
    assert first.seconds < 60


def test_the_emergent_order_opened_one_sev2_ticket_and_mails_lie_as_files(first: Up, folder: Path) -> None:
    tickets = get(f"{first.url}/ticket?EventId=PD2024").json()["Items"]
    assert [ticket["ServiceId"] for ticket in tickets if ticket["Severity"] == 2] == ["ShippingService"]
    services = [ticket["ServiceId"] for ticket in tickets]
    assert len(services) == len(set(services)) > 1
    assert list((folder / "mail").glob("*.eml"))
    assert get(f"{first.url}/notification?Status=Failed").json()["Items"] == []


def test_the_addresses_and_files_are_printed(first: Up, folder: Path) -> None:
    text = "\n".join(first.lines)
    assert f"{first.url}/health/ready" in text
    assert f"Kept in {folder}" in text
    for line in ("messages.db", "fleet.db", "hotw.db", "mail", "epic.log"):
        assert any(shown.startswith(line) for shown in first.lines)
    assert get(f"{first.url}/health/ready").status_code == 200


def test_a_second_start_plays_nothing_and_finds_everything_as_it_was(first: Up, folder: Path) -> None:
    orders = get(f"{first.url}/hotw/order?EventId=PD2024&Limit=1000").json()
    code, rest, errors = first.stop()
    assert (code, errors) == (0, "")
    assert f"Stopped. The data stays in {folder}" in rest
    second = Up(folder, free_port())
    try:
        assert "PD2024 exists already; it is not played again" in second.lines
        assert second.table() == first.table()
        assert get(f"{second.url}/hotw/order?EventId=PD2024&Limit=1000").json() == orders
        assert get(f"{second.url}/service_svc").status_code == 404
    finally:
        code, _, errors = second.stop(signal.SIGINT)
    assert (code, errors) == (0, "")


def test_a_play_that_was_killed_is_taken_up_again(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "epic", "up", "--play", "--data", str(tmp_path), "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("8/14"):
            process.kill()
            break
    process.communicate(timeout=120)
    again = Up(tmp_path, free_port())
    try:
        shown = fleets(again)
        assert len(shown) == 40
        assert shown["FORTRESSService-NA-X0"][0] == ["us-east-1", "200", "150", "50", "40", "Yellow"]
        assert len(get(f"{again.url}/ticket?EventId=PD2024&Severity=2").json()["Items"]) == 1
    finally:
        again.stop()
