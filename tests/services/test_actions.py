"""Every route and every command of every service names the action that its caller must be permitted to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.routing import BaseRoute

from epic.configuration import load_settings
from epic.runner import SERVICES, builds
from shared.embedded import EmbeddedTransport
from shared.messaging.commands import CommandSubscription
from shared.security import check_action
from shared.service import RunningService
from shared.web.routing import EpicRoute
from tests.support.clock import FixedClock


async def built(service: str, folder: Path) -> RunningService:
    settings = load_settings({}, data_dir=folder)
    return await builds()[service](settings, EmbeddedTransport(folder), FixedClock("2024-06-15T09:00:00Z"))


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_names_its_action(service: str, tmp_path: Path) -> None:
    routes: list[BaseRoute] = (await built(service, tmp_path)).app.router.routes
    for route in routes:
        assert isinstance(route, EpicRoute)
        check_action(route.action)
    assert len(routes) > 10


@pytest.mark.parametrize("service", SERVICES)
async def test_every_command_names_its_action(service: str, tmp_path: Path) -> None:
    consumers = (await built(service, tmp_path)).consumers
    topics = [one.subscription for one in consumers if isinstance(one.subscription, CommandSubscription)]
    commands = [command for topic in topics for command in topic.commands.values()]
    for command in commands:
        check_action(command.action)
    assert commands
