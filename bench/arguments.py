"""Command-line arguments that the measurements share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

DATA_VARIABLE = "FUNDOSCOPE_DATA"
"""The environment variable that names the folder of the data sets, see README.md here."""


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser whose description is the first line of a module's docstring."""
    return argparse.ArgumentParser(description=(doc or "").split("\n", maxsplit=1)[0])


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, the folder of the data sets; required unless the environment names it."""
    folder = os.environ.get(DATA_VARIABLE)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(folder) if folder else None,
        required=not folder,
        help=f"folder of the data sets (see bench/README.md); {DATA_VARIABLE} by default",
    )


def grading_table(data: Path) -> Path:
    """The label table of the grading photographs below the folder of the data sets."""
    return data / "grading" / "grading.csv"
