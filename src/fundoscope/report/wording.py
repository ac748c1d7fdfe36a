"""A reading in words: the names of the grades, and why a photograph was not graded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fundoscope.kinds import KINDS
from fundoscope.reading import Grade, LesionSummary, Reading

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

PARTS: Final = {
    "neovascularisation": "area",
    "fibrous_proliferation": "area",
    "venous_beading": "stretch",
}
"""What is counted of kinds that have no plural."""
PLURALS: Final = {
    "irma": "intraretinal microvascular abnormalities",
    "stretch": "stretches",
}
"""Where more than one is not the name with an s."""
SHORT_NAMES: Final = {
    "microaneurysm": "MA",
    "haemorrhage": "HE",
    "hard_exudate": "EX",
    "soft_exudate": "SE",
    "neovascularisation": "NV",
    "vitreous_haemorrhage": "VH",
    "preretinal_haemorrhage": "PRH",
    "fibrous_proliferation": "FP",
    "irma": "IRMA",
    "venous_beading": "VB",
    "laser_scar": "LS",
    "optic_disc": "OD",
    "fovea": "FC",
}
"""Of kinds, where there is no room for their names; those of IDRiD, DDR and the textbooks."""
NOT_ASSESSED: Final = {
    "no_detector": "",
    "unknown_to_detector": "this detector does not know them",
    "no_field": "no field of view",
    "photograph_too_small": "photograph too small",
}
"""Words for each of :data:`fundoscope.reading.NOT_ASSESSED_REASONS`; none where nobody looked."""
TOO_SMALL: Final = "photograph_too_small"
ALL_LESIONS: Final = "single lesions"


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


def certainty_in_words(grade: Grade) -> str:
    """How certain the grade is, e.g. ``"61 %"``; ``""`` when not graded.

    A grade is given by cut-points on the expected grade, so another one may be likelier, which is
    then told: ``"10 % (3 is likelier: 89 %)"``.
    """
    sure, probabilities = certainty(grade), grade.probabilities
    if sure is None or probabilities is None:
        return ""
    said = f"{sure * 100:.0f} %"
    likeliest = max(range(len(probabilities)), key=probabilities.__getitem__)
    if probabilities[likeliest] <= sure:
        return said
    return f"{said} ({likeliest} is likelier: {probabilities[likeliest] * 100:.0f} %)"


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


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """What nobody looked for: its name, and why where that differs; no reason to take it for none.

    Attributes:
        what: e.g. ``"microaneurysms"``.
        reason: in words, e.g. ``"photograph too small"``; ``""`` where fundoscope never looks.
    """

    what: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.reason})" if self.reason else self.what


def not_assessed(reading: Reading) -> tuple[NotAssessed, ...]:
    """What a person might expect to have been looked at and was not."""
    quality = () if reading.quality.gradable is not None else (NotAssessed("image quality"),)
    return (*quality, *_lesions_not_assessed(reading.lesion_summary), NotAssessed("macular oedema"))


def _lesions_not_assessed(summary: tuple[LesionSummary, ...]) -> Iterator[NotAssessed]:
    reasons = {one.reason for one in summary}
    if not summary:  # a reading of a version that knew of none
        yield NotAssessed(ALL_LESIONS)
    elif not any(one.assessed for one in summary) and len(reasons) == 1:
        yield NotAssessed(ALL_LESIONS, why_not_assessed(summary[0]))
    else:
        for one in summary:
            if not one.assessed:
                yield NotAssessed(kind_in_words(one.kind, 0), why_not_assessed(one))


def why_not_assessed(one: LesionSummary) -> str:
    """Why a kind of lesion was not looked for, in words."""
    reason = one.reason or "no_detector"
    return NOT_ASSESSED.get(reason, reason.replace("_", " "))


def listed(missing: Iterable[NotAssessed]) -> str:
    """What was not assessed, on one line; what has one reason stands together.

    E.g. ``"image quality; microaneurysms, soft exudates (photograph too small)"``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        alone = "" if one.reason else one.what
        groups.setdefault((one.reason, alone), []).append(one.what)
    return "; ".join(
        str(NotAssessed(", ".join(names), reason)) for (reason, _), names in groups.items()
    )


def listed_over(counts: Mapping[NotAssessed, int], photographs: int) -> str:
    """The same over many photographs; where something was missing on some, it says on how many.

    Args:
        counts: on how many photographs each was not assessed.
        photographs: that there were in all.
    """
    told = []
    for one, count in counts.items():
        some = f"on {count} of {photographs}" if count < photographs else ""
        told.append(replace(one, reason=", ".join(filter(None, (one.reason, some)))))
    return listed(told)


def kind_in_words(kind: str, count: int) -> str:
    """A kind as it is called for so many: ``"haemorrhage"`` for 1, else ``"haemorrhages"``.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`; another is taken as it is.
        count: of how many is spoken; 0 where of all.
    """
    if kind not in KINDS:
        return kind
    name = KINDS[kind].name
    part = PARTS.get(kind)
    if part is None:
        return name if count == 1 else PLURALS.get(kind, f"{name}s")
    if count == 0:
        return name
    return f"{part if count == 1 else PLURALS.get(part, f'{part}s')} of {name}"


def lesion_counts(reading: Reading) -> dict[str, int]:
    """How many of each kind were found, 0 where it was looked for; others are not in it.

    In the order of the reading's summary, then others by their number.
    """
    counts = {one.kind: one.count or 0 for one in reading.lesion_summary if one.assessed}
    found = Counter(lesion.kind for lesion in reading.lesions)
    return counts | {kind: n for kind, n in found.most_common() if kind not in counts}


def lesions_in_words(reading: Reading) -> str:
    """What was found of the lesions that were looked for; ``""`` where none was looked for.

    E.g. ``"12 microaneurysms, 1 haemorrhage, no hard exudates or soft exudates found"``.
    """
    counts = lesion_counts(reading)
    found = [f"{n} {kind_in_words(kind, n)}" for kind, n in counts.items() if n]
    none = [kind_in_words(kind, 0) for kind, n in counts.items() if not n]
    if none:
        *first, last = none
        found.append(f"no {', '.join(first)} or {last} found" if first else f"no {last} found")
    return ", ".join(found)


def printable(text: str) -> str:
    """``text`` on one line: control characters, and bytes that are no text, are written out.

    A file name may hold anything but a slash; none of it may steer a terminal or break a line.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def summary(reading: Reading) -> str:
    """What a reading says, on one line: grade, certainty, referral, lesions, warnings.

    Kinds of lesions that this photograph was too small for are told; those that are never looked
    for are not: :func:`not_assessed` has them.

    E.g. ``"2 moderate NPDR, certainty 61 %, referable (probability 0.83); 3 haemorrhages, no hard
    exudates found; not assessed: microaneurysms (photograph too small); <warning>"``.
    """
    grade, parts = reading.grade, list[str]()
    if grade.icdr is not None:
        parts.append(grade_in_words(grade.icdr))
    if sure := certainty_in_words(grade):
        parts.append(f"certainty {sure}")
    if grade.referable is not None:
        verdict = "referable" if grade.referable.positive else "not referable"
        parts.append(f"{verdict} (probability {grade.referable.probability:.2f})")
    sentences = (", ".join(parts), lesions_in_words(reading), too_small(reading))
    return "; ".join((*filter(None, sentences), *map(printable, reading.warnings)))


def too_small(reading: Reading) -> str:
    """The kinds that could be seen on a larger photograph of this eye; ``""`` where none is.

    E.g. ``"not assessed: microaneurysms (photograph too small)"``.
    """
    small = [one for one in reading.lesion_summary if one.reason == TOO_SMALL]
    if not small:
        return ""
    missing = (NotAssessed(kind_in_words(one.kind, 0), why_not_assessed(one)) for one in small)
    return f"not assessed: {listed(missing)}"
