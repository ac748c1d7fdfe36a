"""Whether a photograph can be graded and why not, as a Reading reports it.

Values only, a part of the contract in :mod:`fundoscope.reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OUT_OF_FOCUS: Final = "out_of_focus"
TOO_DARK: Final = "too_dark"
TOO_BRIGHT: Final = "too_bright"
UNEVEN_OR_HAZY: Final = "uneven_or_hazy"
FIELD_CUT_OFF: Final = "field_cut_off"
REFLECTIONS: Final = "reflections"
QUALITY_REASONS: Final = (
    OUT_OF_FOCUS, TOO_DARK, TOO_BRIGHT, UNEVEN_OR_HAZY, FIELD_CUT_OFF, REFLECTIONS,
)  # fmt: skip
"""Why a photograph is not gradable."""


@dataclass(frozen=True, slots=True)
class QualityScore:
    """How much one reason speaks against a photograph.

    Attributes:
        reason: one of :data:`QUALITY_REASONS`.
        score: log-odds that it applies.
        limit: the score above which it applies.
    """

    reason: str
    score: float
    limit: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether the photograph is good enough to be graded; ``None`` where this was not assessed.

    Attributes:
        gradable: whether it is.
        reasons: why it is not, codes of :data:`QUALITY_REASONS`, the clearest first.
        scores: of every reason, also where the photograph is gradable.
        score: log-odds that nobody could grade it.
        limit: the score above which it is not gradable.
    """

    gradable: bool | None = None
    reasons: tuple[str, ...] | None = None
    scores: tuple[QualityScore, ...] | None = None
    score: float | None = None
    limit: float | None = None
