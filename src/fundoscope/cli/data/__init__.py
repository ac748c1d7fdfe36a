"""``fundoscope data``: work with label tables and annotations."""

from __future__ import annotations

import typer

from fundoscope.cli.data import check, convert, export_reviews, importing, sort, split, stats

app = typer.Typer(
    help="Import, check, split, sort and convert labels and annotations.", no_args_is_help=True
)

app.command("import")(importing.import_source)
app.command()(check.check)
app.command()(split.split)
app.command()(sort.sort)
app.command()(stats.stats)
app.command()(convert.convert)
app.command("export-reviews")(export_reviews.export_reviews)
