"""Starts notify_svc: ``python -m services.notify_svc.main``."""

from __future__ import annotations

from services.notify_svc.bootstrap import build
from shared.service import run

if __name__ == "__main__":
    run(build)
