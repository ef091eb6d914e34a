"""Conditional requests (RFC 9110, section 13): a resource's entity tag, and the conditions that a request names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.errors import BadInput, FieldError, Stale

ANY: Final = "*"
"""What ``If-Match: *`` and ``If-None-Match: *`` name: every resource that exists."""

_TAG: Final = re.compile(r'[\s,]*((?:W/)?"[!#-~\x80-\xff]*")[ \t]*(?=,|$)')
_BARE: Final = re.compile(r"(?:base-)?[1-9][0-9]{0,9}")
_HASH_BYTES: Final = 8  # of two bodies of one version: a chance of 1 in 10^19 that they look the same


def entity_tag(version: int, outside: Mapping[str, Any] | None = None, *, base: bool = False) -> str:
    """The ETag of a document: ``"n"``, its version (3.22), or ``"n.h"`` where its body holds members outside it (3.23).

    ``outside``: those members; h is their hash, the same in every process. ``base``: the base line of a fleet that
    stands in for an event's line has ``"base-n"`` or ``"base-n.h"`` (3.46a).
    """
    number = f"base-{version}" if base else str(version)
    if not outside:
        return f'"{number}"'
    members = orjson.dumps(outside, option=orjson.OPT_SORT_KEYS)
    return f'"{number}.{hashlib.blake2b(members, digest_size=_HASH_BYTES).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Condition:
    """The conditions of one request. Each is the entity tags that it names, or ``("*",)``; None: it was not given."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None

    def is_stale(self, tag: str | None) -> bool:
        """Whether If-Match does not hold for the resource with this tag (None: there is no resource).

        It compares strongly, so that no weak tag matches (3.28), and of the tag it judges the version alone (3.25).
        """
        if self.if_match is None:
            return False
        if tag is None:
            return True
        return self.if_match != (ANY,) and _version(tag) not in map(_version, self.if_match)

    def is_matched(self, tag: str | None) -> bool:
        """Whether If-None-Match names the resource with this tag (None: there is no resource).

        It compares the whole tag (3.24), weakly.
        """
        if self.if_none_match is None or tag is None:
            return False
        return self.if_none_match == (ANY,) or tag in [named.removeprefix("W/") for named in self.if_none_match]

    def check(self, tag: str | None) -> None:
        """Stale unless a write of the resource with this tag (None: there is no resource) may be done."""
        if self.is_stale(tag):
            present = "there is no such resource now" if tag is None else f"the resource has the ETag {tag} now"
            raise Stale(f"{present}, which If-Match does not name; read it again")
        if self.is_matched(tag):
            raise Stale(f"the resource is there with the ETag {tag}, which If-None-Match names")


def parse_condition(if_match: str | None, if_none_match: str | None = None, *, bare: bool = False) -> Condition | None:
    """The conditions in these two; None where neither is given. BadInput for what is no list of entity tags.

    ``bare``: a version alone is also an entity tag, as in ce_ifmatch: ``3``, ``base-3``.
    """
    if if_match is None and if_none_match is None:
        return None
    if bare and if_match is not None and _BARE.fullmatch(if_match):
        if_match = f'"{if_match}"'
    return Condition(_tags(if_match, "If-Match"), _tags(if_none_match, "If-None-Match"))


def refuse_condition(condition: Condition | None, *, name: str | None = None) -> None:
    """BadInput for a condition on a write that has no version: if it were ignored, it would seem to have held.

    ``name``: what the caller calls If-Match, where that is not its name.
    """
    if condition is not None:
        header = "If-None-Match" if condition.if_match is None else "If-Match"
        error = FieldError(f"/{header}", "leave it out: this write has no version")
        raise BadInput(f"this write has no version; leave {name or header} out", [error], slug="bad-if-match")


def _version(tag: str) -> str:
    """What a strong comparison of versions compares: ``"3`` of ``"3"`` and of ``"3.h"``; a weak tag keeps its W/."""
    return tag[:-1].partition(".")[0]


def _tags(text: str | None, name: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    text = text.strip(" \t,")
    if text == ANY:
        return (ANY,)
    tags, place = list[str](), 0
    while found := _TAG.match(text, place):
        tags.append(found[1])
        place = found.end()
    if not tags or place != len(text):
        error = FieldError(f"/{name}", 'give ETags as they were read, such as "3", with commas between them; or *')
        raise BadInput(f"{name} {text!r} is no list of entity tags", [error], slug="bad-if-match")
    return tuple(tags)
