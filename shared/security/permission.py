"""Decides whether a caller may do something. Every HTTP route and every command names its action and asks here."""

from __future__ import annotations

import re
from typing import Final

from shared.security.callers import Principal

ACTION_RULE: Final = "lower-case words joined by dots, the last one a verb, such as event.create or hotw.run.start"
_ACTION: Final = re.compile(r"[a-z][a-z-]*(\.[a-z][a-z-]*){1,3}")


def is_action(text: str) -> bool:
    """Whether the text has the form of an action's name; ``ACTION_RULE`` describes the form."""
    return _ACTION.fullmatch(text) is not None


def authorize(principal: Principal, action: str) -> None:
    """Returns when ``principal`` may do ``action``; raises Refused otherwise.

    Today everybody may do everything: EPIC has no roles yet (ADR 0013).
    """
