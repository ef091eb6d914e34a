"""Programs of npm for the tests that need one: installed by their lock file, once for as long as it stays the same."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import leave_out

_INSTALL_SECONDS = 50
_NODE, _NPM = shutil.which("node"), shutil.which("npm")


def installed(lock_folder: Path, config: pytest.Config) -> Path:
    """A folder with the packages of ``lock_folder`` in it. Without Node the test is left out; in CI it fails."""
    if _NODE is None or _NPM is None:
        leave_out("node and npm are not here")
    assert config.cache is not None
    lock = (lock_folder / "package-lock.json").read_bytes()
    folder = Path(config.cache.mkdir("npm")) / f"{lock_folder.name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    done = folder / "installed"
    if not done.exists():
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock_folder / name, folder)
        install = [_NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        try:
            subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            printed = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            leave_out(f"npm cannot install {lock_folder.name}: {printed[-1] if printed else error}")
        done.touch()
    return folder


def run(script: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script run by Node, with the packages that are installed in a folder."""
    assert _NODE is not None
    command = [_NODE, str(script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
