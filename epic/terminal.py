"""Output for people: lines, tables and progress, with Rich on a terminal and as plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[int], None]

_UNBOUNDED: Final = 100_000
_LAST_COLUMN: Final = 20  # characters; the last column folds to this width before the others fold
_PLAIN_EVERY_SECONDS: Final = 2.0
_COLOURS: Final = {"Green": "green", "Yellow": "yellow", "Red": "red", "Ready": "green", "Unready": "red"}


def json_text(value: Any) -> str:
    """JSON for programs: indented, in the given order."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


class Terminal:
    """An output stream. ``interactive``: a person is looking, so bars and colours may be drawn."""

    def __init__(self, stream: IO[str] | None = None, *, interactive: bool | None = None) -> None:
        self._stream = stream or sys.stdout
        self.interactive = self._stream.isatty() if interactive is None else interactive
        self._console = Console(
            file=self._stream,
            width=None if self.interactive else _UNBOUNDED,
            force_terminal=self.interactive,
            no_color=None if self.interactive else True,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def print(self, text: str = "", *, style: str | None = None) -> None:
        """One line, never cut; a long one wraps as the terminal does."""
        if self.interactive:
            self._console.print(Text(text, style=style or ""), soft_wrap=True)
        else:
            self.raw(text)

    def raw(self, text: str) -> None:
        """Text for programs, unchanged."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
        """A complete table: cells fold on a terminal, and elsewhere a line is as long as it needs.

        The last column folds alone if that leaves it enough room; words stay whole if the longest ones fit.
        """
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        cells = list(zip(columns, *rows, strict=True))
        widths = [max(cell_len(str(cell)) for cell in column) for column in cells]
        words = [max((cell_len(word) for cell in column for word in str(cell).split()), default=0) for column in cells]
        gaps = 2 * len(columns)
        least = words if sum(words) + gaps <= self._console.width else [0] * len(columns)
        if sum(widths[:-1]) + max(words[-1], _LAST_COLUMN) + gaps <= self._console.width:
            least = [*widths[:-1], least[-1]]
        for index, name in enumerate(columns):
            numeric = bool(rows) and all(isinstance(row[index], int) or row[index] == "" for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold", min_width=least[index])
        for row in rows:
            table.add_row(*(Text(str(cell), style=_COLOURS.get(str(cell), "")) for cell in row))
        if self.interactive:
            self._console.print(table)
            return
        with self._console.capture() as drawn:
            self._console.print(table)
        self.raw("\n".join(line.rstrip() for line in drawn.get().splitlines()))

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """A bar on a terminal; elsewhere a line at the end and every two seconds before."""
        if self.interactive:
            columns = (TextColumn("{task.description:<28}"), BarColumn(bar_width=30), MofNCompleteColumn())
            with Progress(*columns, TimeElapsedColumn(), console=self._console) as bar:
                task = bar.add_task(what, total=total)
                yield lambda count: bar.update(task, advance=count)
            return
        done, printed = 0, time.monotonic()
        began = printed

        def advance(count: int) -> None:
            nonlocal done, printed
            done += count
            if done < total and time.monotonic() - printed >= _PLAIN_EVERY_SECONDS:
                printed = time.monotonic()
                self.print(f"{what}: {done} of {total}")

        yield advance
        self.print(f"{what}: {done} of {total}, {time.monotonic() - began:.1f} s")
