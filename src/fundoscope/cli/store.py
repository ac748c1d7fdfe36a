"""``fundoscope store``: tokens, deletion and retention in the service's data folder."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import Data, Database
from fundoscope.errors import UsageError

DATA = Path("fundoscope-data")
app = typer.Typer(
    help="Manage what the service keeps: tokens, deletion and retention.", no_args_is_help=True
)


@app.command("add-token")
def add_token(
    person: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Whose token it is, such as a.smith or camera-1."),
    ],
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="upload|look|review|monitor",
            help="What the token allows; repeat it for several. Default: upload, look and review.",
        ),
    ] = None,
    data: Data = DATA,
    database: Database = None,
) -> None:
    """Add a named token and print it, this once.

    One a person: the audit log names who did what by it. From the first token on everybody needs
    one.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope store add-token", SERVE)
    from fundoscope.serve.store import store, tokens

    roles = role or [tokens.UPLOAD, tokens.LOOK, tokens.REVIEW]
    with store.opened(data, database, make=True) as opened:
        token = tokens.add(opened, person, roles, by=_who())
    typer.echo(token)
    typer.echo(f"give it to {person}; it is not shown again", err=True)


@app.command("tokens")
def list_tokens(data: Data = DATA, database: Database = None) -> None:
    """List whose tokens there are, and what they allow.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope store tokens", SERVE)
    from fundoscope.serve.store import store, tokens

    with store.opened(data, database) as opened:
        for holder in tokens.all_tokens(opened):
            state = f"revoked {holder.revoked}" if holder.revoked else "valid"
            roles = ", ".join(sorted(holder.roles))
            typer.echo(f"{holder.person}: {roles}; added {holder.created}; {state}")


@app.command("revoke-token")
def revoke_token(
    person: Annotated[str, typer.Argument(metavar="NAME", help="Whose token it is.")],
    data: Data = DATA,
    database: Database = None,
) -> None:
    """Revoke a person's token, from the next request on.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope store revoke-token", SERVE)
    from fundoscope.quoting import printable
    from fundoscope.serve.store import store, tokens

    with store.opened(data, database) as opened:
        tokens.revoke(opened, person, by=_who())
    typer.echo(printable(f"the token of {person} is revoked"))


@app.command()
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

    The service may run meanwhile. The audit log keeps that they were deleted, and by whom.

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
        deleted = retention.remove(opened, wanted, by=_who())
    typer.echo(f"{deleted} readings deleted")
    if deleted < len(wanted):
        raise typer.Exit(INCOMPLETE)


def _who() -> str:
    """The account of whoever runs the command, for the audit log."""
    try:
        return f"account:{getpass.getuser()}"[:64]
    except (OSError, KeyError):
        return "account:unknown"
