"""Entity tags, and the conditions that name them: RFC 9110, section 13, and the contract's rules 3.22 to 3.28."""

from __future__ import annotations

import pytest

from shared.conditions import Condition, entity_tag, parse_condition, refuse_condition
from shared.errors import BadInput, Stale


def test_a_tag_is_the_version_and_the_hash_of_what_the_version_does_not_hold() -> None:
    assert (entity_tag(3), entity_tag(3, {}), entity_tag(3, base=True)) == ('"3"', '"3"', '"base-3"')
    hashed = entity_tag(3, {"A": 1, "B": [2]})
    assert hashed == entity_tag(3, {"B": [2], "A": 1}) == '"3.0544e76315c89ceb"', "the same in every process"
    assert entity_tag(3, {"A": 2}) != hashed
    assert entity_tag(3, {"A": 1, "B": [2]}, base=True) == hashed.replace('"3.', '"base-3.')


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"3"', ('"3"',)),
        ('"3.0f"', ('"3.0f"',)),
        ('  "3" , W/"4",,"xy"', ('"3"', 'W/"4"', '"xy"')),
        ('"a,b", ""', ('"a,b"', '""')),
        ("*", ("*",)),
    ],
)
def test_a_list_of_entity_tags_is_read_as_the_rfc_writes_it(header: str, tags: tuple[str, ...]) -> None:
    assert parse_condition(header, header) == Condition(tags, tags)


@pytest.mark.parametrize("header", ["", ",", "3", "three", '"3', '"3" "4"', '"3", *', 'w/"3"', '"3";q=1', '"a b"'])
def test_what_is_no_list_of_entity_tags_is_400(header: str) -> None:
    for condition, pointer in (
        (lambda: parse_condition(header), "/If-Match"),
        (lambda: _none(header), "/If-None-Match"),
    ):
        with pytest.raises(BadInput) as refused:
            condition()
        assert [error.pointer for error in refused.value.errors] == [pointer]


def _none(header: str) -> Condition | None:
    return parse_condition(None, header)


def test_ce_ifmatch_may_also_be_a_bare_version() -> None:
    assert parse_condition("3", bare=True) == parse_condition('"3"') == parse_condition('"3"', bare=True)
    assert parse_condition("base-3", bare=True) == parse_condition('"base-3"')
    assert parse_condition(None, bare=True) is None
    with pytest.raises(BadInput):
        parse_condition("latest", bare=True)


@pytest.mark.parametrize(
    ("if_match", "current", "holds"),
    [
        ('"3"', '"3"', True),
        ('"3"', '"3.0f"', True),  # 3.25: it judges n
        ('"3.1e"', '"3.0f"', True),
        ('"3.0f"', '"3"', True),
        ('"2", "3"', '"3"', True),
        ("*", '"3"', True),
        ('"2"', '"3"', False),  # 3.26
        ('"30"', '"3"', False),
        ('W/"3"', '"3"', False),  # 3.28: it compares strongly
        ('W/"3", "2"', '"3"', False),
        ('"base-3"', '"3"', False),
        ('"3"', '"base-3"', False),
        ('"base-3"', '"base-3.0f"', True),  # 3.46c
        ('"anything"', '"3"', False),
        ("*", None, False),
        ('"3"', None, False),
    ],
)
def test_if_match_judges_the_version_strongly(if_match: str, current: str | None, holds: bool) -> None:
    condition = parse_condition(if_match)
    assert condition is not None
    assert condition.is_stale(current) is not holds
    assert not condition.is_matched(current)


@pytest.mark.parametrize(
    ("if_none_match", "current", "matches"),
    [
        ('"3"', '"3"', True),
        ('W/"3"', '"3"', True),  # weakly, unlike If-Match
        ('"2", "3.0f"', '"3.0f"', True),
        ('"3"', '"3.0f"', False),  # 3.24: the whole tag
        ('"3.1e"', '"3.0f"', False),
        ("*", '"3"', True),
        ("*", None, False),
        ('"3"', None, False),
    ],
)
def test_if_none_match_compares_the_whole_tag(if_none_match: str, current: str | None, matches: bool) -> None:
    condition = parse_condition(None, if_none_match)
    assert condition is not None
    assert condition.is_matched(current) is matches
    assert not condition.is_stale(current)


def test_a_write_needs_that_both_conditions_hold() -> None:
    Condition(('"3"',), ('"4"',)).check('"3"')
    Condition(None, ("*",)).check(None)
    for condition, current in (
        (Condition(('"2"',)), '"3"'),
        (Condition(("*",)), None),
        (Condition(('"3"',), ('"3"',)), '"3"'),
        (Condition(None, ("*",)), '"3"'),
    ):
        with pytest.raises(Stale):
            condition.check(current)


def test_a_condition_on_what_has_no_version_is_refused_by_its_own_name() -> None:
    refuse_condition(None)
    for condition, name in ((Condition(("*",)), "If-Match"), (Condition(None, ("*",)), "If-None-Match")):
        with pytest.raises(BadInput, match=f"this write has no version; leave {name} out"):
            refuse_condition(condition)
