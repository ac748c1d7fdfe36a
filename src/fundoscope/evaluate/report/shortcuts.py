"""How well size, shape, border and source alone predict the grade, beside the grader."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import fingerprints
from fundoscope.data.shortcuts import FOLDS, MIN_PHOTOGRAPHS, Figures, audit
from fundoscope.evaluate.report.document import Block, Paragraph, Table
from fundoscope.evaluate.report.places import find
from fundoscope.evaluate.report.sources import Graded, figure_of

NOTE: Final = (
    "Decision trees learn the grade from these labels and the photographs' size, shape, border and"
    " source; they never see the retina. A grader that is not clearly better than they are may have"
    " learned the same shortcuts."
)
KAPPA, AREA = "quadratic_kappa", "referable_auc"


def blocks(graded: Graded, photographs: Path, *, workers: int) -> tuple[Block, ...]:
    """Compare the grader with the shortcuts.

    Args:
        graded: the evaluation.
        photographs: the folder of the photographs.
        workers: photographs that are read at a time.
    """
    # All rows are used, whatever their split: the trees are cross-validated on them.
    rows = [msgspec.structs.replace(row, split="") for row in graded.rows]
    read = fingerprints(find(rows, photographs), workers=workers)
    prints = [each if isinstance(each, Fingerprint) else None for each in read]
    usable = sum(each is not None for each in prints)
    audits = audit(rows, prints)
    if not audits:
        return (
            Paragraph(
                f"Not given for {graded.name}: {usable} photographs could be read, and this needs"
                f" {MIN_PHOTOGRAPHS}, of {FOLDS} patients or more."
            ),
        )
    whole = audits[0]
    grader = [figure_of(graded.metrics.get(name)) for name in ("accuracy", KAPPA, AREA)]
    cells = tuple("not given" if f is None else f.value_in_words() for f in grader)
    table = Table(
        f"{graded.name} beside the shortcuts ({whole.how}, {whole.tested_on} photographs)",
        ("learned from", "accuracy", "quadratic kappa", "AUC referable"),
        ((graded.name, *cells), *(_row(figures) for figures in whole.figures)),
    )
    return Paragraph(NOTE), table


def _row(figures: Figures) -> tuple[str, ...]:
    values = (figures.accuracy, figures.quadratic_kappa, figures.referable_auc)
    return (figures.cue, *("not given" if v is None else f"{v:.3f}" for v in values))
