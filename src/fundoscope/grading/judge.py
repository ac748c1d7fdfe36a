"""What the features of a grader's network say of a photograph, before its grade is believed.

Three questions: is it a retina, can it be graded, and is it like the photographs that the grader
learnt from. The heads are in the bundle (:mod:`fundoscope.models.judge`) and fitted by
``fundoscope calibrate judge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.models import judge as stored
from fundoscope.models.judge import Familiar, Head
from fundoscope.quality import Quality, QualityScore
from fundoscope.reading import NOT_GRADABLE, UNFAMILIAR

LENGTH: Final = 1e-6
"""The least length of a vector of features, so that nothing is divided by zero."""

Floats = NDArray[np.float32]
"""``float32``, of any shape."""


@dataclass(frozen=True, slots=True)
class NetworkFeatures:
    """What the network gives of N photographs, for the judge.

    Attributes:
        features: ``float32 (N, K)``, the network's output of that name.
        stages: ``float32 (N, S)``, the network's output of that name.
    """

    features: Floats
    stages: Floats


@dataclass(frozen=True, slots=True)
class Judge:
    """The heads of a bundle, ready for use.

    Attributes:
        other: ``float32 (K + S,)``, the weights of "other".
        quality: ``float32 (S, 1 + R)``, those of "ungradable" and the R reasons.
        bias: ``float32 (2 + R,)``.
        limits: ``float32 (2 + R,)``.
        reasons: the R codes.
        centre: ``float32 (K,)`` of the familiar photographs.
        axes: ``float32 (A, K)``.
        familiar: their spreads and the limit of the distance.
    """

    other: Floats
    quality: Floats
    bias: Floats
    limits: Floats
    reasons: tuple[str, ...]
    centre: Floats
    axes: Floats
    familiar: Familiar


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one photograph; ``None`` where a bundle has no judge.

    Attributes:
        retina: whether the picture shows a retina.
        quality: whether it can be graded, and why not.
        familiar: whether it is like the photographs that the grader learnt from.
    """

    retina: bool | None = None
    quality: Quality = field(default_factory=Quality)
    familiar: bool | None = None


def ready(bundled: stored.Judge) -> Judge:
    """The heads of a bundle as arrays.

    Args:
        bundled: whose values are valid (:func:`fundoscope.models.judge.fault`).
    """
    heads: list[Head] = [bundled.other, bundled.ungradable, *bundled.reasons.values()]
    familiar = bundled.familiar
    return Judge(
        stored.vector(bundled.other.weights, stored.SINGLE),
        np.stack([stored.vector(head.weights, stored.SINGLE) for head in heads[1:]], axis=1),
        np.array([head.bias for head in heads], np.float32),
        np.array([head.limit for head in heads], np.float32),
        tuple(bundled.reasons),
        stored.vector(familiar.centre, stored.HALF),
        stored.vector(familiar.axes, stored.HALF).reshape(len(familiar.spreads), bundled.features),
        familiar,
    )


def scores(judge: Judge, seen: NetworkFeatures) -> Floats:
    """The scores of the heads, ``float32 (N, 2 + R)``: "other", "ungradable", then the reasons.

    Args:
        judge: from :func:`ready`.
        seen: of N photographs.
    """
    other = all_inputs(seen) @ judge.other
    values: Floats = np.concatenate([other[:, np.newaxis], seen.stages @ judge.quality], axis=1)
    return values + judge.bias


def all_inputs(seen: NetworkFeatures) -> Floats:
    """What the head of "other" takes, ``float32 (N, K + S)``; the others take the stages alone.

    The last stage has learnt to overlook blur and light, so the heads of quality do without it.

    Args:
        seen: of N photographs.
    """
    return np.concatenate([directions(seen.features), seen.stages], axis=1)


def distances(judge: Judge, features: Floats) -> Floats:
    """How far photographs are from the familiar ones, ``float32 (N,)``.

    Args:
        judge: from :func:`ready`.
        features: ``float32 (N, K)``.
    """
    away = directions(features) - judge.centre
    along = away @ judge.axes.T
    rest = np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    spreads = np.array(judge.familiar.spreads, np.float32)
    inside = ((along / spreads) ** 2).mean(axis=1)
    distance: Floats = np.sqrt(inside + rest / judge.familiar.rest**2)
    return distance


def directions(features: Floats) -> Floats:
    """Features divided by their length and multiplied by the square root of their number.

    The length depends on contrast and on the size of a file; the direction much less.
    """
    lengths = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), LENGTH)
    scaled: Floats = features * (np.sqrt(np.float32(features.shape[1])) / lengths)
    return scaled


def verdict(judge: Judge, seen: NetworkFeatures) -> Verdict:
    """Judge one photograph.

    Args:
        judge: from :func:`ready`.
        seen: of it alone, finite.
    """
    values, limits = scores(judge, seen)[0].tolist(), judge.limits.tolist()
    reasons = zip(judge.reasons, values[2:], limits[2:], strict=True)
    return Verdict(
        retina=values[0] <= limits[0],
        quality=quality(values[1], limits[1], tuple(QualityScore(*each) for each in reasons)),
        familiar=bool(distances(judge, seen.features)[0] <= judge.familiar.limit),
    )


def quality(score: float, limit: float, reasons: tuple[QualityScore, ...]) -> Quality:
    """Whether a photograph with these scores can be graded, and why not.

    Args:
        score: log-odds that nobody could grade it.
        limit: the score above which it is not gradable.
        reasons: how much each reason speaks against it.
    """
    over = {each.reason: each.score - each.limit for each in reasons}
    gradable = score <= limit and max(over.values(), default=0.0) <= 0
    return Quality(gradable, () if gradable else named(over), reasons, score, limit)


def named(over: Mapping[str, float]) -> tuple[str, ...]:
    """The reasons that a photographer is given: those over their limits, else the nearest one.

    Args:
        over: by how much each reason's score is over its limit.

    Returns:
        Their codes, the clearest first.
    """
    ordered = sorted(over, key=lambda reason: -over[reason])
    clear = tuple(reason for reason in ordered if over[reason] > 0)
    return clear or tuple(ordered[:1])


def needs_reader(verdict: Verdict) -> tuple[str, ...]:
    """The reasons why a person should look, codes of ``NEEDS_READER_REASONS``.

    Args:
        verdict: of the photograph.
    """
    doubts = ((verdict.quality.gradable, NOT_GRADABLE), (verdict.familiar, UNFAMILIAR))
    return tuple(code for good, code in doubts if good is False)
