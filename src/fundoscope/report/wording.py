"""A reading in words: the names of the grades, and why a photograph was not graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fundoscope.reading import Grade, Reading

GRADE_NAMES: Final = (
    "no apparent retinopathy",
    "mild NPDR",
    "moderate NPDR",
    "severe NPDR",
    "PDR",
)
"""International Clinical Diabetic Retinopathy scale (Wilkinson et al., Ophthalmology 2003;110:1677)
by grade; NPDR and PDR are non-proliferative and proliferative diabetic retinopathy."""

DISCLAIMER: Final = "research use, not a diagnosis"

NO_FIELD: Final = {
    "too_dark": ("is too dark to find the retina in it", "take it again with more flash"),
    "no_disc": ("shows no field of view of a retina", "give a photograph of the retina"),
    "not_a_retina": ("does not look like a retina", "give a photograph of the retina"),
}
"""Reason and remedy for each of :data:`fundoscope.reading.NO_FIELD_REASONS`."""
NO_FIELD_OTHERWISE: Final = NO_FIELD["no_disc"]

DETECTION: Final = "detection"
"""The task of bundles that look for lesions."""


@dataclass(frozen=True, slots=True)
class NotGraded:
    """Why a photograph that opens got no grade: a stable word, and two halves of a sentence."""

    code: str
    reason: str
    remedy: str


def grade_in_words(icdr: int) -> str:
    """A grade (0 to 4) with its name, e.g. ``"2 moderate NPDR"``."""
    return f"{icdr} {GRADE_NAMES[icdr]}"


def certainty(grade: Grade) -> float | None:
    """The probability of the grade that was given, 0 to 1; ``None`` when not graded."""
    if grade.icdr is None or grade.probabilities is None:
        return None
    return grade.probabilities[grade.icdr]


def why_not_graded(reading: Reading) -> NotGraded | None:
    """Why a reading has no grade; ``None`` when it has one."""
    if reading.grade.icdr is not None:
        return None
    if not reading.field.found:
        code = reading.field.reason or "no_disc"
        return NotGraded(code, *NO_FIELD.get(code, NO_FIELD_OTHERWISE))
    if reading.quality.gradable is False:
        seen = ", ".join(reading.quality.reasons or ()) or "its quality is too low"
        return NotGraded("not_gradable", f"cannot be judged ({seen})", "take it again")
    stated = "; ".join(reading.warnings)
    reason = f"was given no grade ({stated})" if stated else "was given no grade"
    return NotGraded("no_grade", reason, "have it read by a person")


def not_assessed(reading: Reading) -> tuple[str, ...]:
    """What a person might expect to have been looked at and was not."""
    missing = [] if reading.quality.gradable is not None else ["image quality"]
    if not any(model.task == DETECTION for model in reading.models):
        missing.append("single lesions")
    return (*missing, "macular oedema")


def printable(text: str) -> str:
    """``text`` on one line: control characters, and bytes that are no text, are written out.

    A file name may hold anything but a slash; none of it may steer a terminal or break a line.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def summary(reading: Reading) -> str:
    """What a reading says, on one line: grade, certainty, referral, warnings.

    E.g. ``"2 moderate NPDR, certainty 61 %, referable (probability 0.83); <warning>"``.
    """
    grade, parts = reading.grade, list[str]()
    if grade.icdr is not None:
        parts.append(grade_in_words(grade.icdr))
    sure = certainty(grade)
    if sure is not None:
        parts.append(f"certainty {sure * 100:.0f} %")
    if grade.referable is not None:
        verdict = "referable" if grade.referable.positive else "not referable"
        parts.append(f"{verdict} (probability {grade.referable.probability:.2f})")
    return "; ".join((", ".join(parts), *map(printable, reading.warnings)))
