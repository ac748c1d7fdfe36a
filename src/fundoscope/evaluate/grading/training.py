"""Whether the source of a photograph took part in training.

A grader does better on photographs from a source that it learnt from, even if these photographs
were held out: camera, people and graders are the same. So each figure says how many of its
photographs come from such a source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

TOOK_PART, NEW, NOT_KNOWN = "took_part", "new", "not_known"
STATES: Final = (TOOK_PART, NEW, NOT_KNOWN)
"""The source is among those of training; it is not; photograph or grader do not say."""
WORDS: Final = {TOOK_PART: "yes", NEW: "no", NOT_KNOWN: "not known"}


def state(source: str, trained_on: Collection[str] | None) -> str:
    """Whether a source took part in training, one of :data:`STATES`.

    Args:
        source: of a photograph; ``""`` where it is unknown.
        trained_on: the sources that the grader was trained on, as its bundle names them; ``None``
            or empty if it names none.
    """
    if not source or not trained_on:
        return NOT_KNOWN
    return TOOK_PART if source in trained_on else NEW


def counts(sources: Iterable[str], trained_on: Collection[str] | None) -> dict[str, int]:
    """Count photographs by the state of their source, in the order of :data:`STATES`."""
    states = Counter(state(source, trained_on) for source in sources)
    return {name: states[name] for name in STATES}


def in_words(states: dict[str, int]) -> str:
    """Say whether the sources of some photographs took part in training.

    Args:
        states: as :func:`counts` returns them.
    """
    total = sum(states.values())
    if states[TOOK_PART] == total:
        return "source took part in training"
    if states[NEW] == total:
        return "source new to the grader"
    if states[NOT_KNOWN] == total:
        return "not known whether the source took part in training"
    return (
        f"source of {states[TOOK_PART]:,} of {total:,} photographs took part in training,"
        f" of {states[NOT_KNOWN]:,} not known"
    )


def in_a_word(states: Mapping[str, int]) -> str:
    """Say the same in a cell of a table: yes, no, not known, or several of them."""
    there = [WORDS[name] for name in STATES if states.get(name)]
    return ", ".join(there) or WORDS[NOT_KNOWN]
