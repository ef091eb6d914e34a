"""The processes beside this one: services and floors, each with a log, started, awaited, watched and stopped."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.http import call

ROOT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 90.0
_IDLE_SHARE: Final = 0.06
_IDLE_LOOKS: Final = 4


@dataclass
class Process:
    """``python -m`` with arguments; ``environment`` replaces every ``EPIC_*`` that this process has."""

    arguments: Sequence[str]
    log: Path
    port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    _popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.arguments[0]} was not started")
        return self._popen.pid

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                env={**kept, **self.environment},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def has_ended(self) -> bool:
        return self._popen is None or self._popen.poll() is not None

    async def ready(self, path: str = "/health/ready") -> None:
        """Returns when it answers 200; RuntimeError with the log's end when it ends instead, or takes too long."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            if self.has_ended():
                raise RuntimeError(f"{' '.join(self.arguments)} ended:\n{self.tail()}")
            try:
                status, body = await call(self.port, "GET", path)
                if status == 200:
                    return
                seen = body.decode(errors="replace")
            except (OSError, EOFError) as error:
                seen = repr(error)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(self.arguments)} was not ready in {_PATIENCE:.0f} s: {seen}")
            await asyncio.sleep(0.05)

    def cpu_seconds(self) -> float | None:
        """The processor time it has had; None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def idle(self, seconds: float = 60) -> None:
        """Returns when it has had next to no work for a moment, so that the other side has the machine."""
        deadline, quiet, before = time.monotonic() + seconds, 0, self.cpu_seconds()
        while quiet < _IDLE_LOOKS and time.monotonic() < deadline:
            began = time.monotonic()
            await asyncio.sleep(0.25)
            now = self.cpu_seconds()
            share = 0.0 if now is None or before is None else (now - before) / (time.monotonic() - began)
            quiet = quiet + 1 if share < _IDLE_SHARE else 0
            before = now

    def rss_mb(self) -> float:
        """Its resident memory, in MB."""
        printed = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True)
        return int(printed.stdout) / 1024

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to one that does not go. May be repeated."""
        popen = self._popen
        if popen is None or popen.poll() is not None:
            return
        popen.terminate()
        try:
            await asyncio.to_thread(popen.wait, 30)
        except subprocess.TimeoutExpired:
            popen.kill()
            await asyncio.to_thread(popen.wait)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
