"""Runs the steps of :mod:`fundoscope.serve.migrations` on a connection that is open already."""

from __future__ import annotations

from alembic import context

from fundoscope.serve.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()
