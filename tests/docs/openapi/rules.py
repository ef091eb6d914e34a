"""What a request must keep beyond its JSON Schema, for schemathesis: rules between members, and values that EPIC gives.

A generated request that fits its schema is made to keep them before it is sent, so that EPIC must accept it. A request
that is made to be refused is sent as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unicodedata import normalize

import schemathesis

Body = dict[str, Any]

_MILESTONES = {
    "GatherProjectionFromUpstream": (),
    "HardwareOrder": ("PlaceHardwareOrder", "HardwareOrderApproval"),
    "HardwareFulfillment": (),
    "CommunicateTPMToDownstream": (),
    "UpdateThrottlingInSDC": (),
}
_TPM = ("TotalInputTPM", "CloudTuneProjection", "ManualOverride")
_OF_EVERY_RESOURCE = ("/batch", "/restore", "/review")
"""How the paths end whose bodies are not those of a document."""


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    """A body of a bulk job. It is text to its document, and what is no JSON in it fails its row."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Changes a request that is meant to be accepted."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in ("If-Match", "If-None-Match"):
        (case.headers or {}).pop(name, None)  # only EPIC makes an ETag
    if case.operation.path.endswith("/review"):
        case.headers = {**(case.headers or {}), "X-Epic-User": "epic-team@amazon.com"}  # 4.515
    if isinstance(case.query, dict):
        case.query.pop("Cursor", None)  # only EPIC makes one
        if "From" in case.query:
            case.query.pop("To", None)  # it is not before From
        if "AsOf" in case.query:
            case.query["AsOf"] = min(str(case.query["AsOf"]), "2024-06-15T09:00:00Z")  # it has passed
        if case.operation.path.endswith("/trend"):  # at most 732 days, and none to come
            case.query |= dict.fromkeys(case.query.keys() & {"From", "To"}, "2024-06-14")
    for name in ("DimensionName",):  # 2.13: in form C, which no pattern can ask for
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = normalize("NFC", case.path_parameters[name])
    if isinstance(case.body, dict):
        case.body.pop("Cursor", None)
        if case.operation.path.endswith("/hotw/order/review"):
            _order_review(case.body)
        for words, keep in _RULES.items():
            if case.operation.path.startswith(words) and not case.operation.path.endswith(_OF_EVERY_RESOURCE):
                keep(case.body)


def _event(body: Body) -> None:
    """4.420b: a peak ends on its first day or later, and so do emergent orders and the window of a region.

    4.460c: a milestone is given once.
    """
    if body.keys() & {"PeakStartDate", "PeakEndDate", "EmergentScaleStartDate"}:
        body |= {"PeakStartDate": "2024-07-16", "PeakEndDate": "2024-07-17", "EmergentScaleStartDate": "2024-07-09"}
    if "EventName" in body and not body.get("RegionList"):
        body["RegionList"] = ["us-east-1"]  # 4.420d: no profile gives it
    if body.get("Milestones"):
        body["Milestones"] = list({one["EventMilestoneId"]: one for one in body["Milestones"]}.values())
    for dates in (body.get("SPCOEventDatesByRegion") or {}).values():
        if dates:
            dates.pop("SPCOEndDate", None)


def _calendar(body: Body) -> None:
    """4.455: an entry begins before it ends, and both are days."""
    for name, day in (("Start", "2024-07-10"), ("End", "2024-07-18")):
        if name in body:
            body[name] = day


def _service(body: Body) -> None:
    """4.490a, 4.493: MinHosts is not over MaxHosts, and Fixed has one."""
    if body.get("Philosophy"):
        _philosophy(body["Philosophy"])


def _philosophy(body: Body) -> None:
    """4.490a, 4.493: MinHosts is not over MaxHosts, and Fixed has one."""
    body |= {"MinHosts": 1, "MaxHosts": 500}


def _organization(body: Body) -> None:
    """4.502, 4.503: a parent is there, and a service is in one organization."""
    body |= {name: None for name in ("ParentId", "Services") if name in body}


def _fleet(body: Body) -> None:
    """4.412: an ASG is named once. 4.126: nobody counts hosts in the future."""
    configuration = body.get("FleetConfiguration") or {}
    if configuration.get("ASGProperties"):
        configuration["ASGProperties"] = configuration["ASGProperties"][:1]
    body.pop("AsOf", None)


def _throttling(body: Body) -> None:
    """4.470: a client has one limit, and the sum of the limits is a count."""
    if body.get("Limits"):
        body["Limits"] = body["Limits"][:1]


def _projection(body: Body) -> None:
    """4.441: one TPM at least. 4.187: the TPM of a proposal stands alone."""
    if "TPM" not in body and any(body.get(name) is None for name in _TPM):
        body["TotalInputTPM"] = 50_000


def _plan(body: Body) -> None:
    """4.163: exactly the known milestones, in order."""
    if "EventMilestone" in body:
        body["EventMilestone"] = [_milestone(name, *subs) for name, subs in _MILESTONES.items()]
    body.pop("EventDescaleMilestone", None)


def _milestone(name: str, *subs: str) -> Body:
    milestone: Body = {"EventMilestoneId": name, "MilestoneCompletionStatus": "Blocked"}
    return milestone | ({"SubMilestones": [_milestone(sub) for sub in subs]} if subs else {})


def _order(body: Body) -> None:
    """7.8.16, 4.219: a delay is to a day that is not past, a delivery has happened."""
    body.pop("DeliveredAt", None)
    if "Decision" in body:
        body["FulfillmentDate"] = "2024-07-31"


def _order_review(body: Body) -> None:
    """7.8.22: orders are named, or found by a filter together with their count."""
    if body.get("FulfillmentIds"):
        body.pop("Filter", None)
        body.pop("ExpectedCount", None)
    else:
        body.pop("FulfillmentIds", None)
        body |= {"Filter": {"EventId": "PD2024"}, "ExpectedCount": 1}


def _recorded(body: Body) -> None:
    """7.0.28, 7.0.29: each ASG and order comes once, a window ends before 2038, and both members say one order type."""
    for name, key in (
        ("ASGDetails", "AutoScalingGroupName"),
        ("CapacityOverrideDetails", "AutoScalingGroupName"),
        ("FulfillmentDetails", "FulfillmentId"),
    ):
        if body.get(name):
            body[name] = list({one[key]: one for one in body[name]}.values())
    for override in body.get("CapacityOverrideDetails") or ():
        override |= {"StartTime": "2024-07-15T00:00:00Z", "Duration": "2200 s"}
    for order in body.get("FulfillmentDetails") or ():
        order.pop("IsEmergent", None)


def _formula(body: Body) -> None:
    """4.541: an expression is one of the grammar."""
    if "Expression" in body:
        body["Expression"] = "ceil(PeakTPM / HostThroughPutTPM)"


def _schema(body: Body) -> None:
    """4.480a: a definition is a JSON Schema."""
    if "Definition" in body:
        body["Definition"] = {"type": "object"}


def _dimension(body: Body) -> None:
    """2.13: a name is in form C. 4.486: what names a schema matches it."""
    if "DimensionName" in body:
        body["DimensionName"] = normalize("NFC", body["DimensionName"])
    body.pop("SchemaId", None)


def _input(body: Body) -> None:
    """4.551: an input for all fleets holds only factors. 4.482: what names a schema matches it."""
    if body.get("Input"):
        body["Input"] = {name: body["Input"][name] for name in ("CTFactor", "BufferFactor") if name in body["Input"]}
    body.pop("FleetId", None)
    body.pop("SchemaId", None)


def _traffic(body: Body) -> None:
    """4.533: a day is one of the last 35, and its minutes have begun."""
    if "Date" in body:
        body["Date"] = "2024-06-14"


def _job(body: Body) -> None:
    """4.560: a schedule is a cron expression, in a time zone that there is."""
    if "Schedule" in body:
        body["Schedule"] = "0 9 * * 1-5"
    if body.get("TimeZone"):
        body["TimeZone"] = "Europe/Berlin"


_RULES: dict[str, Callable[[Body], None]] = {
    "/event": _event,
    "/calendar": _calendar,
    "/service": _service,
    "/philosophy": _philosophy,
    "/organization": _organization,
    "/fleet": _fleet,
    "/throttling": _throttling,
    "/projection": _projection,
    "/eventplan": _plan,
    "/hotw/order": _order,
    "/hotw/executionDetail": _recorded,
    "/hotw/dashboardDetail": _recorded,
    "/customformula": _formula,
    "/schema": _schema,
    "/dimension": _dimension,
    "/custominput": _input,
    "/traffic": _traffic,
    "/bauhostjob": _job,
}
