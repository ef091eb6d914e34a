"""Runs HOTW's revisions on the connection it is given."""

from services.hotw_svc.adapters.tables import METADATA
from shared.relational import run_environment

run_environment(METADATA)
