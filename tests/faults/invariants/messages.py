"""What must hold of the topics: everything that is stored was told, once in content, and first in its order."""

from __future__ import annotations

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture, Stored

__all__ = [
    "every_fact_of_a_book_was_told", "every_version_was_told", "first_tellings_are_in_order",
    "nothing_was_told_in_two_ways",
]  # fmt: skip

_TOPIC_OF = {"fleet_line": "fleet"}
_TOLD_AT_THE_END = {"notification"}  # its versions are attempts; only how it ended is told


def every_version_was_told(picture: Picture, ledger: Ledger) -> list[str]:
    """Every version's event is on its topic: created, updated or deleted, as its place in the history says."""
    ids = {(record.topic, record.id) for record in picture.told}
    said = []
    for service, resource, key, stored in picture.every():
        for topic, number in _tellings(resource, stored):
            if (topic, f"{key}:{number}:{topic}") not in ids:
                said.append(f"{service}: version {number} of {key} is not on {topic}")
    return said


def _tellings(resource: str, stored: Stored) -> list[tuple[str, int]]:
    topic = _TOPIC_OF.get(resource, resource)
    if resource in _TOLD_AT_THE_END:
        ended = {"Sent": "sent", "Failed": "failed"}.get(stored.head.state.get("Status", ""))
        return [(f"{topic}.{ended}", stored.head.number)] if ended else []
    told, versions = [], stored.versions()
    for number in sorted(versions):
        before = versions.get(number - 1)
        made = "created" if before is None or before.deleted else "updated"
        told.append((f"{topic}.{'deleted' if versions[number].deleted else made}", number))
    return told


def every_fact_of_a_book_was_told(picture: Picture, ledger: Ledger) -> list[str]:
    """The facts of a fleet, event and purpose are numbered from 1 without a gap, up to what HOTW's dashboard says."""
    numbers: dict[str, set[int]] = {}
    for record in picture.told:
        name, _, kind = record.id.rpartition(":")
        key, _, number = name.rpartition(":")
        if record.topic.startswith("hotw.") and kind == record.topic and key.count("#") == 2 and number.isdecimal():
            numbers.setdefault(key, set()).add(int(number))
    books = {
        f"{r['EventId']}#{r['FleetId']}#{r['Purpose']}": r["OrdersVersionId"] for r in picture.table("hotw_dashboard")
    }
    said = [f"facts of {key} were told, and it has no book" for key in sorted(numbers.keys() - books.keys())]
    for key, last in books.items():
        missing = sorted(set(range(1, last + 1)) - numbers.get(key, set()))
        beyond = sorted(numbers.get(key, set()) - set(range(1, last + 1)))
        if missing or beyond:
            said.append(f"book {key} is at {last}: facts {missing} were not told, facts {beyond} were beside it")
    said += _runs_untold(picture)
    return said


def _runs_untold(picture: Picture) -> list[str]:
    ids = {record.id for record in picture.told}
    said = []
    for run in picture.table("hotw_run"):
        for topic in ("hotw.run.started", f"hotw.run.{run['RunStatus'].lower()}"):
            if run["RunStatus"] != "Running" and f"{run['RunId']}:{topic}" not in ids:
                said.append(f"{topic} of run {run['RunId']} was not told")
    return said


def nothing_was_told_in_two_ways(picture: Picture, ledger: Ledger) -> list[str]:
    """Of one message id of one source on one topic every copy is the same, byte by byte; letters apart."""
    seen: dict[tuple[str, str, str], str] = {}
    said = []
    for record in picture.told:
        name = (record.topic, record.source, record.id)
        if record.topic.endswith(".dlq"):
            continue  # a record met again is the same letter, and says anew when it died
        if record.id and seen.setdefault(name, record.digest) != record.digest:
            said.append(f"{record.id} of {record.source} is on {record.topic} with two contents")
    return said


def first_tellings_are_in_order(picture: Picture, ledger: Ledger) -> list[str]:
    """On one topic the versions of a key first come in the order of their numbers; copies may come late."""
    highest: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str]] = set()
    said = []
    for record in sorted(picture.told, key=lambda told: (told.topic, told.partition, told.offset)):
        parts = record.id.rsplit(":", 2)
        if len(parts) != 3 or parts[2] != record.topic or not parts[1].isdecimal():
            continue
        key, number = (record.topic, parts[0]), int(parts[1])
        if (record.topic, record.id) in seen:
            continue
        seen.add((record.topic, record.id))
        if number < highest.get(key, 0):
            said.append(f"{record.id} first came behind version {highest[key]}")
        highest[key] = max(number, highest.get(key, 0))
    return said
