"""Fuzzed records: for each topic records that nobody can read, and commands that must be refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from shared.schemas.topics import COMMAND_RESULTS, Topic

_GOLDEN: Final = Path(__file__).parents[2] / "shared" / "schemas" / "golden"
_STRUCTURED: Final = ("content-type", b"application/cloudevents+json")
_LARGE: Final = 900_000
_WRONG: Final[tuple[Any, ...]] = ([], {}, -1, 1.5, "", "\u0000", True, None)
_SELDOM: Final = 0.002  # the large ones

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """One record. ``answered``: the CommandId that it is answered Refused under, if it is such a command.

    Any other is a dead letter wherever it is taken.
    """

    kind: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    answered: str | None = None


def fuzzed(topic: Topic, rng: random.Random, name: str) -> Fuzzed:
    """One record for a topic; ``name`` is its ce_id, where it has one."""
    kind = topic.messages[rng.randrange(len(topic.messages))].ce_type
    headers: Headers = [
        ("ce_id", name.encode()),
        ("ce_source", b"/fuzz"),
        ("ce_type", kind.encode()),
        ("ce_specversion", b"1.0"),
    ]
    made = Fuzzed("", name.encode(), b'{"a": 1}', headers)
    if rng.random() < _SELDOM:
        return _with(made, "large", value=b'{"a": "' + b"x" * _LARGE)
    makers: list[Callable[[Fuzzed, random.Random, Topic], Fuzzed]] = [_bad_value, _bad_headers, _bad_structure]
    if topic.name.endswith(".commands"):
        makers.append(_refused)
    elif topic.name != COMMAND_RESULTS:
        makers += [_bad_object, _bad_member]
    return rng.choice(makers)(made, rng, topic)


def _with(made: Fuzzed, kind: str, **changes: Any) -> Fuzzed:
    members = {name: getattr(made, name) for name in ("key", "value", "headers", "answered")}
    return Fuzzed(kind, **{**members, **changes})


def _bad_value(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    values: dict[str, bytes | None] = {
        "random bytes": rng.randbytes(rng.randint(1, 400)),
        "cut JSON": b'{"a": {"b": [1, 2',
        "no UTF-8": b'{"a": "\xc3\x28"}',
        "a list": b'[{"a": 1}]',
        "a string": b'"text"',
        "a number": b"42",
        "null": b"null",
        "true": b"true",
        "no value": None,
        "an empty value": b"",
        "NaN": b'{"a": NaN}',
        "too deep": b'{"a": ' + b"[" * 20_000,
        "two objects": b"{}{}",
        "a zero": b"\x00",
    }
    kind = rng.choice(list(values))
    return _with(made, kind, value=values[kind])


def _bad_headers(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    """A command whose attributes are all there, though one is bad, is answered."""
    headers, id_ = made.headers, (made.key or b"").decode()
    answered = id_ if topic.name.endswith(".commands") else None
    if rng.random() < 0.15:
        return _with(made, "a key that is no UTF-8", key=b"\xff\xfe" + rng.randbytes(3), answered=answered)
    name = rng.choice([name for name, _ in headers])
    others = [header for header in headers if header[0] != name]
    changed: dict[str, Headers] = {
        f"no {name}": others,
        f"empty {name}": [*others, (name, b"")],
        f"null {name}": [*others, (name, None)],
        f"{name} no UTF-8": [*others, (name, b"\xff\xfe" + id_.encode())],
        "no headers": [],
        "another specversion": [*(h for h in headers if h[0] != "ce_specversion"), ("ce_specversion", b"0.3")],
        "no time": [*headers, ("ce_time", b"yesterday")],
        "a time without a zone": [*headers, ("ce_time", b"2024-06-15T09:00:00")],
        "headers of another kind": [("x", b"y"), ("ce-id", b"1")],
    }
    kind = rng.choice(list(changed))
    if kind not in ("another specversion", "no time", "a time without a zone") and "UTF-8" not in kind:
        answered = None
    elif kind == "ce_id no UTF-8" and answered is not None:
        answered = f"\\xff\\xfe{id_}"
    return _with(made, kind, headers=changed[kind], answered=answered)


def _bad_structure(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    whole = {name.removeprefix("ce_"): (value or b"").decode() for name, value in made.headers}
    values = {
        "structured, no JSON": b"{",
        "structured, a list": b"[]",
        "structured, no id": json.dumps({**whole, "id": None, "data": {}}).encode(),
        "structured, no base64": json.dumps({**whole, "data_base64": "!"}).encode(),
        "structured, no object": json.dumps({**whole, "data": [1]}).encode(),
    }
    kind = rng.choice(list(values))
    return _with(made, kind, value=values[kind], headers=[_STRUCTURED])


def _bad_object(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    if rng.random() < 0.3:
        others = [header for header in made.headers if header[0] != "ce_type"]
        return _with(made, "another type", headers=[*others, ("ce_type", b"nothing.happened")])
    return _with(made, "another object", value=rng.choice([b"{}", b'{"a": 1}', b'{"VersionId": 1}']))


def _bad_member(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    """A good message with one member of a kind its contract does not take."""
    golden = _GOLDEN / ("dlq.json" if topic.name.endswith(".dlq") else f"{topic.name}.json")
    message = json.loads(golden.read_text())
    data = message.get("data", message)
    names = list(data)
    rng.shuffle(names)
    for name in names:
        for wrong in rng.sample(_WRONG, len(_WRONG)):
            changed = {**data, name: wrong}
            try:
                topic.messages[0].model.model_validate_json(json.dumps(changed), extra="ignore")
            except ValidationError:
                return _with(made, f"{name} is {wrong!r}", value=json.dumps(changed).encode())
    return _with(made, "another object", value=b"{}")


def _refused(made: Fuzzed, rng: random.Random, topic: Topic) -> Fuzzed:
    answered = (made.key or b"").decode()
    others = [header for header in made.headers if header[0] != "ce_type"]
    if rng.random() < 0.5:
        unknown = [*others, ("ce_type", rng.choice([b"DoNothing", b"createservice", b"x" * 200]))]
        return _with(made, "an unknown command", headers=unknown, answered=answered)
    value = rng.choice([b"{}", b'{"Unknown": 1}', b'{"ServiceId": ["S"], "EventId": 4, "FleetId": {}}'])
    return _with(made, "a command of another object", value=value, answered=answered)
