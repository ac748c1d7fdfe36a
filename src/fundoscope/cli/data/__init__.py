"""``fundoscope data``: label tables and annotations; each command has a file of its own."""

from __future__ import annotations

import typer

from fundoscope.cli.data import check as data_check
from fundoscope.cli.data import convert as data_convert
from fundoscope.cli.data import importing as data_import
from fundoscope.cli.data import sort as data_sort
from fundoscope.cli.data import split as data_split
from fundoscope.cli.data import stats as data_stats

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
