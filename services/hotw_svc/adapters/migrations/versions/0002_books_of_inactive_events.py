"""Whether an event was active when a book was last settled; of books written before nobody knows it was not."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import Boolean, Column, true

from shared.relational import add_missing

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    was_active = Column("EventIsActive", Boolean, nullable=False, server_default=true())
    add_missing(op.get_bind(), "hotw_dashboard", was_active)


def downgrade() -> None:
    op.drop_column("hotw_dashboard", "EventIsActive")
