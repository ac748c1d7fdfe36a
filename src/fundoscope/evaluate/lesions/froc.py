"""Free-response receiver operating characteristic: sensitivity against false boxes a photograph.

The customary curve where a photograph has many lesions and no specificity can be counted
(Bunch et al., 1978; read off at fixed rates as Niemeijer et al., IEEE TMI 2010;29:185, did for
microaneurysms).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.evaluate.lesions.ranked import Curve, Floats

RATES: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""False boxes a photograph at which sensitivity is read off."""
MEAN_FROM: Final = 1.0
"""The mean is taken over the rates from here on, 1 to 32."""
MEAN_RATES: Final = tuple(rate for rate in RATES if rate >= MEAN_FROM)


def sensitivities(found: Curve) -> Floats:
    """Sensitivity at each of :data:`RATES`, and the mean over :data:`MEAN_RATES` behind them.

    The best that a threshold gives with no more false boxes than that; nothing is interpolated.
    Where even all boxes together hold fewer false ones, it is that of all boxes.

    Returns:
        ``float (R, 10)``; NaN where there is no lesion.
    """
    false = found.count - found.true
    recall = np.concatenate([np.zeros((len(false), 1)), found.recall], axis=1)
    recall[found.positives == 0] = np.nan
    rows = np.arange(len(false))
    columns = []
    for rate in RATES:
        thresholds = (false <= (rate * found.photographs)[:, None]).sum(axis=1)
        columns.append(recall[rows, thresholds])
    means = np.mean(columns[-len(MEAN_RATES) :], axis=0)
    return np.column_stack([*columns, means])
