"""What a monitor takes from runs: a few facts about each photograph, without its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data.table import Table, read_table
from fundoscope.errors import UsageError
from fundoscope.evaluate.folder import GRADING, PREDICTIONS, RUN
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.quoting import encodable
from fundoscope.reading import ModelUsed

READINGS: Final = "readings.csv"
READ: Final = "read"
"""The command that writes runs, and the status of a photograph that got a grade."""
EVERY: Final = ("run", "day", "week", "month")
"""What a period may be."""
FORMATS: Final = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How periods are named, in ISO 8601, so that their names sort by time."""
TRUTH: Final = {"true": True, "false": False}
GRADES: Final = {str(grade): grade for grade in range(GRADE_COUNT)}


@dataclass(frozen=True, slots=True)
class MonitoredPhotograph:
    """What a monitor knows about a photograph; ``None`` where the run does not say.

    Attributes:
        grade: 0 to 4; ``None`` if it got none, or a probability alone.
        referable: whether it was called referable.
        score: probability of referable, 0 to 1.
        reasons: why it got neither grade nor probability, stable words; empty with one.
        unfamiliar: whether it is unlike those that the grader learnt from.
        abstained: whether the grade was too uncertain to be used without a reader.
        size: width and height as text; ``""`` if it could not be opened.
        patient: ``""`` where unknown.
    """

    grade: int | None
    referable: bool | None
    score: float | None
    reasons: tuple[str, ...] = ()
    unfamiliar: bool | None = None
    abstained: bool | None = None
    size: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """The photographs of some time.

    Attributes:
        name: of the run, or of the day, week or month.
        started: when its first run started.
        photographs: in the order in which they were read; equal files count once.
        models: the graders that were used: name, and SHA-256 of the network.
        bundles: SHA-256 of the ``bundle.json`` of each; empty where the run does not say.
    """

    name: str
    started: datetime
    photographs: tuple[MonitoredPhotograph, ...]
    models: frozenset[tuple[str, str]]
    bundles: frozenset[str] = frozenset()


class _Run(msgspec.Struct, frozen=True):
    """The part of ``run.json`` that a monitor needs."""

    command: str
    started: datetime
    models: tuple[ModelUsed, ...] = ()


def read(folder: Path) -> Period:
    """Read a run, or an evaluation of a grader, as one period.

    Raises:
        UsageError: the folder holds neither, or its table is damaged.
    """
    try:
        run = msgspec.json.decode((folder / RUN).read_bytes(), type=_Run)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            str(folder),
            f"does not hold a run ({RUN}: {why})",
            "give a folder that fundoscope read wrote with --out",
        ) from None
    if run.command not in (READ, GRADING):
        raise UsageError(
            str(folder), f"holds results of fundoscope {run.command}", "give those of read"
        )
    table = read_table(folder / (READINGS if run.command == READ else PREDICTIONS), required=())
    seen = tuple(_seen(table))
    if not seen:
        raise UsageError(str(folder), "holds no photograph", "leave it out")
    graders = [model for model in run.models if model.task == "grading"]
    models = frozenset((model.name, model.sha256) for model in graders)
    fitted = frozenset(model.bundle_sha256 for model in graders if model.bundle_sha256)
    started = run.started if run.started.tzinfo else run.started.replace(tzinfo=UTC)
    return Period(encodable(folder.resolve().name), started, seen, models, fitted)


def grouped(runs: Sequence[Period], every: str) -> tuple[Period, ...]:
    """Put runs together by time, the earliest first.

    Args:
        runs: at least one.
        every: one of :data:`EVERY`.
    """
    ordered = sorted(runs, key=lambda run: run.started)
    if every not in FORMATS:
        return tuple(_numbered(ordered))
    together: dict[str, list[Period]] = {}
    for run in ordered:
        together.setdefault(run.started.strftime(FORMATS[every]), []).append(run)
    return tuple(_joined(name, parts) for name, parts in together.items())


def _numbered(runs: Sequence[Period]) -> Iterator[Period]:
    """The same runs; folders of an equal name are numbered from the second on."""
    used = Counter[str]()
    for run in runs:
        used[run.name] += 1
        number = used[run.name]
        yield run if number == 1 else replace(run, name=f"{run.name} ({number})")


def _joined(name: str, runs: Sequence[Period]) -> Period:
    photographs = tuple(seen for run in runs for seen in run.photographs)
    models = frozenset(model for run in runs for model in run.models)
    fitted = frozenset(bundle for run in runs for bundle in run.bundles)
    return Period(name, runs[0].started, photographs, models, fitted)


def _seen(table: Table) -> Iterator[MonitoredPhotograph]:
    for place, (_, cells) in enumerate(table.rows):
        if cells.get("same_as"):
            continue
        try:
            yield _photograph(cells)
        except ValueError as error:
            raise UsageError(
                f"{table.path.name}, line {table.lines[place]}",
                f"was changed after the run wrote it ({error})",
                "give the folder as it was written",
            ) from None


def _photograph(cells: Mapping[str, str]) -> MonitoredPhotograph:
    """The facts of a row.

    Raises:
        ValueError: a cell is not what a run writes.
    """
    grade = cells.get("icdr", "")
    if grade not in ("", *GRADES):
        raise ValueError(f"icdr is {grade!r:.40}")
    score = _share(cells.get("referable_probability", ""))
    # Another program may say how probable referable is, and no grade.
    graded = bool(grade) or score is not None
    source, patient = cells.get("source", ""), cells.get("patient", "")
    width, height = cells.get("width", ""), cells.get("height", "")
    return MonitoredPhotograph(
        GRADES.get(grade),
        TRUTH.get(cells.get("referable", "")) if graded else None,
        score,
        () if graded else tuple(_reasons(cells)),
        {True: False, False: True, None: None}[TRUTH.get(cells.get("familiar", ""))],
        TRUTH.get(cells.get("abstained", "")),
        f"{width} x {height}" if width and height and "sha256" in cells else "",
        # Each clinic numbers its own patients.
        f"{source}/{patient}" if source and patient else patient,
    )


def _share(cell: str) -> float | None:
    value = float(cell) if cell else None
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"referable_probability is {cell!r:.40}")
    return value


def _reasons(cells: Mapping[str, str]) -> Iterator[str]:
    """Why there is no grade: the reasons of a poor photograph, else the code."""
    poor = [reason for reason in cells.get("quality_reasons", "").split("; ") if reason]
    # An evaluation has code and reason in one cell.
    code = cells.get("code") or cells.get("reason", "").partition(":")[0]
    yield from poor or [code or cells.get("status", "") or "unknown"]
