"""Owns how one service is run as a process: its clock and transport, its server, and an orderly end on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn
import uvloop

from shared.clock import Clock
from shared.errors import EpicError
from shared.log import configure_logging
from shared.messaging.transport import Transport
from shared.service.clocks import ProcessClock
from shared.service.running import RunningService
from shared.service.transports import open_transport
from shared.settings import Settings, settings_or_exit
from shared.tasks import end

__all__ = ["Build", "quiet_collector", "run", "serve", "uvicorn_server"]

Build = Callable[[Settings, Transport, Clock], Awaitable[RunningService]]

log = structlog.get_logger(__name__)

_GOODBYE: Final = 10
_YOUNG: Final = 20_000


def run(build: Build) -> None:
    """The whole life of one service's process, configured by ``EPIC_*``; returns at SIGTERM or SIGINT.

    Exits with 2 for a bad variable, with 1 and one line for what else keeps it from starting.
    """
    settings = settings_or_exit()
    configure_logging(settings.log_level, settings.log_format)
    try:
        uvloop.run(serve(build, settings))
    except (EpicError, OSError) as error:
        sys.stderr.write(f"epic: {error}\n")
        raise SystemExit(1) from None


async def serve(build: Build, settings: Settings) -> None:
    """Answers HTTP and starts the service, until the process is asked to end; then stops everything it started.

    What the service needs may come later than the service: until it is there, writes and reads are answered 503.
    """
    transport = open_transport(settings)
    if settings.transport == "embedded":
        await transport.start()  # Kafka is connected to by whoever first asks it something
    try:
        service = await build(settings, transport, ProcessClock(settings.now))
        server = uvicorn_server(service.app, settings)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.handle_exit, name, None)
        try:
            await _answer_while_starting(server, service, settings)
        finally:
            await service.stop()
    finally:
        await transport.stop()


async def _answer_while_starting(server: uvicorn.Server, service: RunningService, settings: Settings) -> None:
    """Answers HTTP at once, whatever the service still waits for; returns at the wish to end, raises what ends it."""
    starting = asyncio.create_task(_start(service, settings), name="start")
    answering = asyncio.create_task(_answer(server), name="http")
    await asyncio.wait({starting, answering}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        await end(starting)
    elif not starting.cancelled() and starting.exception() is not None:
        server.should_exit = True
    await answering
    if not starting.cancelled():
        starting.result()


async def _start(service: RunningService, settings: Settings) -> None:
    await service.open_when_there()
    await service.start()
    quiet_collector()
    log.info("serving", service=service.name, address=f"http://{settings.http_host}:{settings.http_port}")


async def _answer(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit:  # uvicorn's way to say so; raised in a task it would end the loop in the middle of everything
        raise EpicError("the HTTP server could not start; the log says why") from None


def quiet_collector() -> None:
    """Leaves what start-up made out of every later collection, and lets more be made between two of them.

    Messages and documents hold no cycles, so nearly all that a collection walks over is alive.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)


class _Server(uvicorn.Server):
    """uvicorn, leaving signals to whoever runs it: its own way ends the process before the service is stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def uvicorn_server(app: object, settings: Settings) -> uvicorn.Server:
    """A server for an application whose life, like the process's, is not the server's business."""
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            host=settings.http_host,
            port=settings.http_port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GOODBYE,
        )
    )
