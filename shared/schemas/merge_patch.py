"""Merge patches (RFC 7396): the requests that change some members of a document, and their JSON Schema."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema

from shared.schemas.base import CommandBody, WireModel


class MergePatch(CommandBody):
    """A partial document (RFC 7396): objects merge, lists and scalars are replaced, null clears.

    The contract checks the ids. The other members are checked once they are merged into the whole document. The JSON
    Schema describes all of them: the members of ``document`` but those in ``managed`` may be given, and none need be.
    """

    model_config = ConfigDict(extra="allow")

    document: ClassVar[type[WireModel]]
    managed: ClassVar[Collection[str]] = ()

    @property
    def patch(self) -> dict[str, Any]:
        """The members that the caller gave beside the ids, by wire name, as they were sent."""
        return dict(self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        own = handler.resolve_ref_schema(handler(schema))
        members = patch_of(cls.document, without=frozenset({*cls.model_fields, *cls.managed}))
        given = handler.resolve_ref_schema(handler(members.__pydantic_core_schema__))
        properties = {**own["properties"], **given["properties"]}
        return {**own, "properties": properties, "additionalProperties": False}


@cache
def patch_of(document: type[WireModel], *, without: frozenset[str] = frozenset()) -> type[WireModel]:
    """A model of the merge patches of ``document``, but for the attributes in ``without``.

    No member is required. Null clears a member that the document may lack, so only such a member can be null.
    """
    fields: dict[str, Any] = {}
    for name, field in document.model_fields.items():
        if name not in without:
            patched = _patched(field.rebuild_annotation())
            annotation = patched if field.is_required() else patched | None
            fields[name] = (annotation, Field(default_factory=lambda: None, alias=field.alias))
    doc = f"Members of {document.__name__} to be changed."
    return create_model(f"{document.__name__}Patch", __base__=WireModel, __module__=__name__, __doc__=doc, **fields)


def _patched(annotation: Any) -> Any:
    """The type of a member in a patch: an object is patched in its turn, a list is replaced as a whole."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_patched(arguments[0]), *annotation.__metadata__)]
    if origin in (Union, UnionType):
        return reduce(or_, map(_patched, arguments))
    if origin is dict:
        return dict[arguments[0], _patched(arguments[1]) | None]  # type: ignore[misc, valid-type]
    if isinstance(annotation, type) and origin is None and issubclass(annotation, WireModel):
        return patch_of(annotation)
    return annotation
