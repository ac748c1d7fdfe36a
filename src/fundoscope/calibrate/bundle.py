"""Write a bundle that is fitted to a clinic's photographs: its network, new values, a record."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.calibrate import cards
from fundoscope.calibrate.clinic import NAMES, Fit, Photographs, Values, fit, recalibrated
from fundoscope.evaluate.intervals import Figure
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.correction import Recalibration

TITLE: Final = "## Fitted to a clinic's photographs"


def calibrate(
    given: Path,
    folder: Path,
    photographs: Photographs,
    *,
    sensitivity: float,
    table_sha256: str,
    fitted_at: str,
    name: str | None = None,
) -> tuple[Fit, GraderManifest]:
    """Fit a bundle to labelled photographs and write the new bundle.

    Args:
        given: the bundle that graded the photographs; it is not changed.
        folder: of the new bundle.
        photographs: the labels and the probabilities without a correction.
        sensitivity: of "referable" that the threshold should have.
        table_sha256: of the label table.
        fitted_at: the time in ISO 8601, for the record.
        name: of the new bundle; by default that of the given one with ``-calibrated``.

    Raises:
        BundleError: the given bundle cannot be read.
        OutputError: the new one cannot be written.
    """
    bundle = bundles.load_grader(given)
    manifest = bundle.manifest
    earlier = Values(manifest.correction, manifest.referable_threshold)
    result = fit(photographs, earlier, sensitivity)
    record = Recalibration(
        given=manifest.name,
        table_sha256=table_sha256,
        photographs=len(photographs.labels),
        referable=int(photographs.referable.sum()),
        fitted_at=fitted_at,
        sensitivity=sensitivity,
        folds=result.folds,
        before={key: _bounds(figure) for key, figure in result.before.items()},
        after={key: _bounds(figure) for key, figure in result.after.items()},
    )
    title = cards.new_name(manifest.name, name)
    new = recalibrated(manifest, result, record, title)
    card = card_of(bundles.card(given), manifest, new, result, photographs.drawn_by)
    bundles.write(folder, new, bundle.model, card)
    return result, new


def _bounds(figure: Figure) -> tuple[float | None, float | None, float | None]:
    return figure.value, figure.low, figure.high


def card_of(
    card: str, given: GraderManifest, new: GraderManifest, result: Fit, drawn_by: str
) -> str:
    """The card of the given bundle under the new name, with a section about the fit.

    Args:
        card: of the given bundle.
        given: its manifest.
        new: the manifest of the new bundle, with its record.
        result: figures before and after.
        drawn_by: what is drawn together for the intervals, in words.
    """
    section = _section(given, new, result, drawn_by)
    return cards.with_section(cards.renamed(card, new.name), section)


def _section(given: GraderManifest, new: GraderManifest, result: Fit, drawn_by: str) -> str:
    record = new.recalibrated
    if record is None:
        raise ValueError("the new manifest has no record of the fit")
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {result.before[name].in_words()} |"
        f" {result.after[name].in_words()} |"
        for name in NAMES
    )
    return f"""{TITLE}

The network is that of `{given.name}`. On {record.fitted_at} its probabilities and its threshold
were fitted to {record.photographs} photographs, {record.referable} of them referable (label table
with the sha256 `{record.table_sha256}`). Referable is a probability of
{new.referable_threshold:.4f} or more instead of {given.referable_threshold:.4f}: the highest
threshold with a sensitivity of {record.sensitivity:g} on them. The figures and fitted values in
the other sections are those of the bundle before.

Figures with 95 % intervals by {drawn_by}. Those after the fit come from a cross-validation in
{record.folds} parts, so each photograph was evaluated with values that were fitted without it.

| figure | before | after |
|---|---|---|
{rows}
"""
