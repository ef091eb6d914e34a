"""How versions lie in MongoDB, and how names that MongoDB gives a meaning are stored.

A version is one sub-document, ``Item``: ``{VersionId, State, Rewritten, AuditMetadata, SchemaVersion, …}``. It is
written whole. Its state is a native sub-document. ``Rewritten``: names in it have ``%2E`` for a dot, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import bson
import orjson
from bson.raw_bson import RawBSONDocument

from shared.documents.contract import Document
from shared.durability.read_model import State
from shared.errors import BadInput

Form = dict[str, Any]

SHOWN: Final = {"Item": 1, "Side": 1}
"""What of a head a read needs: the outbox stays where it is."""

_SIGNS: Final = str.maketrans({".": "%2E", "$": "%24", "%": "%25", "\0": "%00"})
# In JSON text: the last such sign or backslash of a name (the quote after a backslash does not end the name).
_IN_A_NAME: Final = re.compile(rb'[.$%\\]"?[^".$%\\]*+":')


def item_id(key: str, version: int) -> str:
    """Where a version lies; computed, so that history is read by key."""
    return f"{key}@{version:010d}"


def encode_state(state: State) -> Form:
    """The state as MongoDB can hold it, encoded now: later changes of the state do not reach it.

    Nothing is walked unless the JSON text shows that a name may need it. BadInput for what BSON cannot hold.
    """
    rewritten = _IN_A_NAME.search(orjson.dumps(state)) is not None
    try:
        encoded = bson.encode(_renamed(state, lambda name: name.translate(_SIGNS)) if rewritten else state)
    except OverflowError:
        raise BadInput("this cannot be stored: a whole number in it needs more than 64 bits") from None
    return {"State": RawBSONDocument(encoded), "Rewritten": rewritten}


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


def encode_item(document: Document) -> Form:
    """One version, as head and item hold it."""
    return {
        "VersionId": document.version,
        "Deleted": document.deleted,
        "SchemaVersion": document.schema_version,
        "AuditMetadata": {"Message": document.message, "User": document.user, "Timestamp": document.changed},
        "CreatedAt": document.created,
        "CreatedBy": document.created_by,
        **encode_state(document.state),
    }


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
