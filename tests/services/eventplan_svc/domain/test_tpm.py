"""The two milestones that are done for one PeakTPM: communicating it downstream, and throttling (6.4.41 to 6.4.55)."""

from __future__ import annotations

import pytest

from services.eventplan_svc.domain.facts import NO_FACTS
from services.eventplan_svc.domain.plan import Plan, TPMRequest
from shared.schemas.eventplan_svc import MilestoneId
from tests.support.plans import (
    COMMUNICATE,
    GATHER,
    THROTTLING,
    a_plan,
    applied,
    by_hand,
    downstream,
    facts,
    inputs,
    limits,
    projection,
    refresh,
    revision,
    state,
    status,
)

THREE = ("CheckoutService", "PaymentService", "SearchService")
CHECKOUT = downstream("CheckoutService")


def request(plan: Plan) -> TPMRequest | None:
    return plan.automation.tpm_request


# -- communicating the TPM ---------------------------------------------------------------------------------------------


def test_a_verified_tpm_is_requested_and_done_once_all_mails_are_sent() -> None:
    """6.4.43, 6.4.47, with the example of the contract."""
    waiting = [downstream(name) for name in THREE]
    plan = refresh(a_plan(), facts(projection(1, tpm=55_000, owner=False), *waiting))
    assert (request(plan), state(plan, COMMUNICATE)) == (None, ("NotStarted", None))
    plan = refresh(plan, facts(projection(2, tpm=55_000), *waiting))
    assert request(plan) == TPMRequest("FORTRESSService", 55_000, THREE)
    assert state(plan, COMMUNICATE) == ("NotStarted", None)
    some = [downstream(THREE[0], "Sent"), *waiting[1:]]
    assert state(refresh(plan, facts(projection(2, tpm=55_000), *some)), COMMUNICATE) == ("NotStarted", None)
    sent = [downstream(name, "Sent") for name in THREE]
    plan = refresh(plan, facts(projection(2, tpm=55_000), *sent))
    assert state(plan, COMMUNICATE) == ("Completed", "TPM of 55,000 sent to 3 services")
    assert request(plan) == TPMRequest("FORTRESSService", 55_000, THREE)
    assert revision(plan, facts(projection(2, tpm=55_000), *sent), "05-02") is None


def test_without_a_downstream_service_there_is_nothing_to_send() -> None:
    """6.4.46: once there is something to communicate; a new plan has not begun (6.1.6)."""
    assert status(a_plan(), COMMUNICATE) == "NotStarted"
    unverified = refresh(a_plan(), facts(projection(1, owner=False)))
    assert status(unverified, COMMUNICATE) == "NotStarted"
    plan = refresh(unverified, facts(projection(2)))
    assert state(plan, COMMUNICATE) == ("Completed", "No downstream services")
    assert request(plan) is None


def test_a_changed_peak_tpm_leaves_it_completed_where_nobody_is_downstream() -> None:
    """6.4.53a, for what automation completed and for what a person did."""
    changed = facts(projection(2, tpm=60_000, owner=False, when="06-10"))
    plan = refresh(refresh(a_plan(), facts(projection(1))), changed)
    assert status(plan, GATHER) == "PendingOnServiceOwner"
    assert state(plan, COMMUNICATE) == ("Completed", "No downstream services")
    plan = by_hand(refresh(a_plan(), facts(projection(1))), COMMUNICATE, "Completed", "06-01", facts(projection(1)))
    assert status(refresh(plan, changed), COMMUNICATE) == "Completed"


def test_a_mail_that_failed_is_pending_on_epic_and_names_whom() -> None:
    """6.4.48."""
    some = [downstream("CheckoutService", "Sent"), downstream("PaymentService", "Failed"), downstream("SearchService")]
    plan = refresh(refresh(a_plan(), facts(projection(1))), facts(projection(1), *some))
    assert state(plan, COMMUNICATE) == ("PendingOnEPIC", "The mail to PaymentService failed")
    sent = [downstream(name, "Sent", when="06-02") for name in THREE]
    assert status(refresh(plan, facts(projection(1), *sent)), COMMUNICATE) == "Completed"


@pytest.mark.parametrize("before", [(), ("CheckoutService",)], ids=["nobody was downstream", "somebody was"])
def test_a_new_downstream_service_is_named_until_its_mail_is_sent(before: tuple[str, ...]) -> None:
    """6.4.49."""
    old = [downstream(name, "Sent") for name in before]
    plan = refresh(a_plan(), facts(projection(1), *old))
    assert status(plan, COMMUNICATE) == "Completed"
    new = downstream("SearchService", since="06-10")
    plan = refresh(plan, facts(projection(1), *old, new))
    assert state(plan, COMMUNICATE) == ("PendingOnEPIC", "Not sent yet to SearchService")
    assert request(plan) == TPMRequest("FORTRESSService", 50_000, (*before, "SearchService"))
    assert revision(plan, facts(projection(1), *old, new), "05-02") is None
    plan = refresh(plan, facts(projection(1), *old, downstream("SearchService", "Sent", when="06-11")))
    assert status(plan, COMMUNICATE) == "Completed"


def test_a_changed_peak_tpm_falls_back_and_is_requested_again() -> None:
    """6.4.43a, 6.4.53."""
    plan = refresh(a_plan(), facts(projection(1), downstream("CheckoutService", "Sent")))
    unverified = facts(projection(2, tpm=60_000, owner=False, when="06-10"), CHECKOUT)
    plan = refresh(plan, unverified)
    assert state(plan, COMMUNICATE) == ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    assert request(plan) is None
    plan = refresh(plan, facts(projection(3, tpm=60_000, when="06-11"), CHECKOUT))
    assert request(plan) == TPMRequest("FORTRESSService", 60_000, ("CheckoutService",))
    assert status(plan, COMMUNICATE) == "PendingOnServiceOwner"
    plan = refresh(plan, facts(projection(3, tpm=60_000, when="06-11"), downstream("CheckoutService", "Sent")))
    assert state(plan, COMMUNICATE) == ("Completed", "TPM of 60,000 sent to 1 service")
    plan = refresh(plan, facts(projection(4, tpm=70_000, when="06-12"), CHECKOUT))
    assert request(plan) == TPMRequest("FORTRESSService", 70_000, ("CheckoutService",)), "the owner verified it at once"


def test_a_peak_tpm_that_was_sent_before_needs_no_other_mail() -> None:
    """6.4.44: one mail per PeakTPM."""
    sent = downstream("CheckoutService", "Sent")
    plan = refresh(a_plan(), facts(projection(1), sent))
    plan = refresh(plan, facts(projection(2, tpm=60_000, when="06-10"), CHECKOUT))
    plan = refresh(plan, facts(projection(3, when="06-11"), sent))
    assert state(plan, COMMUNICATE) == ("Completed", "TPM of 50,000 sent to 1 service")


def test_a_deleted_projection_falls_back_and_requests_nothing() -> None:
    plan = refresh(a_plan(), facts(projection(1), downstream("CheckoutService", "Sent")))
    plan = refresh(plan, facts(projection(2, when="06-10", deleted=True), CHECKOUT))
    assert state(plan, COMMUNICATE) == ("PendingOnServiceOwner", "the projection is deleted, this was done for 50000")
    assert request(plan) is None


def test_a_service_that_is_downstream_no_more_is_not_waited_for() -> None:
    plan = refresh(a_plan(), facts(projection(1), downstream("CheckoutService", "Sent"), downstream("SearchService")))
    assert status(plan, COMMUNICATE) == "NotStarted"
    plan = refresh(plan, facts(projection(1), downstream("CheckoutService", "Sent")))
    assert state(plan, COMMUNICATE) == ("Completed", "TPM of 50,000 sent to 1 service")


def test_a_closed_plan_requests_no_mail_and_one_that_is_opened_again_does() -> None:
    """6.1.29: automation still applies to it."""
    known, closed = facts(projection(1), CHECKOUT), inputs(event={"active": False})
    plan = refresh(a_plan(), known, of=closed)
    assert (status(plan, GATHER), request(plan)) == ("Completed", None)
    assert request(refresh(plan, known)) == TPMRequest("FORTRESSService", 50_000, ("CheckoutService",))


def test_a_fleet_that_belongs_to_another_service_has_its_tpm_requested_for_that_one() -> None:
    known = facts(projection(1), CHECKOUT)
    plan = refresh(refresh(a_plan(), known), known, of=inputs(fleet={"service_id": "KEEPService"}))
    assert request(plan) == TPMRequest("KEEPService", 50_000, ("CheckoutService",))


def test_what_a_person_completed_is_pending_again_when_somebody_new_is_downstream() -> None:
    """6.4.49: of those who were downstream before, the person knew."""
    known = facts(projection(1), CHECKOUT)
    plan = by_hand(refresh(a_plan(), known), COMMUNICATE, "Completed", "06-05", known)
    assert revision(plan, known, "06-05") is None
    new = downstream("SearchService", since="06-10")
    plan = refresh(plan, facts(projection(1), CHECKOUT, new))
    assert state(plan, COMMUNICATE) == ("PendingOnEPIC", "Not sent yet to SearchService")


def test_what_a_person_gathered_is_communicated_as_well() -> None:
    """6.4.43."""
    known = facts(projection(1, owner=False), CHECKOUT)
    plan = by_hand(refresh(a_plan(), known), GATHER, "Completed", "06-05", known)
    assert request(refresh(plan, known)) == TPMRequest("FORTRESSService", 50_000, ("CheckoutService",))


# -- throttling --------------------------------------------------------------------------------------------------------


def test_throttling_is_done_once_its_latest_version_is_applied_for_the_peak_tpm() -> None:
    """6.4.50, 6.4.51."""
    plan = refresh(a_plan(), facts(projection(1), limits(1)))
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "Version 1 of the throttling is not applied yet")
    plan = refresh(plan, facts(projection(1), limits(1), applied(1)))
    assert state(plan, THROTTLING) == ("Completed", "Version 1 of the throttling is applied for 50,000 TPM")
    plan = refresh(plan, facts(projection(1), limits(2, when="06-10"), applied(1)))
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "Version 2 of the throttling is not applied yet")
    plan = refresh(plan, facts(projection(1), limits(2, when="06-10"), applied(2, number=2, when="06-11")))
    assert status(plan, THROTTLING) == "Completed"


def test_a_report_that_comes_before_its_version_counts_at_once() -> None:
    """5.10: between topics, order is by version."""
    plan = refresh(a_plan(), facts(projection(1), limits(1), applied(2)))
    assert status(plan, THROTTLING) == "Completed"
    assert revision(plan, facts(projection(1), limits(2), applied(2)), "05-02") is None


def test_a_deleted_throttling_is_pending_until_another_one_is_applied() -> None:
    """6.4.52."""
    plan = refresh(a_plan(), facts(projection(1), limits(1), applied(1)))
    plan = refresh(plan, facts(projection(1), limits(2, when="06-10", deleted=True), applied(1)))
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "The throttling is deleted")
    plan = refresh(plan, facts(projection(1), limits(3, when="06-11"), applied(3, when="06-12")))
    assert status(plan, THROTTLING) == "Completed"


def test_applied_throttling_falls_back_when_the_peak_tpm_changes() -> None:
    """6.4.54, 6.4.55."""
    plan = refresh(a_plan(), facts(projection(1), limits(1), applied(1)))
    plan = refresh(plan, facts(projection(2, tpm=60_000, when="06-10"), limits(1), applied(1)))
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    again = applied(1, tpm=60_000, number=2, when="06-11")
    plan = refresh(plan, facts(projection(2, tpm=60_000, when="06-10"), limits(1), again))
    assert status(plan, THROTTLING) == "Completed"
    plan = refresh(a_plan(), facts(limits(1), applied(1, tpm=None)))
    assert state(plan, THROTTLING) == ("Completed", "Version 1 of the throttling is applied")
    plan = refresh(plan, facts(projection(1, when="06-10"), limits(1), applied(1, tpm=None)))
    assert state(plan, THROTTLING) == (
        "PendingOnServiceOwner",
        "PeakTPM is 50000 now, this was done before there was one",
    )


def test_a_persons_word_on_throttling_holds_until_something_newer() -> None:
    """6.4.6, 6.4.9."""
    known = facts(projection(1), limits(1))
    plan = by_hand(refresh(a_plan(), known), THROTTLING, "Completed", "06-05", known)
    assert status(refresh(plan, known), THROTTLING) == "Completed"
    plan = refresh(plan, facts(projection(1), limits(2, when="06-10")))
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "Version 2 of the throttling is not applied yet")
    plan = by_hand(plan, THROTTLING, "Blocked", "06-11", facts(projection(1), limits(2, when="06-10")))
    plan = refresh(plan, facts(projection(1), limits(2, when="06-10"), applied(2, when="06-10")))
    assert status(plan, THROTTLING) == "Blocked", "the report is older than the person's change"


def test_reports_are_ordered_by_version_and_then_by_number() -> None:
    ordered = [applied(1, number=1), applied(1, number=2), applied(2, number=1), applied(3, number=1)]
    assert [one.version for one in ordered] == sorted(one.version for one in ordered)
    assert len({one.version for one in ordered}) == 4
    assert applied(2_147_483_647, number=2_147_483_647).version < 2**63


# -- what a person did -------------------------------------------------------------------------------------------------


def test_what_a_person_completed_falls_back_when_the_peak_tpm_changes() -> None:
    known = facts(projection(1))
    plan = by_hand(refresh(a_plan(), known), THROTTLING, "Completed", "06-01", known)
    unchanged = facts(projection(2, upstream=False, when="06-02"))
    assert refresh(plan, unchanged).milestone(MilestoneId(THROTTLING)).source == "Human"
    changed = facts(projection(2, tpm=60_000, when="06-02"))
    plan = refresh(plan, changed)
    assert state(plan, THROTTLING) == ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 50000")
    assert status(refresh(plan, facts(projection(3, tpm=50_000, when="06-03"))), THROTTLING) == "Completed"


def test_what_a_person_completed_stays_when_the_projection_changed_before() -> None:
    known = facts(projection(1), CHECKOUT)
    plan = by_hand(refresh(a_plan(), known), COMMUNICATE, "Completed", "06-03", known)
    late = facts(projection(2, tpm=60_000, when="06-02"), CHECKOUT)
    assert status(refresh(plan, late), COMMUNICATE) == "Completed"


def test_what_was_done_before_there_was_a_projection_falls_back_when_it_comes() -> None:
    """6.4.53 to 6.4.55: no PeakTPM at all counts as one."""
    for name in (COMMUNICATE, THROTTLING):
        plan = by_hand(a_plan(), name, "Completed", "06-01")
        assert revision(plan, NO_FACTS) is None
        plan = refresh(plan, facts(projection(1, when="06-02"), CHECKOUT))
        assert state(plan, name) == (
            "PendingOnServiceOwner",
            "PeakTPM is 50000 now, this was done before there was one",
        )
        assert state(refresh(plan, facts(projection(2, when="06-03", deleted=True), CHECKOUT)), name) == (
            "Completed",
            None,
        )


def test_what_was_done_without_a_projection_stays_when_an_older_one_comes_late() -> None:
    """6.4.6, 6.4.9: automation writes only what is newer than the person's change."""
    plan = by_hand(a_plan(), THROTTLING, "Completed", "06-03")
    plan = refresh(plan, facts(projection(1, when="06-02")))
    assert status(plan, THROTTLING) == "Completed"
    assert status(refresh(plan, facts(projection(2, tpm=60_000, when="06-04"))), THROTTLING) == "PendingOnServiceOwner"


def test_what_was_done_after_the_projection_was_deleted_falls_back_at_the_next() -> None:
    """6.4.55."""
    deleted = facts(projection(2, when="05-21", deleted=True))
    plan = by_hand(refresh(a_plan(), deleted), COMMUNICATE, "Completed", "06-01", deleted)
    assert status(plan, COMMUNICATE) == "Completed"
    known = facts(projection(3, when="06-02"), CHECKOUT)
    assert status(refresh(plan, known), COMMUNICATE) == "PendingOnServiceOwner"


def test_another_status_of_a_person_ends_what_a_milestone_was_done_for() -> None:
    known = facts(projection(1), CHECKOUT)
    plan = by_hand(refresh(a_plan(), known), COMMUNICATE, "Completed", "06-01", known)
    plan = by_hand(plan, COMMUNICATE, "InProgress", "06-02", known)
    plan = refresh(plan, facts(projection(2, tpm=60_000, when="06-03"), CHECKOUT))
    assert not plan.automation.done_for
    assert status(plan, COMMUNICATE) == "InProgress"
