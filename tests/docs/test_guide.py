"""The guide can be followed as it is written: its shell blocks are run in order, on an empty EPIC of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "8001"
END = "--- end of block ---"
PATIENCE = 300
PROGRAMS = {"epic": "-m epic", "python": "", "openapi-python-client": "-m openapi_python_client"}
"""What the guide calls of .venv/bin, as this test's own interpreter has it."""


def read(url: str) -> str | None:
    """What an address answers, None when nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, HTTPException):
        return None


def wait_for(url: str, wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while (seen := read(url)) is None or wanted not in seen:
        if time.monotonic() > deadline:
            pytest.fail(f"{url} answers {seen}, not {wanted}")
        time.sleep(0.05)


def at_rest(address: str) -> None:
    """Returns once two looks find nothing to take in and no mail to send: what a reader takes for a moment."""
    deadline, quiet = time.monotonic() + PATIENCE, 0
    while quiet < 2:
        waiting = json.loads(read(f"{address}/embedded/waiting") or '{"": 1}')
        mails = json.loads(read(f"{address}/notification?Status=Pending") or '{"Items": ["unknown"]}')["Items"]
        quiet = 0 if any(waiting.values()) or mails else quiet + 1
        if time.monotonic() > deadline:
            pytest.fail(f"EPIC does not come to rest: {waiting}, mails {mails}")
        time.sleep(0.05)


@contextmanager
def terminal(folder: Path, path: str) -> Iterator[subprocess.Popen[str]]:
    """The second terminal: one shell for all blocks, which ends at the first command that fails."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "USER": "nadia"}
    shell = subprocess.Popen(
        ["bash", "-e"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        cwd=folder,
        env=environment,
    )
    try:
        yield shell
    finally:
        shell.kill()
        shell.communicate()


def output_of(shell: subprocess.Popen[str], block: str) -> str:
    """What a block prints."""
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(f"{block}\necho; echo '{END}'\n")
    lines: list[str] = []
    for line in shell.stdout:
        if line.strip() == END:
            return "".join(lines)
        lines.append(line)
    pytest.fail(f"this ended with an error:\n{block}\nand printed:\n{''.join(lines)}")


@contextmanager
def first_terminal(command: str, folder: Path, address: str) -> Iterator[None]:
    """The EPIC that the guide starts, ended by Ctrl-C."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
    with (folder / "up.log").open("wb") as out:
        started = subprocess.Popen(["bash", "-c", f"exec env {command}"], cwd=folder, env=kept, stdout=out, stderr=out)
    try:
        wait_for(f"{address}/health/ready", '"Ready"')
        yield
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(PATIENCE)
    assert started.returncode == 0, (folder / "up.log").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guide_can_be_followed_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {command} "$@"\n')
        (programs / name).chmod(0o755)
    guide = (ROOT / "docs" / "guide.md").read_text().replace(PORT, port)
    (_, start), *blocks = BLOCK.findall(guide)

    with first_terminal(start.strip(), tmp_path, address), terminal(tmp_path, str(programs)) as shell:
        output = ""
        for kind, block in blocks:
            if kind == "sh":
                at_rest(address)
                output = output_of(shell, block)
            else:
                assert block.strip() in output
    assert list((tmp_path / "guide-data" / "mail").glob("*.eml"))
