"""Writes what follows from the code. Run by ``make docs``.

These are docs/reference (HTTP, topics, metrics, settings), the routes of the nginx gateway, and the golden messages that are missing.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from pydantic_core import PydanticUndefined
from starlette.types import ASGIApp

from docs import golden_messages
from epic.configuration import load_settings
from epic.routes import Route, patterns_of, routes_of
from epic.runner import builds
from shared.clock import RunningClock
from shared.embedded import EmbeddedTransport
from shared.messaging.transport import RECORD_BYTES
from shared.metrics import Metrics
from shared.schemas.base import ID_PATTERN, MAX_COUNT
from shared.schemas.eventplan_svc import ONLY_EPIC_SETS
from shared.schemas.topics import TOPICS, Topic
from shared.settings import PREFIX, Settings
from shared.web.openapi import MERGE_PATCH

FOLDER = Path(__file__).parent / "reference"
NGINX = Path(__file__).parents[1] / "deploy" / "nginx" / "epic.conf"
_MADE = "<!-- Made by `make docs` from the code; change the code instead. -->"
_DAY_MS = 86_400_000
_NGINX_BEGIN = "  # The services' routes, made by `make docs`; change the declarations instead.\n"
_NGINX_END = "  # End of the services' routes.\n"
_KIT = re.compile(r"/(dlq|health|metrics|openapi\.json|asyncapi\.json)")


def _table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _kept(topic: Topic) -> str:
    if topic.config["cleanup.policy"] == "compact":
        return f"the newest of each key, all for {int(topic.config['min.compaction.lag.ms']) // _DAY_MS} days"
    return f"{int(topic.config['retention.ms']) // _DAY_MS} days"


def topics_page() -> str:
    """Every topic: who owns, produces and consumes it, its key, its messages and for how long it is kept."""
    rows = (
        [
            f"`{topic.name}`",
            topic.owner,
            f"`{topic.key}`" if "{" in topic.key else topic.key,
            "<br>".join(
                f"`{message.ce_type}` ({message.model.__name__}) {message.summary}" for message in topic.messages
            ),
            ", ".join(topic.consumers) or "–",
            str(topic.partitions),
            _kept(topic),
        ]
        for topic in TOPICS.values()
    )
    return f"""# Topics
{_MADE}

CloudEvents 1.0: the attributes are `ce_…` headers (binary mode); structured mode is read too. `/asyncapi.json` of each service has
every member of every message, `shared/schemas/golden` an example of each. A command is answered on `command.results`. A message has at most {RECORD_BYTES // 1_048_576} MiB (`max.message.bytes`).

{_table(["topic", "owner", "key", "messages", "consumers", "partitions", "kept"], rows)}
"""


def _operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


_FEW = 4
_FORMATS = {"date": "day", "date-time": "time", "uri": "address"}


def _body_of(operation: dict[str, Any]) -> str:
    """The component of an operation's body, ``""`` where it takes none, or one of no contract."""
    content = operation.get("requestBody", {}).get("content", {})
    reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.rpartition("/")[2]


def _is_patch(operation: dict[str, Any]) -> bool:
    return MERGE_PATCH in operation.get("requestBody", {}).get("content", {})


def _heading(component: str) -> str:
    return component.removesuffix("-Input")


def _link(component: str) -> str:
    return f"[{_heading(component)}](#{_heading(component).lower()})"


def _body_cell(operation: dict[str, Any]) -> str:
    """What an operation takes. A merge patch has the members of what makes the document, none of them required."""
    body = _body_of(operation)
    if _is_patch(operation):
        return f"some of {_link(body.replace('Update', 'Create', 1))}"
    if not body:
        return ", ".join(f"`{kind}`" for kind in operation.get("requestBody", {}).get("content", ()))
    return _link(body)


def _values(schema: dict[str, Any]) -> str:
    return " · ".join(f"`{value}`" for value in schema["enum"])


def _kind(schema: dict[str, Any], schemas: dict[str, Any], inner: list[str]) -> str:
    """What a member takes, in a few words; each object it leads to is added to ``inner``."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if len(schemas[name].get("enum", ())) in range(1, _FEW + 1):
            return _values(schemas[name])
        inner.append(name)
        return _link(name)
    if "anyOf" in schema and "type" in schema:
        return " or ".join(_FORMATS[one["format"]] for one in schema["anyOf"])
    if "anyOf" in schema:
        return _kind(next(one for one in schema["anyOf"] if one.get("type") != "null"), schemas, inner)
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object: a name → {_kind(schema['additionalProperties'], schemas, inner)}"
    if schema["type"] == "array":
        least, most = schema.get("minItems"), schema.get("maxItems")
        bounds = ", ".join([f"at least {least}"] * bool(least) + [f"at most {most}"] * bool(most))
        return f"list of {_kind(schema['items'], schemas, inner)}" + (f" ({bounds})" if bounds else "")
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return f"whole number from {least}" + (f" to {most}" if most != MAX_COUNT else "")
    if schema["type"] == "string":
        if "format" in schema:
            return _FORMATS[schema["format"]]
        if schema.get("pattern") == ID_PATTERN:
            return "id"
        return f"text, up to {schema['maxLength']}" if "maxLength" in schema else "text"
    return "`true` · `false`" if schema["type"] == "boolean" else str(schema["type"])


def _default(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}) else f"`{orjson.dumps(default).decode()}`"


def _bodies(names: list[str], schemas: dict[str, Any], taken: dict[str, str], listed: set[str]) -> Iterator[str]:
    """Each body's members, and then those of the objects in it; each once."""
    for name in names:
        if name in listed:
            continue
        listed.add(name)
        if "enum" in schemas[name]:
            yield f"### {_heading(name)}\n{_values(schemas[name])}"
            continue
        inner: list[str] = []
        rows = [
            [
                f"`{member}`",
                _kind(schema, schemas, inner),
                "yes" if member in schemas[name].get("required", ()) else _default(schema),
            ]
            for member, schema in schemas[name]["properties"].items()
            if schema.get("description") != ONLY_EPIC_SETS
        ]
        head = f"### {_heading(name)}\n" + (f"{taken[name]}\n\n" if name in taken else "")
        yield head + _table(["member", "what it takes", "required, or the default"], iter(rows))
        yield from _bodies(inner, schemas, taken, listed)


async def _openapi(app: ASGIApp) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.get("/openapi.json")
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


async def _apps() -> dict[str, FastAPI]:
    """The application of each service. Nothing is started."""
    with tempfile.TemporaryDirectory() as folder:
        settings, transport = load_settings({}, data_dir=Path(folder)), EmbeddedTransport(Path(folder))
        clock = RunningClock()
        return {service: (await build(settings, transport, clock)).app for service, build in builds().items()}


async def api_page(apps: dict[str, FastAPI]) -> str:
    """Every route of every service and every body, by the service's OpenAPI."""
    sections: list[str] = []
    bodies: list[str] = []
    listed: set[str] = set()
    for service, app in apps.items():
        document = await _openapi(app)
        operations = [one for one in _operations(document) if not _KIT.match(one[1])]
        rows = (
            [
                f"`{method}`",
                f"`{path}`",
                operation.get("summary", ""),
                _body_cell(operation),
                ", ".join(f"`{item['name']}`" for item in operation.get("parameters", ()) if item["in"] == "query"),
            ]
            for method, path, operation in operations
        )
        sections.append(f"## {service}\n{_table(['method', 'path', '', 'body', 'query'], rows)}\n")
        taken: dict[str, str] = {}
        for method, path, operation in operations:
            if (body := _body_of(operation)) and not _is_patch(operation):
                taken[body] = f"{taken[body]}, `{method} {path}`" if body in taken else f"`{method} {path}`"
        bodies += _bodies(list(taken), document["components"]["schemas"], taken, listed)
    kit = (
        [f"`{method}`", f"`{path}`", operation.get("summary", "")]
        for method, path, operation in _operations(document)
        if _KIT.match(path)
    )
    return f"""# HTTP
{_MADE}

Bodies and answers are JSON; `/openapi.json` of each service has every member of both. A list answers `{{Items, NextCursor}}`. A read
of a document carries `ETag: "n"`, its version, or `ETag: "n.h"` where it shows what the version does not hold (hosts, colours, defaults). `If-None-Match` compares the whole tag: a read
whose tag it names is 304, and a write is 412; `*` on a write means create only. `If-Match` judges n: a write is 412 when n is no longer the latest. Both take a list; both are 400 on a write that has no version (orders,
runs, inventories). `HEAD` answers wherever `GET` does. A write with an `Idempotency-Key`
may be sent again and gets its first answer. `X-Epic-User` says who asks. Errors are `application/problem+json`: 400 names each bad field, and then one rule
about several fields at a time.

`epic up` and the gateway of the compose file answer every path below that is a service's own, and each service's
[common pages](#every-service) behind its name: `/fleet_svc/health/ready`, `/hotw_svc/metrics`, `/event_svc/openapi.json`. Only `epic up` has
`/` (what there is) and `/health/ready` (all five at once); the compose gateway's own `/health/live` says only that it runs itself. A
service by itself (`epic serve`) has its paths and the common pages without its name in front.

{chr(10).join(sections)}
## Every service
Behind the gateway with the service's name in front.

{_table(["method", "path", ""], kit)}

# Bodies
`PUT` of a resource merges (RFC 7396), as `application/json` or `application/merge-patch+json`: what is left out stays, `null` clears an
optional member; "required" is what `POST` needs. What the path gives may be repeated in the body. An unknown member is refused, except
those that only EPIC sets, which may come back as they were read. A day is `2024-07-16`, a time `2024-06-15T09:00:00Z`; an id is 1 to 128
letters, digits, `.`, `_`, `-`.

{(chr(10) * 2).join(bodies)}
"""


def metrics_page() -> str:
    """Every metric, what it means and what to do."""
    families = Metrics().registry.collect()
    rows = ([f"`{family.name}`", family.type, family.documentation] for family in families)
    return f"# Metrics\n{_MADE}\n\n`GET /metrics` of each service.\n\n{_table(['metric', 'type', 'meaning, and the remedy'], rows)}\n"


def _shown(default: Any) -> str:
    if default in (PydanticUndefined, None, (), False):
        return ""
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


def settings_page() -> str:
    """Every EPIC_ variable and its default."""
    rows = (
        [
            f"`{PREFIX}{name.upper()}`",
            field.description or "",
            _shown(field.default),
        ]
        for name, field in Settings.model_fields.items()
    )
    return (
        f"# Settings\n{_MADE}\n\nA variable that is unknown or wrong stops the start, with one line that says why.\n\n"
        + _table(["variable", "meaning", "default"], rows)
        + "\n"
    )


def with_routes(config: str, routes: Sequence[Route]) -> str:
    """The nginx configuration with the services' routes between its two marks. ValueError without the marks."""
    before, begin, rest = config.partition(_NGINX_BEGIN)
    _, end, after = rest.partition(_NGINX_END)
    if not begin or not end:
        raise ValueError("the nginx configuration has lost the marks around the services' routes")
    patterns = list(patterns_of(routes))
    width = max(len(pattern) for pattern, _ in patterns)
    lines = [
        f"  location ~ {pattern:{width}} {{ set $upstream http://{service}:8000; proxy_pass $upstream; }}\n"
        for pattern, service in patterns
    ]
    return f"{before}{begin}{''.join(lines)}{end}{after}"


def files() -> dict[Path, str]:
    """Each generated file and its text."""
    apps = asyncio.run(_apps())
    return {
        FOLDER / "api.md": asyncio.run(api_page(apps)),
        FOLDER / "topics.md": topics_page(),
        FOLDER / "metrics.md": metrics_page(),
        FOLDER / "settings.md": settings_page(),
        NGINX: with_routes(NGINX.read_text(), routes_of(apps)),
    }


if __name__ == "__main__":
    for line in golden_messages.write():
        sys.stdout.write(f"{line}\n")
    for path, text in files().items():
        path.write_text(text)
        sys.stdout.write(f"{path}\n")
