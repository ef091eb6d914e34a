"""Runs HOTW's revisions on the connection it is given."""

from shared.relational import run_environment

run_environment()
