"""``fundoscope store delete``: deletion and retention."""

from __future__ import annotations

from typing import Annotated

import typer

from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import DATA, Data, Database
from fundoscope.cli.store.accounts import account
from fundoscope.errors import UsageError


def delete(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Readings.", show_default=False)
    ] = None,
    patient: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Delete all readings of this patient.")
    ] = None,
    older_than: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            max=36_500,
            help="Delete readings that are older. Run it daily to keep a retention period.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print how many readings would be deleted.")
    ] = False,
    data: Data = DATA,
    database: Database = None,
) -> None:
    """Delete readings with their reviews and photographs.

    The service may run meanwhile. The audit log records that they were deleted, and by whom.

    Exit codes: 0 if done, 3 if a reading does not exist, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope store delete", SERVE)
    from fundoscope.serve.store import retention, store

    chosen = [bool(ids), patient is not None, older_than is not None]
    if sum(chosen) != 1:
        raise UsageError(
            "fundoscope store delete",
            "needs to know which readings",
            "give their ids, --patient or --older-than",
        )
    with store.opened(data, database) as opened:
        wanted = list(ids or ())
        if patient is not None:
            wanted = retention.of_patient(opened, patient)
        elif older_than is not None:
            wanted = retention.older_than(opened, older_than)
        if dry_run:
            typer.echo(f"{len(wanted)} readings would be deleted")
            return
        deleted = retention.remove(opened, wanted, by=account())
    typer.echo(f"{deleted} readings deleted")
    if deleted < len(wanted):
        raise typer.Exit(INCOMPLETE)
