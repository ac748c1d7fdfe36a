"""Whether a kind of lesion is in the eye at all, from all boxes of that kind.

A box that is drawn needs a high score. Whether an eye has a kind at all is another question: five
boxes just below the threshold say more than one just above it. So the probability depends on the
highest score and on the number of boxes, weak ones too. It is fitted to photographs of sick and
healthy eyes (:mod:`fundoscope.calibrate.presence`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from fundoscope.models.presence import PresenceModel

WEAKEST: Final = 0.1
"""Lowest score of a box that is looked at at all; below it boxes say nothing."""
CERTAIN: Final = 1.0 - 1e-4
"""Scores count as at most this, so that their log-odds are finite."""
LEAST_LOG_ODDS: Final = -700.0
"""Below it, the exponential would overflow; the probability is 0 for every purpose."""


def features(scores: Sequence[float], floor: float) -> tuple[float, float]:
    """The two features of a photograph for one kind.

    Args:
        scores: of all boxes of the kind, 0 to 1, in any order.
        floor: the lowest score that counts, more than 0 and less than 1.

    Returns:
        The log-odds of the highest score, relative to those of the floor; and the logarithm of
        1 + the number of boxes. Both are 0 if no box reaches the floor.
    """
    counted = [score for score in scores if score >= floor]
    if not counted:
        return 0.0, 0.0
    return _log_odds(max(counted)) - _log_odds(floor), math.log1p(len(counted))


def probability(model: PresenceModel, scores: Sequence[float]) -> float:
    """The probability that the kind is in the eye, 0 to 1.

    Args:
        model: of the kind.
        scores: of all boxes of the kind, in any order.
    """
    top, number = features(scores, model.floor)
    log_odds = model.intercept + model.top_score * top + model.boxes * number
    return 1.0 / (1.0 + math.exp(-max(log_odds, LEAST_LOG_ODDS)))


def _log_odds(score: float) -> float:
    score = min(score, CERTAIN)
    return math.log(score / (1.0 - score))
