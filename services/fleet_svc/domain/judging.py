"""How a dimension and a custom input are judged by the schema that they name (4.481, 4.482)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any, Final

from services.fleet_svc.domain.json_schemas import problems_by
from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.schema import AppliesTo, Schema

_MOST_ERRORS: Final = 100


def judge(
    schema_id: str | None, schema: Schema | None, applies_to: AppliesTo, values: Iterable[tuple[tuple[str, ...], Any]]
) -> None:
    """BadInput unless each value, with where the request has it, matches the schema of this id.

    ``schema`` is None where it was deleted: what names it stays (as after a change of the schema), and its next write
    must match a schema that is there.
    """
    if schema_id is None:
        return
    if schema is None:
        raise _bad_schema(f"there is no Schema {schema_id} any more; name another one, or none")
    if schema.applies_to is not applies_to:
        raise _bad_schema(f"Schema {schema_id} applies to {schema.applies_to}; name one that applies to {applies_to}")
    problems = problems_by(schema.definition)
    found = chain.from_iterable(problems(value, at) for at, value in values)
    errors = list(islice(found, _MOST_ERRORS))
    if errors:
        raise BadInput(f"it does not match Schema {schema_id}; see errors", errors)


def _bad_schema(detail: str) -> BadInput:
    return BadInput("the schema does not fit", [FieldError("/SchemaId", detail)])
