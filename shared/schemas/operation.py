"""What the pages answer that every service has: problems, health, dead letters, and the documents of its interfaces."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.base import JoinedKey, WireModel


class FieldProblem(BaseModel):
    """One bad member of a request."""

    pointer: str = Field(description="A JSON pointer into the body, or the name of a parameter or header.")
    detail: str = Field(description="What to give instead.")


class Problem(BaseModel):
    """An error (RFC 9457): what is wrong and what to do about it."""

    type: str = Field(description="`urn:epic:problem:` and a word for the kind of error, which stays the same.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path of the request.")
    errors: list[FieldProblem] | None = Field(default=None, description="The bad members, where there are any.")


class Liveness(WireModel):
    """The process answers."""

    status: Literal["Alive"]


class CheckStatus(StrEnum):
    OK = "Ok"
    FAILED = "Failed"


class CheckReport(WireModel):
    """What one check found; one that succeeds may show numbers of its own."""

    model_config = ConfigDict(extra="allow")

    status: CheckStatus
    detail: str | None = Field(default=None, description="Why it failed.")


class ReadyStatus(StrEnum):
    READY = "Ready"
    UNREADY = "Unready"


class Readiness(WireModel):
    """Whether a service can do its work, and what each of its checks found."""

    status: ReadyStatus
    checks: dict[str, CheckReport]


class ReadinessOfAll(WireModel):
    """Whether all five services can do their work."""

    status: ReadyStatus
    services: dict[str, Readiness]


class SettlementOutcome(StrEnum):
    REPLAYED = "Replayed"
    DROPPED = "Dropped"


class SettledLetter(WireModel):
    """A dead letter that is one no longer."""

    id: str
    outcome: SettlementOutcome


class InterfaceDocument(BaseModel):
    """An OpenAPI 3.1 or AsyncAPI 3.0 document."""

    model_config = ConfigDict(extra="allow")

    info: dict[str, Any]


class Index(WireModel):
    """The pages of the gateway, and those of each service by their names."""

    health: str
    open_api: str
    services: dict[str, dict[str, str]]


class PatchOperation(BaseModel):
    """One operation of a JSON Patch (RFC 6902). A removal has no value."""

    op: Literal["add", "remove", "replace"]
    path: str = Field(description="A JSON pointer to the member.")
    value: Any = None


class ChangedMember(WireModel):
    """A member that two versions hold differently; null where a version lacks it."""

    member: str = Field(description="A JSON pointer to the member.")
    before: Any
    after: Any


class VersionDifference(WireModel):
    """What makes one version into another: as a JSON Patch of what is read of them, and member by member."""

    patch: list[PatchOperation]
    changes: list[ChangedMember]


MOST_KEYS: Final = 1000
"""The most documents of one batch (3.21a)."""


class DocumentKeys(WireModel):
    """The keys of documents, as they are stored: ``FORTRESSService-NA-X0#PD2024#Peak``."""

    keys: list[JoinedKey] = Field(max_length=MOST_KEYS)
