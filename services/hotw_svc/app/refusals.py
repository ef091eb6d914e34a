"""Owns how a rule's no is told to those who asked: the domain's errors as the kit's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.hotw_svc.domain.errors import InvalidInput, RefusedByRule
from shared.errors import BadInput, Conflict, FieldError

__all__ = ["ruled"]


@contextmanager
def ruled() -> Iterator[None]:
    """Within it, a rule's refusal is a Conflict (409) and a wrong value a BadInput (400), their slugs kept."""
    try:
        yield
    except RefusedByRule as refusal:
        raise Conflict(refusal.detail, slug=refusal.slug) from None
    except InvalidInput as error:
        raise BadInput(error.detail, [FieldError(error.pointer, error.detail)], slug=error.slug) from None
