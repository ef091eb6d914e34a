"""What the tests do on a machine without a Docker engine, or without the images that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_DOCKER_TEST = "tests/contracts/stores/test_leases.py"
_NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def _run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "EPIC_REQUIRE_DOCKER")}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment | variables,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_without_an_engine_its_tests_are_left_out_and_the_remedy_is_named() -> None:
    done = _run("pytest", "-q", "-k", "mongo or sqlite", "-p", "no:cacheprovider", _DOCKER_TEST, **_NO_ENGINE)
    assert done.returncode == 0, done.stdout
    assert "tests marked docker: no Docker engine answers (DockerException); start Docker, or set" in done.stdout
    assert "18 passed, 9 skipped" in done.stdout
    assert done.stderr == ""


@pytest.mark.docker
def test_without_an_image_its_tests_are_left_out_and_the_remedy_is_named() -> None:
    done = _run("pytest", "-q", "-k", "mongo", "-p", "no:cacheprovider", _DOCKER_TEST, KAFKA_IMAGE="absent/kafka:1")
    assert done.returncode == 0, done.stdout
    assert "tests marked docker: Docker has no image absent/kafka:1; `make test` fetches it, or set" in done.stdout


def test_required_tests_fail_at_once_and_say_once_what_is_missing() -> None:
    done = _run("pytest", "-q", "-p", "no:cacheprovider", _DOCKER_TEST, EPIC_REQUIRE_DOCKER="1", **_NO_ENGINE)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.splitlines() == [
        "ERROR: EPIC_REQUIRE_DOCKER=1 or CI=true asks for real servers: "
        "no Docker engine answers (DockerException); start Docker",
        "",
    ]


def test_images_are_fetched_before_the_tests_or_the_reason_is_printed() -> None:
    done = _run("tests.support.docker_engine", **_NO_ENGINE)
    assert (done.returncode, done.stderr) == (0, "  Docker: no Docker engine answers (DockerException)\n")
    done = _run("tests.support.docker_engine", EPIC_REQUIRE_DOCKER="1", **_NO_ENGINE)
    assert (done.returncode, done.stderr) == (1, "  Docker: no Docker engine answers (DockerException)\n")
