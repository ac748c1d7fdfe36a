"""``fundoscope data``: label tables and annotations; each command has a file of its own."""

from __future__ import annotations

import typer

from fundoscope.cli import (
    data_check,
    data_convert,
    data_import,
    data_sort,
    data_split,
    data_stats,
)

app = typer.Typer(
    help="Import, check, split, sort and convert labels and annotations.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Import, check, split, sort and convert labels and annotations."""


app.command("import")(data_import.import_source)
app.command("check")(data_check.check)
app.command("split")(data_split.split)
app.command("sort")(data_sort.sort)
app.command("stats")(data_stats.stats)
app.command("convert")(data_convert.convert)
