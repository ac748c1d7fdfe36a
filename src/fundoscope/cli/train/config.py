"""``fundoscope train config``: print a configuration that comes with the package."""

from __future__ import annotations

from typing import Annotated

import typer


def config(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The configuration to print. Default: list them."),
    ] = None,
) -> None:
    """Print a configuration for training, or list all of them.

    Change it as you like: fundoscope train config grader > my.toml. The commands of training take
    the name as well as a file.
    """
    from fundoscope.train.run import recipes

    if name is not None:
        typer.echo(recipes.text(name), nl=False)
        return
    for each in recipes.names():
        typer.echo(f"{each}: {recipes.title(each)}")
