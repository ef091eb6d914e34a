"""The parameters of requests that are no ids of a path: each is described for OpenAPI and read by one type."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, WithJsonSchema

from shared.schemas.base import Name, PageSize
from shared.schemas.json_schema import ANSWER


class Parameter(dict[str, Any]):
    """One query parameter or header, as OpenAPI describes it. ``of`` is the type that it is checked by.

    It is optional unless it is ``required``; the handler refuses a request that lacks it.
    """

    def __init__(
        self, name: str, description: str, *, where: str = "query", of: Any = str, required: bool = False
    ) -> None:
        super().__init__(
            {"name": name, "in": where, "description": description, "required": required, "schema": schema_of(of)}
        )
        self.name = name
        self._type: TypeAdapter[Any] = TypeAdapter(of)

    def read(self, text: str) -> Any:
        """The value in the text of a request. pydantic's ValidationError when the text is none of the type."""
        return self._type.validate_python(text)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type that is no object; a number is a number, as parameters have no strings of digits."""
    schema = TypeAdapter(kind).json_schema(mode=ANSWER)
    schema.pop("title", None)
    return schema


_CURSOR: Final = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})]
_TAGS: Final = Annotated[str, Field(pattern=r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$', examples=['"3"'])]

PAGING: Final = (
    Parameter("Limit", "At most so many items; 100 unless given.", of=PageSize),
    Parameter("Cursor", "`NextCursor` of the page before.", of=_CURSOR),
)
IF_MATCH: Final = Parameter(
    "If-Match", "The ETag as it was read; 412 when it is no longer the latest.", where="header", of=_TAGS
)
UNLESS_KNOWN: Final = Parameter(
    "If-None-Match", "The ETag of the version that is known; 304 when it is still the latest.", where="header", of=_TAGS
)
CREATE_ONLY: Final = Parameter(
    "If-None-Match", "`*` creates only: 412 when the document is there already.", where="header", of=_TAGS
)
OF_A_WRITE: Final = (
    Parameter("X-Epic-User", "Who asks; `AuditMetadata.User` counts where it is left out.", where="header", of=Name),
    Parameter("Idempotency-Key", "The same key and body again get the first answer again.", where="header", of=Name),
)
"""The headers that every write takes that has a cause."""
