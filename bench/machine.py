"""What a figure depends on beside the code: the machine, the interpreter, the drivers and the servers."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.support.docker_engine import IMAGES

_DRIVERS: Final = (
    "aiokafka",
    "motor",
    "pymongo",
    "aiomysql",
    "SQLAlchemy",
    "faststream",
    "fastapi",
    "uvicorn",
    "uvloop",
    "pydantic",
    "orjson",
)
_SERVERS: Final = {"Kafka": "KAFKA_IMAGE", "MongoDB": "MONGO_IMAGE", "MySQL": "MYSQL_IMAGE"}


def described(command: str, servers: Mapping[str, str]) -> dict[str, Any]:
    """``servers``: what the servers say of themselves, by kind."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": command,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "drivers": {name: version(name) for name in _DRIVERS},
        "images": {kind: IMAGES[name] for kind, name in _SERVERS.items()},
        "servers": dict(servers),
    }


def _processor() -> str:
    processor = Path("/proc/cpuinfo")
    if processor.exists():
        found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", processor.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()
