"""Whether a new bundle could be written, before hundreds of photographs are read for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.models import ranges
from fundoscope.quoting import quoted
from fundoscope.writing import explained, refuse_existing, refuse_results

SHOWN_CHARACTERS: Final = 40


def check(out: Path, *, overwrite: bool, name: str | None = None) -> None:
    """Check the folder and the name of a new bundle; nothing is written.

    Args:
        out: the folder, which need not exist.
        overwrite: whether an earlier bundle in it may be replaced.
        name: of the new bundle, if the user chose one.

    Raises:
        UsageError: ``out`` is a file, or no bundle can have that name.
        ExistsError: it holds a bundle, and ``overwrite`` is false.
        OutputError: it cannot be written to.
    """
    if name is not None and not ranges.is_word(name):
        raise UsageError(
            f"--name {quoted(name, SHOWN_CHARACTERS)}",
            "is too long, or not printable",
            "give a short name on one line",
        )
    refuse_results(out, (), overwrite=overwrite)
    refuse_existing(out / bundles.MANIFEST, overwrite=overwrite)
    existing = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise UsageError(f"--out {out}", f"lies below the file {existing}", "name another folder")
    with (
        explained(out, "cannot be written to", "name another folder with --out"),
        tempfile.TemporaryFile(dir=existing),
    ):
        pass
