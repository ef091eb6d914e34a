"""Programs of the machine that a test needs: without one the test is left out, and in CI it fails."""

from __future__ import annotations

import shutil
from typing import NoReturn

import pytest

from tests.support.docker_engine import REQUIRED


def program(name: str, *, package: str) -> str:
    """The path of a program, which Debian has in ``package``."""
    return shutil.which(name) or leave_out(f"{name} is not here: apt-get install {package}")


def leave_out(reason: str) -> NoReturn:
    """Skips the test on a machine that need not have everything, and fails it in CI."""
    (pytest.fail if REQUIRED else pytest.skip)(reason)
