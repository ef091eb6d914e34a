"""Owns ``epic up`` from its first line to its last: what is said, what is played, and the orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvloop

from epic.api import Api
from epic.failure import CommandFailed
from epic.play import story
from epic.play.fleets import print_fleets
from epic.play.record import Played, PlayRecord
from epic.play.steps import STEPS
from epic.runner import EmbeddedEpic, listen
from epic.terminal import Terminal
from epic.where import settings
from shared.clock import RunningClock, iso, parse_instant
from shared.log import configure_logging
from shared.schemas.topics import SERVICES
from shared.service import Build
from shared.settings import PREFIX, Settings

__all__ = ["settings_of", "up"]

_LOG: Final = "epic.log"
_AT_ONCE: Final = 1
_ONE_WISH_SECONDS: Final = 1.0
_PLAYED_WITHIN: Final = timedelta(days=2)
_KEPT: Final = (
    *((f"{service.removesuffix('_svc')}.db", f"what {service} owns and knows") for service in SERVICES),
    ("messages.db", "every message, and how far each consumer is"),
    ("mail", "mails, as files"),
    (_LOG, "the log, one JSON object a line"),
)


def settings_of(*, play: bool, **given: Any) -> Settings:
    """The settings of an ``epic up``: always embedded; the play brings its own where nothing else is said.

    The play never sends mail to anybody: its people are invented. CommandFailed for another transport, and for a play
    at another time than its own.
    """
    asked = os.environ.get(f"{PREFIX}TRANSPORT", "")
    if asked.lower() not in ("", "embedded"):
        raise CommandFailed(
            f"{PREFIX}TRANSPORT is {asked!r}, and `epic up` is always embedded: unset it, or run `epic serve SERVICE`"
        )
    known = settings(transport="embedded", **given)
    own: dict[str, Any] = {"mongo_url": None, "mysql_url": None, "kafka_bootstrap_servers": None}
    if play:
        if known.now is not None and ("@" in known.now or parse_instant(known.now) != parse_instant(story.NOW)):
            raise CommandFailed(
                f"--play has its own time, {story.NOW}, and cannot be played at {known.now}: "
                "leave --now out, and unset EPIC_NOW"
            )
        own |= {
            "smtp_url": None,
            "now": story.NOW,
            "mail_domain": known.mail_domain or story.MAIL_DOMAIN,
            "az_factor_map": known.az_factor_map or story.AZ_FACTORS,
        }
    return known.model_copy(update=own)


def up(chosen: Settings, builds: Mapping[str, Build], *, play: bool) -> None:
    """Starts everything, plays if asked to, serves until Ctrl-C or SIGTERM, and stops all it started."""
    folder = chosen.data_dir
    taken = listen(chosen.http_host, chosen.http_port)
    with closing(taken):
        _make(folder)
        configure_logging(chosen.log_level, chosen.log_format, file=folder / _LOG)
        uvloop.run(_until_stopped(_live(EmbeddedEpic(chosen, taken, builds), chosen, play=play)))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"the folder {folder} cannot be used: {error.strerror}; give another by --data") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandFailed(f"the folder {folder} cannot be written to; give another by --data")


async def _until_stopped(life: Coroutine[Any, Any, None]) -> None:
    """Lives on until its end, or until a signal asks for it; asked again later, the process ends there and then.

    One wish may come as two signals at once: from the terminal, and from a parent that passes it on.
    """
    loop = asyncio.get_running_loop()
    living = asyncio.ensure_future(life)
    asked: float | None = None

    def stop() -> None:
        nonlocal asked
        if asked is None:
            asked = loop.time()
            living.cancel()
        elif loop.time() - asked > _ONE_WISH_SECONDS:
            os._exit(_AT_ONCE)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await living
    except asyncio.CancelledError:
        if asked is None:
            raise


async def _live(epic: EmbeddedEpic, chosen: Settings, *, play: bool) -> None:
    terminal = Terminal()
    began = time.monotonic()
    folder = chosen.data_dir.resolve()
    terminal.say(f"Starting EPIC: five services in this process, their data in {folder}")
    started = False
    try:
        async with epic:
            started = True
            terminal.say(f"Started in {time.monotonic() - began:.1f} s")
            terminal.say(_time(epic.clock, chosen, play=play))
            if play:
                await _play(epic.url, folder, terminal, epic.clock)
            _say_where(epic.url, folder, terminal, story.EVENT_ID if play else "{EventId}")
            await asyncio.shield(epic.serving)
    finally:
        if started:
            terminal.say(f"Stopped. The data stays in {folder}")


def _time(clock: RunningClock, chosen: Settings, *, play: bool) -> str:
    """What time EPIC lives in, and why."""
    by = "EPIC_NOW" if chosen.now == os.environ.get(f"{PREFIX}NOW") else "--now"
    if clock.pushed:
        why = "moved on to what the data folder holds"
        if chosen.now is not None and not play:
            why += f"; {by} {chosen.now} is earlier and not used"
    elif play:
        why = "the play's own"
    else:
        why = "this machine's" if chosen.now is None else f"set by {by}"
    return f"EPIC's clock: {iso(clock.now())} ({why})"


async def _play(url: str, folder: Path, terminal: Terminal, clock: RunningClock) -> None:
    """Plays Prime Day 2024 if the event is not there yet, or a play was interrupted; prints the table either way.

    CommandFailed on a folder that has outlived the play's time: no plan is made for a peak that is past.
    """
    record = PlayRecord(folder)
    async with Api(url, started=True) as api:
        there = (await api.call("GET", f"/event/{story.EVENT_ID}")).ok
        if there and record.read() is not Played.BEGUN:
            terminal.say(f"{story.EVENT_ID} is there already: nothing is played again")
        else:
            if clock.now() - parse_instant(story.NOW) > _PLAYED_WITHIN:
                raise CommandFailed(
                    f"{folder} holds what is later than the play, which is on {story.NOW}; give an empty one by --data"
                )
            record.write(Played.BEGUN)
            began = time.monotonic()
            for number, (title, step) in enumerate(STEPS, 1):
                terminal.say(f"{number}/{len(STEPS)} {title}", style="bold")
                await step(api, terminal)
            record.write(Played.FINISHED)
            terminal.say(f"Played in {time.monotonic() - began:.1f} s")
        await print_fleets(api, terminal, story.EVENT_ID)


def _say_where(url: str, folder: Path, terminal: Terminal, event_id: str) -> None:
    addresses = [
        (f"{url}/", "what there is, service by service"),
        (f"{url}/health/ready", "whether all five can do their work"),
        (f"PUT {url}/event/{event_id}/dashboard", "readiness"),
        (f"{url}/hotw/dashboard/{event_id}/Upscaling", "hosts"),
        (f"{url}/fleet_svc/openapi.json", "a service's API; the others' alike"),
    ]
    terminal.say()
    terminal.table(("Address", ""), addresses)
    terminal.say()
    terminal.table((f"Kept in {folder}", ""), [(name, what) for name, what in _KEPT if (folder / name).exists()])
    terminal.say()
    terminal.say("EPIC is ready. Ctrl-C stops it.", style="bold")
    sys.stdout.flush()
