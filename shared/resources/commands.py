"""The commands that a declared resource takes, each through the use case that HTTP calls as well."""

from __future__ import annotations

from typing import Any

from shared.cause import Cause
from shared.documents.contract import Written
from shared.messaging.commands import Command
from shared.resources.usecases import Resources
from shared.schemas.base import CommandBody

__all__ = ["resource_commands"]


def resource_commands(
    resources: Resources, models: tuple[type[CommandBody], type[CommandBody], type[CommandBody]]
) -> list[Command[Any]]:
    """Create, Update and Delete of a resource; ``models`` are their contracts in that order."""
    resource = resources.resource

    async def create(command: CommandBody, cause: Cause) -> Written:
        return await resources.create(command.given(), cause)

    async def update(command: CommandBody, cause: Cause) -> Written:
        body = command.given()
        return await resources.update(resource.keys_of(body), body, cause, cause.expected_version)

    async def delete(command: CommandBody, cause: Cause) -> Written:
        return await resources.delete(resource.keys_of(command.given()), cause, cause.expected_version)

    return [
        Command(model, use_case, f"{resource.topic}.{verb}")
        for model, use_case, verb in zip(models, (create, update, delete), ("create", "update", "delete"), strict=True)
    ]
