"""The AsyncAPI document passes the official parser (npm), where node and its registry are there."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from shared.messaging.asyncapi import asyncapi
from shared.schemas.topics import SERVICES, TOPICS
from tests.support import node

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def test_every_document_passes_the_official_parser(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    parser = node.installed(HERE, pytestconfig)
    files = []
    for service in (None, *SERVICES):
        files.append(tmp_path / f"{service or 'epic'}.json")
        files[-1].write_bytes(orjson.dumps(asyncapi(service)))

    checked = node.run(HERE / "check.cjs", parser, *map(str, files))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"epic.json: {sum(len(topic.messages) for topic in TOPICS.values())} messages" in checked.stdout
