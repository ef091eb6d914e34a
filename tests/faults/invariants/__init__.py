"""What must hold of EPIC's stores once all is quiet, whatever happened before: one function for each invariant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.faults.invariants.clients import (
    a_command_has_one_answer,
    dead_letters_are_what_was_poisoned,
    decisions_and_deliveries_stand,
    every_command_is_answered,
    no_acknowledged_write_is_missing,
    runs_are_those_that_were_asked_for,
)
from tests.faults.invariants.colours import a_day_of_the_trend_is_a_recount, every_change_of_colour_is_listed
from tests.faults.invariants.documents import (
    one_plan_per_fleet_and_event,
    outboxes_are_empty,
    replicas_hold_the_latest,
    version_numbers_are_contiguous,
)
from tests.faults.invariants.hosts import (
    hosts_add_up,
    no_host_is_ordered_twice,
    one_execution_per_fleet_and_run,
    plans_show_what_was_ordered,
    runs_have_ended,
)
from tests.faults.invariants.mails import every_mail_that_is_due_was_sent, one_order_summary_per_service_and_run
from tests.faults.invariants.messages import (
    every_fact_of_a_book_was_published,
    every_version_was_published,
    first_copies_are_in_order,
    no_id_has_two_contents,
)
from tests.faults.ledger import Ledger
from tests.faults.picture import Picture

__all__ = ["INVARIANTS", "Invariant", "violations"]

Invariant = Callable[[Picture, Ledger], list[str]]

INVARIANTS: Final[tuple[Invariant, ...]] = (
    one_plan_per_fleet_and_event,
    version_numbers_are_contiguous,
    replicas_hold_the_latest,
    outboxes_are_empty,
    every_version_was_published,
    every_fact_of_a_book_was_published,
    no_id_has_two_contents,
    first_copies_are_in_order,
    runs_have_ended,
    one_execution_per_fleet_and_run,
    hosts_add_up,
    no_host_is_ordered_twice,
    plans_show_what_was_ordered,
    every_change_of_colour_is_listed,
    a_day_of_the_trend_is_a_recount,
    one_order_summary_per_service_and_run,
    every_mail_that_is_due_was_sent,
    runs_are_those_that_were_asked_for,
    no_acknowledged_write_is_missing,
    decisions_and_deliveries_stand,
    every_command_is_answered,
    a_command_has_one_answer,
    dead_letters_are_what_was_poisoned,
)


def violations(picture: Picture, ledger: Ledger) -> list[str]:
    """Every violation of every invariant, each beginning with the invariant's name."""
    return [f"{one.__name__}: {wrong}" for one in INVARIANTS for wrong in one(picture, ledger)]
