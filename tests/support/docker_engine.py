"""Whether containers can be started here, and the images that they need. Run as a program, it fetches those images."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound

_PUBLIC: Final = {
    "KAFKA_IMAGE": "apache/kafka:3.9.1",
    "MONGO_IMAGE": "mongo:7.0",
    "MYSQL_IMAGE": "mysql:8.4",
    "NGINX_IMAGE": "nginx:1.28",
    "PYTHON_IMAGE": "python:3.12-slim",
}
IMAGES: Final = {name: os.environ.get(name, public) for name, public in _PUBLIC.items()}
"""By the environment variable that names another one; those of docker-compose.yml."""
REQUIRED: Final = os.environ.get("CI") == "true" or os.environ.get("EPIC_REQUIRE_DOCKER") == "1"
"""Whether the tests on real servers must run: without an engine or an image they fail instead of being left out."""


def missing() -> str | None:
    """Why no container can be started here, and the remedy; None when all of them can."""
    with _leaving_nothing_open():
        try:
            absent = _absent_images()
        except DockerException as error:
            return f"no Docker engine answers ({type(error).__name__}); start Docker"
    return f"Docker has no image {', '.join(absent)}; `make test` fetches it" if absent else None


def fetch() -> str | None:
    """Fetches the images that are not here; why that is not possible, else None."""
    try:
        for image in _absent_images():
            print(f"  fetching {image}", flush=True)
            with closing(docker.from_env(timeout=600)) as client:
                client.images.pull(image)
    except (APIError, OSError) as error:
        return f"{image} cannot be fetched: {getattr(error, 'explanation', None) or error}"
    except DockerException as error:
        return f"no Docker engine answers ({type(error).__name__})"
    return None


def _absent_images() -> list[str]:
    absent = []
    with closing(docker.from_env()) as client:
        for image in IMAGES.values():
            try:
                client.images.get(image)
            except ImageNotFound:
                absent.append(image)
    return absent


@contextmanager
def _leaving_nothing_open() -> Iterator[None]:
    """Collects the socket that the client leaves open where no engine answers, which would fail any later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


if __name__ == "__main__":
    reason = fetch()
    if reason is not None:
        print(f"  Docker: {reason}", file=sys.stderr)
        sys.exit(1 if REQUIRED else 0)
    print("  Docker answers and has every image")
