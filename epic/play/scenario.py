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


# A fleet whose projection follows from its traffic, and the minutes of the day before: a base, and a wave on top.
PROPOSED_FLEET: Final = "SearchService-EU-X0"
TRAFFIC_DATE: Final = "2024-06-14"
TRAFFIC_BASE_TPM: Final = 12_000
TRAFFIC_WAVE_TPM: Final = 22_000

# A fleet that gets another buffer for the event: who asks for it, and who approves.
EXCEPTED_FLEET: Final = "CheckoutService-EU-X0"
EXCEPTION: Final = {
    "FleetId": EXCEPTED_FLEET,
    "EventId": EVENT_ID,
    "RequestedValue": 1.3,
    "BusinessReason": "A new payment method is launched on the first day of the peak",
    "ExpiresOn": "2024-07-18",
}
ASKED_BY: Final = "lena.fischer@example.com"
APPROVED_BY: Final = "dchen"

# What the owners of other services say of their throttling, for all fleets of a service.
_THROTTLED: Final = {
    "EventMilestoneId": "UpdateThrottlingInSDC",
    "MilestoneCompletionStatus": "Completed",
    "MilestoneMessage": "Limits for the peak are in Gizmo",
}
_THROTTLING: Final = {
    "EventMilestoneId": "UpdateThrottlingInSDC",
    "MilestoneCompletionStatus": "InProgress",
    "MilestoneMessage": "Limits for the peak are being reviewed",
}
STATUSES: Final[dict[str, dict[str, str]]] = {
    "IdentityService": _THROTTLED,
    "SearchService": _THROTTLED,
    "InventoryService": _THROTTLED,
    "ShippingService": _THROTTLED,
    "PaymentService": _THROTTLING,
}

# How long the mails with a TPM wait for the service's other fleets: this is a play.
TPM_MAIL_SECONDS: Final = 3

# A projection that rises too late for a standard order: its order is emergent.
RISING_FLEET: Final = "ShippingService-NA-X0"
LATE_RISE: Final = {
    "TotalInputTPM": 18_000,
    "IsVerifiedByOwner": True,
    "AuditMetadata": {"Message": "Same-day delivery joins the event"},
}
