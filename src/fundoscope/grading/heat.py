"""Where the grader's network saw what speaks for or against "referable": a class activation map.

A network that averages the maps of its last stage before its last layer gives each place of these
maps a share in each output (Zhou et al., Learning deep features for discriminative localization,
CVPR 2016). The bundle's graph gives these shares as its output ``heat``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.grading import heads, inputs
from fundoscope.grading.grader import Grader
from fundoscope.models import runtime
from fundoscope.models.judge import HEAT
from fundoscope.opinions import HeatMap
from fundoscope.photo.decode import Pixels

DIGITS: Final = 3
"""Decimals of a value; log-odds are not more exact."""

Floats = NDArray[np.float32]


def available(grader: Grader) -> bool:
    """Whether the bundle gives a heat map: its graph has one, of the field's square."""
    names = [node.name for node in grader.session.get_outputs()]
    return HEAT in names and grader.input.kind == inputs.CROP


def heat(grader: Grader, pixels: Pixels) -> HeatMap | None:
    """The heat map of one photograph; ``None`` if the bundle gives none.

    Args:
        grader: from :func:`fundoscope.grading.grader.load`.
        pixels: ``uint8 (S, S, 3)`` RGB, from :func:`fundoscope.grading.inputs.make`.

    Raises:
        PhotoError: the network gives numbers that are not finite.
    """
    if not available(grader):
        return None
    (shares,) = runtime.outputs(grader.session, pixels[np.newaxis], [HEAT])
    runtime.require_finite(grader.manifest.name, shares)
    values = referable(shares[0], grader.manifest.head)
    return HeatMap(tuple(tuple(round(float(v), DIGITS) for v in row) for row in values))


def referable(shares: Floats, head: str) -> Floats:
    """What each place adds to the network's score for "referable", ``float32 (h, w)``.

    Args:
        shares: ``float32 (outputs, h, w)``, what each place adds to each output of the network.
        head: a key of :data:`fundoscope.grading.heads.OUTPUTS`. The score is, for ``cumulative``,
            the log-odds of grade 2 or more; for ``corn``, the same given grade 1 or more; for
            ``softmax``, the mean logit of the referable grades less that of the others; else the
            only output.
    """
    count = heads.OUTPUTS[head]
    values: Floats
    if head == heads.SOFTMAX:
        first = heads.REFERABLE_GRADE
        values = shares[first:].mean(axis=0) - shares[:first].mean(axis=0)
    else:
        values = shares[min(heads.REFERABLE_GRADE - 1, count - 1)]
    return values
