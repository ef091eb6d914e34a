"""What a new Event takes from an event profile, and a new profile from an Event."""

from __future__ import annotations

from typing import TypeVar

from shared.schemas.base import WireModel
from shared.schemas.event_svc.event import PROFILE_MEMBERS

M = TypeVar("M", bound=WireModel)


def completed(document: M, source: WireModel) -> M:
    """The document with the profile members that it lacks, as the source has them (4.462, 4.466).

    What the document gives itself stays. The members become its own: later changes of the source do not reach them.
    """
    lacking = [name for name in PROFILE_MEMBERS if getattr(document, name) is None]
    return document.model_copy(update={name: getattr(source, name) for name in lacking})
