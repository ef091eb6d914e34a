"""The OpenAPI documents pass redocly's recommended rules (npm), where node and its registry are there."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.support import node
from tests.support.openapi import openapi_documents

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


async def test_every_document_passes_the_recommended_rules(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    redocly = node.installed(HERE, pytestconfig)
    files = []
    for name, document in (await openapi_documents(tmp_path / "data")).items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_bytes(orjson.dumps(document))

    checked = node.run(HERE / "check.mjs", redocly, *map(str, files))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count(": checked") == len(files)
