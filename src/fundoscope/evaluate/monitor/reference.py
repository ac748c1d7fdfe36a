"""The reference that a bundle brings along: the photographs of a run, without names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate.monitor.runs import Period, read
from fundoscope.models import bundle as bundles
from fundoscope.writing import write_bytes

FILE: Final = "reference.json"
"""In the folder of a bundle, beside its own files."""
VERSION: Final = "fundoscope.monitor-reference/1"


class _Document(msgspec.Struct, frozen=True):
    """The content of :data:`FILE`."""

    version: str
    reference: Period


def write(bundle: Path, run: Path, *, overwrite: bool = False) -> Period:
    """Keep a run as the reference of the bundle that read it.

    Args:
        bundle: its folder.
        run: that ``fundoscope read`` or ``evaluate grading`` wrote.
        overwrite: whether an earlier reference may be replaced.

    Raises:
        UsageError: the run is of another grader, or not a run.
        OutputError: the reference exists or cannot be written.
    """
    loaded = bundles.load_grader(bundle)
    manifest, period = loaded.manifest, _nameless(read(run))
    if period.models != {(manifest.name, manifest.model_sha256)}:
        used = ", ".join(sorted(name for name, _ in period.models)) or "no grader"
        raise UsageError(str(run), f"was read by {used}, not by {manifest.name}", "read it again")
    if period.bundles and period.bundles != {loaded.sha256}:
        why = f"was read by {manifest.name} before it was calibrated again"
        raise UsageError(str(run), why, "read it again")
    data = msgspec.json.encode(_Document(VERSION, period)) + b"\n"
    write_bytes(bundle / FILE, data, overwrite=overwrite)
    return period


def _nameless(period: Period) -> Period:
    """A period whose patients are numbers."""
    numbers: dict[str, str] = {"": ""}
    for seen in period.photographs:
        numbers.setdefault(seen.patient, str(len(numbers)))
    photographs = (replace(seen, patient=numbers[seen.patient]) for seen in period.photographs)
    return replace(period, name="reference", photographs=tuple(photographs))


def find(path: Path) -> Period:
    """Read a reference: a run, an evaluation of a grader, or a bundle that has one.

    Raises:
        UsageError: it is something else, or damaged.
    """
    if not (path / bundles.MANIFEST).is_file():
        return read(path)
    try:
        document = msgspec.json.decode((path / FILE).read_bytes(), type=_Document)
    except FileNotFoundError:
        raise UsageError(
            f"--against {path}",
            "is a bundle without a reference",
            "give a run, or make one with fundoscope bundle reference",
        ) from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(str(path / FILE), f"is damaged ({error})", "make it again") from None
    return document.reference
