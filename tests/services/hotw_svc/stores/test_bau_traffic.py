"""BAUTPM as the last resort for a fleet's PeakTPM (7.3.5), as fleet_svc publishes it (5.7e)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.support.hotw_store import EVENT, FLEET, Replica, bau_body, projection_body, snapshot

pytestmark = pytest.mark.slow

PROJECTION = f"{FLEET}#{EVENT}#Peak"


async def numbers(hotw: Replica) -> tuple[Any, Any, Any, Any]:
    """PeakTPM and where it is from, BAUTPM and its version, of an execution now."""
    done = await hotw.execute()
    versions = done["InputVersions"]
    return done["PeakTPM"], versions.get("PeakTPM"), done["BAUTPM"], versions.get("BAUTPM")


async def test_bautpm_sizes_a_fleet_that_nobody_gave_a_tpm(hotw: Replica) -> None:
    """7.3.1, 7.3.5, 7.3.7, 7.4.3."""
    await hotw.settle_in()
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4), deleted=True))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=26_667)))
    assert await numbers(hotw) == (40_001, "BAUTPM × CTFactor", 26_667, 1)
    done = (await hotw.executions())[0]
    assert (done["Status"], done["Needed"], done["CTPeakFactor"]) == ("Success", 177, 1.5)
    assert "40,001 TPM (BAUTPM 26,667 × CTFactor 1.5) × 1.1 buffer" in done["Reasoning"]
    assert "The TPM (BAUTPM × CTFactor, version 1) is not verified by its owner." in done["Reasoning"]


async def test_a_projection_wins_over_bautpm_which_is_kept_beside_it(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=10)))
    assert await numbers(hotw) == (50_000, "TotalInputTPM", 10, 1)


async def test_bautpm_that_is_not_known_any_more_is_no_last_resort(hotw: Replica) -> None:
    """4.531b: the newest version counts, also one without a BAUTPM."""
    await hotw.settle_in()
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4), deleted=True))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=10)))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(version=2)))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=10)))  # late
    assert await numbers(hotw) == (None, None, None, 2)
    assert (await hotw.executions())[0]["Reasoning"].endswith("gives a TPM, and BAUTPM is not known.")


async def test_a_replay_in_any_order_ends_with_the_newest_bautpm(hotw: Replica) -> None:
    """2.8a."""
    await hotw.settle_in()
    changes = [snapshot(FLEET, bau_body(version=version, BAUTPM=100 * version)) for version in (1, 2, 3)]
    for order in permutations(changes):
        await hotw.keep("bau_traffic", *order)
        assert (await hotw.inputs())["BAUTPM"]["VersionId"] == max(version for _, version, _ in changes)
    assert (await numbers(hotw))[2:] == (300, 3)


async def test_bautpm_of_a_fleet_that_is_not_known_yet_is_kept(hotw: Replica) -> None:
    """2.8: topics are not in order among themselves."""
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=26_667)))
    await hotw.settle_in()
    assert (await hotw.inputs())["BAUTPM"] == {"VersionId": 1}
