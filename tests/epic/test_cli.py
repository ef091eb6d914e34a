"""How the ``epic`` command begins and ends, whatever the subcommand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from epic import __version__
from shared.schemas.topics import TOPICS
from tests.support.epic_command import Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CODE = "from epic.cli import main; main()"
IMPORTED = "import sys; from epic import cli\ntry: cli.main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
HELP_OF_ALL = """
import sys
from epic import cli
for name in cli._COMMANDS:
    for more in ([], ["list"]) if name == "dlq" else ([],):
        sys.argv = ["epic", name, *more, "--help"]
        try: cli.main()
        except SystemExit as end: assert not end.code
sys.stderr.write(" ".join(sys.modules))
"""
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


def test_the_help_of_a_subcommand_imports_nothing_that_only_its_work_needs() -> None:
    done = epic(stdout=subprocess.DEVNULL, code=HELP_OF_ALL)
    assert done.returncode == 0
    assert not (HEAVY - {"shared"}) & set(done.stderr.split())


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


@pytest.mark.parametrize(
    "command",
    [
        "",
        "up",
        "serve",
        "load",
        "sample",
        "produce",
        "tail",
        "topics",
        "dlq",
        "dlq list",
        "dlq show",
        "dlq replay",
        "dlq drop",
    ],
)
def test_every_command_has_its_help(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage: epic")
    assert "…" not in out


def test_topics_lists_the_registry(run: Run) -> None:
    code, out, _ = run("topics")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(TOPICS)
    code, out, _ = run("topics", "--json")
    output = {topic["Topic"]: topic for topic in orjson.loads(out)}
    assert list(output) == list(TOPICS)
    assert output["fleet.commands"]["Partitions"] == TOPICS["fleet.commands"].partitions
    assert {message["Type"] for message in output["event.commands"]["Messages"]} >= {
        "CreateEvent",
        "UpdateEvent",
        "DeleteEvent",
    }
    assert run("topics", "--owner", "nobody")[0] == 2


def test_serve_and_up_refuse_in_one_line_what_cannot_be_run(run: Run, tmp_path: Path) -> None:
    for arguments, printed in (
        (("serve", "plan_svc"), "plan_svc is not a service of EPIC; give one of fleet_svc,"),
        (("up", "--now", "tomorrow"), "--now tomorrow is not an instant; give one such as 2024-06-15T09:00:00Z"),
        (("up", "--now", "2024-06-15T09:00:00"), "--now 2024-06-15T09:00:00 is not an instant"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert err.startswith(f"epic: {printed}")
        assert err.count("\n") == 1
