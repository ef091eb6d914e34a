"""Starts fleet_svc: ``python -m services.fleet_svc.main``."""

from __future__ import annotations

from services.fleet_svc.bootstrap import build
from shared.service import run

if __name__ == "__main__":
    run(build)
