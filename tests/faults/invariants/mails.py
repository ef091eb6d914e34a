"""What must hold of what people read: one order summary per service and run, and every mail sent in its time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture


def one_order_summary_per_service_and_run(picture: Picture, ledger: Ledger) -> list[str]:
    """Each service that a completed run ordered hosts for was informed once, and nobody else."""
    ended = {run["RunId"] for run in picture.table("hotw_run") if run["RunStatus"] == "Completed"}
    due = {
        (row["RunId"], row["ServiceId"])
        for row in picture.table("hotw_execution")
        if row["OrderedHosts"] and row["RunId"] in ended
    }
    notifications = picture.of("notify_svc", "notification").values()
    summaries = [one.head.state for one in notifications if one.head.state["Kind"] == "HardwareOrder"]
    found = Counter((one["RunId"], one["ServiceId"]) for one in summaries)
    wrong = [f"run and service {key} have {count} order summaries" for key, count in found.items() if count > 1]
    wrong += [f"run and service {key} have no order summary" for key in sorted(due - found.keys())]
    wrong += [f"run and service {key} have an order summary for nothing" for key in sorted(found.keys() - due)]
    return wrong


def every_mail_that_is_due_was_sent(picture: Picture, ledger: Ledger) -> list[str]:
    """No mail failed, and those that wait wait for their time: to be gathered, or for a lease to run out."""
    wrong = []
    for key, stored in picture.of("notify_svc", "notification").items():
        state = stored.head.state
        due = state.get("_NextAttempt")
        waits = state["Status"] == "Pending" and due is not None and datetime.fromisoformat(due) > picture.taken
        if state["Status"] != "Sent" and not waits:
            wrong.append(f"the mail {key} is {state['Status']}: {state.get('Reason')}")
    return wrong
