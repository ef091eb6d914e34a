"""EPIC in one process: five services on one embedded log behind one port, started and stopped in order."""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

from epic.embedded_routes import EmbeddedRoutes
from epic.failure import CommandFailed
from epic.gateway import Gateway
from epic.messages import TransportMessages
from epic.serving import Build, open_transport, quiet_collector, uvicorn_server
from shared.clock import RunningClock
from shared.embedded import DataFolderInUse
from shared.messaging.transport import Transport
from shared.schemas.topics import SERVICES
from shared.service import RunningService
from shared.settings import Settings
from shared.web.protection import Protection

_SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a busy thread gives up the interpreter: the threads that write to disk wait for it."""


def build_of(service: str) -> Build:
    """How a service is built. Imports that service alone."""
    build: Build = importlib.import_module(f"services.{service}.bootstrap").build
    return build


def builds() -> dict[str, Build]:
    """How each service is built, in the order they are started."""
    return {name: build_of(name) for name in SERVICES}


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
            gateway = Gateway(
                {service.name: service.app for service in self.services},
                [embedded.routes],
                protection=Protection(
                    allowed_hosts=self._settings.allowed_hosts, permitted_origins=self._settings.cors_origins
                ),
            )
            self._server = uvicorn_server(gateway, self._settings)
            self.serving = asyncio.create_task(self._server.serve([self._socket]), name="http")
            stack.push_async_callback(self._stop_serving, embedded)
            await self._until_serving()
            quiet_collector()
            sys.setswitchinterval(_SWITCH_INTERVAL)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
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
