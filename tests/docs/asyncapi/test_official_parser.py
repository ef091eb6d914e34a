"""The AsyncAPI document passes the official parser (npm), where node and its registry are there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import orjson
import pytest

from shared.messaging.asyncapi import asyncapi
from shared.schemas.topics import SERVICES, TOPICS
from tests.support.docker_engine import REQUIRED

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
INSTALL_SECONDS = 50
NODE, NPM = shutil.which("node"), shutil.which("npm")


def _leave_out(reason: str) -> NoReturn:
    """Skips the test on a machine that need not have everything, and fails it in CI."""
    (pytest.fail if REQUIRED else pytest.skip)(reason)


@pytest.fixture(scope="module")
def parser(request: pytest.FixtureRequest) -> Path:
    """A folder with the parser installed, kept between runs for as long as its lock file stays the same."""
    if NODE is None or NPM is None:
        _leave_out("node and npm are not here")
    assert request.config.cache is not None
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(request.config.cache.mkdir("asyncapi-parser")) / hashlib.sha256(lock).hexdigest()[:16]
    done = folder / "installed"
    if not done.exists():
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        install = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        try:
            subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            printed = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            _leave_out(f"npm cannot install the parser: {printed[-1] if printed else error}")
        done.touch()
    return folder


def test_every_document_passes_the_official_parser(parser: Path, tmp_path: Path) -> None:
    files = []
    for service in (None, *SERVICES):
        files.append(tmp_path / f"{service or 'epic'}.json")
        files[-1].write_bytes(orjson.dumps(asyncapi(service)))
    assert NODE is not None

    checked = subprocess.run(
        [NODE, str(HERE / "check.cjs"), *map(str, files)], cwd=parser, capture_output=True, text=True, timeout=180
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"epic.json: {sum(len(topic.messages) for topic in TOPICS.values())} messages" in checked.stdout
