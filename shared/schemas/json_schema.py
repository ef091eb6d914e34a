"""The JSON Schemas of contracts, for OpenAPI and AsyncAPI: one of what a request may hold, one of what EPIC answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

REQUEST: Final[JsonSchemaMode] = "validation"
"""What EPIC takes: bodies and commands. Unknown members are refused."""
ANSWER: Final[JsonSchemaMode] = "serialization"
"""What EPIC writes: responses, events and results. A reader must allow for members that are added later (2.24)."""

_REF: Final = "#/components/schemas/"


class Schemas:
    """The schemas of some contracts and of all that they refer to, by component name.

    A contract that differs between a request and an answer is two components, ``Name-Input`` and ``Name-Output``.
    """

    def __init__(self, models: Iterable[tuple[type[BaseModel], JsonSchemaMode]]) -> None:
        wanted = sorted(set(models), key=lambda item: (item[0].__name__, item[1]))
        self._refs, made = models_json_schema(wanted, ref_template=f"{_REF}{{model}}", schema_generator=_Contracts)
        self._all: dict[str, Any] = made.get("$defs", {})

    def ref(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """The reference to a contract's component."""
        return dict(self._refs[(model, mode)])

    def component(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """The component itself, which may be changed."""
        found: dict[str, Any] = self._all[self.ref(model, mode)["$ref"].removeprefix(_REF)]
        return found

    def components(self) -> dict[str, Any]:
        """Every component that one of the contracts leads to."""
        reached: set[str] = set()
        waiting = [name for ref in self._refs.values() for name in _names(ref)]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += _names(self._all[name])
        return {name: self._all[name] for name in sorted(reached)}


def _names(schema: Any) -> Iterator[str]:
    """The components that a schema refers to."""
    if isinstance(schema, Mapping):
        ref = schema.get("$ref")
        if isinstance(ref, str):
            yield ref.removeprefix(_REF)
        for inner in schema.values():
            yield from _names(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _names(inner)


class _Contracts(GenerateJsonSchema):
    """pydantic's schemas, made to fit the wire.

    There are no titles: the names say the same. An answer leaves out what nobody gave, where pydantic allows null.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        if "description" in made:
            made["description"] = made["description"].replace("``", "`")  # what Markdown writes code in
        if self.mode == ANSWER and made.get("additionalProperties") is False:
            del made["additionalProperties"]
        return made

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        made = super().enum_schema(schema)
        made.pop("title", None)
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is not None:
            return super().default_schema(schema)
        optional = schema["schema"]
        if self.mode == ANSWER and optional["type"] == "nullable":
            optional = optional["schema"]
        return self.generate_inner(optional)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made["propertyNames"] = {**made.get("propertyNames", {}), "pattern": pattern}
            made["additionalProperties"] = values
        return made
