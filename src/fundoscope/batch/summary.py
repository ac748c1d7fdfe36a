"""``summary.csv``: the few columns of a run that a person reads, for a spreadsheet.

It begins with a byte-order mark, by which Excel recognises UTF-8. The rows are in the order of the
inputs, so that they can be laid beside a list of one's own; a spreadsheet sorts them otherwise.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope.batch.outcome import READ, REFUSED, Outcome, trouble
from fundoscope.quoting import printable
from fundoscope.report.plausible import next_step_in_words, plausible
from fundoscope.report.wording import (
    certainty,
    grade_in_words,
    lesions_in_words,
    listed,
    not_assessed,
    oedema_in_words,
    reader_needed,
)

BYTE_ORDER_MARK: Final = "\ufeff"
LINE_END: Final = "\r\n"
"""As spreadsheets write it."""
REFER: Final = "Refer"
NUMBERS: Final = ("No.", "Certainty (%)", "Probability of being referable (%)")
"""The columns that hold whole numbers."""
COLUMNS: Final = (
    NUMBERS[0], "Photograph", "Patient", "Eye", REFER, "Grade", *NUMBERS[1:],
    "Lesions", "Not assessed", "Remarks", "Picture", "Plausible grades", "Next step",
)  # fmt: skip
"""The headings."""
YES, NO, NOT_GRADED = "yes", "no", "not graded: a person should look"
"""The cells of the column :data:`REFER`."""
FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""A cell that begins so is a formula to a spreadsheet, even behind spaces. The last four are the
wide forms of the first four."""
AS_TEXT: Final = "'"
"""Put before such a cell."""
MAX_CELL: Final = 1000
"""Characters of a cell; Excel holds 32,767, and nobody reads that many."""
CUT: Final = "…"
NEXT: Final = "next: "


def row(outcome: Outcome, number: int, image: str, picture: str) -> list[str]:
    """The cells of a photograph, those of :data:`COLUMNS`.

    Args:
        outcome: of the photograph.
        number: its place among the inputs, from 1.
        image: how the results name it.
        picture: the file name of its picture; ``""`` if there is none.
    """
    cells = [
        str(number),
        image,
        outcome.input.patient,
        outcome.input.eye,
        _refer(outcome),
        *_of_grade(outcome),
        *_of_lesions(outcome),
        _remarks(outcome),
        picture,
        *_of_certainty(outcome),
    ]
    return [cell(text) for text in cells]


def read(path: Path) -> Iterator[list[str]]:
    """The rows of a file, the headings first.

    Raises:
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.reader(stream)


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, on one line and not too long."""
    text = printable(text)
    if text.lstrip().startswith(FORMULA) or text.startswith(FORMULA):
        text = AS_TEXT + text
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - len(CUT)] + CUT


def _refer(outcome: Outcome) -> str:
    if outcome.status != READ:
        return NOT_GRADED
    return YES if outcome.referable else NO


def _of_grade(outcome: Outcome) -> tuple[str, str, str]:
    """Grade, certainty and the probability of being referable."""
    if outcome.reading is None:
        return "", "", ""
    grade = outcome.reading.grade
    sure, referable = certainty(grade), grade.referable
    return (
        "" if grade.icdr is None else grade_in_words(grade.icdr),
        "" if sure is None else _percent(sure),
        "" if referable is None else _percent(referable.probability),
    )


def _percent(share: float) -> str:
    """A probability as a whole number from 1 to 99: no network is certain."""
    return str(min(max(round(share * 100), 1), 99))


def _of_certainty(outcome: Outcome) -> tuple[str, str]:
    """The plausible grades and the next step."""
    if outcome.reading is None:
        return "", ""
    return plausible(outcome.reading.grade), next_step_in_words(outcome.reading).removeprefix(NEXT)


def _of_lesions(outcome: Outcome) -> tuple[str, str]:
    if outcome.reading is None:
        return "", ""
    return lesions_in_words(outcome.reading), listed(not_assessed(outcome.reading))


def _same(reason: str, warning: str) -> bool:
    return reason in warning or warning in reason


def _remarks(outcome: Outcome) -> str:
    cause = trouble(outcome)
    parts = [f"{cause['reason']}; {cause['remedy']}"] if cause else []
    if outcome.reading is not None and outcome.status != REFUSED:
        reading = outcome.reading
        if cause:  # Once is enough.
            parts += [each for each in reading.warnings if not _same(cause["reason"], each)]
        else:
            parts += [*reader_needed(reading), oedema_in_words(reading), *reading.warnings]
    return "; ".join(dict.fromkeys(filter(None, parts)))
