"""Write a detection bundle that grades by lesions: its network, a new model, a record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from fundoscope.calibrate import cards
from fundoscope.calibrate.lesion_grade.fit import Accuracy
from fundoscope.grading.withholding import LIKELIER
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import DetectorManifest
from fundoscope.models.lesion_grade import LesionGradeModel

TITLE: Final = "## The grade by lesions"


def with_model(
    given: Path,
    folder: Path,
    model: LesionGradeModel,
    figures: Mapping[str, Accuracy],
    *,
    table_sha256: str,
    fitted_at: str,
) -> DetectorManifest:
    """Write a bundle with a new model of the grade.

    Args:
        given: the bundle; it is not changed unless it is ``folder``.
        folder: of the new bundle.
        model: from :func:`fundoscope.calibrate.lesion_grade.fit.fit`.
        figures: by source, on photographs that it was not fitted to.
        table_sha256: of the label table.
        fitted_at: the time in ISO 8601.

    Raises:
        BundleError: the given bundle cannot be read, or the model is not valid.
        OutputError: the new one cannot be written.
    """
    bundle = bundles.load_detector(given)
    manifest = replace(bundle.manifest, lesion_grade=model)
    section = _section(model, figures, table_sha256, fitted_at)
    bundles.write(folder, manifest, bundle.model, cards.with_section(bundles.card(given), section))
    return manifest


def _section(
    model: LesionGradeModel, figures: Mapping[str, Accuracy], table_sha256: str, fitted_at: str
) -> str:
    rows = "\n".join(
        f"| {name or 'all'} | {accuracy.photographs} | {accuracy.kappa:.3f} | {accuracy.auc:.3f} |"
        f" {_share(accuracy.healthy_drawn)} | {_share(accuracy.referable_drawn)} |"
        for name, accuracy in figures.items()
    )
    return f"""{TITLE}

A model of a few hundred numbers grades the eye by the boxes alone, weak ones too. Fitted on
{fitted_at} to the label table with the sha256 `{table_sha256}`. The figures come from a
cross-validation by patient: each photograph was graded by a model that was fitted without it.

Lesions are drawn where the probability of grade 1 or more reaches {model.drawn_from:.4f}, and from
{LIKELIER:g} on where the grader gives grade 2 or more. On all other eyes they are counted as
withheld. The last two columns say on which share of the healthy eyes, and of those of grade 2 or
more, they are drawn by that probability alone.

| source | photographs | quadratic kappa | AUC of "referable" | healthy, drawn | referable, drawn |
|---|---|---|---|---|---|
{rows}
"""


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
