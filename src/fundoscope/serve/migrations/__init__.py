"""The steps by which the database of an earlier version becomes that of this one (Alembic).

A new step is a module in ``versions/``, whose ``down_revision`` is the latest of the others. A test
compares the result of all steps with :mod:`fundoscope.serve.store.tables`.
"""
