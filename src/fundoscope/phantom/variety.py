"""A varied set of phantoms, to test code that handles photographs of any shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.random import Generator

from fundoscope.phantom.spec import EYES, GRADES, PhantomSpec, Shape

RECIPES: Final[tuple[tuple[Shape, ...], ...]] = (
    ("full",),
    ("clipped",),
    ("square",),
    ("full", "notch"),
    ("clipped", "notch"),
    ("full", "label"),
    ("clipped", "label"),
    ("full", "frame"),
    ("clipped", "frame"),
    ("full", "grey"),
    ("clipped", "grey"),
    ("full", "noisy"),
    ("clipped", "noisy"),
    ("full", "dark"),
    ("clipped", "dark"),
    ("clipped", "notch", "label"),
)
"""Shapes, used in turn."""
ASPECTS: Final = (1.0, 4 / 3, 3 / 2, 565 / 584, 1736 / 1824, 16 / 11)
"""Width over height of real photographs."""
STRETCHES: Final = (1.26, 4 / 3, 1.39, 1.51)
"""The true shapes of photographs that APTOS has squashed into squares."""
SQUASHED: Final = 0.25
"""Share of squashed phantoms."""
LONG_SIDE: Final = (300, 1500)
LARGE_SIDE: Final = (1500, 4300)
LARGE: Final = 0.06
"""Share of large phantoms."""
SEEDS: Final = 2**31


def specimens(count: int, seed: int) -> Iterator[PhantomSpec]:
    """Specs of all shapes, sizes, eyes and grades.

    The ``RECIPES`` are used in turn; the long side has 300 to 1500 px, in some phantoms more; a
    quarter is squashed. A square crop is never squashed, because without a rim it cannot be seen.

    Args:
        count: the number of specs.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield _specimen(RECIPES[number % len(RECIPES)], rng)


def _specimen(shape: tuple[Shape, ...], rng: Generator) -> PhantomSpec:
    low, high = LARGE_SIDE if rng.random() < LARGE else LONG_SIDE
    long = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    aspect, stretch = ASPECTS[rng.integers(len(ASPECTS))], 1.0
    if "square" in shape:
        aspect = 1.0
    elif rng.random() < SQUASHED:
        aspect, stretch = 1.0, STRETCHES[rng.integers(len(STRETCHES))]
    return PhantomSpec(
        seed=int(rng.integers(SEEDS)),
        width=long if aspect >= 1.0 else round(long * aspect),
        height=round(long / aspect) if aspect >= 1.0 else long,
        grade=int(rng.choice(GRADES)),
        eye=EYES[rng.integers(len(EYES))],
        shape=shape,
        stretch=stretch,
    )
