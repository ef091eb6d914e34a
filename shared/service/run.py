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
from aiokafka.errors import KafkaError

from shared.clock import Clock
from shared.errors import EpicError
from shared.log import configure_logging
from shared.messaging.transport.contract import Transport
from shared.service.clocks import ProcessClock
from shared.service.running import RunningService
from shared.service.transports import open_transport
from shared.settings import Settings, settings_or_exit

__all__ = ["Build", "run", "serve", "start_transport", "uvicorn_server"]

Build = Callable[[Settings, Transport, Clock], Awaitable[RunningService]]

log = structlog.get_logger(__name__)

_GOODBYE: Final = 10


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
    """Starts the service and answers HTTP until the process is asked to end; then stops everything it started."""
    transport = open_transport(settings)
    await start_transport(transport)
    try:
        service = await build(settings, transport, ProcessClock(settings.now))
        server = uvicorn_server(service.app, settings)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.handle_exit, name, None)
        await service.start()
        try:
            gc.collect()
            gc.freeze()  # what start-up made stays: the collector need not walk it again and again
            log.info("serving", service=service.name, address=f"http://{settings.http_host}:{settings.http_port}")
            await server.serve()
        finally:
            await service.stop()
    finally:
        await transport.stop()


async def start_transport(transport: Transport) -> None:
    """Connects; a broker that is not there yet is waited for by those who need it, not here."""
    try:
        await transport.start()
    except KafkaError as error:
        log.warning("the broker is away; writes wait in the outbox for it", error=str(error))


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
