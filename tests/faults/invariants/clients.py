"""What must hold of what clients were promised: acknowledged writes, answered commands, and nothing given up."""

from __future__ import annotations

from collections import Counter

from shared.schemas.topics import COMMAND_RESULTS
from tests.faults.ledger import Ledger
from tests.faults.picture import Picture, Row, canonical


def no_acknowledged_write_is_missing(picture: Picture, ledger: Ledger) -> list[str]:
    """The version that was answered is there, is the one that was asked for, and no other was made by that request."""
    made = Counter(
        (service, resource, key, version.message)
        for service, resource, key, stored in picture.every()
        for version in stored.versions().values()
    )
    wrong = []
    for write in ledger.writes:
        name = f"{write.marker} ({write.resource} {write.key}, answered as version {write.version})"
        stored = picture.of(write.service, write.resource).get(write.key)
        version = stored.versions().get(write.version) if stored else None
        if version is None:
            wrong.append(f"{name} is missing")
        elif write.marker not in version.body:
            wrong.append(f"{name} is not what that version holds")
        if made[write.service, write.resource, write.key, write.marker] > 1:
            wrong.append(f"{name} was made more than once")
    fleets = picture.of("fleet_svc", "fleet")
    for fleet, (as_of, marker) in ledger.inventories.items():
        held = fleets[fleet].side.get("HostInventory", {}) if fleet in fleets else {}
        if not fleets.get(fleet) or (not fleets[fleet].head.deleted and held.get("Source") != marker):
            wrong.append(f"the inventory {marker} of {fleet} as of {as_of} is missing: {held}")
    return wrong


def runs_are_those_that_were_asked_for(picture: Picture, ledger: Ledger) -> list[str]:
    """Each run that was answered is there, and no request began two."""
    there = {run["RunId"] for run in picture.table("hotw_run")}
    wrong = [f"run {number} was answered and is not there" for number in sorted(ledger.runs - there)]
    return wrong + [f"run {number} is one that nobody was answered" for number in sorted(there - ledger.runs)]


def decisions_and_deliveries_stand(picture: Picture, ledger: Ledger) -> list[str]:
    """Each order is as the last acknowledged decision and delivery left it."""
    orders = {order["FulfillmentId"]: order for order in picture.table("fulfillment_details")}
    wrong = []
    for number, status in ledger.decisions.items():
        found = orders.get(number, {}).get("FulfillmentStatus")
        if found != status:
            wrong.append(f"order {number} was left {status} and is {found}")
    for number, hosts in ledger.deliveries.items():
        found = orders.get(number, {}).get("FulfilledHosts")
        if found != hosts:
            wrong.append(f"order {number} was answered {hosts} hosts delivered and has {found}")
    return wrong


def _answers(picture: Picture) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for record in picture.published:
        if record.topic == COMMAND_RESULTS and record.data and "CommandId" in record.data:
            found.setdefault(record.data["CommandId"], []).append(record.data)
    return found


def every_command_is_answered(picture: Picture, ledger: Ledger) -> list[str]:
    """Each command that was produced has its answer on command.results, the one its client saw."""
    answers = _answers(picture)
    wrong = [f"{one.type} {one.id} has no answer" for one in ledger.commands.values() if one.id not in answers]
    for command in ledger.commands.values():
        seen = answers.get(command.id, [])
        if command.answer is not None and seen and canonical(command.answer) != canonical(seen[0]):
            wrong.append(f"{command.type} {command.id}: its client saw another answer than is on the topic")
    return wrong


def a_command_has_one_answer(picture: Picture, ledger: Ledger) -> list[str]:
    """However often a command was delivered, every answer to it is the same."""
    wrong = []
    for name, answers in _answers(picture).items():
        different = {canonical(answer) for answer in answers}
        if len(different) > 1:
            wrong.append(f"command {name} has {len(different)} answers: {sorted(different)}")
    return wrong


def dead_letters_are_what_was_poisoned(picture: Picture, ledger: Ledger) -> list[str]:
    """Each poisoned record is one dead letter of each group that takes its topic, with a reason; nothing else is."""
    placed = [record for record in picture.published if ledger.poison.get(record.key) == record.topic]
    bad = ledger.fuzzed | {(record.topic, record.partition, record.offset) for record in placed}
    due = {(group, *place) for place in bad for group, topics in picture.groups.items() if place[0] in topics}
    wrong = [
        f"poison {key} is not on {topic}"
        for key, topic in ledger.poison.items()
        if key not in {record.key for record in placed}
    ]
    there = Counter((one.group, one.topic, one.partition, one.offset) for one in picture.letters)
    wrong += [f"{place} is no dead letter" for place in sorted(due - there.keys())]
    wrong += [
        f"{one.id} is a dead letter: {one.reason}"
        for one in picture.letters
        if (one.group, one.topic, one.partition, one.offset) not in due
    ]
    wrong += [f"{place} is {count} dead letters" for place, count in there.items() if count > 1]
    return wrong + [f"{one.id} is a dead letter without a reason" for one in picture.letters if not one.reason.strip()]
