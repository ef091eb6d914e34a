"""Writes docs/reference from the code: the HTTP API, the topics, the metrics and the settings. Run by ``make docs``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from epic.runner import builds
from shared.clock import FixedClock
from shared.messaging.transport import EmbeddedTransport
from shared.metrics import Metrics
from shared.schemas.topics import SERVICES, TOPICS, Topic
from shared.settings import PREFIX, Settings, load_settings

FOLDER = Path(__file__).parent / "reference"
_MADE = "<!-- Made by `make docs` from the code; change the code instead. -->"
_DAY_MS = 86_400_000


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
            f"`{topic.name}`", topic.owner, f"`{topic.key}`" if "{" in topic.key else topic.key,
            "<br>".join(f"`{message.ce_type}` ({message.model.__name__}) {message.summary}" for message in topic.messages),
            ", ".join(topic.consumers) or "–", str(topic.partitions), _kept(topic),
        ]
        for topic in TOPICS.values()
    )  # fmt: skip
    return f"""# Topics
{_MADE}

CloudEvents 1.0: the attributes are `ce_…` headers (binary mode); structured mode is read too. `/asyncapi.json` of each service has
every member of every message, `shared/schemas/golden` an example of each. A command is answered on `command.results`.

{_table(["topic", "owner", "key", "messages", "consumers", "partitions", "kept"], rows)}
"""


def _operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def api_page() -> str:
    """Every route of every service, as its OpenAPI says it."""
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({}, data_dir=Path(folder))
        transport = EmbeddedTransport(Path(folder))
        for service in SERVICES:
            running = await builds()[service](settings, transport, FixedClock("2024-06-15T09:00:00Z"))
            rows = (
                [
                    f"`{method}`", f"`{path}`", operation.get("summary", ""),
                    ", ".join(f"`{item['name']}`" for item in operation.get("parameters", ()) if item["in"] == "query"),
                ]
                for method, path, operation in _operations(running.app.openapi())
            )  # fmt: skip
            sections.append(f"## {service}\n{_table(['method', 'path', '', 'query'], rows)}")
    return f"""# HTTP
{_MADE}

Bodies and answers are JSON; `/openapi.json` of each service has every member. A list answers `{{Items, NextCursor}}`. A read carries
`ETag: "n"`; a write with `If-Match: "n"` is refused with 412 when n is no longer the latest. A write with an `Idempotency-Key` may be
sent again and gets its first answer. `X-Epic-User` says who asks. Errors are `application/problem+json`: 400 names each bad field.

{chr(10).join(sections)}
"""


def metrics_page() -> str:
    """Every metric, what it means and what to do."""
    families = Metrics("fleet_svc").registry.collect()
    rows = ([f"`{family.name}`", family.type, family.documentation] for family in families)
    return f"# Metrics\n{_MADE}\n\n`GET /metrics` of each service.\n\n{_table(['metric', 'type', 'meaning, and the remedy'], rows)}\n"


def settings_page() -> str:
    """Every EPIC_ variable and its default."""
    rows = (
        [
            f"`{PREFIX}{name.upper()}`", field.description or "",
            "" if field.default in (PydanticUndefined, None, ()) else f"`{field.default}`",
        ]
        for name, field in Settings.model_fields.items()
    )  # fmt: skip
    return f"# Settings\n{_MADE}\n\nA variable that is unknown or wrong stops the start, with one line that says why.\n\n" + _table(
        ["variable", "meaning", "default"], rows
    ) + "\n"  # fmt: skip


def pages() -> dict[str, str]:
    """Each page's name and text."""
    return {
        "api.md": asyncio.run(api_page()), "topics.md": topics_page(), "metrics.md": metrics_page(),
        "settings.md": settings_page(),
    }  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        sys.stdout.write(f"docs/reference/{name}\n")
