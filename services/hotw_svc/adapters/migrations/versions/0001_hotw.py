"""All tables of HOTW, as they are declared now. A later revision therefore finds its change done in a new database."""

from __future__ import annotations

from typing import Final

from alembic import op

from services.hotw_svc.adapters.tables import METADATA
from shared.relational import create_missing

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    create_missing(op.get_bind(), METADATA)


def downgrade() -> None:
    METADATA.drop_all(op.get_bind())
