"""What must hold of the stored documents, and of what each service keeps of the others'."""

from __future__ import annotations

from collections import Counter

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture

# Which replica of which service is of which resource; eventplan_svc keeps a fleet's base line only.
_FED_BY = {
    ("eventplan_svc", "event"): (("event_svc", "event"),),
    ("eventplan_svc", "service"): (("fleet_svc", "service"),),
    ("eventplan_svc", "fleet"): (("fleet_svc", "fleet"),),
    ("hotw_svc", "event"): (("event_svc", "event"),),
    ("hotw_svc", "service"): (("fleet_svc", "service"),),
    ("hotw_svc", "fleet"): (("fleet_svc", "fleet"), ("fleet_svc", "fleet_line")),
    ("hotw_svc", "projection"): (("fleet_svc", "projection"),),
    ("notify_svc", "event"): (("event_svc", "event"),),
    ("notify_svc", "service"): (("fleet_svc", "service"),),
}


def one_plan_per_fleet_and_event(picture: Picture, ledger: Ledger) -> list[str]:
    """Exactly the plans that are due, each once, under its own key, and closed only where there is a reason."""
    plans = picture.of("eventplan_svc", "eventplan")
    found = Counter((stored.head.state["EventId"], stored.head.state["FleetId"]) for stored in plans.values())
    wrong = [f"{pair} has {count} plans" for pair, count in found.items() if count > 1]
    wrong += [f"{pair} has no plan" for pair in sorted(ledger.plans - found.keys())]
    wrong += [f"{pair} has a plan that is not due" for pair in sorted(found.keys() - ledger.plans - ledger.perhaps)]
    for key, stored in plans.items():
        pair = (stored.head.state["EventId"], stored.head.state["FleetId"])
        if key != "#".join(pair):
            wrong.append(f"the plan of {pair} lies under {key}")
        closed = "Closed" in stored.head.state
        if pair in ledger.plans and closed != (pair in ledger.closed):
            wrong.append(f"the plan of {pair} is {'closed' if closed else 'open'}")
        if stored.head.deleted:
            wrong.append(f"the plan of {pair} was deleted")
    return wrong


def version_numbers_are_contiguous(picture: Picture, ledger: Ledger) -> list[str]:
    """Versions 1 to n, each once and nothing beyond; the head is version n and its number says so.

    Version n may lie in the head alone: item 0 is the latest. Where it lies beside it too, both are equal.
    """
    wrong = []
    for service, resource, key, stored in picture.every():
        name = f"{service} {resource} {key}"
        if stored.latest != stored.head.number:
            wrong.append(f"{name}: the head says {stored.latest} and holds {stored.head.number}")
        numbers = sorted(stored.versions())
        if numbers != list(range(1, stored.head.number + 1)):
            wrong.append(f"{name}: the head is at {stored.head.number}, stored are {numbers}")
        for number, item in stored.items.items():
            if item.number != number:
                wrong.append(f"{name}: version {number} says it is {item.number}")
        copy = stored.items.get(stored.head.number)
        if copy is not None and copy.body != stored.head.body:
            wrong.append(f"{name}: version {stored.head.number} is another in the history than in the head")
    return wrong


def replicas_hold_the_latest(picture: Picture, ledger: Ledger) -> list[str]:
    """Whatever a service keeps of another's resource is its latest version: no event was lost or overtaken."""
    wrong = []
    for (service, name), sources in _FED_BY.items():
        latest = {key: stored.head.number for source in sources for key, stored in picture.of(*source).items()}
        held = picture.replicas.get((service, name), {})
        for key in sorted(latest.keys() | held.keys()):
            if latest.get(key) != held.get(key):
                wrong.append(f"{service} holds {name} {key} at {held.get(key)}, its owner is at {latest.get(key)}")
    return wrong


def outboxes_are_empty(picture: Picture, ledger: Ledger) -> list[str]:
    """Nothing waits to be published or finished."""
    return list(picture.waiting)
