"""The cells of CSV: what a cell means for a member of a resource, and how a row is written as cells (4.597).

A column is a dotted path. An empty cell leaves the member, ``null`` clears it, lists and objects are JSON. A text that
would be taken for something else is written as JSON too: ``""`` is the empty text, ``"null"`` the text null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from shared import exact_json
from shared.errors import BadInput, FieldError
from shared.schemas.decoding import decode_object
from shared.schemas.validation import bad_fields, pointer_to

CLEARS: Final = "null"
_QUOTE: Final = '"'


class CellKind(Enum):
    """How the text of a cell becomes a value. The contracts read numbers and times out of texts themselves."""

    TEXT = "text"
    FLAG = "flag"
    JSON = "json"


def kind_of(model: type[BaseModel], path: Sequence[str]) -> CellKind:
    """How a member of a document is written in a cell. One that is unknown is a text, and is refused later."""
    found: Any = model
    for name in path:
        found = _member(found, name)
    if isinstance(found, type) and issubclass(found, bool):
        return CellKind.FLAG
    is_json = get_origin(found) in (list, dict, tuple) or found in (list, dict)
    return CellKind.JSON if is_json or (isinstance(found, type) and issubclass(found, BaseModel)) else CellKind.TEXT


def _member(kind: Any, name: str) -> Any:
    """The type of a member of a type, without what only checks it; None where there is none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for attribute, field in kind.model_fields.items():
            if (field.alias or attribute) == name:
                return _plain(field.annotation)
    return _plain(get_args(kind)[1]) if get_origin(kind) is dict else None


def _plain(kind: Any) -> Any:
    while get_origin(kind) in (Annotated, Union, UnionType):
        kinds = [one for one in get_args(kind)[: 1 if get_origin(kind) is Annotated else None] if one is not NoneType]
        if len(kinds) != 1:
            return None
        kind = kinds[0]
    return kind


def fields_of(columns: Sequence[Sequence[str]], kinds: Sequence[CellKind], cells: Sequence[str]) -> dict[str, Any]:
    """The members of a row by its cells. BadInput names each cell that is none, by the pointer of its member."""
    fields: dict[str, Any] = {}
    errors: list[FieldError] = []
    for path, kind, cell in zip(columns, kinds, cells, strict=True):
        if not cell:
            continue
        try:
            value = value_of(cell, kind)
        except BadInput as error:
            errors.append(FieldError(pointer_to(path), error.detail))
            continue
        into = fields
        for name in path[:-1]:
            into = into.setdefault(name, {})
        into[path[-1]] = value
    if errors:
        raise bad_fields(errors, "the row has bad cells")
    return fields


def value_of(cell: str, kind: CellKind) -> Any:
    """The value in a cell that is not empty. BadInput says what to give instead."""
    if cell == CLEARS:
        return None
    if not cell.isascii() and any("\udc80" <= sign <= "\udcff" for sign in cell):
        raise BadInput("give UTF-8")
    if kind is CellKind.FLAG:
        return {"true": True, "false": False}.get(cell.lower(), cell)  # spreadsheets write TRUE
    if kind is CellKind.JSON or (cell[0] == _QUOTE and cell[-1] == _QUOTE and len(cell) > 1):
        try:
            return decode_object(b'{"":' + cell.encode("utf-8", "surrogatepass") + b"}")[""]
        except BadInput as error:
            if kind is CellKind.TEXT:
                return cell  # a text in quotation marks, and no JSON
            places = "; ".join(f"{one.pointer[1:]}: {one.detail}" for one in error.errors)
            raise BadInput(f'give JSON, such as ["us-east-1"] {f"({places})" if places else ""}'.rstrip()) from None
    return cell


def cells_of(fields: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A row as cells by their columns, from which ``fields_of`` reads the same members again."""
    cells: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, dict) and value and not any(not inner or "." in inner for inner in value):
            cells |= cells_of(value, f"{prefix}{name}.")
        else:
            cells[prefix + name] = cell_of(value)
    return cells


def cell_of(value: Any) -> str:
    """One value as a cell."""
    if isinstance(value, str) and value and value != CLEARS and value[0] != _QUOTE:
        return value
    return exact_json.dumps(value).decode()
