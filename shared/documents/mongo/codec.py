"""How versions lie in MongoDB, and how names that MongoDB gives a meaning are stored.

A version is one sub-document, ``Item``: ``{VersionId, Number, State, AuditMetadata, SchemaVersion, …}``. It is always
written whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

import bson
import orjson
from bson.codec_options import CodecOptions
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument

from shared.documents.contract import Document
from shared.documents.versions import Item
from shared.errors import BadInput

__all__ = [
    "AS_SHOWN",
    "SHOWN",
    "Form",
    "decode_item",
    "decode_shown",
    "decode_side",
    "encode_item",
    "encode_side",
    "encode_state",
    "item_id",
    "plain",
]

Form = dict[str, Any]

SHOWN: Final = {"Item": 1, "Side": 1}
AS_SHOWN: Final[CodecOptions[Form]] = CodecOptions(tz_aware=False)
"""What of a head a read needs, and how it is read: the outbox stays where it is, instants come without their zone."""

# What stands for the signs MongoDB gives a meaning in names: full-width dot and dollar, and one that quotes a sign.
_DOT: Final = "\uff0e"
_DOLLAR: Final = "\uff04"
_QUOTE: Final = "\uff05"
_SIGNS: Final = str.maketrans(
    {".": _DOT, "$": _DOLLAR, _DOT: _QUOTE + _DOT, _DOLLAR: _QUOTE + _DOLLAR, _QUOTE: _QUOTE + _QUOTE}
)
_MEANT: Final = {_DOT: ".", _DOLLAR: "$"}
_SIGN: Final = re.compile(f"{_QUOTE}([{_DOT}{_DOLLAR}{_QUOTE}])|[{_DOT}{_DOLLAR}]")
# JSON text in which each such sign runs on to a quote that ends no name (and is not itself quoted).
_HARMLESS: Final = re.compile(rb'(?:[^.$\xef]++|[.$\xef][^"]*+(?:\Z|(?<!\\)"(?!:)))*+')


def item_id(key: str, version: int) -> str:
    """Where a version lies; computed, so that history is read by key."""
    return f"{key}@{version:010d}"


def encode_state(state: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The state as MongoDB can hold it, and whether names in it had to be rewritten.

    Nothing is walked unless the JSON text shows that a name may need it.
    """
    if _HARMLESS.fullmatch(orjson.dumps(state)):
        return state, False
    return _renamed(state, _signed), True


def plain(state: Form, rewritten: bool) -> Form:
    """The state as it was given."""
    return cast("Form", _renamed(state, _unsigned)) if rewritten else state


def _signed(name: str) -> str:
    return name.translate(_SIGNS)


def _unsigned(name: str) -> str:
    return _SIGN.sub(lambda found: found[1] or _MEANT[found[0]], name)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {rename(name): _renamed(member, rename) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(member, rename) for member in value]
    return value


def encode_item(item: Item) -> RawBSONDocument:
    """One version, encoded once for the head and the item alike; later changes of ``item.state`` do not reach it.

    BadInput for what BSON cannot hold: a zero character in a name.
    """
    state, rewritten = encode_state(item.state)
    form: Form = {
        "VersionId": item.version,
        "Number": item.number,
        "Deleted": item.deleted,
        "SchemaVersion": item.schema_version,
        "AuditMetadata": {"Message": item.message, "User": item.user, "Timestamp": item.timestamp},
        "CreatedAt": item.created_at,
        "CreatedBy": item.created_by,
        "State": state,
    }
    if rewritten:
        form["Rewritten"] = True
    try:
        return RawBSONDocument(bson.encode(form))
    except (InvalidDocument, OverflowError) as error:
        raise BadInput(f"this cannot be stored: {error}") from None


def decode_item(form: Form) -> Item:
    """One version, of a form that was read with or without the zone of its instants, which is UTC."""
    audit = form["AuditMetadata"]
    return Item(
        version=form["VersionId"],
        number=form["Number"],
        state=plain(form["State"], form.get("Rewritten", False)),
        deleted=form["Deleted"],
        message=audit["Message"],
        user=audit["User"],
        timestamp=audit["Timestamp"].replace(tzinfo=UTC),
        schema_version=form["SchemaVersion"],
        created_at=form["CreatedAt"].replace(tzinfo=UTC),
        created_by=form["CreatedBy"],
    )


def encode_side(side: Mapping[str, Any]) -> Form:
    state, rewritten = encode_state(side)
    return {"State": state, "Rewritten": rewritten}


def decode_side(form: Form) -> Form:
    return plain(form["State"], form["Rewritten"])


@lru_cache(1024)  # as in shared.clock: what was made at once carries one instant
def _wire_form(moment: datetime) -> str:
    """The wire form of an instant that was read without its zone, which is a third of the cost of reading it."""
    return moment.isoformat("T", "milliseconds") + "Z"


def decode_shown(form: Form) -> Document:
    """A head's latest version as item 0 shows it; what reads need of it is ``SHOWN``, read by ``AS_SHOWN``."""
    item, side = form["Item"], form.get("Side")
    audit, version = item["AuditMetadata"], item["VersionId"]
    return Document(
        form["_id"],
        version,
        version,
        plain(item["State"], item.get("Rewritten", False)),
        audit["Message"],
        audit["User"],
        _wire_form(audit["Timestamp"]),
        item["SchemaVersion"],
        _wire_form(item["CreatedAt"]),
        item["CreatedBy"],
        item["Deleted"],
        {} if side is None else decode_side(side),
    )
