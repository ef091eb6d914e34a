"""Everything HOTW keeps."""

from alembic import op

from services.hotw_svc.adapters.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
