"""The contracts that belong to no single service: the answer of a command, and a dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from shared.schemas.base import Instant, JoinedKey, Name, Text, WireModel

Repeated = Annotated[str, Field(max_length=255)]
"""What an answer repeats of a command as it was given: not checked, because the answer may say that it is bad."""


class Outcome(StrEnum):
    ACCEPTED = "Accepted"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an accepted command is answered with: the id and version of what it wrote, where that has them."""

    id: str | None = None
    version: int | None = None


class CommandResult(WireModel):
    """What ``command.results`` carries; ce_type and key are the command's, ce_causationid is its id.

    ``CommandId`` and ``Source`` are repeated as they were given, up to 255 characters.
    """

    command_id: Repeated
    source: Repeated
    outcome: Outcome
    id: JoinedKey | None = None
    version_id: int | None = None
    problem: dict[str, Any] | None = None


class DeadLetter(WireModel):
    """A record that can never be handled: where it came from, why it failed, and itself.

    ``Key`` and ``Value`` are base64, headers as text with what is not UTF-8 escaped; ``Id`` is the consumer's group
    and the record's place in its topic, so the same record is one dead letter however often it is met.
    """

    id: Name
    group: Name
    topic: Name
    partition: int
    offset: int
    timestamp: Instant
    key: str | None = None
    value: str | None = None
    headers: list[tuple[str, str]]
    reason: Text
    attempts: int
    dead_since: Instant
