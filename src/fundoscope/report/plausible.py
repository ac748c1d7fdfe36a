"""The plausible grades and the next step in words."""

from __future__ import annotations

from typing import Final

from fundoscope.quoting import printable
from fundoscope.reading import Grade, Reading

ROUTINE_RECALL: Final = "routine_recall"
NEXT_STEPS: Final = {
    "refer": "refer",
    ROUTINE_RECALL: "recall as usual",
    "retake": "take another photograph",
    "reader": "have a person look",
}
"""Words for each of :data:`fundoscope.reading.NEXT_STEPS`."""
WITHOUT_REASON: Final = ("referable", "not_referable")
"""Reasons for a next step that the headline gives already."""


def plausible(grade: Grade) -> str:
    """List the plausible grades, e.g. ``"1 to 2"`` or ``"2"``; ``""`` if there is no set."""
    if not grade.set:
        return ""
    first, last = grade.set[0], grade.set[-1]
    return str(first) if first == last else f"{first} to {last}"


def plausible_in_words(grade: Grade) -> str:
    """The plausible grades with their coverage, where there are several; else ``""``.

    E.g. ``"grades 1 to 2 plausible (90 %)"``.
    """
    if grade.set is None or grade.set_coverage is None or len(grade.set) == 1:
        return ""
    return f"grades {plausible(grade)} plausible ({100 * grade.set_coverage:.0f} %)"


def next_step_in_words(reading: Reading) -> str:
    """What to do next; ``""`` in a Reading of an earlier version.

    The reason is added unless the rest of the summary gives it: e.g. ``"next: refer"``, or ``"next:
    have a person look (the grade is uncertain: 0 to 2 are plausible)"``. One healthy eye sends
    nobody home, so a recall is said to be of this eye.
    """
    step = reading.next_step
    if step is None:
        return ""
    subject = "next for this eye" if step.step == ROUTINE_RECALL else "next"
    words = f"{subject}: {NEXT_STEPS.get(step.step, printable(step.step))}"
    if step.reason in (*WITHOUT_REASON, *reading.needs_reader):
        return words
    return f"{words} ({printable(step.words)})"
