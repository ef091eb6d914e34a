"""``epic up``: starts everything, plays Prime Day 2024 if asked to, serves, and ends in order."""

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
from epic.configuration import BY_MAKE_RUN, load_settings
from epic.failure import CommandFailed
from epic.listening import BY_MAKE, BY_OPTION, listen
from epic.log import configure_logging
from epic.play import scenario
from epic.play.fleets import print_fleets
from epic.play.planned_by import print_planned_by
from epic.play.steps import STEPS
from epic.runner import EmbeddedEpic
from epic.serving import Build
from epic.terminal import Terminal
from shared.clock import RunningClock, iso, parse_instant
from shared.schemas.topics import SERVICES
from shared.settings import PREFIX, Settings

_LOG: Final = "epic.log"
_PLAYING: Final = "play.unfinished"
"""A file in the data folder while the play is not finished. An interrupted play starts again: its steps may repeat."""
_INTERRUPTED_TWICE: Final = 1
_ONE_REQUEST_SECONDS: Final = 1.0
_PLAYED_WITHIN: Final = timedelta(days=2)
_KEPT: Final = (
    *((f"{service.removesuffix('_svc')}.db", f"the store of {service}") for service in SERVICES),
    ("messages.db", "every message, and the position of each consumer"),
    ("mail", "mails, as files"),
    (_LOG, "the log, one JSON object per line"),
)


def settings_of(*, play: bool, **given: Any) -> Settings:
    """The settings of an ``epic up``: always embedded; the play has defaults of its own.

    The play never sends mail: its people are invented. CommandFailed for another transport, and for a play at another
    time than its own.
    """
    asked = os.environ.get(f"{PREFIX}TRANSPORT", "")
    if asked.lower() not in ("", "embedded"):
        raise CommandFailed(
            f"{PREFIX}TRANSPORT is {asked!r}, and `epic up` is always embedded: unset it, or run `epic serve SERVICE`"
        )
    known = load_settings(transport="embedded", **given)
    own: dict[str, Any] = {"mongo_url": None, "mysql_url": None, "kafka_bootstrap_servers": None}
    if play:
        if known.now is not None and ("@" in known.now or parse_instant(known.now) != parse_instant(scenario.NOW)):
            raise CommandFailed(
                f"--play has its own time, {scenario.NOW}, and cannot be played at {known.now}: "
                "leave --now out, and unset EPIC_NOW"
            )
        own |= {
            "smtp_url": None,
            "now": scenario.NOW,
            "tpm_mail_seconds": scenario.TPM_MAIL_SECONDS,
            "mail_domain": known.mail_domain or scenario.MAIL_DOMAIN,
            "az_factor_map": known.az_factor_map or scenario.AZ_FACTORS,
        }
    return known.model_copy(update=own)


def up(chosen: Settings, builds: Mapping[str, Build], *, play: bool) -> None:
    """Runs until Ctrl-C or SIGTERM. CommandFailed when the address or the data folder cannot be used."""
    folder = chosen.data_dir
    remedies = BY_MAKE if os.environ.get(BY_MAKE_RUN) else BY_OPTION
    taken = listen(chosen.http_host, chosen.http_port, behind_gateway=chosen.behind_gateway, remedies=remedies)
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
    """Runs until the end, or until a signal; a later second signal ends the process at once.

    One Ctrl-C may arrive as two signals: from the terminal, and from a parent process that passes it on.
    """
    loop = asyncio.get_running_loop()
    living = asyncio.ensure_future(life)
    asked: float | None = None

    def stop() -> None:
        nonlocal asked
        if asked is None:
            asked = loop.time()
            living.cancel()
        elif loop.time() - asked > _ONE_REQUEST_SECONDS:
            os._exit(_INTERRUPTED_TWICE)

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
    terminal.print(f"Starting EPIC: five services in this process, their data in {folder}")
    started = False
    try:
        async with epic:
            started = True
            terminal.print(f"Started in {time.monotonic() - began:.1f} s")
            terminal.print(_time(epic.clock, chosen, play=play))
            if play:
                await _play(epic.url, folder, terminal, epic.clock)
            _print_addresses(epic.url, folder, terminal, scenario.EVENT_ID if play else "{EventId}")
            await asyncio.shield(epic.serving)
    finally:
        if started:
            terminal.print(f"Stopped. The data stays in {folder}")


def _time(clock: RunningClock, chosen: Settings, *, play: bool) -> str:
    """The time of EPIC's clock, and its origin."""
    by = "EPIC_NOW" if chosen.now == os.environ.get(f"{PREFIX}NOW") else "--now"
    if clock.pushed:
        why = "continues from the last instant in the data folder"
        if chosen.now is not None and not play:
            why += f"; {by} {chosen.now} is earlier and is ignored"
    elif play:
        why = "the play's own"
    else:
        why = "this machine's" if chosen.now is None else f"set by {by}"
    return f"EPIC's clock: {iso(clock.now())} ({why})"


async def _play(url: str, folder: Path, terminal: Terminal, clock: RunningClock) -> None:
    """Plays Prime Day 2024 unless the folder has it; an interrupted play is continued. Prints the table of fleets.

    CommandFailed when the clock of the folder is past the play: EPIC makes no plan for a past peak.
    """
    unfinished = folder / _PLAYING
    async with Api(url, started=True) as api:
        there = (await api.call("GET", f"/event/{scenario.EVENT_ID}")).ok
        if there and not unfinished.exists():
            terminal.print(f"{scenario.EVENT_ID} exists already; it is not played again")
        else:
            if clock.now() - parse_instant(scenario.NOW) > _PLAYED_WITHIN:
                raise CommandFailed(
                    f"{folder} holds data from after the play, which is on {scenario.NOW}; give an empty one by --data"
                )
            unfinished.touch()
            began = time.monotonic()
            for number, (title, step) in enumerate(STEPS, 1):
                terminal.print(f"{number}/{len(STEPS)} {title}", style="bold")
                await step(api, terminal)
            unfinished.unlink()
            terminal.print(f"Played in {time.monotonic() - began:.1f} s")
        await print_fleets(api, terminal, scenario.EVENT_ID)
        await print_planned_by(api, terminal, scenario.EVENT_ID)


def _print_addresses(url: str, folder: Path, terminal: Terminal, event_id: str) -> None:
    addresses = [
        (f"{url}/", "the services and their paths"),
        (f"{url}/health/ready", "whether all five services are ready"),
        (f"PUT {url}/event/{event_id}/dashboard", "readiness"),
        (f"{url}/hotw/dashboard/{event_id}/Upscaling", "hosts"),
        (f"{url}/fleet_svc/openapi.json", "the API of a service; the same for the others"),
    ]
    terminal.print()
    terminal.table(("Address", ""), addresses)
    terminal.print()
    terminal.table((f"Kept in {folder}", ""), [(name, what) for name, what in _KEPT if (folder / name).exists()])
    terminal.print()
    terminal.print("EPIC is ready. Ctrl-C stops it.", style="bold")
    sys.stdout.flush()
