"""A reading in words: names of grades and lesions, and why something was not graded or assessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fundoscope.photo import advice
from fundoscope.photo.reasons import NO_FIELD, OTHERWISE
from fundoscope.quoting import printable
from fundoscope.reading import Grade, LesionSummary, Reading, Referable
from fundoscope.report.kind_names import kind_in_words
from fundoscope.report.plausible import next_step_in_words, plausible_in_words

GRADE_NAMES: Final = (
    "no apparent retinopathy",
    "mild NPDR",
    "moderate NPDR",
    "severe NPDR",
    "PDR",
)
"""By grade of the International Clinical Diabetic Retinopathy scale (Wilkinson et al.,
Ophthalmology 2003;110:1677). NPDR: non-proliferative diabetic retinopathy; PDR: proliferative."""

LIKELIEST: Final = ("no retinopathy", "mild", "moderate", "severe", "proliferative")
"""The grades in the sentence of :func:`why_unlike_grade`."""
REFERABLE_GRADE: Final = 2
"""The lowest referable grade, as in :mod:`fundoscope.grading.heads`, which imports numpy."""
ROUNDED_AWAY: Final = 0.005
"""Half a percent; what is nearer to 0 or 1 would be rounded to it."""
MOST_DECIMALS: Final = 2
"""Decimals of a percentage that is close to a threshold."""
NOT_GRADABLE: Final = "not_gradable"
NEEDS_READER: Final = {
    "lesions_unlike_grade": "the lesions do not fit the grade: a person should look",
    NOT_GRADABLE: "the photograph is too poor to be graded: if a new one is no better, a person"
    " should look",
    "unfamiliar": "the photograph is unlike those that the grader knows: a person should look",
}
"""A sentence for each of :data:`fundoscope.reading.NEEDS_READER_REASONS`."""
NEEDS_READER_OTHERWISE: Final = "a person should look at this photograph"

DISCLAIMER: Final = "research use, not a diagnosis"

NOT_ASSESSED: Final = {
    "no_detector": "",
    "unknown_to_detector": "this detector does not find them",
    "no_field": "no field of view",
    "photograph_too_small": "photograph too small",
    "overexposed": "photograph overexposed",
    "not_gradable": "photograph not gradable",
    "sure_of_grade_0": "the grader is sure of grade 0",
}
"""Words for each of :data:`fundoscope.reading.NOT_ASSESSED_REASONS`; none without a detector."""
MACULAR_OEDEMA: Final = "macular oedema"
OEDEMA_POSSIBLE: Final = "possible"
OEDEMA_LOOKED_FOR: Final = (OEDEMA_POSSIBLE, "no_exudates_near")
"""States of :class:`fundoscope.reading.MacularOedema` in which exudates were looked for."""
WHY_NO_OEDEMA: Final = {
    "fovea": "the place of the fovea is not certain enough",
    "optic_disc": "the optic disc was not found, so distances are not known",
    "edge": "the photograph does not show the retina all around the fovea",
    "withheld": "exudates that may lie near the fovea are too doubtful to be drawn",
}
"""Words for why it cannot be assessed; that hard exudates were not assessed is said beside them."""
ESTIMATED: Final = "estimated"
"""The state of a fovea that was not seen, but lies where it usually does."""
NOT_GRADED: Final = "not graded: "
"""How the warning begins that says why a photograph has no grade; its remedy ends it."""
TOO_SMALL: Final = "photograph_too_small"
LOOKS_HEALTHY: Final = "together not enough to tell this eye from a healthy one"
ALL_LESIONS: Final = "lesions"


@dataclass(frozen=True, slots=True)
class NotGraded:
    """Why a photograph was not graded.

    Attributes:
        code: a stable word.
        reason: what is wrong, to follow "the photograph".
        remedy: what to do.
    """

    code: str
    reason: str
    remedy: str


def grade_in_words(icdr: int) -> str:
    """Write a grade (0 to 4) with its name, e.g. ``"2 moderate NPDR"``."""
    return f"{icdr} {GRADE_NAMES[icdr]}"


def certainty(grade: Grade) -> float | None:
    """Take the probability of the given grade, 0 to 1; ``None`` where not graded."""
    if grade.icdr is None or grade.probabilities is None:
        return None
    return grade.probabilities[grade.icdr]


def certainty_in_words(grade: Grade) -> str:
    """Say how certain the grade is, e.g. ``"61 %"``; ``""`` where not graded.

    A Reading of version 0.1 may give another grade than the most probable one. That is added then:
    ``"10 % (3 is likelier: 89 %)"``.
    """
    probability, probabilities = certainty(grade), grade.probabilities
    if probability is None or probabilities is None:
        return ""
    words = percent(probability)
    likeliest = max(range(len(probabilities)), key=probabilities.__getitem__)
    if probabilities[likeliest] <= probability:
        return words
    return f"{words} ({likeliest} is likelier: {percent(probabilities[likeliest])})"


def short_percent(share: float) -> str:
    """A probability as a whole percentage. No network is certain: never 0 or 100."""
    if share <= ROUNDED_AWAY:
        return "<1 %"
    if share >= 1.0 - ROUNDED_AWAY:
        return ">99 %"
    return f"{share * 100:.0f} %"


def percent(share: float) -> str:
    """Write a probability as a whole percentage, e.g. ``"61 %"``.

    No network is certain, so it is never 0 % or 100 %, but ``"less than 1 %"`` or ``"more than
    99 %"``. Exactly 0 comes out where two outputs of the network cross
    (:func:`fundoscope.grading.heads.probabilities`).
    """
    if share <= ROUNDED_AWAY:
        return "less than 1 %"
    if share >= 1.0 - ROUNDED_AWAY:
        return "more than 99 %"
    return f"{share * 100:.0f} %"


def limit_percent(limit: float) -> str:
    """Write a limit as a whole percentage; other than a probability it may be 0 % or 100 %."""
    return percent(limit) if 0.0 < limit < 1.0 else f"{limit * 100:.0f} %"


def probability_in_words(value: float) -> str:
    """Write a probability, e.g. ``"0.83"``; it is never 0 or 1."""
    if f"{value:.2f}" in ("0.00", "1.00"):
        return "more than 0.99" if value > 0.5 else "less than 0.01"
    return f"{value:.2f}"


def verdict(referable: Referable) -> str:
    """``"referable"`` or ``"not referable"``."""
    return "referable" if referable.positive else "not referable"


def why_unlike_grade(grade: Grade) -> str:
    """Say why a grade and "referable" differ; ``""`` where they agree.

    They agree if a grade of 2 or more is referable and a lower one is not. Otherwise e.g. ``"mild
    is likeliest; moderate or worse has 41 %, and from 37 % on it is referred"``.
    """
    referable = grade.referable
    if grade.icdr is None or referable is None:
        return ""
    if referable.positive == (grade.icdr >= REFERABLE_GRADE):
        return ""
    has, limit = apart(referable.probability, referable.threshold)
    rule = f"from {limit} on it is referred"
    if not referable.positive:
        rule = f"it is referred only from {limit} on"
    return f"{LIKELIEST[grade.icdr]} is likeliest; moderate or worse has {has}, and {rule}"


def apart(share: float, threshold: float) -> tuple[str, str]:
    """Two percentages with as many decimals as tell them apart, two at most; never 0 or 100."""
    whole = percent(share), limit_percent(threshold)
    if whole[0] != whole[1]:
        return whole
    for digits in range(1, MOST_DECIMALS + 1):
        has, limit = (f"{value * 100:.{digits}f}" for value in (share, threshold))
        if has != limit and not {float(has), float(limit)} & {0.0, 100.0}:
            return f"{has} %", f"{limit} %"
    return whole


def why_not_graded(reading: Reading) -> NotGraded | None:
    """Say why a reading has no grade; ``None`` where it has one."""
    if reading.grade.icdr is not None:
        return None
    if not reading.field.found:
        code = reading.field.reason or "no_disc"
        return NotGraded(code, *NO_FIELD.get(code, OTHERWISE))
    if reading.quality.gradable is False:
        return NotGraded("not_gradable", *advice.why(reading.quality.reasons))
    cause = next((each for each in reading.warnings if each.startswith(NOT_GRADED)), "")
    reason, _, remedy = cause.removeprefix(NOT_GRADED).rpartition("; ")
    if reason:
        return NotGraded("no_grade", f"was not graded: {reason}", remedy)
    warnings = "; ".join(reading.warnings)
    reason = f"was not graded ({warnings})" if warnings else "was not graded"
    return NotGraded("no_grade", reason, "have it graded by a person")


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """A finding that was not looked for, which does not mean that it is absent.

    Attributes:
        what: e.g. ``"microaneurysms"``.
        reason: in words, e.g. ``"photograph too small"``; ``""`` for what is never assessed.
    """

    what: str
    reason: str = ""

    def __str__(self) -> str:
        """The finding, followed by the reason in brackets where there is one."""
        return f"{self.what} ({self.reason})" if self.reason else self.what


def not_assessed(reading: Reading) -> tuple[NotAssessed, ...]:
    """List what a person might expect to have been assessed and was not."""
    quality = () if reading.quality.gradable is not None else (NotAssessed("image quality"),)
    oedema = () if reading.oedema.state in OEDEMA_LOOKED_FOR else (_oedema_not_assessed(reading),)
    return (*quality, *_lesions_not_assessed(reading.lesion_summary), *oedema)


def _oedema_not_assessed(reading: Reading) -> NotAssessed:
    return NotAssessed(MACULAR_OEDEMA, WHY_NO_OEDEMA.get(reading.oedema.reason or "", ""))


def _lesions_not_assessed(summary: tuple[LesionSummary, ...]) -> Iterator[NotAssessed]:
    reasons = {lesions.reason for lesions in summary}
    if not summary:  # a reading of a version that did not look for lesions
        yield NotAssessed(ALL_LESIONS)
    elif not any(lesions.assessed for lesions in summary) and len(reasons) == 1:
        yield NotAssessed(ALL_LESIONS, why_not_assessed(summary[0]))
    else:
        for lesions in summary:
            if not lesions.assessed:
                yield NotAssessed(kind_in_words(lesions.kind, 0), why_not_assessed(lesions))


def why_not_assessed(lesions: LesionSummary) -> str:
    """Say in words why a kind of lesion was not assessed."""
    reason = lesions.reason or "no_detector"
    return NOT_ASSESSED.get(reason, reason.replace("_", " "))


def listed(missing: Iterable[NotAssessed]) -> str:
    """List what was not assessed on one line, grouped by reason.

    E.g. ``"image quality; microaneurysms, soft exudates (photograph too small)"``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in missing:
        alone = "" if finding.reason else finding.what
        groups.setdefault((finding.reason, alone), []).append(finding.what)
    return "; ".join(
        str(NotAssessed(", ".join(names), reason)) for (reason, _), names in groups.items()
    )


def listed_over(counts: Mapping[NotAssessed, int], photographs: int) -> str:
    """List what was not assessed on several photographs, and on how many unless on all.

    Args:
        counts: number of photographs on which each finding was not assessed.
        photographs: number of all photographs.
    """
    missing = []
    for finding, count in counts.items():
        some = f"on {count} of {photographs}" if count < photographs else ""
        missing.append(replace(finding, reason=", ".join(filter(None, (finding.reason, some)))))
    return listed(missing)


def lesion_counts(reading: Reading) -> dict[str, int]:
    """Count the lesions of each assessed kind; kinds that were not assessed have no entry.

    In the order of the reading's summary, then any further kinds by their number.
    """
    counts = {
        lesions.kind: lesions.count or 0 for lesions in reading.lesion_summary if lesions.assessed
    }
    further = Counter(lesion.kind for lesion in reading.lesions)
    return counts | {kind: n for kind, n in further.most_common() if kind not in counts}


def lesions_in_words(reading: Reading) -> str:
    """Say which lesions were found and which not; ``""`` where none was looked for.

    E.g. ``"12 microaneurysms, 1 haemorrhage, no hard exudates or soft exudates found"``. Lesions
    that are not drawn are added: ``"3 possible haemorrhages not drawn (together not enough to tell
    this eye from a healthy one)"``.
    """
    counts = lesion_counts(reading)
    parts = [f"{n} {kind_in_words(kind, n)}" for kind, n in counts.items() if n]
    withheld = {lesions.kind for lesions in reading.lesion_summary if lesions.withheld}
    not_found = [kind_in_words(k, 0) for k, n in counts.items() if not n and k not in withheld]
    if not_found:
        *first, last = not_found
        parts.append(f"no {', '.join(first)} or {last} found" if first else f"no {last} found")
    if withheld:
        parts.append(withheld_in_words(reading))
    return ", ".join(parts)


def withheld_in_words(reading: Reading) -> str:
    """Say which boxes are not drawn, and why; ``""`` where there are none."""
    parts = [
        f"{lesions.withheld} possible {kind_in_words(lesions.kind, lesions.withheld)}"
        for lesions in reading.lesion_summary
        if lesions.withheld
    ]
    return f"{', '.join(parts)} not drawn ({LOOKS_HEALTHY})" if parts else ""


def headline(grade: Grade) -> str:
    """Say what matters first: referable or not, then the grade, then how certain it is.

    E.g. ``"referable (probability 0.83), 2 moderate NPDR, certainty 61 %"``; ``""`` if not graded.
    """
    parts = list[str]()
    if grade.referable is not None:
        probability = probability_in_words(grade.referable.probability)
        parts.append(f"{verdict(grade.referable)} (probability {probability})")
    if grade.icdr is not None:
        parts.append(grade_in_words(grade.icdr))
    if certain := certainty_in_words(grade):
        parts.append(f"certainty {certain}")
    return ", ".join(parts)


def reader_needed(reading: Reading) -> tuple[str, ...]:
    """A sentence for each reason why a person should look at a photograph.

    They have neither a capital letter nor a full stop. For a code of a later version it is a
    general one. A photograph without a grade that is too poor is first taken again: that it is
    unfamiliar, too, is no reason of its own.
    """
    if reading.grade.icdr is None and NOT_GRADABLE in reading.needs_reader:
        return (NEEDS_READER[NOT_GRADABLE],)
    return tuple(NEEDS_READER.get(code, NEEDS_READER_OTHERWISE) for code in reading.needs_reader)


def oedema_in_words(reading: Reading) -> str:
    """Say where macular oedema is possible, with its evidence; ``""`` elsewhere.

    E.g. ``"macular oedema: possible, exudates 0.4 disc diameters from the fovea"``.
    """
    oedema = reading.oedema
    if oedema.state != OEDEMA_POSSIBLE or oedema.distance is None:
        return ""
    near = f"exudates {oedema.distance:.1f} disc diameters from the fovea"
    if round(oedema.distance, 1) == 0:
        near = "exudates on the fovea"
    estimated = ", whose place is estimated" if reading.anatomy.fovea.state == ESTIMATED else ""
    return f"{MACULAR_OEDEMA}: possible, {near}{estimated}"


def summary(reading: Reading) -> str:
    """Summarise a reading on one line: referral, grade, certainty, lesions, warnings, next step.

    Kinds of lesions that this photograph is too small for are named. For all others that were not
    assessed see :func:`not_assessed`.

    E.g. ``"referable (probability 0.83), 2 moderate NPDR, certainty 61 %; 3 haemorrhages, no hard
    exudates found; not assessed: microaneurysms (photograph too small); <warning>; next: refer"``.
    """
    sentences = (
        headline(reading.grade),
        plausible_in_words(reading.grade),
        why_unlike_grade(reading.grade),
        *reader_needed(reading),
        lesions_in_words(reading),
        oedema_in_words(reading),
        too_small(reading),
    )
    following = filter(None, (next_step_in_words(reading),))
    return "; ".join((*filter(None, sentences), *map(printable, reading.warnings), *following))


def too_small(reading: Reading) -> str:
    """List the kinds that need a larger photograph of this eye; ``""`` where there is none.

    E.g. ``"not assessed: microaneurysms (photograph too small)"``.
    """
    missing = [
        NotAssessed(kind_in_words(lesions.kind, 0), why_not_assessed(lesions))
        for lesions in reading.lesion_summary
        if lesions.reason == TOO_SMALL
    ]
    return f"not assessed: {listed(missing)}" if missing else ""
