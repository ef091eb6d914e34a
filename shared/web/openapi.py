"""The OpenAPI document of a service, made of what its routes say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from shared import errors
from shared.schemas.base import Snapshot
from shared.schemas.examples import example_of
from shared.schemas.json_schema import ANSWER, REQUEST, Schemas
from shared.schemas.merge_patch import MergePatch
from shared.schemas.operation import Problem
from shared.web.parameters import CREATE_ONLY, IF_MATCH, OF_A_WRITE, UNLESS_KNOWN, Parameter, schema_of

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
WRITES: Final = ("POST", "PUT", "DELETE")

_VERSION: Final = "1.0.0"
_ABOUT: Final = """

An id is 1 to 128 letters, digits, `.`, `_` or `-`. A time has a zone, a day is a UTC day. A whole number may be sent as
a string of digits. A document may be sent back as it was read: the members that only EPIC sets are ignored. Every error
is `application/problem+json` (RFC 9457). HEAD answers wherever GET does. A request may bring the `X-Correlation-Id` and
the `traceparent` that it belongs to."""

_TEXT: Final = {"type": "string"}
_UNTYPED: Final = {JSON: {"type": "array", "items": {"type": "object"}}}
"""The schemas of streamed bodies that are no text."""

_HEADERS: Final[dict[str, Any]] = {
    "ETag": {
        "description": "The version of the document; send it as If-Match to change this version and no other.",
        "required": True,
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Retry-After": {
        "description": "The seconds after which the same request may succeed.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit": {
        "description": "Where a rate limit is set: what is left of it, and the seconds until it is whole again.",
        "schema": {"type": "string"},
        "example": '"default";r=0;t=12',
    },
    "RateLimit-Policy": {
        "description": "Where a rate limit is set: its requests, and the seconds that they are counted over.",
        "schema": {"type": "string"},
        "example": '"default";q=600;w=60',
    },
    "X-Correlation-Id": {
        "description": "The id under which log and messages tell what followed from the request.",
        "required": True,
        "schema": {"type": "string"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problems:
    """The problems of some statuses, which every operation may answer. ``example`` is one of them."""

    statuses: str
    description: str
    example: Any
    headers: tuple[str, ...] = ()


def _example(problem: errors.Problem) -> Any:
    return {**problem.problem(), "instance": "/service"}


_PROBLEMS: Final = {
    "Refused": _Problems(
        statuses="4XX",
        description="Refused: the problem says what is wrong, and what to do.",
        example=example_of(Problem),
    ),
    "TooManyRequests": _Problems(
        statuses="429",
        description="Too many requests, where a rate limit is set: send it again after Retry-After.",
        example=_example(errors.Problem("over 600 a minute", slug="rate-limit", status=429, title="Too many requests")),
        headers=("RateLimit-Policy", "RateLimit"),  # of draft-ietf-httpapi-ratelimit-headers (10.5.9)
    ),
    "Unavailable": _Problems(
        statuses="5XX",
        description="Not now: the store is away, or an error of EPIC's own.",
        example=_example(errors.Unavailable("the service is not open yet: its store is away")),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: what it takes and what it answers.

    ``answer`` is the contract of a 200, of one item of the page or batch if ``many`` or ``batch``; None: a JSON object,
    or text by ``media_type``. ``also_offered`` are texts in other media types. ``also`` are the contracts of other
    statuses. ``has_cause``: a write that takes an Idempotency-Key. ``path_types`` are the types of the path's
    parameters. ``streamed``: the media types of a body without a contract, ``examples``: one of each media type that
    has none.
    """

    operation_id: str
    method: str
    path: str
    summary: str
    path_types: Mapping[str, Any]
    parameters: Sequence[Mapping[str, Any]] = ()
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    many: bool = False
    batch: bool = False
    conditional: bool = True
    has_cause: bool = True
    media_type: str = JSON
    also_offered: Sequence[str] = ()
    also: Mapping[int, type[BaseModel]]
    streamed: Sequence[str] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_version(self) -> bool:
        """Whether it answers one version of a document, which has an entity tag."""
        return self.answer is not None and issubclass(self.answer, Snapshot) and not self.many and not self.batch

    @property
    def keys(self) -> frozenset[str]:
        """The members that path and query give."""
        return frozenset({*self.path_types, *(one["name"] for one in self.parameters if one["in"] == "query")})

    def models(self) -> Iterator[tuple[type[BaseModel], Any]]:
        """The contracts it refers to, each as a request or as an answer."""
        if self.body is not None:
            yield self.body, REQUEST
        for answer in (self.answer, *self.also.values()):
            if answer is not None:
                yield answer, ANSWER


@dataclass(frozen=True, slots=True)
class Tag:
    """What the operations of one group have in common."""

    name: str
    description: str


def operation_id_of(command: type[BaseModel]) -> str:
    """The operation that does what a command does: ``createFleet`` of CreateFleet."""
    return command.__name__[0].lower() + command.__name__[1:]


def openapi(service: str, description: str, groups: Mapping[Tag, Sequence[Operation]]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service with these groups of operations.

    A request's body has no members that its path or query gives: they may be repeated there, and must be the same then.
    """
    operations = [operation for group in groups.values() for operation in group]
    schemas = Schemas([(Problem, ANSWER), *(model for operation in operations for model in operation.models())])
    for operation in operations:
        if operation.body is not None:
            _leave_out(schemas.component(operation.body, REQUEST), operation.keys)
    paths: dict[str, dict[str, Any]] = {}
    for tag, group in groups.items():
        for operation in group:
            described = {"tags": [tag.name], **_operation(operation, schemas)}
            paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"EPIC {service}",
            "version": _VERSION,
            "description": description + _ABOUT,
            "contact": {"name": "The team that runs this EPIC"},  # whose address EPIC does not know
        },
        "servers": [
            {"url": "/", "description": "The gateway, or the service by itself."},
            {"url": f"/{service}", "description": "The service behind the gateway, with its own pages."},
        ],
        "security": [],
        "tags": [{"name": tag.name, "description": tag.description} for tag in groups],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "headers": _HEADERS,
            "responses": {name: _problem(problems, schemas) for name, problems in _PROBLEMS.items()},
        },
    }


def _problem(problems: _Problems, schemas: Schemas) -> dict[str, Any]:
    content = {"application/problem+json": _content(schemas.ref(Problem, ANSWER), problems.example)}
    headers = _headers("X-Correlation-Id", "Retry-After", *problems.headers)
    return {"description": problems.description, "headers": headers, "content": content}


def _content(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    example = example_of(operation.answer) if operation.answer else None
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation, example or {}), *operation.parameters, *_headers_taken(operation)],
    }
    if operation.body is not None:
        described["requestBody"] = _request_body(operation.body, schemas)
    elif operation.streamed:
        content = {
            kind: _content(_UNTYPED.get(kind, _TEXT), operation.examples.get(kind)) for kind in operation.streamed
        }
        described["requestBody"] = {"required": True, "content": content}
    described["responses"] = {"200": _answer(operation, example, schemas)}
    if operation.has_version and operation.method not in WRITES:
        unchanged = "The version is the one that If-None-Match names."
        described["responses"]["304"] = {"description": unchanged, "headers": _headers("X-Correlation-Id", "ETag")}
    for status, model in operation.also.items():
        content = {JSON: _content(schemas.ref(model, ANSWER), example_of(model))}
        headers = _headers("X-Correlation-Id")
        described["responses"][str(status)] = {"description": model.__doc__, "headers": headers, "content": content}
    for name, problems in _PROBLEMS.items():
        described["responses"][problems.statuses] = {"$ref": f"#/components/responses/{name}"}
    return described


def _path_parameters(operation: Operation, example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, kind in operation.path_types.items():
        parameter = {"name": name, "in": "path", "required": True, "schema": schema_of(kind)}
        yield parameter | ({"example": example[name]} if name in example else {})


def _headers_taken(operation: Operation) -> Iterator[Parameter]:
    if operation.method not in WRITES:
        yield from (UNLESS_KNOWN,) if operation.has_version else ()
        return
    if operation.has_cause:
        yield from OF_A_WRITE
    if operation.has_version and operation.conditional:
        yield from (IF_MATCH, CREATE_ONLY)


def _request_body(model: type[BaseModel], schemas: Schemas) -> dict[str, Any]:
    component, example = schemas.component(model, REQUEST), example_of(model)
    if example is not None:
        example = {name: value for name, value in example.items() if name in component["properties"]}
    content = _content(schemas.ref(model, REQUEST), example)
    media_types = (JSON, MERGE_PATCH) if issubclass(model, MergePatch) else (JSON,)
    required = bool(component.get("required"))
    return {"required": required, "content": dict.fromkeys(media_types, content)}


def _answer(operation: Operation, example: Any, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.ref(operation.answer, ANSWER) if operation.answer else {"type": "object"}
    if operation.media_type != JSON:
        schema, example = {"type": "string"}, operation.examples.get(operation.media_type)
    if operation.many:
        schema = _page_of(schema)
        example = None if example is None else {"Items": [example], "NextCursor": None}
    if operation.batch:
        schema = _batch_of(schema)
        example = None if example is None else {"Items": [example], "Missing": []}
    names = ("X-Correlation-Id", "ETag") if operation.has_version else ("X-Correlation-Id",)
    content = {operation.media_type: _content(schema, example)}
    content |= {other: {"schema": {"type": "string"}} for other in operation.also_offered}
    return {"description": "Done", "headers": _headers(*names), "content": content}


def _page_of(item: dict[str, Any]) -> dict[str, Any]:
    cursor = {"type": ["string", "null"], "description": "Give it as Cursor to get the next page."}
    return {
        "type": "object",
        "required": ["Items", "NextCursor"],
        "properties": {"Items": {"type": "array", "items": item}, "NextCursor": cursor},
    }


def _batch_of(item: dict[str, Any]) -> dict[str, Any]:
    missing = {"type": "array", "items": {"type": "string"}, "description": "What was asked for and is not there."}
    return {
        "type": "object",
        "required": ["Items", "Missing"],
        "properties": {"Items": {"type": "array", "items": item}, "Missing": missing},
    }


def _leave_out(schema: dict[str, Any], names: Collection[str]) -> None:
    """Takes members out of a body's schema."""
    for name in names:
        schema["properties"].pop(name, None)
    required = [name for name in schema.pop("required", ()) if name not in names]
    if required:
        schema["required"] = required
