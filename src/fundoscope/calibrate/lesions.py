"""Write a detection bundle that also reports which kinds of lesion an eye has at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.calibrate import cards, presence
from fundoscope.calibrate.presence import BoxedPhotograph, FittedPresence
from fundoscope.errors import UsageError
from fundoscope.kinds import KINDS, LESIONS
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import DetectorManifest

TITLE: Final = "## Whether a kind is in the eye at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user of the fit chooses.

    Attributes:
        healthy_share: at most this share of the healthy eyes of a source may have a kind
            "present", 0 to 1.
        raise_thresholds: whether thresholds of boxes are raised until at most that share of the
            healthy eyes of a source has a box of the kind. They are never lowered.
    """

    healthy_share: float
    raise_thresholds: bool


def require_enough(known: Sequence[Mapping[str, bool]], healthy: int, healthy_share: float) -> None:
    """Check that labels allow a fit, before a photograph is read.

    Args:
        known: what the labels of each photograph say, by kind.
        healthy: how many of the eyes are healthy.
        healthy_share: as in :class:`Choices`.

    Raises:
        UsageError: no kind has enough photographs, or there are too few healthy eyes.
    """
    for kind in LESIONS:
        labels = [each[kind] for each in known if kind in each]
        if min(sum(labels), len(labels) - sum(labels)) >= presence.MIN_OF_EACH:
            presence.require_healthy(kind, healthy, healthy_share)
            return
    raise _too_few(len(known), "")


def _too_few(photographs: int, assessed: str) -> UsageError:
    return UsageError(
        f"{photographs} photographs",
        f"are too few: no kind of lesion has {presence.MIN_OF_EACH} photographs with it and"
        f" {presence.MIN_OF_EACH} without it{assessed}",
        "label more photographs, larger ones, or add columns such as has_haemorrhage",
    )


def calibrate(
    given: Path,
    folder: Path,
    photographs: Sequence[BoxedPhotograph],
    choices: Choices,
    *,
    table_sha256: str,
    fitted_at: str,
    name: str | None = None,
) -> tuple[Mapping[str, FittedPresence], DetectorManifest]:
    """Fit a detection bundle to labelled photographs and write the new bundle.

    Args:
        given: the bundle that read the photographs; it is not changed.
        folder: of the new bundle.
        photographs: what it saw, and what the labels say.
        choices: of the user.
        table_sha256: of the label table.
        fitted_at: the time in ISO 8601.
        name: of the new bundle; by default that of the given one with ``-calibrated``.

    Returns:
        What was fitted for each kind with enough photographs, and the new manifest.

    Raises:
        UsageError: no kind has enough photographs, or a kind too few healthy eyes.
        BundleError: the given bundle cannot be read.
        OutputError: the new one cannot be written.
    """
    bundle = bundles.load_detector(given)
    kinds = [kind for kind in bundle.manifest.classes if kind in LESIONS]
    fits = {kind: presence.fit(kind, photographs, choices.healthy_share) for kind in kinds}
    fitted = {kind: fit for kind, fit in fits.items() if fit is not None}
    if not fitted:
        raise _too_few(len(photographs), " on which it was assessed")
    manifest = dataclasses.replace(
        bundle.manifest,
        name=cards.new_name(bundle.manifest.name, name),
        presence={kind: fit.model for kind, fit in fitted.items()},
        thresholds=_thresholds(bundle.manifest, photographs, choices),
    )
    section = section_of(bundle.manifest, manifest, fitted, table_sha256, fitted_at)
    card = cards.renamed(bundles.card(given), manifest.name)
    bundles.write(folder, manifest, bundle.model, cards.with_section(card, section))
    return fitted, manifest


def _thresholds(
    manifest: DetectorManifest, photographs: Sequence[BoxedPhotograph], choices: Choices
) -> dict[str, float]:
    """The thresholds of boxes, raised where healthy eyes ask for it."""
    thresholds = dict(manifest.thresholds)
    if choices.raise_thresholds:
        for kind in manifest.classes:
            if kind in LESIONS:
                highest = [
                    (each.source, max(each.scores[kind], default=0.0))
                    for each in photographs
                    if each.healthy and kind in each.scores
                ]
                if not any(kind in each.scores for each in photographs):
                    continue
                presence.require_healthy(kind, len(highest), choices.healthy_share)
                limit = presence.limit_of(highest, choices.healthy_share)
                thresholds[kind] = max(thresholds[kind], limit)
    return thresholds


def section_of(
    given: DetectorManifest,
    new: DetectorManifest,
    fitted: Mapping[str, FittedPresence],
    table_sha256: str,
    fitted_at: str,
) -> str:
    """The card's section about the fit.

    Args:
        given: the manifest before.
        new: the manifest after.
        fitted: what was fitted, by kind.
        table_sha256: of the label table.
        fitted_at: the time in ISO 8601.
    """
    rows = "\n".join(
        f"| {KINDS[kind].name} | {fit.photographs} | {fit.with_kind} | {fit.auc:.3f} |"
        f" {fit.sensitivity:.3f} | {max(fit.healthy_present.values(), default=0.0):.3f} |"
        f" {given.thresholds[kind]:.3f} | {new.thresholds[kind]:.3f} |"
        for kind, fit in fitted.items()
    )
    return f"""{TITLE}

Fitted on {fitted_at} to the label table with the sha256 `{table_sha256}`, with the network of
`{given.name}`. The figures are those of the photographs that it was fitted to. "Healthy" is the
largest share, over the sources, of healthy eyes with the kind "present".

| kind | photographs | with it | AUC | sensitivity | healthy | threshold before | after |
|---|---|---|---|---|---|---|---|
{rows}
"""
