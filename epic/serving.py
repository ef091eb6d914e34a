"""Runs one service as a process: its clock, transport and HTTP server, and an orderly end on SIGTERM."""

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

from epic.http_protocol import HttpProtocol
from epic.log import configure_logging
from shared.clock import Clock, RunningClock
from shared.embedded import EmbeddedTransport
from shared.errors import EpicError
from shared.messaging.kafka import KafkaTransport
from shared.messaging.transport import Transport
from shared.service.running import RunningService
from shared.settings import Settings
from shared.tasks import end

Build = Callable[[Settings, Transport, Clock], Awaitable[RunningService]]

log = structlog.get_logger(__name__)

_SHUTDOWN_TIMEOUT: Final = 10  # seconds for requests under way; orchestrators kill a process after thirty
_COLLECT_AFTER: Final = 20_000  # objects; a batch of 500 records makes fewer


def open_transport(settings: Settings) -> Transport:
    """Kafka, or the embedded log in the data folder, as the settings choose; not started."""
    if settings.transport == "kafka":
        return KafkaTransport(settings.kafka_bootstrap_servers or "")
    return EmbeddedTransport(settings.data_dir)


def run(build: Build, settings: Settings) -> None:
    """Runs one service in this process until SIGTERM or SIGINT.

    Exits with 1 and one line for anything that keeps it from starting.
    """
    configure_logging(settings.log_level, settings.log_format)
    try:
        uvloop.run(serve(build, settings))
    except (EpicError, OSError) as error:
        sys.stderr.write(f"epic: {error}\n")
        raise SystemExit(1) from None


async def serve(build: Build, settings: Settings) -> None:
    """Serves HTTP and starts the service until the process is asked to end; then stops everything it started.

    The store and the broker may become available later than the service: until then, requests are answered 503.
    """
    transport = open_transport(settings)
    if settings.transport == "embedded":
        await transport.start()  # with Kafka, the first request connects
    try:
        service = await build(settings, transport, RunningClock(settings.now))
        server = uvicorn_server(service.app, settings)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, server.handle_exit, name, None)
        starting = asyncio.create_task(_start(service, settings, server), name="start")
        try:
            await server.serve()
        except SystemExit:  # uvicorn raises it when it cannot bind
            raise EpicError("the HTTP server could not start; the log says why") from None
        finally:
            if not starting.done():
                await end(starting)
            await service.stop()
        if not starting.cancelled():
            starting.result()
    finally:
        await transport.stop()


async def _start(service: RunningService, settings: Settings, server: uvicorn.Server) -> None:
    """Starts the service, which may wait for its store, while HTTP is served already. A failure ends the server."""
    try:
        await service.open(wait=True)
        await service.start()
    except Exception:
        server.should_exit = True
        raise
    quiet_collector()
    log.info("serving", service=service.name, address=f"http://{settings.http_host}:{settings.http_port}")


def quiet_collector() -> None:
    """Excludes the objects made at start-up from garbage collection, and collects less often.

    Messages and documents hold no cycles, so a collection finds nearly nothing to free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before the service is stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def uvicorn_server(app: object, settings: Settings) -> uvicorn.Server:
    """A server that starts and stops nothing but itself."""
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            host=settings.http_host,
            port=settings.http_port,
            lifespan="off",
            http=HttpProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        )
    )
