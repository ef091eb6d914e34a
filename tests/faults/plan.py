"""The plan of a round, drawn from its seed: a small company, its events, and what will be away and when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from shared.schemas.topics import SERVICES

REGIONS: Final = ("us-east-1", "eu-west-1")
ELSEWHERE: Final = "ap-south-1"
SERVERS: Final = ("kafka", "mongo", "mysql")
_THROUGHPUT: Final = 250


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a round does. ``window``: for how many seconds it writes and is disturbed."""

    fleets: int = 8
    events: int = 3
    window: float = 8.0
    disturbances: int = 3


@dataclass(frozen=True, slots=True)
class PlannedFleet:
    """One fleet; ``tpm`` gives for each event what is projected, one value after the other, ever more.

    ``desired`` is each ASG's capacity; the inventory says the sum, so that the need is one number with or without it.
    """

    id: str
    service: str
    region: str
    desired: int
    asgs: int
    tpm: dict[str, tuple[int, ...]]
    deleted: bool = False

    def body(self) -> dict[str, Any]:
        zones = [
            {
                "AutoScalingGroupName": f"{self.id}/{zone}",
                "AvailabilityZone": f"{self.region}{zone}",
                "DesiredCapacity": self.desired,
            }
            for zone in "abc"[: self.asgs]
        ]
        configuration = {
            "Region": self.region,
            "HostThroughPutTPM": _THROUGHPUT,
            "BufferPercentage": 10,
            "HostType": "c5.2xlarge",
            "EAPEnrolledStatus": True,
            "ASGProperties": zones,
        }
        return {"FleetId": self.id, "ServiceId": self.service, "FleetConfiguration": configuration}

    @property
    def present(self) -> int:
        """The hosts it has."""
        return self.desired * self.asgs

    def hosts(self, event: str) -> int:
        """The hosts it must have on order in the end: what it needs less what it has."""
        return max(0, ceil(self.tpm[event][-1] * 110 / (100 * _THROUGHPUT)) - self.present)


@dataclass(frozen=True, slots=True)
class PlannedService:
    """``registers_late``: it is Onboarding when it is made, and Registered after its fleets are there."""

    id: str
    registers_late: bool
    fleets: tuple[PlannedFleet, ...]

    def body(self) -> dict[str, Any]:
        kind = "Onboarding" if self.registers_late else "Registered"
        return {
            "ServiceId": self.id,
            "ServiceType": kind,
            "Owner": f"{self.id}-owner@example.com",
            "LeaderAlias": "boss",
        }


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """``wakes_late``: it is made inactive and activated later. No peaks overlap, so no event lends another hosts."""

    id: str
    month: int
    emergent: bool
    wakes_late: bool

    def body(self) -> dict[str, Any]:
        body = {
            "EventId": self.id,
            "EventName": f"Peak {self.id}",
            "RegionList": list(REGIONS),
            "PeakStartDate": f"2024-{self.month:02d}-16",
            "PeakEndDate": f"2024-{self.month:02d}-17",
            "IsActive": not self.wakes_late,
        }
        return body | ({"EmergentScaleStartDate": "2024-06-01"} if self.emergent else {})


@dataclass(frozen=True, slots=True)
class Company:
    """What a round writes; every id begins with the round's own name."""

    name: str
    services: tuple[PlannedService, ...]
    events: tuple[PlannedEvent, ...]

    @property
    def fleets(self) -> tuple[PlannedFleet, ...]:
        return tuple(fleet for service in self.services for fleet in service.fleets)


def company(seed: str, name: str, sizes: Sizes) -> Company:
    """The company of a round: the same for the same seed and sizes."""
    rng = random.Random(f"{seed} company")
    events = tuple(
        PlannedEvent(f"{name}-E{n}", 7 + n % 6, emergent=n == 0 and rng.random() < 0.5, wakes_late=rng.random() < 0.3)
        for n in range(sizes.events)
    )
    services: list[PlannedService] = []
    left = sizes.fleets
    while left:
        fleets = min(left, rng.randint(1, 4))
        left -= fleets
        service = f"{name}-S{len(services)}"
        planned = tuple(_fleet(rng, f"{service}-F{n}", service, events) for n in range(fleets))
        services.append(PlannedService(service, rng.random() < 0.3, planned))
    return Company(name, tuple(services), events)


def _fleet(rng: random.Random, fleet: str, service: str, events: tuple[PlannedEvent, ...]) -> PlannedFleet:
    tpm = {}
    for event in events:
        grown = sorted(rng.sample(range(10, 400), rng.randint(1, 3)))
        tpm[event.id] = tuple(250 * value for value in grown)
    region = ELSEWHERE if rng.random() < 0.1 else rng.choice(REGIONS)
    return PlannedFleet(
        fleet, service, region, desired=rng.randint(0, 20), asgs=rng.randint(1, 3), tpm=tpm, deleted=rng.random() < 0.08
    )


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One fault: ``at`` seconds after the round began, for ``away`` seconds; ``targets`` are servers or replicas.

    kill: SIGKILL, or a stop of a server without a journal (see ``Server.kill``). stop: an orderly stop.
    freeze: SIGSTOP, as a machine that hangs and comes back.
    """

    at: float
    kind: str
    targets: tuple[str, ...]
    away: float

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.targets)} at {self.at:.1f} s for {self.away:.1f} s"


def disturbances(seed: str, sizes: Sizes, replicas_each: int) -> list[Disturbance]:
    """What will be away in a round, in the order of time; a replica is named ``service.number``.

    Each server goes at most once, and everything at most once: a round has to end.
    """
    rng = random.Random(f"{seed} disturbances")
    found, kinds, up = [], dict(_KINDS), list(SERVERS)
    for _ in range(sizes.disturbances):
        at, kind = rng.uniform(0.5, sizes.window), rng.choices(list(kinds), list(kinds.values()))[0]
        service = rng.choice(SERVICES)
        names = [f"{service}.{number}" for number in range(replicas_each)]
        away = 0.0 if rng.random() < 0.5 else rng.uniform(0.5, 4.0)
        if kind == "replica":
            found.append(Disturbance(at, "kill", (rng.choice(names),), away))
        elif kind == "service":
            found.append(Disturbance(at, "kill", tuple(names), away))
        elif kind == "freeze":
            found.append(Disturbance(at, "freeze", (rng.choice(names),), rng.uniform(1.0, 12.0)))
        elif kind == "everything":
            every = tuple(f"{name}.{number}" for name in SERVICES for number in range(replicas_each))
            found.append(Disturbance(at, "kill", every, away))
            del kinds[kind]
        elif up:
            found.append(Disturbance(at, kind, (up.pop(rng.randrange(len(up))),), rng.uniform(0.0, 4.0)))
    return sorted(found, key=lambda one: one.at)


_KINDS: Final = {"replica": 8, "service": 3, "freeze": 2, "kill": 3, "stop": 2, "everything": 1}
