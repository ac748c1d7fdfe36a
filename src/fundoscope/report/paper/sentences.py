"""A Reading in the words of a language: what a report and the page of the service print."""

from __future__ import annotations

from collections.abc import Iterator

from fundoscope.kinds import OF_RETINOPATHY
from fundoscope.opinions import LesionGrade
from fundoscope.quoting import printable
from fundoscope.reading import LesionSummary, Reading
from fundoscope.report.by_lesions import PROLIFERATIVE
from fundoscope.report.languages import Language
from fundoscope.report.languages.warnings import translated
from fundoscope.report.wording import ESTIMATED


def grade(reading: Reading, words: Language) -> str:
    """The grade with its name, or why there is none."""
    icdr = reading.grade.icdr
    if icdr is not None:
        return f"{icdr} {words.say(f'grade.{icdr}')}"
    cause = _why_not_graded(reading, words)
    return f"{words.say('grade.none')}: {cause}" if cause else words.say("grade.none")


def _why_not_graded(reading: Reading, words: Language) -> str:
    if not reading.field.found:
        return words.say(f"no_field.{reading.field.reason or 'no_disc'}")
    if reading.quality.gradable is False:
        return quality_reasons(reading, words)
    return ""


def quality_reasons(reading: Reading, words: Language) -> str:
    """Why a photograph is not gradable, the clearest reason first."""
    return ", ".join(words.say(f"quality.{code}") for code in reading.quality.reasons or ())


def verdict(reading: Reading, words: Language) -> str:
    """Whether the photograph is referable; ``""`` without a grade."""
    referable = reading.grade.referable
    if reading.grade.icdr is None or referable is None:
        return ""
    return words.say("referable.yes" if referable.positive else "referable.no")


def step(reading: Reading, words: Language) -> str:
    """What to do next with this photograph, and why."""
    following = reading.next_step
    if following is None:
        return words.say("step.unknown")
    key = f"why.{following.reason}"
    why = words.say(key) if words.knows(key) else printable(following.words)
    return f"{words.say(f'step.{following.step}')}: {why}"


def certainty(reading: Reading, words: Language) -> str:
    """How certain the grade is, with the plausible grades; ``""`` without a grade."""
    grade = reading.grade
    if grade.icdr is None or grade.probabilities is None:
        return ""
    parts = [words.say("certainty.likely", percent=words.percent(grade.probabilities[grade.icdr]))]
    if grade.set and grade.set_coverage is not None:
        key = "certainty.single" if len(grade.set) == 1 else "certainty.set"
        coverage = words.percent(grade.set_coverage)
        parts.append(words.say(key, first=grade.set[0], last=grade.set[-1], coverage=coverage))
    if grade.abstained:
        parts.append(words.say("certainty.abstained"))
    return "; ".join(parts)


def quality(reading: Reading, words: Language) -> str:
    """Whether the photograph can be graded, and if not why."""
    if reading.quality.gradable is None:
        return words.say("quality.unknown")
    if reading.quality.gradable:
        return words.say("quality.good")
    return words.say("quality.poor", reasons=quality_reasons(reading, words))


def agreement(reading: Reading, words: Language) -> str:
    """How far the grade and the lesions agree."""
    text = words.say(f"agreement.{reading.agreement or 'unknown'}")
    assessed = {each.kind for each in reading.lesion_summary if each.assessed}
    if reading.agreement is None or assessed.issuperset(OF_RETINOPATHY):
        return text
    return words.say("agreement.partly", text=text)


def count(summary: LesionSummary, words: Language) -> str:
    """How many lesions of a kind were found."""
    if summary.withheld:
        return words.say("paper.withheld", count=summary.withheld)
    return str(summary.count) if summary.count else words.say("paper.none_found")


def by_lesions(grade: LesionGrade, words: Language, *, kind_assessed: bool = True) -> str:
    """The grade that the lesions alone look like, and whether any kind of them was assessed."""
    name, probability = words.say(f"grade.{grade.icdr}"), words.percent(grade.referable_probability)
    key = "by_lesions.proliferative" if grade.icdr == PROLIFERATIVE else "by_lesions"
    text = words.say(key, icdr=grade.icdr, name=name, probability=probability)
    return text if kind_assessed else words.say("by_lesions.no_kind", text=text)


def oedema(reading: Reading, words: Language) -> str:
    """What hard exudates say about macular oedema."""
    state, distance, reason = reading.oedema.state, reading.oedema.distance, reading.oedema.reason
    if state == "possible" and distance is not None:
        key = "oedema.possible" if round(distance, 1) else "oedema.on_fovea"
        text = words.say(key, distance=f"{distance:.1f}")
        estimated = reading.anatomy.fovea.state == ESTIMATED
        return words.say("oedema.estimated", text=text) if estimated else text
    text = words.say(f"oedema.{state or 'unknown'}")
    return f"{text}: {words.say(f'no_oedema.{reason}')}" if reason else text


def rows(reading: Reading, words: Language) -> Iterator[tuple[str, str]]:
    """Name and text of each further finding of a photograph."""
    referable = reading.grade.referable
    if reading.grade.icdr is not None:
        yield words.say("paper.certainty"), certainty(reading, words)
    if reading.grade.icdr is not None and referable is not None:
        probability, threshold = words.apart(referable.probability, referable.threshold)
        text = words.say("paper.threshold", probability=probability, threshold=threshold)
        yield words.say("paper.referable"), text
    yield words.say("paper.oedema"), oedema(reading, words)
    if reading.grade.icdr is not None:
        yield words.say("paper.agreement"), agreement(reading, words)
    if reading.lesion_grade is not None:
        kind_assessed = any(kind.assessed for kind in reading.lesion_summary)
        text = by_lesions(reading.lesion_grade, words, kind_assessed=kind_assessed)
        yield words.say("paper.by_lesions"), text
    if any(kind.withheld for kind in reading.lesion_summary):
        yield words.say("paper.not_drawn"), words.say("paper.not_drawn_why")
    yield words.say("paper.quality"), quality(reading, words)


def missing(reading: Reading, words: Language) -> str:
    """The kinds of lesion that were not looked for, grouped by the reason."""
    groups: dict[str, list[str]] = {}
    for summary in reading.lesion_summary:
        if not summary.assessed:
            kind = words.say(f"kind.{summary.kind}")
            groups.setdefault(summary.reason or "no_detector", []).append(kind)
    return "; ".join(
        f"{', '.join(kinds)} ({words.say(f'missing.{reason}')})" for reason, kinds in groups.items()
    )


def notes(reading: Reading, words: Language) -> Iterator[str]:
    """What is unusual about a photograph."""
    for code in reading.needs_reader:
        yield words.say(f"why.{code}")
    for warning in reading.warnings:
        yield printable(translated(warning, words))
