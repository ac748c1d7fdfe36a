"""What the ledger keeps of one photograph: its lines in the tables, and what totals need of it.

The lines are made when the photograph was read, so that a run that is stopped can write its tables
at once, and a run that is resumed writes the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from fundoscope.batch import outcome as outcomes
from fundoscope.batch import shown, summary
from fundoscope.batch.outcome import Outcome, trouble
from fundoscope.quoting import printable
from fundoscope.reading import Reading
from fundoscope.report.plausible import NEXT_STEPS
from fundoscope.report.wording import NotAssessed, not_assessed, oedema_in_words, reader_needed

POSSIBLE_OEDEMA: Final = "possible_oedema"
"""A reason for a next step; it is said with its evidence."""
READER, RETAKE = "reader", "retake"
"""Two of :data:`fundoscope.reading.NEXT_STEPS`."""
LINE_END: Final = "\n"
ENCODING: Final = ("utf-8", "backslashreplace")
"""A file name may contain bytes that are not text; they are written as escapes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What totals and the page need of a photograph.

    Attributes:
        image: as results name it.
        patient: as in the table; ``""`` where unknown.
        eye: likewise.
        status: one of :data:`fundoscope.batch.outcome.STATUSES`.
        code: why there is no grade; ``""`` with one.
        reason: likewise, in words.
        remedy: what to do about it.
        same_as: an earlier photograph with the same file; ``""`` if there is none.
        picture: the file name of its picture; ``""`` if there is none.
        icdr: its grade.
        positive: whether the patient should see a doctor.
        probability: of being referable.
        threshold: from which on it is referable.
        unseen: what was not assessed and why.
        attention: why a person should look at it.
        quality: why the photograph is not gradable.
        familiar: whether it is like those that the grader learnt from; ``None`` where unknown.
    """

    image: str
    patient: str
    eye: str
    status: str
    code: str = ""
    reason: str = ""
    remedy: str = ""
    same_as: str = ""
    picture: str = ""
    icdr: int | None = None
    positive: bool = True
    probability: float | None = None
    threshold: float | None = None
    unseen: tuple[tuple[str, str], ...] = ()
    attention: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    familiar: bool | None = None

    def to_text(self) -> str:
        """As JSON in ASCII, whatever bytes a file name has."""
        return json.dumps({name: value for name, value in asdict(self).items() if value != ""})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From what :meth:`to_text` wrote."""
        values = dict[str, Any].fromkeys(("image", "patient", "eye"), "") | json.loads(text)
        for name in ("attention", "quality"):
            values[name] = tuple(values[name])
        values["unseen"] = tuple((what, why) for what, why in values["unseen"])
        return cls(**values)

    def not_assessed(self) -> list[NotAssessed]:
        """What was not assessed."""
        return [NotAssessed(what, why) for what, why in self.unseen]


@dataclass(frozen=True, slots=True)
class Record:
    """One photograph in the ledger.

    Attributes:
        number: its place among all inputs, from 1.
        facts: for totals.
        sha256: of the file; ``""`` if it was refused.
        size: of the file, in bytes; 0 where unknown.
        picture_sha256: of the picture's file; ``""`` if there is none.
        line: of ``readings.jsonl``; empty if it was refused.
        row: of ``readings.csv``.
        summary: the row of ``summary.csv``.
    """

    number: int
    facts: Facts
    sha256: str
    size: int
    picture_sha256: str
    line: bytes
    row: bytes
    summary: bytes


def record(
    outcome: Outcome,
    number: int,
    *,
    size: int = 0,
    picture: str = "",
    picture_sha256: str = "",
    paths: bool = False,
) -> Record:
    """What the ledger keeps of an outcome.

    Args:
        outcome: of the photograph.
        number: its place among all inputs, from 1.
        size: of its file, in bytes.
        picture: the file name of its picture; ``""`` if there is none.
        picture_sha256: of that file.
        paths: whether results name photographs by their paths.
    """
    image = shown.image(outcome.input, paths=paths)
    reading = outcome.reading
    row = outcomes.row(outcome, picture, paths=paths) | {"number": str(number)}
    line = "" if reading is None else outcomes.json_line(outcome, paths=paths) + LINE_END
    return Record(
        number,
        _facts(outcome, image, picture),
        "" if reading is None else reading.photo.sha256,
        size,
        picture_sha256,
        line.encode(*ENCODING),
        csv_line(outcomes.COLUMNS, row),
        summary_line(summary.row(outcome, number, image, picture)),
    )


def csv_line(columns: Sequence[str], cells: Mapping[str, str]) -> bytes:
    """A line of a CSV table; a column without a cell is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator=LINE_END).writerow([cells.get(name, "") for name in columns])
    return text.getvalue().encode(*ENCODING)


def summary_line(cells: Sequence[str]) -> bytes:
    """A line of ``summary.csv``."""
    text = io.StringIO()
    csv.writer(text, lineterminator=summary.LINE_END).writerow(cells)
    return text.getvalue().encode(*ENCODING)


def _facts(outcome: Outcome, image: str, picture: str) -> Facts:
    photograph, reading, cause = outcome.input, outcome.reading, trouble(outcome)
    facts = Facts(
        image,
        photograph.patient,
        photograph.eye,
        outcome.status,
        cause.get("code", ""),
        cause.get("reason", ""),
        cause.get("remedy", ""),
        outcome.same_as,
        picture,
    )
    if reading is None:
        return facts
    referable = reading.grade.referable
    return replace(
        facts,
        icdr=reading.grade.icdr,
        positive=outcome.referable,
        probability=None if referable is None else referable.probability,
        threshold=None if referable is None else referable.threshold,
        unseen=tuple((each.what, each.reason) for each in not_assessed(reading)),
        attention=_attention(reading),
        quality=tuple(reading.quality.reasons or ()) if reading.quality.gradable is False else (),
        familiar=reading.familiar,
    )


def _attention(reading: Reading) -> tuple[str, ...]:
    """Why a person should look at a photograph that was read."""
    step, said = reading.next_step, (*reading.needs_reader, POSSIBLE_OEDEMA)
    parts = list(reader_needed(reading))
    if step is not None and step.reason not in said:
        if step.step == READER:
            parts.append(printable(step.words))
        elif step.step == RETAKE and reading.grade.icdr is not None:
            # A grade not to rely on, as of an overexposed eye: without this it is in no list.
            parts.append(f"{printable(step.words)}: {NEXT_STEPS[RETAKE]}")
    return (*parts, *filter(None, (oedema_in_words(reading),)))
