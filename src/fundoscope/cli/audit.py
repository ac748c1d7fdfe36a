"""``fundoscope audit``: check and print the service's audit log."""

from __future__ import annotations

from typing import Annotated

import typer

from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import DATA, Data, Database

app = typer.Typer(help="Check and print the audit log of the service.", no_args_is_help=True)


@app.command()
def verify(
    data: Data = DATA,
    database: Database = None,
    noted: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="Hash printed by an earlier check; reports a fault if its entry is gone.",
        ),
    ] = None,
) -> None:
    """Check that no entry was changed or removed, and that readings and reviews are as logged.

    Keep the hash that it prints elsewhere: with --noted HASH a later check also notices when the
    end of the log was cut off.

    Exit codes: 0 if the log is intact, 3 if not, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope audit verify", SERVE)
    from fundoscope.quoting import printable
    from fundoscope.serve.store import audit, store

    with store.opened(data, database) as opened:
        verdict = audit.verify(opened.engine, noted=noted)
    for fault in verdict.faults:
        typer.echo(printable(fault), err=True)
    state = "not intact" if verdict.faults else "intact"
    typer.echo(f"the audit log is {state}: {verdict.entries} entries, the last has the hash")
    typer.echo(verdict.head)
    if verdict.faults:
        raise typer.Exit(INCOMPLETE)


@app.command()
def show(data: Data = DATA, database: Database = None) -> None:
    """Print the entries as lines of JSON, the earliest first.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope audit show", SERVE)
    import msgspec

    from fundoscope.serve.store import audit, store

    with store.opened(data, database) as opened:
        for entry in audit.entries(opened.engine):
            typer.echo(msgspec.json.encode(entry).decode())
