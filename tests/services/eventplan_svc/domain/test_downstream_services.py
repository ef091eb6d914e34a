"""What is kept of the fleets that name an upstream, and of the services that are downstream by them (6.4.41)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.downstream import DownstreamServices, NamedUpstreams, TPMMails, naming_fleet
from services.eventplan_svc.domain.facts import Projection, TPMMail
from services.eventplan_svc.domain.inputs import Fleet

PAIR = ("PD2024", "FORTRESSService")
FLEET = Fleet("C-NA", 1, "CheckoutService", "us-east-1", deleted=False, changed_at="2024-05-01T09:00:00.000Z")
NAMING = Projection(1, "2024-05-20T09:00:00.000Z", False, 9, (), upstreams=("FORTRESSService",))
OTHER = replace(NAMING, version=2, upstreams=("OrderService",), at="2024-05-25T09:00:00.000Z")
KEY = "PD2024#FORTRESSService#CheckoutService"


def test_a_service_is_downstream_while_its_fleet_names_the_upstream() -> None:
    first = naming_fleet(PAIR, NAMING, FLEET, None)
    assert (first.downstream, first.services, first.since) == (KEY, ("CheckoutService",), NAMING.at)
    later = naming_fleet(PAIR, replace(NAMING, version=2, at=OTHER.at), FLEET, first)
    assert (later.downstream, later.since) == (KEY, NAMING.at), "it has been downstream since the first"
    assert later.version > first.version
    for projection, fleet in (
        (OTHER, FLEET),
        (replace(NAMING, deleted=True), FLEET),
        (NAMING, replace(FLEET, deleted=True)),
        (NAMING, None),
        (NAMING, replace(FLEET, service_id="FORTRESSService")),
    ):
        assert naming_fleet(PAIR, projection, fleet, None).downstream is None


def test_the_services_that_may_be_downstream_include_every_one_before() -> None:
    """Whoever finds that a fleet names nobody looks at its service, whichever process wrote the entry before."""
    assert naming_fleet(PAIR, OTHER, FLEET, None).services == ("CheckoutService",)
    moved = replace(FLEET, version=2, service_id="SearchService")
    entry = naming_fleet(PAIR, NAMING, moved, naming_fleet(PAIR, NAMING, FLEET, None))
    assert entry.services == ("CheckoutService", "SearchService")


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_entries_are_ordered_by_the_projection_and_then_by_the_fleet(first: int, second: int, fleet: int) -> None:
    def version(of: int, fleet_version: int) -> int:
        return naming_fleet(PAIR, replace(NAMING, version=of), replace(FLEET, version=fleet_version), None).version

    assert version(first, fleet) < 2**63
    if first < second:
        assert version(first, fleet) < version(second, 0)


def test_what_is_kept_changes_only_when_something_is_new() -> None:
    named = NamedUpstreams().with_pairs([PAIR])
    assert named == NamedUpstreams(1, (PAIR,))
    assert named.with_pairs([PAIR]) is None
    services = DownstreamServices().with_services({"B": "2", "A": "1"}, ["C"])
    assert services == DownstreamServices(1, (("A", "1"), ("B", "2")))
    assert services.with_services({"A": "9"}, []) is None, "it stays downstream since then"
    assert services.with_services({"A": "1"}, ["B"]) == DownstreamServices(2, (("A", "1"),))
    mails = TPMMails().with_mails([TPMMail("A", sent=False, at="1")])
    assert mails is not None
    assert mails.with_mails([TPMMail("A", sent=False, at="2")]) is None
    sent = mails.with_mails([TPMMail("A", sent=True, at="3")])
    assert sent == TPMMails(2, (TPMMail("A", sent=True, at="3"),))
    assert sent.with_mails([TPMMail("A", sent=False, at="4")]) is None
