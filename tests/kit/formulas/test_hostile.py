"""Texts that are no formulas: each is refused, with a place that is in it, and none takes long."""

from __future__ import annotations

import random
import re
import time

import pytest

from shared.formulas import BadFormula, parse

INPUTS = frozenset(("PeakTPM", "BAUTPM", "HostThroughPutTPM", "BufferFactor", "CTFactor"))
PLACE = re.compile(r"line (\d+), column (\d+): (.+)", re.DOTALL)

ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "PeakTPM.__class__",
    "(lambda: PeakTPM)()",
    "[PeakTPM for PeakTPM in (1,2)]",
    "exec('1')",
    "eval(PeakTPM)",
    "open('/etc/passwd')",
    "globals()",
    "print(1)",
    "f'{PeakTPM}'",
    "{{7*7}}",
    "${jndi:ldap://example.com/a}",
    "#{PeakTPM}",
    "'; DROP TABLE fleets; --",
    "1; PeakTPM",
    "PeakTPM = 1",
    "PeakTPM := 1",
    "PeakTPM == 1",
    "PeakTPM < 1",
    "PeakTPM if 1 else 2",
    "1 and 2",
    "not 1",
    "PeakTPM ** 2",
    "9**9**9**9",
    "PeakTPM ^ 2",
    "PeakTPM // 2",
    "PeakTPM % 2",
    "1 << 999999",
    "~1",
    "1!",
    "PeakTPM[0]",
    "PeakTPM()",
    "PeakTPM(1)",
    "pow(2, 2)",
    "sum(1, 2)",
    "Ceil(1)",
    "CEIL(1)",
    "ceil",
    "ceil 1",
    "ceil()",
    "ceil(1, 2)",
    "floor(1,)",
    "min()",
    "max(,1)",
    "max(1 2)",
    "min(1;2)",
    "peaktpm",
    "Peak TPM",
    "PeakTPM PeakTPM",
    "NaN",
    "inf",
    "Infinity",
    "None",
    "True",
    "1e5",
    "1E400",
    "0x10",
    "0b1",
    "1_000",
    "1,000",
    ".5",
    "5.",
    "1.2.3",
    "1..2",
    "+1",
    "1 + + 2",
    "* 2",
    "2 *",
    "2 */ 3",
    "(",
    ")",
    "()",
    "(1",
    "1)",
    "(1))",
    ",",
    "",
    " ",
    "\n\n",
    "\0",
    "1\0",
    "1 # one",
    "1 // one",
    "/* */ 1",
    "1\u00a0+ 1",
    "1 \u2212 1",
    "2 \u00d7 2",
    "\u0661 + \u0662",
    "\uff11",
    "\ufb02oor(1)",
    "Pe\u0430kTPM",
    "\u202e1 + 1",
    "\u200b1",
    "\U0001f600",
    '"PeakTPM',
    '""',
    '"PeakTPM\n"',
    '"unknown"',
    "'PeakTPM'",
    "`PeakTPM`",
    "\\PeakTPM",
    "@PeakTPM",
    "$PeakTPM",
    "1" * 33,
    "9" * 2000,
    "0." + "9" * 1998,
    "1" * 2001,
    "(" * 2000,
    ")" * 2000,
    "(" * 1000 + ")" * 1000,
    "(" * 999 + "1" + ")" * 1000,
    "(" * 33 + "1" + ")" * 33,
    "-" * 2000,
    "-" * 1999 + "1",
    "ceil(" * 399 + "1" + ")" * 4,
    "min(" * 40 + "1" + ")" * 40,
    "+".join(["1"] * 101),
    "*".join(["1"] * 1000),
    "1+" * 1000,
    "max(" + ",".join(["1"] * 200) + ")",
    "+" * 2000,
    "," * 2000,
    " " * 2000,
    " " * 2001,
    "\n" * 1999 + "(",
    "a" * 2000,
    '"' + "a" * 1998 + '"',
    '"' * 2000,
    "1 + (" * 400,
]
ILLEGAL = "!#$%&':;<=>?@[\\]^`{|}~\u00e9\u03a9\u2022\U0001f4a5\x07\x7f"
VALID = [
    "ceil(PeakTPM * BufferFactor / HostThroughPutTPM)",
    "max(1, (PeakTPM - BAUTPM) / HostThroughPutTPM, floor(CTFactor * 3))",
    "-(BAUTPM + 12.5) * -CTFactor\n/ min(2, 3)",
    "((PeakTPM)) / (HostThroughPutTPM + 0.001)",
]


def spoiled(rng: random.Random) -> str:
    """A valid formula with a fault that no place in it can make good."""
    text = rng.choice(VALID)
    place = rng.randrange(len(text) + 1)
    match rng.randrange(5):
        case 0:
            return text[:place] + rng.choice(ILLEGAL) + text[place:]
        case 1:
            parentheses = [index for index, sign in enumerate(text) if sign in "()"]
            gone = rng.choice(parentheses)
            return text[:gone] + text[gone + 1 :]
        case 2:
            return text + rng.choice("+-*/,.(") + " " * rng.randrange(3)
        case 3:
            return rng.choice(("*", "/", ")", ",", "+", "PeakTPM PeakTPM ", "1 1 ")) + text
    sign = rng.choice([index for index, sign in enumerate(text) if sign in "*/"])
    return text[:sign] + rng.choice(("**", "*/", "//", "/ *", "* +", "** ", "%")) + text[sign + 1 :]


def hostile() -> list[str]:
    rng = random.Random(11)
    texts = dict.fromkeys(ATTACKS)
    while len(texts) < 1000:
        texts[spoiled(rng)] = None
    return list(texts)


def is_valid(text: str) -> bool:
    try:
        parse(text, INPUTS)
    except BadFormula:
        return False
    return True


def test_a_thousand_hostile_texts_are_refused_each_with_its_place() -> None:
    started = time.process_time()
    accepted = [text for text in hostile() if is_valid(text)]
    assert accepted == []
    assert time.process_time() - started < 10  # they take about one second

    for text in hostile():
        with pytest.raises(BadFormula) as refused:
            parse(text, INPUTS)
        found = PLACE.fullmatch(str(refused.value))
        assert found, str(refused.value)
        lines = text.split("\n")
        line, column = int(found[1]), int(found[2])
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
        assert len(found[3]) < 200


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: expected a number, an input or '('; found the end"),
        ("PeakTPM +", "line 1, column 10: expected a number, an input or '('; found the end"),
        ("PeakTPM ** 2", "line 1, column 10: expected a number, an input or '('; found '*'"),
        ("(PeakTPM", "line 1, column 9: expected ')'; found the end"),
        ("PeakTPM 2", "line 1, column 9: expected the end or a sign (+ - * /); found '2'"),
        ("1\n  + %", "line 2, column 5: expected a number, an input or '('; found '%'"),
        ("pow(2, 3)", "line 1, column 1: there is no function 'pow'; use ceil, floor, max and min"),
        ("ceil", "line 1, column 1: ceil is a function; write ceil(…)"),
        ("ceil(1, 2)", "line 1, column 1: ceil takes one argument, not 2"),
        ("1" * 33, "line 1, column 1: a number has at most 32 digits"),
        (" " * 2001, "line 1, column 2001: a formula has at most 2000 characters"),
        ("(" * 32 + "1" + ")" * 32, "line 1, column 1: a formula is at most 32 levels deep"),
        (
            "+".join(["1"] * 101),
            "line 1, column 200: a formula has at most 200 numbers, inputs, signs and functions",
        ),
    ],
)
def test_a_refusal_says_where_what_could_stand_there_and_what_does(text: str, problem: str) -> None:
    with pytest.raises(BadFormula) as refused:
        parse(text, INPUTS)
    assert str(refused.value) == problem


def test_what_is_just_within_the_limits_is_a_formula() -> None:
    parse("(" * 31 + "1" + ")" * 31)
    parse("+".join(["1"] * 100))
    parse("1" * 32)
    parse("1" + " " * 1999)
