"""The ``epic`` command: its subcommands, and how each ends."""

from __future__ import annotations

import sys

import typer

from epic.commands.dead_letters import dlq
from epic.commands.load import load_files
from epic.commands.messages import produce, tail
from epic.commands.rewind import rewind
from epic.commands.run import serve, up
from epic.commands.sample import sample
from epic.commands.topics import topics
from epic.failure import CommandFailed

_INTERRUPTED = 130

app = typer.Typer(
    name="epic",
    help="EPIC gets a company's services through a peak event: plans, hosts, orders, readiness.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command("up", short_help="Run all of EPIC in this process, embedded")(up)
app.command("serve", short_help="Run one service, configured by EPIC_* variables")(serve)
app.command("load", short_help="Load NDJSON files of resources over HTTP")(load_files)
app.command("sample", short_help="Generate a sample company of any size")(sample)
app.command("produce", short_help="Send a command or an event, and show the answer")(produce)
app.command("tail", short_help="Follow a topic")(tail)
app.add_typer(dlq, name="dlq", short_help="List, show, replay and drop dead letters")
app.command("rewind", short_help="Set a stopped service back, so that it consumes again")(rewind)
app.command("topics", short_help="List every topic, its messages and owner")(topics)


def main() -> None:
    """Runs one command. A failure is one line on stderr, with the remedy, and an exit code."""
    try:
        app(prog_name="epic")
    except CommandFailed as failure:
        sys.stderr.write(f"epic: {failure.text}\n")
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone
        sys.exit(0)
