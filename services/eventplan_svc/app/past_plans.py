"""The plans of an event as they were at an earlier time, from their versions (6.6.22)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.read_models import chunks
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.app.show_dashboard import check_complete
from services.eventplan_svc.domain.plan import Plan
from shared.documents import Documents

_AT_ONCE: Final = 250  # decoded in some hundredths of a second, for which other requests wait


class PastPlans:
    """Reads a few times for so many plans, whatever the length of their histories."""

    def __init__(self, documents: Documents, view: ReadinessView) -> None:
        self._documents = documents
        self._view = view

    @property
    def are_known(self) -> bool:
        """Whether every plan is known, so that they can be read."""
        return self._view.complete.is_set()

    async def at(self, event_id: str, at: datetime) -> AsyncIterator[list[Plan]]:
        """Those that were there, closed ones too, some at a time. Unavailable while not all plans are known."""
        check_complete(self._view)
        keys = self._view.matching({"EventId": event_id}, after=None, limit=len(self._view.plan_ids()))
        for some in chunks(keys, _AT_ONCE):
            documents = await self._documents.versions_at(some, at)
            yield [decode_plan(document.state) for document in documents.values()]
