"""Starts hotw_svc: ``python -m services.hotw_svc.main``."""

from __future__ import annotations

from services.hotw_svc.bootstrap import build
from shared.service import run

if __name__ == "__main__":
    run(build)
