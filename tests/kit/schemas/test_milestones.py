"""Who has to act on an open milestone (6.6.13 to 6.6.18), wherever a dashboard shows it."""

from __future__ import annotations

import pytest

from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, action_pending_on


@pytest.mark.parametrize(
    ("milestone", "status", "who"),
    [
        ("HardwareOrderApproval", "PendingOnServiceOwner", "jsmith"),  # 6.6.13
        ("HardwareOrderApproval", "PendingOnEPIC", "AWS"),  # 6.6.14
        ("HardwareOrderApproval", "Blocked", "AWS"),
        ("HardwareFulfillment", "PendingOnEPIC", "EPIC"),  # 6.6.15
        ("CommunicateTPMToDownstream", "PendingOnEPIC", "EPIC"),
        ("HardwareFulfillment", "InProgress", "FMC"),  # 6.6.16
        ("HardwareFulfillment", "Blocked", "FMC"),
        ("PlaceHardwareOrder", "NotStarted", "EPIC"),  # 6.6.17
        ("PlaceHardwareOrder", "Blocked", "EPIC"),
        ("GatherProjectionFromUpstream", "NotStarted", "jsmith"),  # 6.6.18
        ("UpdateThrottlingInSDC", "Blocked", "jsmith"),
    ],
)
def test_the_first_rule_that_fits_says_who_has_to_act_6_6_13(milestone: str, status: str, who: str) -> None:
    assert action_pending_on(MilestoneId(milestone), MilestoneStatus(status), "jsmith") == who
