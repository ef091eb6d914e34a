"""How versions lie in MongoDB.

A version is one sub-document, ``Item``: ``{VersionId, State, Fields, AuditMetadata, SchemaVersion, …}``. It is always
written whole. A state is JSON text, so that it may hold every name; the fields that are filtered by lie beside it.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from shared.documents.contract import Document
from shared.documents.filters import Filters
from shared.durability.read_model import State

Form = dict[str, Any]

SHOWN: Final = {"Item": 1, "Side": 1}
"""What of a head a read needs: the outbox stays where it is."""


def item_id(key: str, version: int) -> str:
    """Where a version lies; computed, so that history is read by key."""
    return f"{key}@{version:010d}"


def field_name(field: str) -> str:
    """The name of a declared field in ``Fields``: MongoDB gives the dot a meaning."""
    return field.replace(".", "/")


def encode_state(state: State, filters: Filters) -> Form:
    fields = {field_name(field): value for field, value in filters.values(state).items()}
    return {"State": orjson.dumps(state).decode(), "Fields": fields}


def decode_state(form: Form) -> State:
    state: State = orjson.loads(form["State"])
    return state


def encode_item(document: Document, filters: Filters) -> Form:
    """One version, as head and item hold it; later changes of its state do not reach it."""
    return {
        "VersionId": document.version,
        "Deleted": document.deleted,
        "SchemaVersion": document.schema_version,
        "AuditMetadata": {"Message": document.message, "User": document.user, "Timestamp": document.changed},
        "CreatedAt": document.created,
        "CreatedBy": document.created_by,
        **encode_state(document.state, filters),
    }


def decode(key: str, item: Form, side: str | None = None) -> Document:
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
        {} if side is None else orjson.loads(side),
    )


def decode_latest(form: Form) -> Document:
    """The latest version, of a head."""
    return decode(form["_id"], form["Item"], form.get("Side"))
