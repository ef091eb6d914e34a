"""Which refusals are outcomes of a request, and how long the record of a request is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.durability.idempotency import is_final, retention_of
from shared.errors import BadInput, Conflict, NotFound, Refused, Stale, TooLarge, UnderWay


@pytest.mark.parametrize(
    "refusal",
    [
        *(Refused("not now", slug="other", status=status) for status in (401, 403, 429, 503)),
        UnderWay("being worked on"),
        Conflict("the metric is in migration", retry_after=5),
    ],
    ids=lambda refusal: f"{refusal.status} {refusal.slug}",
)
def test_what_asks_to_come_again_is_not_kept_3_42(refusal: Refused) -> None:
    assert not is_final(refusal)


@pytest.mark.parametrize("kind", [BadInput, NotFound, Conflict, Stale, TooLarge])
def test_every_other_refusal_is_an_outcome(kind: type[Refused]) -> None:
    assert is_final(kind("no"))


def test_another_request_under_a_known_id_does_not_replace_the_first_3_40() -> None:
    assert not is_final(Conflict("used before", slug="id-reused"))


@pytest.mark.parametrize(
    ("cause_id", "kept"),
    [
        ("\nann\n/event\nkey-1", timedelta(hours=24)),
        ("\nann b\n/fleet/F?x=1\nk", timedelta(hours=24)),
        ("fleet_svc/F1:1:fleet.created", timedelta(days=30)),
        ("ann\n/kcat\nc1", timedelta(days=30)),
        ("ann\nx POST /y\nc1", timedelta(days=30)),
    ],
)
def test_a_record_is_kept_as_long_as_its_request_can_come_again_3_38(cause_id: str, kept: timedelta) -> None:
    assert retention_of(cause_id) == kept
