"""Whether the boxes fit the grade. They come from two networks that know nothing of each other.

On the International Clinical scale an eye of grade 0 has no lesion, one of grade 1 microaneurysms
only, and one of grade 3 or 4 always has lesions (Wilkinson et al., Ophthalmology 2003;110:1677).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fundoscope.kinds import LESIONS
from fundoscope.reading import NEEDS_READER_REASONS, Grade, LesionSummary

LESIONS_UNLIKE_GRADE: Final = NEEDS_READER_REASONS[0]
MICROANEURYSM, HAEMORRHAGE = "microaneurysm", "haemorrhage"
MANY: Final = 10
"""Boxes that contradict a grade. The detector draws a few on healthy eyes, too: on validation
photographs see docs/results.md."""
MILD, SEVERE = 1, 3


def needs_reader(grade: Grade, summary: Sequence[LesionSummary]) -> tuple[str, ...]:
    """The reasons why a person should look at a photograph, codes of ``NEEDS_READER_REASONS``.

    Args:
        grade: of the photograph.
        summary: what was found of each kind of lesion.
    """
    if grade.icdr is None or _fits(grade.icdr, summary):
        return ()
    return (LESIONS_UNLIKE_GRADE,)


def _fits(icdr: int, summary: Sequence[LesionSummary]) -> bool:
    """Whether a grade fits what was found; kinds that were not assessed contradict nothing."""
    counts = {each.kind: each.count or 0 for each in summary if each.assessed}
    if icdr >= SEVERE:
        return HAEMORRHAGE not in counts or sum(counts.values()) > 0
    if icdr > MILD:
        return True
    allowed = {MICROANEURYSM} if icdr == MILD else set()
    return sum(counts[kind] for kind in LESIONS if kind in counts and kind not in allowed) < MANY
