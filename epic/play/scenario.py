"""The scenario of the play: the decision about each fleet, so that every colour and every wait occurs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

EVENT_ID: Final = "PD2024"
NOW: Final = "2024-06-15T09:00:00Z"
MAIL_DOMAIN: Final = "example.com"
AZ_FACTORS: Final = {"us-east-1a": Decimal(2), "us-east-1b": Decimal(2), "us-east-1c": Decimal(1)}

OPERATOR: Final = "jsmith"
CAPACITY_TEAM: Final = "capacity-team"

# The capacity team approves every order but these.
REJECTED: Final = {"RecommendationService-NA-X0": "No m5.4xlarge left in us-east-1 until August; choose another type"}
UNDECIDED: Final = frozenset({"InventoryService-NA-X0"})

# Deliveries: everything approved arrives, except this many orders of each fleet, the last ones.
LEFT_OPEN: Final = {
    "FORTRESSService-NA-X0": 1,
    "SearchService-NA-X0": 1,
    "PaymentService-NA-X0": 3,
    "PaymentService-EU-X0": 2,
    "ShippingService-NA-X0": 3,
}


# The milestones that owners set by hand for all fleets of a service.
def _set(milestone: str, status: str, message: str) -> dict[str, str]:
    return {"EventMilestoneId": milestone, "MilestoneCompletionStatus": status, "MilestoneMessage": message}


_COMMUNICATED: Final = _set("CommunicateTPMToDownstream", "Completed", "Peak TPM sent to every downstream service")
_THROTTLED: Final = _set("UpdateThrottlingInSDC", "Completed", "Limits for the peak are in Gizmo")
_THROTTLING: Final = _set("UpdateThrottlingInSDC", "InProgress", "Limits for the peak are being reviewed")

STATUSES: Final[dict[str, tuple[dict[str, str], ...]]] = {
    "FORTRESSService": (_COMMUNICATED, _THROTTLED),
    "OrderService": (_COMMUNICATED, _THROTTLED),
    "CartService": (_COMMUNICATED, _THROTTLED),
    "CheckoutService": (_COMMUNICATED, _THROTTLED),
    "IdentityService": (_COMMUNICATED, _THROTTLED),
    "SearchService": (_COMMUNICATED, _THROTTLED),
    "InventoryService": (_COMMUNICATED, _THROTTLED),
    "ShippingService": (_COMMUNICATED, _THROTTLED),
    "PaymentService": (_COMMUNICATED, _THROTTLING),
    "PricingService": (_COMMUNICATED,),
}


# A projection that rises too late for a standard order: its order is emergent.
RISING_FLEET: Final = "ShippingService-NA-X0"
LATE_RISE: Final = {
    "TotalInputTPM": 18_000,
    "IsVerifiedByOwner": True,
    "AuditMetadata": {"Message": "Same-day delivery joins the event"},
}
