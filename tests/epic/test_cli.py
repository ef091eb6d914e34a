"""How the ``epic`` command begins and ends, whatever the subcommand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from epic import __version__
from tests.support.epic_command import Run

ROOT = Path(__file__).parents[2]
CODE = "from epic.cli import main; main()"
IMPORTED = "import sys; from epic import cli\ntry: cli.main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
HEAVY = {"aiohttp", "aiokafka", "fastapi", "pydantic", "rich", "services", "shared"}


def epic(*arguments: str, stdout: int, code: str = CODE) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        timeout=120,
        check=False,
    )


def test_version_prints_the_version(run: Run) -> None:
    assert run("--version") == (0, f"epic {__version__}\n", "")


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_neither_help_nor_version_imports_what_only_a_subcommand_needs(asked: str) -> None:
    done = epic(asked, stdout=subprocess.DEVNULL, code=IMPORTED)
    assert done.returncode == 0
    assert not HEAVY & set(done.stderr.split())


def test_a_subcommand_that_is_misspelt_is_refused_with_the_nearest(run: Run) -> None:
    code, _, err = run("topic")
    assert code == 2
    assert "Did you mean 'topics'?" in err


@pytest.mark.parametrize("arguments", [("--help",), ("topics",), ("sample", "--out", "-")])
def test_a_full_device_is_one_line_and_exit_code_1(arguments: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = epic(*arguments, stdout=full)
    finally:
        os.close(full)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("epic: ")
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "exit_code"), [("dlq list --url http://127.0.0.1:1", 2), ("load -", 0)])
def test_closed_descriptors_do_no_harm(command: str, exit_code: int, closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m epic {command} {closed}', sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == exit_code
    assert (done.stdout + done.stderr).count("\n") <= 1


@pytest.mark.parametrize("arguments", [("--help",), ("topics",), ("sample", "--out", "-")])
def test_an_output_that_nobody_reads_ends_the_command_without_a_word(arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = epic(*arguments, stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_command_whose_output_is_closed_ends_as_if_it_had_one(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" topics {closed}', sys.executable, CODE],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
