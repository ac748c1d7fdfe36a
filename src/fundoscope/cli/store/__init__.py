"""``fundoscope store``: tokens, deletion and retention in the service's data folder."""

from __future__ import annotations

import typer

from fundoscope.cli.store import delete, tokens

app = typer.Typer(
    help="Manage what the service keeps: tokens, deletion and retention.", no_args_is_help=True
)

app.command("add-token")(tokens.add_token)
app.command("tokens")(tokens.list_tokens)
app.command("revoke-token")(tokens.revoke_token)
app.command()(delete.delete)
