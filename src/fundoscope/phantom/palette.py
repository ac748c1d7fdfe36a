"""Colours of the retina and its pale parts, as in real photographs.

Measured on photographs of IDRiD, EyePACS, Messidor-2 and SRahim (the mean of the field, and the
optic disc); 0 to 1 of the display value, red, green, blue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """A palette.

    Attributes:
        retina: mean colour of the retina.
        pale: colour of disc and exudates.
        weight: relative frequency.
    """

    retina: Triple
    pale: Triple
    weight: float


PALETTES: Final = (
    Palette((0.66, 0.29, 0.04), (1.00, 0.72, 0.16), 3.0),  # IDRiD
    Palette((0.82, 0.40, 0.15), (1.00, 0.82, 0.48), 2.5),  # bright orange
    Palette((0.44, 0.22, 0.10), (0.95, 0.72, 0.40), 2.0),  # brown
    Palette((0.56, 0.26, 0.07), (0.96, 0.76, 0.36), 3.0),  # Messidor-2
    Palette((0.70, 0.40, 0.29), (1.00, 0.80, 0.56), 1.5),  # rose
    Palette((0.46, 0.19, 0.05), (0.96, 0.62, 0.24), 2.0),  # deep red
    Palette((0.68, 0.43, 0.17), (1.00, 0.84, 0.46), 1.5),  # amber
    Palette((0.36, 0.23, 0.21), (0.82, 0.64, 0.52), 0.5),  # violet grey
    Palette((0.30, 0.28, 0.20), (0.84, 0.76, 0.58), 0.5),  # green grey
    Palette((0.90, 0.74, 0.62), (1.00, 0.95, 0.86), 0.3),  # overexposed
)


def choose(rng: Generator) -> Palette:
    """A random palette by weight, with colours varied by a few per cent."""
    weights = [palette.weight for palette in PALETTES]
    chosen = PALETTES[rng.choice(len(PALETTES), p=[w / sum(weights) for w in weights])]
    gain = rng.uniform(0.92, 1.06)
    shift = rng.normal(1.0, 0.04, 3)
    r, g, b = (min(value * gain * s, 1.0) for value, s in zip(chosen.retina, shift, strict=True))
    return Palette((float(r), float(g), float(b)), chosen.pale, chosen.weight)
