"""Starts event_svc: ``python -m services.event_svc.main``."""

from __future__ import annotations

from services.event_svc.bootstrap import build
from shared.service import run

if __name__ == "__main__":
    run(build)
