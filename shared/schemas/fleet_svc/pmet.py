"""The contract of Pmet: where a metric of a fleet is looked at."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from shared.schemas.base import Flag, Id, Name, WireModel
from shared.schemas.resource_contract import ResourceContract

_LONGEST: Final = 2048  # every browser takes an address of this length
_SCHEMES: Final = ("https://", "http://")
_PATTERN: Final = r"^https?://[!-~]+$"


def _check_link(value: str) -> str:
    """An address that a page may show as a link: of no scheme that a browser would execute."""
    is_plain = value.isascii() and value.isprintable() and " " not in value
    if not is_plain or len(value) > _LONGEST or not any(len(value) > len(s) and value.startswith(s) for s in _SCHEMES):
        raise ValueError(
            f"give an address of at most {_LONGEST} ASCII characters without spaces, such as https://pmet.example/graph"
        )
    return value


Link = Annotated[
    str,
    AfterValidator(_check_link),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": _LONGEST, "pattern": _PATTERN}),
]


class Pmet(WireModel):
    """Where a metric of a fleet is looked at, and whether somebody has verified that it is the right one."""

    pmet_id: Id
    fleet_id: Id
    metric_name: Name
    link: Link
    statistic: Name | None = None
    automated: Flag | None = None
    verified: Flag | None = None


PMET: Final = ResourceContract(model=Pmet, owner="fleet_svc", key=("PmetId",))
