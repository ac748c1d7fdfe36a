"""Free-response receiver operating characteristic: sensitivity against false boxes a photograph.

This is the usual curve where a photograph has many lesions, so that specificity is not defined
(Bunch et al., 1978). It is read at fixed rates, as by Niemeijer et al. for microaneurysms (IEEE TMI
2010;29:185).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.lesions.ranked import Curve

RATES: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""False boxes a photograph at which sensitivity is read."""
MEAN_FROM: Final = 1.0
"""The mean is taken over the rates from this one on, 1 to 32."""
MEAN_RATES: Final = tuple(rate for rate in RATES if rate >= MEAN_FROM)


def sensitivities(curve: Curve) -> Floats:
    """Read sensitivity at each of :data:`RATES`, followed by the mean over :data:`MEAN_RATES`.

    It is the best that a threshold gives with at most that many false boxes, without
    interpolation. Where all boxes together hold fewer false ones, it is the sensitivity of all
    boxes.

    Returns:
        ``float (R, 10)``; NaN where there is no lesion.
    """
    false = curve.count - curve.true
    recall = np.concatenate([np.zeros((len(false), 1)), curve.recall], axis=1)
    recall[curve.positives == 0] = np.nan
    rows = np.arange(len(false))
    columns = []
    for rate in RATES:
        thresholds = (false <= (rate * curve.photographs)[:, None]).sum(axis=1)
        columns.append(recall[rows, thresholds])
    means = np.mean(columns[-len(MEAN_RATES) :], axis=0)
    return np.column_stack([*columns, means])
