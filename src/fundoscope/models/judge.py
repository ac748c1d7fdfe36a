"""The judge in a grader's ``bundle.json``: small heads on the features of its network.

Their vectors are bytes, which JSON holds as base64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final = "features"
"""An output of the graph: ``float32 (N, K)``, the pooled maps of the last stage."""
STAGES: Final = "stages"
"""An output: ``float32 (N, S)``, means and standard deviations of the maps of each stage."""
HEAT: Final = "heat"
"""An output: ``float32 (N, outputs, h, w)``, what each place of the last maps adds to a logit."""
SINGLE, HALF = np.dtype("<f4"), np.dtype("<f2")
"""How numbers are stored: those of heads in single, those of the cloud in half precision; the least
significant byte first."""
MAX_SCORE: Final = 1e4
"""Highest absolute value of a bias or a limit; scores are log-odds or distances."""
MAX_FEATURES: Final = 16_384
"""Most features; VGG16 has 4,096."""
MAX_AXES: Final = 256
"""Most axes of the familiar photographs; 16 are fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A linear head: a score, and the limit above which it says yes.

    Attributes:
        weights: numbers of :data:`SINGLE`: S for the stages, and before them K for the features
            where the head takes these, too.
        bias: is added to their product.
        limit: the score above which the head says yes.
    """

    weights: bytes
    bias: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Familiar:
    """The photographs that a grader learnt from, as a cloud of features.

    The squared distance is the mean squared z-score along the axes of largest variance, plus the
    squared length of the remainder divided by ``rest`` squared.

    Attributes:
        centre: K numbers of :data:`HALF`.
        axes: A times K numbers of :data:`HALF`, orthogonal unit vectors.
        spreads: standard deviation along each axis.
        rest: root mean square of what is left beside the axes.
        limit: the distance above which a photograph is not familiar.
    """

    centre: bytes
    axes: bytes
    spreads: tuple[float, ...]
    rest: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The heads of a bundle.

    Attributes:
        features: their number, K.
        stages: the number S of values of the stages.
        other: whether the picture is not a retina; takes features and stages.
        ungradable: whether nobody could grade the photograph; takes the stages.
        reasons: why not, likewise; codes of :data:`fundoscope.quality.QUALITY_REASONS`.
        familiar: the photographs that the grader knows.
        fitted_on: number of photographs that the heads were fitted to, by source.
        clinic: number of a clinic's photographs that the limits of quality were fitted to.
    """

    features: int
    stages: int
    other: Head
    ungradable: Head
    reasons: Mapping[str, Head]
    familiar: Familiar
    fitted_on: Mapping[str, int]
    clinic: int | None = None


def vector(stored: bytes, kind: np.dtype[Any]) -> NDArray[np.float32]:
    """The numbers of a stored vector, ``float32 (K,)``.

    Args:
        stored: its bytes.
        kind: :data:`SINGLE` or :data:`HALF`.
    """
    return np.frombuffer(stored, kind).astype(np.float32)


def stored(values: NDArray[np.float64], kind: np.dtype[Any]) -> bytes:
    """Numbers as a bundle stores them.

    Args:
        values: of any shape, each within the range of the kind.
        kind: :data:`SINGLE` or :data:`HALF`.

    Raises:
        ValueError: a number is too large or not finite.
    """
    with np.errstate(over="ignore"):  # reported below
        kept = values.astype(kind)
    if not np.isfinite(kept).all():
        raise ValueError("a number is too large to be stored")
    return kept.tobytes()


def fault(judge: Judge | None) -> str | None:
    """The first value of a judge that is not valid, in words; ``None`` if all are valid."""
    if judge is None:
        return None
    return next(_faults(judge), None)


def _faults(judge: Judge) -> Iterator[str]:
    if not 1 <= judge.features <= MAX_FEATURES:
        yield f"judge.features is {judge.features}, not 1 to {MAX_FEATURES}"
    if not 1 <= judge.stages <= MAX_FEATURES:
        yield f"judge.stages is {judge.stages}, not 1 to {MAX_FEATURES}"
    heads = {"other": judge.other, "ungradable": judge.ungradable, **judge.reasons}
    for name, head in heads.items():
        count = judge.stages + (judge.features if name == "other" else 0)
        yield from _of_vector(f"judge.{name}.weights", head.weights, count, SINGLE)
        yield from _of_numbers(f"judge.{name}", (head.bias, head.limit), -MAX_SCORE)
    familiar = judge.familiar
    count = len(familiar.spreads)
    if not 1 <= count <= MAX_AXES:
        yield f"judge.familiar.spreads are {count}, not 1 to {MAX_AXES}"
    yield from _of_vector("judge.familiar.centre", familiar.centre, judge.features, HALF)
    yield from _of_vector("judge.familiar.axes", familiar.axes, judge.features * count, HALF)
    widths = (*familiar.spreads, familiar.rest)
    if not all(width > 0 for width in widths):
        yield "judge.familiar has a spread that is not above 0"
    yield from _of_numbers("judge.familiar", (*widths, familiar.limit), 0.0)


def _of_vector(name: str, content: bytes, count: int, kind: np.dtype[Any]) -> Iterator[str]:
    if len(content) != count * kind.itemsize:
        yield f"{name} has {len(content)} bytes, not {count * kind.itemsize}"
    elif not np.isfinite(np.frombuffer(content, kind)).all():
        yield f"{name} has a number that is not finite"


def _of_numbers(name: str, numbers: tuple[float, ...], low: float) -> Iterator[str]:
    for number in numbers:
        if not (math.isfinite(number) and low <= number <= MAX_SCORE):
            yield f"{name} has {number:g}, not {low:g} to {MAX_SCORE:g}"
