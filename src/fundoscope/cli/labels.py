"""Labels as the user names them: a table, or class folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest


def read(labels: Path) -> Manifest:
    """Read a label table, or make one from a folder with class folders.

    Columns that seem to be meant, but have another name, are reported on standard error.

    Raises:
        TableError: the table is faulty, or the folder has no class folders.
    """
    from fundoscope.data import columns, manifest
    from fundoscope.data.class_folders import from_class_folders
    from fundoscope.quoting import printable

    if labels.is_dir():
        return from_class_folders(labels)
    table = manifest.read(labels)
    for known, column in columns.unused(table.columns).items():
        what = f"{labels.name}, column {column}"
        typer.echo(printable(f"note: {what}: is not used; name it {known}"), err=True)
    return table
