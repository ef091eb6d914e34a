"""The declared resources of every service, for the tools that derive something from them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from shared.resources import Resource
from shared.schemas.topics import SERVICES


def declarations() -> dict[str, tuple[Resource[Any], ...]]:
    """The declarations of each service, by its name; none where a service declares nothing."""
    return {
        service: import_module(f"services.{service}.resources").RESOURCES if _has_resources(service) else ()
        for service in SERVICES
    }


def _has_resources(service: str) -> bool:
    return find_spec(f"services.{service}.resources") is not None
