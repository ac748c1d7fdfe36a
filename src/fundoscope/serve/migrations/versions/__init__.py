"""Each module is a step; Alembic orders them by ``down_revision``."""
