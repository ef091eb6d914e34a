"""Bounded numbers on the wire: a JSON number, in a request also a string of digits (2.14, 2.14a, 2.15c)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """Annotates an ``int`` from ``least`` to ``most``.

    A request may give it as a number without a fraction or as a string of digits; EPIC itself writes a number. Both
    bounds are keywords of the JSON Schema. A fraction, a boolean and anything else is a ValueError that says what to
    give.
    """

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.int_schema(ge=self.least, le=self.most)
        return core_schema.no_info_before_validator_function(self._number, number)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        if handler.mode == "serialization":
            return number
        return {"anyOf": [number, {"type": "string", "pattern": self._digits()}]}

    def _number(self, value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            raise ValueError("give a whole number")
        if isinstance(value, str):
            if not re.fullmatch(r"[0-9]{1,10}", value):
                raise ValueError(f"give a whole number from {self.least} to {self.most}, also as a string of digits")
            return int(value)
        if isinstance(value, float | Decimal):
            if not self.least <= value <= self.most:
                raise ValueError(f"give a whole number from {self.least} to {self.most}")
            if value != int(value):
                raise ValueError("give a whole number, without a fraction")
            return int(value)
        return value

    def _digits(self) -> str:
        """A pattern of the numbers as strings, of one digit or of fewer digits than ``most`` has."""
        if self.most < 10:
            return f"^[{self.least}-{self.most}]$"
        return f"^[{min(self.least, 1)}-9][0-9]{{0,{len(str(self.most)) - 2}}}$"


@dataclass(frozen=True, slots=True)
class Between:
    """Annotates a ``DecimalNumber``: from ``least`` to ``most``, whole numbers of one digit.

    Both bounds are in the JSON Schema, for a number and for a string of digits.
    """

    least: int
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bounds = {"minimum": self.least, "maximum": self.most}
        described = handler(schema)
        if "anyOf" not in described:
            return {**described, **bounds}
        places = r"(\.[0-9]{1,6})?"
        text = rf"^([{self.least}-{self.most - 1}]{places}|{self.most}(\.0{{1,6}})?)$"
        number, digits = described["anyOf"]
        return {**described, "anyOf": [{**number, **bounds}, {**digits, "pattern": text}]}

    def _checked(self, value: Decimal) -> Decimal:
        if not self.least <= value <= self.most:
            raise ValueError(f"give a number from {self.least} to {self.most}")
        return value
