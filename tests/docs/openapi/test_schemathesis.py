"""EPIC answers what its OpenAPI documents promise: schemathesis, with all of its checks, finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.schemas.topics import SERVICES
from tests.support.openapi import running_epic
from tests.support.stacks import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

HERE = Path(__file__).parent
EXAMPLES, SEED = 20, "2024"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an EPIC that the sample play has filled: what the documents take as examples is in it."""
    with running_epic(tmp_path_factory.mktemp("played"), "--play") as address:
        yield address


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_answers_what_its_document_promises(
    address: str, service: str, examples: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(HERE / "schemathesis.toml")]
    chosen = ["--seed", SEED] if examples == EXAMPLES else []  # the long run looks for what nobody has seen
    of_service = ["run", f"{address}/{service}/openapi.json", "--url", f"{address}/{service}"]
    done = subprocess.run(
        [*command, *of_service, "--max-examples", str(examples), *chosen],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.docs.openapi.rules"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
