"""The conditions of rules, and whether evidence meets them: yes, no, or cannot tell.

Three-valued logic after Kleene: "any" is met as soon as one part is, "all" fails as soon as one
part does, and otherwise the answer is "cannot tell".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from fundoscope.grading.rules.evidence import REGIONS, Evidence, PlacedLesion

FOVEA, DISC, QUADRANTS, ACUITY = "fovea", "optic_disc", "quadrants", "acuity"
MACULA, EDGE, WITHHELD = "macula", "edge", "withheld"
"""What may be missing, beside kinds of lesion and facts. ``edge``: the photograph ends too near to
the fovea; ``withheld``: lesions that are not drawn would decide."""
MACULA_RADIUS: Final = 2.0
"""Of the circle around the fovea that reaches the disc, in disc diameters: the fovea lies about 2.5
from the centre of the disc, whose radius is 0.5."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One condition; exactly one of the groups below is used.

    Attributes:
        any: conditions of which at least one must be met.
        all: conditions that must all be met.
        kinds: of lesions that are counted together.
        at_least: the least number of them, 1 or more.
        within: only those at most this far from the fovea's centre, in disc diameters.
        beyond: only those farther than this, in disc diameters.
        divided: count in each of the ``quadrants`` or ``hemifields``.
        in_each_of: the number of those regions in which the count must be reached.
        area_at_least: the least area of lesions in the macula, in disc areas. Boxes are larger
            than lesions, so it is never met for certain; a person decides.
        acuity_at_most: the highest decimal acuity that meets it.
        fact: something that only a person can know, by its key in the set's ``facts``.
        rule: the id of another rule of the set.
        ruleset: the id of another set; met from its ``level`` on.
        level: see ``ruleset``.
    """

    any: tuple[Condition, ...] = ()
    all: tuple[Condition, ...] = ()
    kinds: tuple[str, ...] = ()
    at_least: int = 1
    within: float | None = None
    beyond: float | None = None
    divided: str | None = None
    in_each_of: int | None = None
    area_at_least: float | None = None
    acuity_at_most: float | None = None
    fact: str | None = None
    rule: str | None = None
    ruleset: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a condition is met.

    Attributes:
        met: ``None``: cannot tell.
        boxes: indices of the lesions that meet it.
        missing: if the answer is "cannot tell", what is missing: kinds that were not assessed,
            facts that were not given, or ``fovea``, ``optic_disc``, ``quadrants``, ``acuity``,
            ``macula``, ``edge``, ``withheld``.
    """

    met: bool | None
    boxes: frozenset[int] = frozenset()
    missing: frozenset[str] = frozenset()


Lookup = Callable[[str], Answer]
"""The answer to another rule of the set, by its id."""
SetLookup = Callable[[str, str], Answer]
"""Whether another set, by its id, reaches a level."""


def evaluate(condition: Condition, evidence: Evidence, rule: Lookup, ruleset: SetLookup) -> Answer:
    """Whether evidence meets a condition.

    Args:
        condition: valid, see :mod:`fundoscope.grading.rules.rulesets`.
        evidence: of a photograph.
        rule: for conditions that name another rule.
        ruleset: for conditions that name another set.
    """
    if condition.any or condition.all:
        parts = [
            evaluate(part, evidence, rule, ruleset) for part in (*condition.any, *condition.all)
        ]
        return any_of(parts) if condition.any else all_of(parts)
    if condition.rule is not None:
        return rule(condition.rule)
    if condition.ruleset is not None:
        return ruleset(condition.ruleset, condition.level or "")
    if condition.fact is not None:
        return _stated(evidence.facts, condition.fact)
    if condition.acuity_at_most is not None:
        return _acuity(evidence.acuity, condition.acuity_at_most)
    if condition.area_at_least is not None:
        return _area(condition, evidence, condition.area_at_least)
    if condition.divided is not None:
        return _in_regions(condition, evidence)
    return _counted(condition, evidence, condition.at_least)


def any_of(parts: Sequence[Answer]) -> Answer:
    """Met if one part is; not met if none can be."""
    met = [part for part in parts if part.met]
    if met:
        return Answer(True, _boxes(met))
    return _open([part for part in parts if part.met is None])


def all_of(parts: Sequence[Answer]) -> Answer:
    """Met if all parts are; not met if one cannot be."""
    if any(part.met is False for part in parts):
        return Answer(False)
    unknown = [part for part in parts if part.met is None]
    return _open(unknown) if unknown else Answer(True, _boxes(parts))


def _open(unknown: Sequence[Answer]) -> Answer:
    if not unknown:
        return Answer(False)
    return Answer(None, missing=frozenset().union(*(part.missing for part in unknown)))


def _boxes(parts: Iterable[Answer]) -> frozenset[int]:
    return frozenset().union(*(part.boxes for part in parts))


def _stated(facts: Mapping[str, bool], key: str) -> Answer:
    if key in facts:
        return Answer(facts[key])
    return Answer(None, missing=frozenset({key}))


def _acuity(acuity: float | None, limit: float) -> Answer:
    if acuity is None:
        return Answer(None, missing=frozenset({ACUITY}))
    return Answer(acuity <= limit)


def _unassessed(condition: Condition, evidence: Evidence) -> frozenset[str]:
    return frozenset(condition.kinds) - evidence.assessed


def _counted(condition: Condition, evidence: Evidence, at_least: int) -> Answer:
    """Count lesions of some kinds, at some distance from the fovea."""
    certain: list[PlacedLesion] = []
    possible = 0
    for lesion in evidence.lesions:
        if lesion.kind not in condition.kinds:
            continue
        near = _near(condition, lesion, evidence)
        if near:
            certain.append(lesion)
        possible += near is None
    if len(certain) >= at_least:
        return Answer(True, frozenset(lesion.index for lesion in certain))
    missing = set(_unassessed(condition, evidence))
    if condition.within is not None and evidence.macula_shown < condition.within:
        missing.add(_landmark(evidence) or EDGE)
    hidden = [each for each in evidence.withheld if each.kind in condition.kinds]
    hidden = [each for each in hidden if _near(condition, each, evidence) is not False]
    if len(certain) + possible >= at_least:
        missing.add(_landmark(evidence) or FOVEA)
    elif len(certain) + possible + len(hidden) >= at_least:
        missing.add(WITHHELD)
    return Answer(None, missing=frozenset(missing)) if missing else Answer(False)


def _landmark(evidence: Evidence) -> str | None:
    """The landmark without which distances are not certain; ``None``: both were found."""
    if not evidence.fovea_found:
        return FOVEA
    return None if evidence.has_ruler else DISC


def _near(condition: Condition, lesion: PlacedLesion, evidence: Evidence) -> bool | None:
    """Whether a lesion has the distance that a condition asks for; ``None``: cannot tell."""
    least = -math.inf if condition.beyond is None else condition.beyond
    most = math.inf if condition.within is None else condition.within
    if least == -math.inf and most == math.inf:
        return True
    if lesion.distance is None:
        return None
    on_fovea = lesion.distance == lesion.error == 0.0
    if not evidence.has_ruler and not on_fovea:
        return None  # only 0 is the same in every unit
    low, high = lesion.distance - lesion.error, lesion.distance + lesion.error
    if least < low and high <= most:
        return True
    return None if low <= most and high > least else False


def _in_regions(condition: Condition, evidence: Evidence) -> Answer:
    """Count lesions in each quadrant or hemifield."""
    lesions = [lesion for lesion in evidence.lesions if lesion.kind in condition.kinds]
    hidden = [lesion for lesion in evidence.withheld if lesion.kind in condition.kinds]
    unplaced = sum(lesion.quadrant is None for lesion in lesions)
    unassessed = _unassessed(condition, evidence)
    boxes: set[int] = set()
    reached, possible, doubtful = 0, 0, 0
    for quadrants in REGIONS[condition.divided or QUADRANTS].values():
        inside = [lesion.index for lesion in lesions if lesion.quadrant in quadrants]
        seen = quadrants <= evidence.quadrants_seen
        not_drawn = sum(each.quadrant is None or each.quadrant in quadrants for each in hidden)
        if len(inside) >= condition.at_least:
            reached += 1
            boxes.update(inside)
        elif unassessed or not seen or len(inside) + unplaced >= condition.at_least:
            possible += 1
        elif len(inside) + unplaced + not_drawn >= condition.at_least:
            doubtful += 1
    wanted = condition.in_each_of or 1
    if reached >= wanted:
        return Answer(True, frozenset(boxes))
    if reached + possible >= wanted:
        return Answer(None, missing=unassessed or frozenset({QUADRANTS}))
    if reached + possible + doubtful >= wanted:
        return Answer(None, missing=frozenset({WITHHELD}))
    return Answer(False)


def _area(condition: Condition, evidence: Evidence, at_least: float) -> Answer:
    """Whether the boxes in the macula are too small to hold an area of lesions."""
    missing = set(_unassessed(condition, evidence))
    if evidence.macula_shown < MACULA_RADIUS:
        missing.add(_landmark(evidence) or EDGE)
    area = 0.0
    for lesion in evidence.lesions:
        if lesion.kind in condition.kinds and lesion.in_macula is not False:
            if lesion.in_macula is None:
                missing.add(_landmark(evidence) or FOVEA)
            elif lesion.area is None:
                missing.add(DISC)
            area += lesion.area or 0.0
    hidden = [
        each
        for each in evidence.withheld
        if each.kind in condition.kinds and each.in_macula is not False
    ]
    unknown = any(each.area is None or each.in_macula is None for each in hidden)
    if area >= at_least:
        missing.add(MACULA)
    elif unknown or area + sum(each.area or 0.0 for each in hidden) >= at_least:
        missing.add(WITHHELD)
    return Answer(None, missing=frozenset(missing)) if missing else Answer(False)
