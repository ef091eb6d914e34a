"""Who is downstream of whom, and how a plan follows its mails and its throttling (6.4.41 to 6.4.54), on the stores."""

from __future__ import annotations

import asyncio
import random
from itertools import permutations
from typing import Any

import pytest

from shared.schemas.eventplan_svc import TPMRequested
from tests.support.eventplan_processes import Home, Process, Published, state
from tests.support.snapshots import (
    TopicBody,
    event,
    fleet,
    projection,
    service,
    throttling,
    throttling_applied,
    tpm_mail,
)

pytestmark = pytest.mark.slow

FORTRESS, COMMUNICATE, THROTTLING = "FORTRESSService", "CommunicateTPMToDownstream", "UpdateThrottlingInSDC"
THE_THREE = (event(), fleet(), service())
THREE = ("CheckoutService", "PaymentService", "SearchService")


def downstream(name: str, version: int = 1, *, names: str = FORTRESS, **members: Any) -> list[TopicBody]:
    """A fleet of a service, and its projection that names an upstream."""
    return [fleet(f"{name}-NA", of=name), projection(f"{name}-NA", version, names=names, **members)]


async def requests(published: Published) -> list[tuple[str, int, list[str]]]:
    messages = [one for one in await published() if one.type == "eventplan.tpm.requested"]
    facts = [TPMRequested.model_validate(one.body()) for one in messages]
    assert [one.key for one in messages] == [f"{fact.event_id}#{fact.fleet_id}" for fact in facts]
    return [(fact.service_id, fact.peak_tpm, fact.downstream_service_ids) for fact in facts]


async def communicated(process: Process) -> tuple[str, str | None]:
    return state(await process.plan(), COMMUNICATE)


async def test_the_tpm_goes_to_every_downstream_service(process: Process, published: Published) -> None:
    """With the example of the contract (6.4.47)."""
    await process.take(*THE_THREE, *(one for name in THREE for one in downstream(name)))
    await process.take(projection(tpm=55_000))
    assert await requests(published) == [(FORTRESS, 55_000, list(THREE))]
    await process.take(tpm_mail(THREE[0], 55_000), tpm_mail(THREE[1], 55_000))
    assert await communicated(process) == ("NotStarted", None)
    await process.take(tpm_mail(THREE[2], 55_000))
    assert await communicated(process) == ("Completed", "TPM of 55,000 sent to 3 services")


async def test_a_changed_peak_tpm_falls_back_and_is_requested_again(process: Process, published: Published) -> None:
    await process.take(*THE_THREE, *downstream("CheckoutService"), projection())
    await process.take(tpm_mail("CheckoutService", 50_000))
    await process.take(projection(version=2, tpm=60_000, at="2024-06-05T09:00:00.000Z"))
    fallen_back = ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    assert await communicated(process) == fallen_back
    await process.take(tpm_mail("CheckoutService", 60_000, number=2, failed=True, at="2024-06-06T09:00:00.000Z"))
    assert await communicated(process) == ("PendingOnEPIC", "The mail to CheckoutService failed")
    assert await requests(published) == [(FORTRESS, tpm, ["CheckoutService"]) for tpm in (50_000, 60_000)]


async def test_a_request_is_not_repeated_by_a_replay(process: Process, published: Published) -> None:
    everything = [*THE_THREE, *downstream("CheckoutService"), projection(), tpm_mail("CheckoutService", 50_000)]
    await process.take(*everything)
    before, count = await process.plan(), len(await published())
    await process.take(*everything)
    for one in everything:
        await process.take(one)
    assert (await process.plan(), len(await published())) == (before, count)


ARRIVALS = [*THE_THREE, *downstream("CheckoutService"), projection(), tpm_mail("CheckoutService", 50_000)]


@pytest.mark.parametrize("order", random.Random(2).sample(list(permutations(range(len(ARRIVALS)))), 16))
async def test_whatever_comes_last_completes_it(process: Process, published: Published, order: tuple[int, ...]) -> None:
    for number in order:
        await process.take(ARRIVALS[number])
    await process.wiring.reconcile()
    assert await communicated(process) == ("Completed", "TPM of 50,000 sent to 1 service")


async def test_a_fleet_that_comes_after_its_projection_makes_its_service_downstream(
    process: Process, published: Published
) -> None:
    made, named = downstream("CheckoutService")
    await process.take(*THE_THREE, named, projection())
    assert await communicated(process) == ("Completed", "No downstream services")
    await process.take(made)
    assert await communicated(process) == ("PendingOnEPIC", "Not sent yet to CheckoutService")
    assert await requests(published) == [(FORTRESS, 50_000, ["CheckoutService"])]


@pytest.mark.parametrize(
    "end",
    [
        projection("CheckoutService-NA", 2, names="OrderService", at="2024-06-05T09:00:00.000Z"),
        projection("CheckoutService-NA", 2, deleted=True, at="2024-06-05T09:00:00.000Z"),
        fleet("CheckoutService-NA", 2, of="CheckoutService", deleted=True),
        fleet("CheckoutService-NA", 2, of=FORTRESS),
    ],
    ids=["names another", "projection deleted", "fleet deleted", "fleet is its own"],
)
async def test_a_service_is_downstream_while_a_fleet_of_it_names_the_upstream(process: Process, end: TopicBody) -> None:
    await process.take(*THE_THREE, *downstream("CheckoutService"), *downstream("SearchService"))
    await process.take(projection(), tpm_mail("SearchService", 50_000))
    assert await communicated(process) == ("NotStarted", None)
    await process.take(end)
    assert await communicated(process) == ("Completed", "TPM of 50,000 sent to 1 service")


async def test_a_service_stays_downstream_while_another_fleet_of_it_does(process: Process) -> None:
    await process.take(*THE_THREE, *downstream("CheckoutService"), projection())
    await process.take(fleet("Checkout-EU", of="CheckoutService"), projection("Checkout-EU", names=FORTRESS))
    await process.take(tpm_mail("CheckoutService", 50_000))
    await process.take(projection("Checkout-EU", 2, deleted=True))
    assert await communicated(process) == ("Completed", "TPM of 50,000 sent to 1 service")


async def test_only_projections_of_the_same_event_count(process: Process) -> None:
    await process.take(*THE_THREE, *downstream("CheckoutService", event_id="BF2024"), projection())
    assert await communicated(process) == ("Completed", "No downstream services")


async def test_a_plan_that_is_made_last_requests_its_tpm_at_once(process: Process, published: Published) -> None:
    await process.take(*downstream("CheckoutService"), projection())
    await process.take(*THE_THREE)
    assert (await process.plan())["VersionId"] == 1
    assert await requests(published) == [(FORTRESS, 50_000, ["CheckoutService"])]


async def test_what_a_person_gathers_is_requested_at_once(process: Process, published: Published) -> None:
    await process.take(*THE_THREE, *downstream("CheckoutService"), projection(owner=False))
    await process.status("GatherProjectionFromUpstream", "Completed")
    assert await requests(published) == [(FORTRESS, 50_000, ["CheckoutService"])]


async def test_throttling_follows_its_reports_and_versions(process: Process) -> None:
    """6.4.50 to 6.4.54."""
    await process.take(*THE_THREE, projection(), throttling_applied(1), throttling(1))
    applied = "Version 1 of the throttling is applied for 50,000 TPM"
    assert state(await process.plan(), THROTTLING) == ("Completed", applied)
    await process.take(throttling(2, at="2024-06-03T09:00:00.000Z"))
    waiting = ("PendingOnServiceOwner", "Version 2 of the throttling is not applied yet")
    assert state(await process.plan(), THROTTLING) == waiting
    await process.take(throttling(1), throttling_applied(1))
    assert state(await process.plan(), THROTTLING) == waiting
    await process.take(throttling_applied(2, number=2, at="2024-06-04T09:00:00.000Z"))
    assert state(await process.plan(), THROTTLING)[0] == "Completed"
    await process.take(throttling(3, deleted=True, at="2024-06-05T09:00:00.000Z"))
    assert state(await process.plan(), THROTTLING) == ("PendingOnServiceOwner", "The throttling is deleted")


async def test_processes_that_race_come_to_the_same_downstream_services(shared_home: Home) -> None:
    """Each fleet names the upstream, then another one, then it again; three processes handle everything at once."""
    processes = [await shared_home.process() for _ in range(3)]
    first = processes[0]
    await first.take(*THE_THREE, projection())
    names = (FORTRESS, "OrderService", FORTRESS)
    batches = [
        [fleet(f"F{n}", of=f"S{n}"), projection(f"F{n}", version, names=upstream)]
        for n in range(6)
        for version, upstream in enumerate(names[: 2 + n % 2], start=1)
    ]
    orders = [random.Random(seed).sample(batches, len(batches)) for seed in range(len(processes))]

    async def take(process: Process, order: list[list[TopicBody]]) -> None:
        for batch in order:
            await process.take(*batch)

    await asyncio.gather(*(take(process, order) for process, order in zip(processes, orders, strict=True)))
    held = await first.wiring.read_models.downstream_services.get(f"PD2024#{FORTRESS}")
    assert held is not None
    assert [name for name, _ in held.services] == ["S1", "S3", "S5"]
    await first.take(*(tpm_mail(name, 50_000) for name in ("S1", "S3", "S5")))
    assert await communicated(first) == ("Completed", "TPM of 50,000 sent to 3 services")
