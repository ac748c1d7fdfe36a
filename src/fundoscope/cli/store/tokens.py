"""``fundoscope store add-token``, ``tokens`` and ``revoke-token``: who may use the service."""

from __future__ import annotations

from typing import Annotated

import typer

from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import DATA, Data, Database
from fundoscope.cli.store.accounts import account


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

    Give each person a token of their own: the audit log names people by their tokens. Once there
    is a token, everybody needs one.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope store add-token", SERVE)
    from fundoscope.serve.store import store, tokens

    roles = role or [tokens.UPLOAD, tokens.LOOK, tokens.REVIEW]
    with store.opened(data, database, make=True) as opened:
        token = tokens.add(opened, person, roles, by=account())
    typer.echo(token)
    typer.echo(f"give it to {person}; it is not shown again", err=True)


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
        tokens.revoke(opened, person, by=account())
    typer.echo(printable(f"the token of {person} is revoked"))
