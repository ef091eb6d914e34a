"""Starts eventplan_svc: ``python -m services.eventplan_svc.main``."""

from __future__ import annotations

from services.eventplan_svc.bootstrap import build
from shared.service import run

if __name__ == "__main__":
    run(build)
