"""Scores that mean the same on small and on large photographs.

A small photograph is enlarged to the working scale. Its lesions are blurred there, so a network
gives them lower scores. A bundle says how much lower for each kind, and the scores are corrected by
that, so that one threshold holds for all sizes. The loss grows faster than the number of halvings:
a photograph of half the size loses little, one of a quarter much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from fundoscope.lesions import heads
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.lesions.view import View
from fundoscope.models.bundle import DetectorManifest
from fundoscope.reading import Lesion

Scores = NDArray[np.float64]
"""``float64 (N,)``, 0 to 1."""


def halvings(enlarged: float) -> float:
    """Base-2 logarithm of the enlargement to the working scale; 0 if it is not enlarged.

    Args:
        enlarged: factor by which it is enlarged.
    """
    return math.log2(max(1.0, enlarged))


def corrected(scores: Scores, correction: float | Scores, halved: float, exponent: float) -> Scores:
    """Add ``correction * halved ** exponent`` to the log-odds of scores.

    Args:
        scores: of boxes.
        correction: for the first halving of the field; one for all boxes, or one for each.
        halved: from :func:`halvings`.
        exponent: of the bundle, above 0.
    """
    return np.asarray(expit(logit(scores) + correction * halved**exponent), np.float64)


def all_corrected(boxes: DetectedBoxes, manifest: DetectorManifest, view: View) -> DetectedBoxes:
    """Boxes of all kinds with corrected scores; highest score first.

    Args:
        boxes: on a view.
        manifest: with the corrections.
        view: that was read.
    """
    halved = halvings(view.to_view.yy)
    if halved == 0 or not any(manifest.size_correction.values()):
        return boxes
    scores = boxes.scores.astype(np.float64)
    for label, kind in enumerate(manifest.classes, start=1):
        of_kind = boxes.labels == label
        correction = manifest.size_correction.get(kind, 0.0)
        scores[of_kind] = corrected(scores[of_kind], correction, halved, manifest.size_exponent)
    order = np.argsort(-scores, kind="stable")
    return heads.subset(replace(boxes, scores=scores), order)


def with_share(
    lesions: Sequence[Lesion], manifest: DetectorManifest, radius: float, share: float
) -> tuple[Lesion, ...]:
    """Lesions whose scores keep only a share of their correction.

    Args:
        lesions: with corrected scores.
        manifest: of the detector that found them.
        radius: of the field of view, in pixels of the photograph.
        share: of the correction, 0 to 1.
    """
    halved = halvings(manifest.radius / radius)
    if halved == 0 or share == 1:
        return tuple(lesions)
    kinds = [manifest.size_correction.get(each.kind, 0.0) for each in lesions]
    scores = corrected(
        np.array([each.score for each in lesions], np.float64),
        (share - 1) * np.array(kinds, np.float64),
        halved,
        manifest.size_exponent,
    )
    return tuple(
        replace(each, score=score) for each, score in zip(lesions, scores.tolist(), strict=True)
    )
