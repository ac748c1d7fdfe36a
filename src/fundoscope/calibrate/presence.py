"""Fit the model that decides from the boxes whether a kind of lesion is in the eye at all.

Each kind gets a logistic model of two features (:mod:`fundoscope.lesions.presence`) and a limit
from which it is present: the lowest probability that few enough healthy eyes of any source reach.
Without healthy eyes there is no such limit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fundoscope.errors import UsageError
from fundoscope.evaluate.arrays import Flags, Floats
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.kinds import KINDS
from fundoscope.lesions import presence
from fundoscope.models.presence import MAX_COEFFICIENT, PresenceModel

FLOORS: Final = (presence.WEAKEST, 0.2, 0.3, 0.5)
"""Lowest scores of a box that counts; the one with the best likelihood is taken."""
RIDGE: Final = 1.0
"""L2 (ridge) penalty on the two slopes, beside a loss that is summed over the photographs. It
matters where few photographs show a kind."""
MIN_OF_EACH: Final = 10
"""Least photographs with a kind, and least without it. With fewer no model is fitted."""
MIN_HEALTHY: Final = 10
"""Least healthy eyes for a limit: of a source for its own one, and of all smaller sources
together for theirs."""
TINY: Final = 1e-9
"""Keeps counts exact: 0.29 of 100 eyes are 29 of them."""
DIGITS: Final = 4
"""Decimals of the fitted values."""


@dataclass(frozen=True, slots=True)
class BoxedPhotograph:
    """What a detector saw on a photograph, and what its labels say.

    Attributes:
        scores: for each kind that was assessed, the scores of all its boxes, weak ones too.
        known: for each kind that the labels say something about, whether the eye has it.
        healthy: whether the eye has no retinopathy and no other disease.
        source: the data set.
        patient: a key; photographs with the same key belong together.
    """

    scores: Mapping[str, Sequence[float]]
    known: Mapping[str, bool]
    healthy: bool
    source: str
    patient: Hashable


@dataclass(frozen=True, slots=True)
class FittedPresence:
    """The model of one kind, and how well it separates eyes with the kind from others.

    Attributes:
        model: the fitted model.
        photographs: number of photographs that it was fitted to.
        with_kind: how many of them have the kind.
        auc: area under the ROC curve on them.
        sensitivity: share of those with the kind that reach the limit.
        healthy_present: by source, the share of healthy eyes that reach the limit.
    """

    model: PresenceModel
    photographs: int
    with_kind: int
    auc: float
    sensitivity: float
    healthy_present: Mapping[str, float]


def fit(
    kind: str, photographs: Sequence[BoxedPhotograph], healthy_share: float
) -> FittedPresence | None:
    """Fit the model of one kind.

    Args:
        kind: a key of :data:`fundoscope.kinds.LESIONS`.
        photographs: those on which the kind was not assessed, or of which nothing is known, are
            left out.
        healthy_share: at most this share of the healthy eyes of a source may be "present", 0 to 1.

    Returns:
        ``None`` if too few photographs are known to have it, or not to have it.

    Raises:
        UsageError: too few healthy eyes to choose a limit.
    """
    used = [each for each in photographs if kind in each.scores and kind in each.known]
    labels = np.array([each.known[kind] for each in used], dtype=bool)
    if min(labels.sum(), (~labels).sum()) < MIN_OF_EACH:
        return None
    healthy = [each for each in photographs if each.healthy and kind in each.scores]
    require_healthy(kind, len(healthy), healthy_share)
    weights = equal_sources([each.source for each in used])
    candidates = [_fitted(kind, used, labels, weights, floor) for floor in FLOORS]
    _, values, floor = min(candidates)
    model = PresenceModel(
        intercept=values[0], top_score=values[1], boxes=values[2], floor=floor, limit=1.0
    )
    reached = [(each.source, _probability(model, kind, each)) for each in healthy]
    model = replace(model, limit=min(limit_of(reached, healthy_share), 1.0))
    return _measured(kind, model, used, labels, healthy)


def require_healthy(kind: str, count: int, share: float) -> None:
    """Check that there are healthy eyes to choose a limit by.

    Without them every eye, or every box, would be above it.

    Args:
        kind: a key of :data:`fundoscope.kinds.LESIONS`.
        count: healthy eyes on which it was assessed.
        share: of healthy eyes that may be above the limit, 0 to 1; 1 means any.

    Raises:
        UsageError: they are too few.
    """
    if count < MIN_HEALTHY and share < 1:
        raise UsageError(
            f"{count} healthy eyes",
            f"are too few to choose from where on {KINDS[kind].name} is present:"
            f" {MIN_HEALTHY} are needed",
            "add photographs of grade 0 without other_disease on which the kind is assessed",
        )


def _probability(model: PresenceModel, kind: str, photograph: BoxedPhotograph) -> float:
    return presence.probability(model, photograph.scores[kind])


def equal_sources(sources: Sequence[str]) -> Floats:
    """A weight for each photograph: every source has the same, and they sum to their number."""
    _, number, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights: Floats = len(sources) / (len(counts) * counts[number])
    return weights


def _fitted(
    kind: str, used: Sequence[BoxedPhotograph], labels: Flags, weights: Floats, floor: float
) -> tuple[float, tuple[float, float, float], float]:
    """Loss, intercept and slopes, and the floor."""
    from scipy.optimize import minimize

    x = np.array([presence.features(each.scores[kind], floor) for each in used])
    signs = np.where(labels, 1.0, -1.0)

    def loss(values: Floats) -> float:
        log_odds = signs * (values[0] + x @ values[1:])
        penalty = RIDGE / 2 * float((values[1:] ** 2).sum())
        return float(weights @ np.logaddexp(0.0, -log_odds)) + penalty

    bounds = [(-MAX_COEFFICIENT, MAX_COEFFICIENT), *[(0.0, MAX_COEFFICIENT)] * 2]
    result = minimize(loss, np.array([0.0, 0.1, 0.1]), method="L-BFGS-B", bounds=bounds)
    intercept, top_score, boxes = (round(float(value), DIGITS) for value in result.x)
    return float(result.fun), (intercept, top_score, boxes), floor


def limit_of(healthy: Sequence[tuple[str, float]], share: float) -> float:
    """The lowest limit that at most a share of the healthy eyes of each source reach.

    Sources with few healthy eyes count together. If these are few, too, they do not count beside a
    source with many: a single eye would set the limit.

    Args:
        healthy: source and probability, or score, of each healthy eye.
        share: 0 to 1.

    Returns:
        A limit from 0 to just above 1; 0 without any healthy eye.
    """
    values: dict[str, list[float]] = {}
    for source, value in healthy:
        values.setdefault(source, []).append(value)
    large = {source: group for source, group in values.items() if len(group) >= MIN_HEALTHY}
    rest = [value for source, group in values.items() if source not in large for value in group]
    groups = [*large.values(), rest] if len(rest) >= MIN_HEALTHY else [*large.values()] or [rest]
    return max(limit_of_values(group, share) for group in groups)


def limit_of_values(values: Sequence[float], share: float) -> float:
    """The lowest limit that at most a share of some values reach; 0 without values.

    Args:
        values: probabilities or scores.
        share: 0 to 1.
    """
    if not values:
        return 0.0
    ordered = sorted(values, reverse=True)
    allowed = math.floor(share * len(ordered) + TINY)
    return 0.0 if allowed >= len(ordered) else float(np.nextafter(ordered[allowed], np.inf))


def _measured(
    kind: str,
    model: PresenceModel,
    used: Sequence[BoxedPhotograph],
    labels: Flags,
    healthy: Sequence[BoxedPhotograph],
) -> FittedPresence:
    p = np.array([_probability(model, kind, each) for each in used])
    auc = float(area_under_curve(labels, p, np.ones((1, len(p))))[0])
    reached: dict[str, list[bool]] = {}
    for each in healthy:
        present = _probability(model, kind, each) >= model.limit
        reached.setdefault(each.source, []).append(present)
    return FittedPresence(
        model=model,
        photographs=len(used),
        with_kind=int(labels.sum()),
        auc=auc,
        sensitivity=float((p[labels] >= model.limit).mean()),
        healthy_present={source: float(np.mean(each)) for source, each in sorted(reached.items())},
    )
