"""What must hold of the topics: everything that is stored was published, once in content, and first in its order."""

from __future__ import annotations

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture, Stored

_TOPIC_OF = {"fleet_line": "fleet"}
_PUBLISHED_AT_THE_END = {"notification"}  # its versions are attempts; only how it ended is published


def every_version_was_published(picture: Picture, ledger: Ledger) -> list[str]:
    """Every version's event is on its topic: created, updated or deleted, as its place in the history says."""
    ids = {(record.topic, record.id) for record in picture.published}
    wrong = []
    for service, resource, key, stored in picture.every():
        for topic, number in _publications(resource, stored):
            if (topic, f"{key}:{number}:{topic}") not in ids:
                wrong.append(f"{service}: version {number} of {key} is not on {topic}")
    return wrong


def _publications(resource: str, stored: Stored) -> list[tuple[str, int]]:
    topic = _TOPIC_OF.get(resource, resource)
    if resource in _PUBLISHED_AT_THE_END:
        ended = {"Sent": "sent", "Failed": "failed"}.get(stored.head.state.get("Status", ""))
        return [(f"{topic}.{ended}", stored.head.number)] if ended else []
    published, versions = [], stored.versions()
    for number in sorted(versions):
        before = versions.get(number - 1)
        made = "created" if before is None or before.deleted else "updated"
        published.append((f"{topic}.{'deleted' if versions[number].deleted else made}", number))
    return published


def every_fact_of_a_book_was_published(picture: Picture, ledger: Ledger) -> list[str]:
    """The facts of a fleet, event and purpose are numbered from 1 without a gap, up to what HOTW's dashboard says."""
    numbers: dict[str, set[int]] = {}
    for record in picture.published:
        name, _, kind = record.id.rpartition(":")
        key, _, number = name.rpartition(":")
        if record.topic.startswith("hotw.") and kind == record.topic and key.count("#") == 2 and number.isdecimal():
            numbers.setdefault(key, set()).add(int(number))
    books = {
        f"{r['EventId']}#{r['FleetId']}#{r['Purpose']}": r["OrdersVersionId"] for r in picture.table("hotw_dashboard")
    }
    wrong = [f"facts of {key} were published, and it has no book" for key in sorted(numbers.keys() - books.keys())]
    for key, last in books.items():
        missing = sorted(set(range(1, last + 1)) - numbers.get(key, set()))
        beyond = sorted(numbers.get(key, set()) - set(range(1, last + 1)))
        if missing or beyond:
            wrong.append(f"book {key} is at {last}: facts {missing} were not published, facts {beyond} were beside it")
    wrong += _unpublished_runs(picture)
    return wrong


def _unpublished_runs(picture: Picture) -> list[str]:
    ids = {record.id for record in picture.published}
    wrong = []
    for run in picture.table("hotw_run"):
        for topic in ("hotw.run.started", f"hotw.run.{run['RunStatus'].lower()}"):
            if run["RunStatus"] != "Running" and f"{run['RunId']}:{topic}" not in ids:
                wrong.append(f"{topic} of run {run['RunId']} was not published")
    return wrong


def no_id_has_two_contents(picture: Picture, ledger: Ledger) -> list[str]:
    """Of one message id of one source on one topic every copy is the same, byte by byte; letters apart."""
    seen: dict[tuple[str, str, str], str] = {}
    wrong = []
    for record in picture.published:
        name = (record.topic, record.source, record.id)
        if record.topic.endswith(".dlq"):
            continue  # a record met again is the same letter, and says anew when it died
        if record.id and seen.setdefault(name, record.digest) != record.digest:
            wrong.append(f"{record.id} of {record.source} is on {record.topic} with two contents")
    return wrong


def first_copies_are_in_order(picture: Picture, ledger: Ledger) -> list[str]:
    """On one topic the versions of a key first come in the order of their numbers; copies may come late."""
    highest: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str]] = set()
    wrong = []
    for record in sorted(picture.published, key=lambda record: (record.topic, record.partition, record.offset)):
        parts = record.id.rsplit(":", 2)
        if len(parts) != 3 or parts[2] != record.topic or not parts[1].isdecimal():
            continue
        key, number = (record.topic, parts[0]), int(parts[1])
        if (record.topic, record.id) in seen:
            continue
        seen.add((record.topic, record.id))
        if number < highest.get(key, 0):
            wrong.append(f"{record.id} first came behind version {highest[key]}")
        highest[key] = max(number, highest.get(key, 0))
    return wrong
