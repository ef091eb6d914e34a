"""How versions lie in MongoDB, and how names that MongoDB gives a meaning are stored.

A version is one sub-document, ``Item``: ``{VersionId, State, AuditMetadata, SchemaVersion, …}``. It is always
written whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import bson
import orjson
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument

from shared.documents.contract import Document
from shared.durability.read_model import State
from shared.errors import BadInput

Form = dict[str, Any]

SHOWN: Final = {"Item": 1, "Side": 1}
"""What of a head a read needs: the outbox stays where it is."""

_SIGNS: Final = str.maketrans({".": "%2E", "$": "%24", "%": "%25"})
"""MongoDB gives the dot and the dollar a meaning in names."""

# JSON text in which each such sign runs on to a quote that ends no name (and is not itself quoted).
_HARMLESS: Final = re.compile(rb'(?:[^.$%]++|[.$%][^"]*+(?:\Z|(?<!\\)"(?!:)))*+')


def item_id(key: str, version: int) -> str:
    """Where a version lies; computed, so that history is read by key."""
    return f"{key}@{version:010d}"


def encode_state(state: Mapping[str, Any]) -> Form:
    """The state as MongoDB can hold it, and whether names in it had to be rewritten.

    Nothing is walked unless the JSON text shows that a name may need it.
    """
    if _HARMLESS.fullmatch(orjson.dumps(state)):
        return {"State": state, "Rewritten": False}
    return {"State": _renamed(state, lambda name: name.translate(_SIGNS)), "Rewritten": True}


def decode_state(form: Form) -> State:
    """The state as it was given."""
    state: State = _renamed(form["State"], unquote) if form["Rewritten"] else form["State"]
    return state


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {rename(name): _renamed(member, rename) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(member, rename) for member in value]
    return value


def encode_item(document: Document) -> RawBSONDocument:
    """One version, encoded once for the head and the item alike; later changes of its state do not reach it.

    BadInput for what BSON cannot hold: a zero character in a name.
    """
    form: Form = {
        "VersionId": document.version,
        "Deleted": document.deleted,
        "SchemaVersion": document.schema_version,
        "AuditMetadata": {"Message": document.message, "User": document.user, "Timestamp": document.changed},
        "CreatedAt": document.created,
        "CreatedBy": document.created_by,
        **encode_state(document.state),
    }
    try:
        return RawBSONDocument(bson.encode(form))
    except (InvalidDocument, OverflowError) as error:
        raise BadInput(f"this cannot be stored: {error}") from None


def decode(key: str, item: Form, side: Form | None = None) -> Document:
    """One version, of its ``Item`` and the ``Side`` of its head."""
    audit, version = item["AuditMetadata"], item["VersionId"]
    return Document(
        key,
        version,
        version,
        decode_state(item),
        audit["Message"],
        audit["User"],
        audit["Timestamp"],
        item["SchemaVersion"],
        item["CreatedAt"],
        item["CreatedBy"],
        item["Deleted"],
        {} if side is None else decode_state(side),
    )


def decode_latest(form: Form) -> Document:
    """The latest version, of a head."""
    return decode(form["_id"], form["Item"], form.get("Side"))
