"""The sample company: services, fleets, their hosts, one event and its projections; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import IO, Any, Final

import orjson

DEFAULT_EVENT: Final = "PD2024"
DEFAULT_PEAK: Final = date(2024, 7, 16)

Row = dict[str, Any]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_AREAS: Final = _words(
    "Order Cart Checkout Payment Catalog Search Pricing Inventory Shipping Identity Recommendation Review Wishlist "
    "Returns Refund Tax Coupon Gift Loyalty Fraud Address Billing Invoice Ledger Warehouse Picking Packing Routing "
    "Tracking Carrier Supplier Listing Image Video Session Profile Consent Notification Email Survey Ranking Ads "
    "Auction Campaign Forecast Replenish Fulfillment Subscription Locale Currency Seller Buyer Basket Promise Slot"
)
_ROLES: Final = _words(
    "Service Store Gateway Engine Index Cache Resolver Planner Router Aggregator Registry Broker Worker Scheduler "
    "Validator Enricher Notifier Monitor Ingest Export Mapper Archive Proxy Board Sync Query Stream Feed Guard Hub"
)
_REGIONS: Final = (("us-east-1", "NA", "abc"), ("eu-west-1", "EU", "abc"), ("us-west-2", "NA", "abcd"))
_FIRST: Final = _words("amelia bruno chidi dalia emil farah goran hana ines jonas kavya luca mina noor otto priya")
_LAST: Final = _words("adler bose chen diaz evans fischer garcia haddad ito jensen kumar lopez meyer novak okoye park")
_HOST_TYPES: Final = ("c5.2xlarge", "c5.4xlarge", "m5.2xlarge", "m5.4xlarge", "r5.2xlarge")
_THROUGHPUTS: Final = (100, 150, 200, 250, 400, 500)
_BUFFERS: Final = (5, 10, 15, 20)
_PEOPLE_PER_LEADER: Final = 8
_VERIFIED: Final = 0.9


@dataclass(frozen=True, slots=True)
class SampleCompany:
    """A company of ``services`` × ``fleets_per_service``. Deterministic: the same arguments give the same rows."""

    services: int
    fleets_per_service: int
    seed: int = 1
    event_id: str = DEFAULT_EVENT
    peak: date = DEFAULT_PEAK

    def rows(self, *, with_event: bool = True) -> Iterator[Row]:
        """One row per resource: services, fleets, inventories, the event, projections. No row carries an instant."""
        chance = random.Random(f"epic {self.seed}")
        names = self._service_names(chance)
        leaders = [_alias(chance) for _ in range(max(1, self.services // _PEOPLE_PER_LEADER))]
        yield from (self._service(name, chance, leaders) for name in names)
        later: list[Row] = []
        for name in names:
            for fleet_id, region, zones in self._fleet_ids(name):
                fleet, inventory, projection = self._fleet(name, fleet_id, region, zones, chance, names)
                yield fleet
                later += (inventory, projection)
        yield from later[::2]
        if with_event:
            yield self._event()
        yield from later[1::2]

    def _service_names(self, chance: random.Random) -> list[str]:
        names = [f"{area}{role}" for area, role in product(_AREAS, _ROLES)]
        chance.shuffle(names)
        rounds = -(-self.services // len(names))
        return [name + (str(turn) if turn else "") for turn in range(rounds) for name in names][: self.services]

    def _fleet_ids(self, service: str) -> Iterator[tuple[str, str, str]]:
        for number in range(self.fleets_per_service):
            region, label, zones = _REGIONS[number % len(_REGIONS)]
            yield f"{service}-{label}-X{number}", region, zones

    def _service(self, name: str, chance: random.Random, leaders: list[str]) -> Row:
        listed: dict[str, list[str]] = {}
        for fleet_id, _, _ in self._fleet_ids(name):
            listed.setdefault(fleet_id.rsplit("-", 2)[1], []).append(fleet_id)
        return {
            "Resource": "Service",
            "ServiceId": name,
            "ServiceType": "Registered",
            "Owner": f"{_alias(chance)}@example.com",
            "LeaderAlias": chance.choice(leaders),
            "Fleet": [{"Region": label, "Fleets": fleets} for label, fleets in listed.items()],
            "Philosophy": {"MinHosts": 2, "MaxHosts": 2_000, "CapacityStrategy": "CostBased"},
            "OnboardingStatus": "Completed",
            "ServiceTier": chance.choice(("Tier1", "Tier1", "Tier2", "Tier3")),
        }

    def _fleet(
        self, service: str, fleet_id: str, region: str, zones: str, chance: random.Random, services: list[str]
    ) -> tuple[Row, Row, Row]:
        apollo = fleet_id.replace("-", "_")
        host_type, throughput = chance.choice(_HOST_TYPES), chance.choice(_THROUGHPUTS)
        buffer_percentage = chance.choice(_BUFFERS)
        desired = [chance.randint(5, 60) for _ in zones]
        groups = [
            {
                "AutoScalingGroupName": f"{fleet_id.replace('-', '/')}/Prod/1{zone}",
                "AvailabilityZone": f"{region}{zone}",
                "MaxInstance": hosts * 3 // 2,
                "MinInstance": 2,
                "DesiredCapacity": hosts,
                "HostType": host_type,
            }
            for zone, hosts in zip(zones, desired, strict=True)
        ]
        present = sum(desired)
        peak_tpm = int(present * throughput * chance.uniform(0.7, 1.6))
        fleet = {
            "Resource": "Fleet",
            "FleetId": fleet_id,
            "ServiceId": service,
            "FleetConfiguration": {
                "ApolloName": apollo,
                "Region": region,
                "HostThroughPutTPM": throughput,
                "BufferPercentage": buffer_percentage,
                "CTFactor": round(chance.uniform(1.2, 3), 1),
                "MaxHostCount": present * 2,
                "HostType": host_type,
                "ASGProperties": groups,
                "EAPEnrolledStatus": True,
                "Homogeneous": True,
            },
        }
        inventory = {"Resource": "Inventory", "FleetId": fleet_id, "HostsPresent": present, "Source": "Apollo"}
        return fleet, inventory, self._projection(fleet_id, service, peak_tpm, chance, services)

    def _projection(
        self, fleet_id: str, service: str, peak_tpm: int, chance: random.Random, services: list[str]
    ) -> Row:
        upstream = chance.choice(services)
        known = (
            []
            if upstream == service
            else [
                {
                    "UpstreamServiceId": upstream,
                    "UpstreamTPM": peak_tpm * chance.randint(20, 80) // 100,
                    "IsVerified": chance.random() < _VERIFIED,
                }
            ]
        )
        return {
            "Resource": "Projection",
            "FleetId": fleet_id,
            "EventId": self.event_id,
            "ProjectionType": "Peak",
            "TotalInputTPM": peak_tpm,
            "CloudTuneProjection": peak_tpm * chance.randint(90, 100) // 100,
            "IsVerifiedByOwner": chance.random() < _VERIFIED,
            "ProjectionSource": "CloudTune",
            "UpstreamProjections": known,
        }

    def _event(self) -> Row:
        ordering = {
            "SPCOStartDate": (self.peak - timedelta(days=62)).isoformat(),
            "SPCOEndDate": (self.peak + timedelta(days=4)).isoformat(),
        }
        return {
            "Resource": "Event",
            "EventId": self.event_id,
            "EventName": f"Peak of {self.peak:%d %B %Y}",
            "EventType": "Peak",
            "RegionList": [region for region, _, _ in _REGIONS],
            "SPCOEventDatesByRegion": {region: ordering for region, _, _ in _REGIONS},
            "PeakStartDate": self.peak.isoformat(),
            "PeakEndDate": (self.peak + timedelta(days=1)).isoformat(),
            "IsActive": True,
            "EmergentScaleStartDate": (self.peak - timedelta(days=7)).isoformat(),
        }


def _alias(chance: random.Random) -> str:
    return f"{chance.choice(_FIRST)}.{chance.choice(_LAST)}"


def write(rows: Iterator[Row], file: IO[bytes]) -> int:
    """Writes rows as NDJSON and returns their number."""
    count = 0
    for row in rows:
        file.write(orjson.dumps(row) + b"\n")
        count += 1
    return count
