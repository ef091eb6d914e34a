"""Owns the commands that a declared resource takes, each through the use case that HTTP calls as well."""

from __future__ import annotations

from collections.abc import Mapping

from shared.clock import Clock
from shared.documents.contract import Written
from shared.messaging.subscription import Answered, Command, Received
from shared.resources.usecases import Resources
from shared.schemas.base import WireModel
from shared.web.requests import parse_if_match, reason_of, refuse_condition

__all__ = ["answered", "expected_version", "resource_commands", "unconditional"]


def answered(written: Written) -> Answered:
    """What a command is told of a written document."""
    return Answered(written.document.key, written.document.version)


def expected_version(received: Received) -> int | None:
    """The version a command is meant for, by its ``ce_ifmatch``."""
    match = parse_if_match(received.message.if_match)
    return match.plain() if match else None


def unconditional(received: Received) -> None:
    """BadInput for a ``ce_ifmatch`` on a command that has no version to compare."""
    refuse_condition(parse_if_match(received.message.if_match), "ce_ifmatch")


def resource_commands(
    resources: Resources, clock: Clock, models: tuple[type[WireModel], type[WireModel], type[WireModel]]
) -> Mapping[str, Command]:
    """Create, Update and Delete of a resource, by ``ce_type``; ``models`` are their contracts in that order."""
    resource = resources.resource

    async def create(received: Received) -> Answered:
        reason_of(received.body)
        return answered(await resources.create(received.body, received.cause(clock)))

    async def update(received: Received) -> Answered:
        reason_of(received.body)
        keys, expected = resource.keys_of(received.body), expected_version(received)
        return answered(await resources.update(keys, received.body, received.cause(clock), expected))

    async def delete(received: Received) -> Answered:
        reason_of(received.body)
        keys, expected = resource.keys_of(received.body), expected_version(received)
        return answered(await resources.delete(keys, received.cause(clock), expected))

    beside = frozenset({resource.id_member} if resource.id_member else ())
    return {
        model.__name__: Command(model, use_case, beside)
        for model, use_case in zip(models, (create, update, delete), strict=True)
    }
