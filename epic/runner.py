"""EPIC in one process: five services on one embedded log behind one port, started and stopped in order."""

from __future__ import annotations

import asyncio
import errno
import importlib
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from epic.embedded_routes import EmbeddedRoutes
from epic.failure import CommandFailed
from epic.gateway import Gateway
from epic.transport_messages import TransportMessages
from shared.clock import RunningClock
from shared.embedded import DataFolderInUse
from shared.messaging.transport import Transport
from shared.schemas.topics import SERVICES
from shared.service import Build, RunningService, open_transport, quiet_collector, uvicorn_server
from shared.settings import Settings

_BACKLOG: Final = 2048  # uvicorn's own default
_SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a busy thread gives up the interpreter: the threads that write to disk wait for it."""


def builds() -> dict[str, Build]:
    """How each service is built, in the order they are started."""
    return {name: importlib.import_module(f"services.{name}.bootstrap").build for name in SERVICES}


@dataclass(frozen=True, slots=True)
class AddressOptions:
    """The options that give the address, as error texts name them."""

    host: str = "--host "
    port: str = "--port "


def listen(host: str, port: int, options: AddressOptions = AddressOptions()) -> socket.socket:
    """A listening socket for EPIC's HTTP, bound before anything is started. CommandFailed when it cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandFailed(
            f"{host} is no address of this machine ({error.strerror}); give {options.host}127.0.0.1"
        ) from None
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise CommandFailed(_why_not(host, port, error, options)) from None
    taken.setblocking(False)
    return taken


def _why_not(host: str, port: int, error: OSError, options: AddressOptions) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop what uses it, or take another: {options.port}{port + 1}"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; take one above 1023: {options.port}8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; give {options.host}127.0.0.1, or 0.0.0.0 for all that it has"
    return f"cannot listen on {host}:{port}: {error.strerror}"


class EmbeddedEpic:
    """An async context in which everything runs and answers on the socket; its end stops all, the last first.

    Entering raises CommandFailed when another process has the data folder, or when the folder cannot be used.
    """

    def __init__(self, settings: Settings, taken: socket.socket, services: Mapping[str, Build]) -> None:
        self._settings = settings
        self._socket = taken
        self._builds = services
        self.services: list[RunningService] = []
        host, port = taken.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.callback(self._socket.close)
            self._transport = transport = await self._open_transport()
            stack.push_async_callback(transport.stop)
            self.clock = clock = RunningClock(self._settings.now)
            for build in self._builds.values():
                service = await build(self._settings, transport, clock)
                stack.push_async_callback(service.stop)
                self.services.append(service)
                await service.open()
            for service in self.services:
                await service.start()
            embedded = EmbeddedRoutes(TransportMessages(transport, "this EPIC"), self.waiting, clock)
            gateway = Gateway({service.name: service.app for service in self.services}, {"embedded": embedded.app})
            self._server = uvicorn_server(gateway, self._settings)
            self.serving = asyncio.create_task(self._server.serve([self._socket]), name="http")
            stack.push_async_callback(self._stop_serving, embedded)
            await self._until_serving()
            quiet_collector()
            sys.setswitchinterval(_SWITCH_INTERVAL)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def waiting(self) -> dict[str, int]:
        """The numbers of events to publish and of records to handle; both are 0 when all is at rest."""
        groups = [
            (consumer.subscription.group, consumer.subscription.topics)
            for service in self.services
            for consumer in service.consumers
        ]
        behind = await asyncio.gather(*(self._behind(group, topics) for group, topics in groups))
        outboxes = await asyncio.gather(*(service.store.outbox() for service in self.services if service.store))
        return {"ToPublish": sum(state.open for state in outboxes), "ToHandle": sum(behind)}

    async def _behind(self, group: str, topics: Sequence[str]) -> int:
        lag = await self._transport.lag(group)
        ends = [end for topic in topics for end in (await self._transport.end_offsets(topic)).items()]
        return sum(lag.get(partition, end) for partition, end in ends)

    async def _open_transport(self) -> Transport:
        folder = self._settings.data_dir
        try:
            transport = open_transport(self._settings)
            await transport.start()
        except DataFolderInUse as error:
            raise CommandFailed(str(error)) from None
        except OSError as error:
            raise CommandFailed(
                f"the folder {folder} cannot be used: {error.strerror}; give another by --data"
            ) from None
        return transport

    async def _until_serving(self) -> None:
        while not self._server.started:
            if self.serving.done():
                await self.serving
                raise CommandFailed("the HTTP server ended at once; the log says why")
            await asyncio.sleep(0.005)

    async def _stop_serving(self, embedded: EmbeddedRoutes) -> None:
        embedded.close()
        self._server.should_exit = True
        await asyncio.wait({self.serving})
