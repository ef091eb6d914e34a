from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse

from epic import up as upping
from epic.api import Api
from epic.failure import CommandFailed
from epic.listening import listen
from epic.messages import HttpMessages, SeenRecord
from epic.play import scenario
from epic.runner import EmbeddedEpic
from epic.serving import Build
from epic.up import settings_of
from shared.clock import Clock, RunningClock, parse_instant
from shared.envelope import Message
from shared.messaging.transport import Transport, ensure_topics
from shared.service import Hook, RunningService
from shared.settings import Settings
from shared.trace import Trace
from tests.support.waiting import until

pytestmark = pytest.mark.slow

NOW = "2024-06-15T09:00:00Z"


@dataclass
class Outbox:
    open: int = 0
    oldest: datetime | None = None


@dataclass
class Harness:
    """Fake services on the real embedded log: each notes when it starts and stops."""

    events: list[str] = field(default_factory=list)
    fail: str | None = None
    outbox: Outbox = field(default_factory=Outbox)
    last_instants: dict[str, datetime] = field(default_factory=dict)
    started_at: dict[str, datetime] = field(default_factory=dict)

    def builds(self, *names: str) -> dict[str, Build]:
        return {name: self._build(name) for name in names}

    def _build(self, name: str) -> Build:
        async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
            app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

            async def page() -> JSONResponse:
                return JSONResponse({"by": name, "now": clock.now().isoformat()})

            app.add_api_route(f"/{name.removesuffix('_svc')}", page)
            app.add_api_route("/health/ready", page)

            async def start() -> None:
                self.events.append(f"start {name}")
                await ensure_topics(transport, name)
                if self.fail == name:
                    raise RuntimeError(f"{name} will not start")

            async def stop() -> None:
                self.events.append(f"stop {name}")

            store = type("Store", (), {"outbox": self._outbox})()

            async def hold_clock() -> None:
                if (last := self.last_instants.get(name)) is not None:
                    clock.push(last)  # type: ignore[attr-defined]

            async def start_with_clock() -> None:
                self.started_at[name] = clock.now()
                await start()

            parts, opening = [Hook(start_with_clock, stop)], [Hook(hold_clock)]
            return RunningService(name, app, parts, opening=opening, store=store)

        return build

    async def _outbox(self) -> Outbox:
        return self.outbox


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("EPIC_"):
            monkeypatch.delenv(name)


def embedded(folder: Path, harness: Harness, *names: str) -> EmbeddedEpic:
    chosen = settings_of(play=False, data_dir=folder, http_port=0, now=NOW)
    return EmbeddedEpic(chosen, listen(chosen.http_host, 0), harness.builds(*names))


async def test_all_run_behind_one_port_and_stop_the_last_first(tmp_path: Path) -> None:
    harness = Harness()
    async with embedded(tmp_path, harness, "fleet_svc", "event_svc") as epic, Api(epic.url) as api:
        assert (await api.ask("GET", "/fleet"))["by"] == "fleet_svc"
        assert (await api.ask("GET", "/event"))["now"].startswith("2024-06-15T09:0")
        assert (await api.ask("GET", "/event_svc/health/ready"))["by"] == "event_svc"
        assert (await api.ask("GET", "/health/ready"))["Status"] == "Ready"
    assert harness.events == ["start fleet_svc", "start event_svc", "stop event_svc", "stop fleet_svc"]
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "no task is left")


async def test_no_service_starts_before_the_clock_has_passed_what_every_store_holds(tmp_path: Path) -> None:
    held = parse_instant("2024-07-01T00:00:00Z")
    harness = Harness(last_instants={"event_svc": held})
    async with embedded(tmp_path, harness, "fleet_svc", "event_svc"):
        assert min(harness.started_at.values()) >= held


async def test_a_service_that_will_not_start_stops_what_was_started(tmp_path: Path) -> None:
    harness = Harness(fail="event_svc")
    with pytest.raises(RuntimeError, match="event_svc will not start"):
        async with embedded(tmp_path, harness, "fleet_svc", "event_svc"):
            pass
    assert harness.events == ["start fleet_svc", "start event_svc", "stop fleet_svc"]
    async with embedded(tmp_path, Harness(), "fleet_svc"):  # the folder is free again
        pass


async def test_a_folder_in_use_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with embedded(tmp_path, Harness(), "fleet_svc"):
        with pytest.raises(CommandFailed, match=r"is in use by process \d+: stop that one first"):
            async with embedded(tmp_path, Harness(), "fleet_svc"):
                pass


async def test_a_message_produced_over_http_is_seen_by_a_tail_over_http(tmp_path: Path) -> None:
    sent = Message(
        "event.created", "event.created", "PD2024", b'{"EventId":"PD2024"}', "me", parse_instant(NOW), Trace("c")
    )
    async with embedded(tmp_path, Harness(), "event_svc") as epic, Api(epic.url) as api, asyncio.timeout(60):
        messages = HttpMessages(api)
        await messages.produce(sent)
        found = [record async for record in messages.follow("event.created", from_beginning=True, to_end=True)]
        assert [(record.message().id, record.key, record.value) for record in found] == [
            (sent.id, b"PD2024", sent.data)
        ]
        assert [r async for r in messages.follow("event.deleted", from_beginning=True, to_end=True)] == []


async def test_an_open_tail_does_not_hold_up_the_end(tmp_path: Path) -> None:
    seen: list[SeenRecord] = []
    async with asyncio.timeout(60), Api("http://127.0.0.1:1") as api:
        async with embedded(tmp_path, Harness(), "event_svc") as epic:
            api.url = epic.url

            async def tail() -> None:
                async for record in HttpMessages(api).follow("event.created", from_beginning=False, to_end=False):
                    seen.append(record)

            tailing = asyncio.create_task(tail())
            await until(lambda: epic._server.server_state.tasks, "the tail is open")
            epic._server.config.timeout_graceful_shutdown = None
        await tailing
    assert seen == []


async def test_waiting_counts_outboxes(tmp_path: Path) -> None:
    harness = Harness(outbox=Outbox(open=3))
    async with embedded(tmp_path, harness, "fleet_svc", "event_svc") as epic, Api(epic.url) as api:
        assert await api.ask("GET", "/embedded/waiting") == {"ToPublish": 6, "ToHandle": 0}


def test_up_is_embedded_whatever_the_variables_of_a_real_stack_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPIC_TRANSPORT", "Embedded")
    monkeypatch.setenv("EPIC_MONGO_URL", "mongodb://mongo")
    chosen = settings_of(play=False)
    assert (chosen.transport, chosen.mongo_url, chosen.mysql_url) == ("embedded", None, None)
    monkeypatch.setenv("EPIC_TRANSPORT", "kafka")
    with pytest.raises(CommandFailed, match="`epic up` is always embedded: unset it, or run `epic serve SERVICE`"):
        settings_of(play=False)


def test_the_play_is_refused_at_another_time_than_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(play=True).now == settings_of(play=True, now="2024-06-15T09:00:00+00:00").now == scenario.NOW
    for now in ("2026-01-01T00:00:00Z", f"{scenario.NOW}@2026-01-01T00:00:00Z"):
        with pytest.raises(CommandFailed, match="--play has its own time, 2024-06-15T09:00:00Z") as refused:
            settings_of(play=True, now=now)
        assert refused.value.exit_code == 2


def test_the_time_of_the_clock_and_its_origin_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_line(play: bool = False, held: str | None = None, **given: str) -> str:
        chosen = settings_of(play=play, **given)
        clock = RunningClock(chosen.now)
        if held is not None:
            clock.push(parse_instant(held))
        return upping._time(clock, chosen, play=play)

    assert time_line().endswith("Z (this machine's)")
    assert time_line(now=NOW).startswith("EPIC's clock: 2024-06-15T09:0")
    assert time_line(now=NOW).endswith("Z (set by --now)")
    assert time_line(play=True).endswith("Z (the play's own)")
    later = time_line(now=NOW, held="2024-06-20T00:00:00Z")
    assert later.startswith("EPIC's clock: 2024-06-20T00:0")
    assert later.endswith(
        f"(continues from the last instant in the data folder; --now {NOW} is earlier and is ignored)"
    )
    assert time_line(held="2999-01-01T00:00:00Z").endswith("(continues from the last instant in the data folder)")
    monkeypatch.setenv("EPIC_NOW", NOW)
    assert time_line().endswith("Z (set by EPIC_NOW)")


def test_the_play_brings_its_time_its_factors_and_its_domain_and_sends_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPIC_SMTP_URL", "smtp://mail:25")
    chosen = settings_of(play=True)
    assert (chosen.now, chosen.mail_domain, chosen.az_factor_map, chosen.smtp_url) == (
        scenario.NOW,
        scenario.MAIL_DOMAIN,
        scenario.AZ_FACTORS,
        None,
    )
    monkeypatch.setenv("EPIC_MAIL_DOMAIN", "mine.example")
    assert settings_of(play=True).mail_domain == "mine.example"
    assert settings_of(play=False).smtp_url == "smtp://mail:25"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_until_a_signal_and_stops_all_it_started(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness()
    text = upping._print_addresses

    def then_signal(*arguments: Any) -> None:
        text(*arguments)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(upping, "_print_addresses", then_signal)
    monkeypatch.setattr(upping, "configure_logging", lambda *_, **__: None)
    chosen = settings_of(play=False, data_dir=tmp_path / "data", http_port=0)
    upping.up(chosen, harness.builds("fleet_svc", "event_svc"), play=False)
    assert harness.events == ["start fleet_svc", "start event_svc", "stop event_svc", "stop fleet_svc"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Starting EPIC: five services in this process, their data in {tmp_path / 'data'}"
    assert "EPIC is ready. Ctrl-C stops it." in lines
    assert lines[-1] == f"Stopped. The data stays in {tmp_path / 'data'}"


def test_a_folder_that_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    chosen = settings_of(play=False, data_dir=tmp_path / "file", http_port=0)
    with pytest.raises(CommandFailed, match="cannot be used: File exists; give another by --data"):
        upping.up(chosen, {}, play=False)
