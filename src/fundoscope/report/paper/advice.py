"""The next step for a patient, from those of the photographs, and its interval with the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fundoscope.grading.rules import rulesets
from fundoscope.reading import EYES, NEXT_STEPS, Reading
from fundoscope.report.languages import Language
from fundoscope.report.paper import sentences
from fundoscope.report.wording import REFERABLE_GRADE

REFER, ROUTINE_RECALL, RETAKE, READER = NEXT_STEPS
URGENCY: Final = (REFER, READER, RETAKE, ROUTINE_RECALL)
"""The next step of a patient is the first of these that any photograph has: a patient is recalled
as usual only if all photographs say so."""
DECIDED: Final = (REFER, ROUTINE_RECALL)
"""The steps that need no further photograph, and no person's grade."""
ICO: Final = "ico-"
"""How the names of the rule sets begin whose intervals for macular oedema are known here."""
INTERVALS: Final = "ico-recall"
"""The rule set that gives the interval, unless the Reading applied another one with intervals."""
POSSIBLE_OEDEMA: Final = "possible"
Eye = tuple[str | None, Reading | None]
"""Which eye a photograph shows, and its Reading; ``None`` where unknown, or refused."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next with a patient.

    Attributes:
        step: one of :data:`fundoscope.reading.NEXT_STEPS`; ``None`` if none was computed.
        title: the step in words.
        lines: the reasons, one for each photograph, and what restricts them.
        interval: until the next examination, with its source; or why there is none. In lines.
    """

    step: str | None
    title: str
    lines: tuple[str, ...]
    interval: tuple[str, ...]


def of(eyes: Sequence[Eye], words: Language) -> Advice:
    """The next step of a patient.

    Args:
        eyes: the photographs; at least one.
        words: the language.
    """
    step, gaps = _step(eyes), _gaps(eyes, words)
    lines = [f"{_name(eye, words)}: {_line(reading, words)}" for eye, reading in eyes]
    title, interval = words.say(f"step.{step or 'unknown'}"), _interval(step, eyes, words)
    if step in DECIDED and not _seen(eyes).issuperset(EYES):
        # The eye that was not seen may be the worse one, so nobody is recalled as usual by one eye.
        title = words.say("step.one_eye") if step == ROUTINE_RECALL else title
        interval = (words.say("paper.interval_one_eye"),)
    return Advice(step, title, (*lines, *gaps), interval)


def _seen(eyes: Sequence[Eye]) -> set[str | None]:
    """The eyes that were photographed for certain; one that shows the other eye may be either."""
    return {
        eye
        for eye, reading in eyes
        if reading is None or not reading.anatomy.laterality.contradiction
    }


def _step(eyes: Sequence[Eye]) -> str | None:
    """The most urgent step; a file that cannot be read means another photograph."""
    steps: set[str | None] = set()
    for _, reading in eyes:
        following = None if reading is None else reading.next_step
        steps.add(RETAKE if reading is None else following.step if following else None)
    most_urgent = next((step for step in URGENCY if step in steps), None)
    return None if most_urgent == ROUTINE_RECALL and None in steps else most_urgent


def _name(eye: str | None, words: Language) -> str:
    return words.say(f"eye.{eye or 'unknown'}")


def _line(reading: Reading | None, words: Language) -> str:
    return words.say("paper.refused") if reading is None else sentences.step(reading, words)


def _gaps(eyes: Sequence[Eye], words: Language) -> list[str]:
    """Which eye was not photographed, may have been taken for the other one, or is not known."""
    named, seen = {eye for eye, _ in eyes}, _seen(eyes)
    if None in named:
        return [words.say("paper.unknown_eye")]
    return [
        words.say(
            f"paper.{'doubted' if eye in named else 'other'}_eye", eye=_name(eye, words).lower()
        )
        for eye in EYES
        if eye not in seen
    ]


def _interval(step: str | None, eyes: Sequence[Eye], words: Language) -> tuple[str, ...]:
    """The interval of the worst grade, where every photograph allows for one.

    One that a person has yet to grade may be worse than those that are graded.
    """
    readings = [reading for _, reading in eyes if reading is not None]
    grades = [each.grade.icdr for each in readings if each.grade.icdr is not None]
    decided = all(
        reading is not None and reading.next_step is not None and reading.next_step.step in DECIDED
        for _, reading in eyes
    )
    if step is None or not decided or not grades:
        key = "paper.no_interval_retake" if step == RETAKE else "paper.no_interval"
        return (words.say(key),)
    # An eye that is referred is treated as moderate at least, whatever its likeliest grade.
    worst = max(*grades, REFERABLE_GRADE if step == REFER else 0)
    source = rulesets.shipped(_source(readings))
    level = next(level for level in source.levels if level.icdr == worst)
    text = words.say(
        "paper.interval",
        interval=words.say(f"recall.{level.recall}"),
        grade=words.say(f"grade.{worst}"),
        source=source.citation,
    )
    possible = any(reading.oedema.state == POSSIBLE_OEDEMA for reading in readings)
    if possible:
        known = source.id.startswith(ICO)
        return text, words.say(f"paper.interval_oedema{'' if known else '_unknown'}")
    return (text,)


def _source(readings: Sequence[Reading]) -> str:
    """The rule set with intervals that the Readings applied, if it ships; else the usual one."""
    applied = (rule for reading in readings for rule in reading.rules)
    chosen = (rule.ruleset for rule in applied if rule.recall)
    return next((name for name in chosen if _gives_intervals(name)), INTERVALS)


def _gives_intervals(name: str) -> bool:
    """Whether a set that ships has an interval for each grade of the International scale."""
    if name not in rulesets.names():
        return False
    timed = {level.icdr for level in rulesets.shipped(name).levels if level.recall}
    return timed >= set(range(rulesets.HIGHEST_ICDR + 1))
