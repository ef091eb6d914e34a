"""EPIC answers what its OpenAPI documents promise: schemathesis, with all of its checks, finds nothing.

Each run looks for what nobody has seen: it has a new seed, and a failure names the command that repeats it.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.schemas.topics import SERVICES
from tests.support.openapi import running_epic
from tests.support.stacks import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

HERE = Path(__file__).parent
METHODS = {"get", "put", "post", "delete"}
MANY = 100
FEW, AT_ONCE = 20, 1_000
"""Examples of an operation, and about how many of a service's operations together: one with many gets fewer of each."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an EPIC that the sample play has filled: what the documents take as examples is in it."""
    with running_epic(tmp_path_factory.mktemp("played"), "--play") as address:
        yield address


@pytest.mark.parametrize("many", [False, pytest.param(True, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_answers_what_its_document_promises(
    address: str, service: str, many: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    document = httpx.get(f"{address}/{service}/openapi.json").json()
    operations = sum(len(path.keys() & METHODS) for path in document["paths"].values())
    examples = MANY if many else min(FEW, AT_ONCE // operations)
    seed = request.config.getoption("--hypothesis-seed") or str(secrets.randbelow(2**32))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(HERE / "schemathesis.toml")]
    of_service = ["run", f"{address}/{service}/openapi.json", "--url", f"{address}/{service}"]
    done = subprocess.run(
        [*command, *of_service, "--max-examples", str(examples), "--seed", seed],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.docs.openapi.rules"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    long = "EPIC_LONG=1 " if many else ""
    repeat = f"{long}.venv/bin/pytest {shlex.quote(request.node.nodeid)} --hypothesis-seed={seed}"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nTo repeat it: {repeat}"
