from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from epic.terminal import Terminal

TEXT = st.text(st.characters(whitelist_categories=("L", "N"), max_codepoint=0x2FF), min_size=1, max_size=300)


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 10**9)), min_size=1, max_size=5))
def test_off_a_terminal_a_table_is_cut_nowhere_and_has_a_line_a_row(rows: list[tuple[str, str, int]]) -> None:
    out = io.StringIO()
    Terminal(out).table(("First", "Second", "Hosts"), rows, title="Fleets")
    shown = out.getvalue().splitlines()
    assert len(shown) == len(rows) + 2
    for row, line in zip(rows, shown[2:], strict=True):
        assert [part for part in line.split(" ") if part] == [row[0], row[1], str(row[2])]


def test_on_a_narrow_terminal_cells_fold_and_nothing_is_lost(monkeypatch: object) -> None:
    out = io.StringIO()
    terminal = Terminal(out, interactive=True)
    terminal._console.width = 40
    terminal.table(("Fleet", "Awaited"), [("FORTRESSService-NA-X0", "AWS: " + "0 of 3 approved " * 6)])
    text = out.getvalue()
    assert text.count("approved") == 6
    assert "…" not in text


def test_off_a_terminal_there_are_no_colours_and_a_long_line_stays_one_line() -> None:
    out = io.StringIO()
    Terminal(out).print("x" * 500, style="red")
    assert out.getvalue() == "x" * 500 + "\n"


def test_square_brackets_and_colons_are_text_not_markup() -> None:
    out = io.StringIO()
    Terminal(out).print("[Automated] Hardware order placed: SPCO-789 :smile:")
    assert out.getvalue() == "[Automated] Hardware order placed: SPCO-789 :smile:\n"


def test_on_a_terminal_the_last_column_folds_and_the_others_stay_whole() -> None:
    out = io.StringIO()
    terminal = Terminal(out, interactive=True)
    terminal._console.width = 64
    terminal.table(("Fleet", "Hosts", "Awaited"), [("RecommendationService-NA-X0", 7, "a long reason " * 6)])
    first, *rest = out.getvalue().splitlines()[1:]
    assert first.split()[:2] == ["RecommendationService-NA-X0", "7"]
    assert len(rest) >= 2


def test_on_a_terminal_no_word_is_broken_where_all_of_them_fit() -> None:
    out = io.StringIO()
    terminal = Terminal(out, interactive=True)
    terminal._console.width = 80
    row = ("CheckoutService-EU-X0", "waits for ProjectionVerification", "waits for CommunicateTPMToDownstream")
    terminal.table(("Fleet", "Hosts", "Awaited"), [row])
    for word in " ".join(row).split():
        assert word in out.getvalue().split()
