"""How names of another system become ids of EPIC: templates of tags or labels, such as ``{app}-{realm}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from shared.schemas.base import PositiveCount, WireModel, check_id

_PLACE: Final = re.compile(r"\{([^{}]+)\}")


class Unmapped(Exception):
    """Something of the other system that the mapping makes no id of; the text says why, and what to do."""


def _template(text: str) -> str:
    if "{" in _PLACE.sub("", text) or "}" in _PLACE.sub("", text):
        raise ValueError("give tags in braces, such as {app}-{realm}")
    return text


Template = Annotated[str, Field(min_length=1), AfterValidator(_template)]


class LabelMapping(WireModel):
    """The mapping file of Prometheus: ``FleetId`` is a template of labels.

    ``Rename`` changes values of a label before they are used, ``Only`` leaves out what has another value of a label.
    """

    fleet_id: Template
    rename: dict[str, dict[str, str]] = Field(default_factory=dict)
    only: dict[str, list[str]] = Field(default_factory=dict)

    def takes(self, tags: Mapping[str, str]) -> bool:
        """Whether something with these tags is to be imported."""
        return all(tags.get(name) in values for name, values in self.only.items())

    def fleet_of(self, tags: Mapping[str, str]) -> str:
        """The FleetId of something with these tags. Unmapped when there is none."""
        return self._filled(self.fleet_id, tags, "FleetId")

    def _filled(self, template: str, tags: Mapping[str, str], what: str) -> str:
        missing = [name for name in _PLACE.findall(template) if not tags.get(name)]
        if missing:
            known = ", ".join(sorted(tags)) or "none"
            raise Unmapped(f"it has no {', '.join(missing)} for {what}; it has {known}")

        def value(found: re.Match[str]) -> str:
            name = found[1]
            return self.rename.get(name, {}).get(tags[name], tags[name])

        made = _PLACE.sub(value, template)
        try:
            return check_id(made)
        except ValueError as error:
            raise Unmapped(f"{what} would be {made!r}: {error}; let Rename change the value") from None


class TagMapping(LabelMapping):
    """The mapping file of AWS: ``FleetId`` and ``ServiceId`` are templates of tags.

    ``HostThroughPutTPM`` is what a new fleet gets, because AWS does not know it.
    """

    service_id: Template
    host_through_put_tpm: PositiveCount | None = None

    def service_of(self, tags: Mapping[str, str]) -> str:
        """The ServiceId of something with these tags. Unmapped when there is none."""
        return self._filled(self.service_id, tags, "ServiceId")
