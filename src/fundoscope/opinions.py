"""What rules say about the lesions of a photograph, and where its grader looked, in a Reading.

Values only, a part of the contract in :mod:`fundoscope.reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A rule that the lesions meet.

    Attributes:
        id: of the rule, in its set.
        level: that it supports.
        title: one sentence for a person.
        boxes: places in ``lesions`` of the boxes that meet it, from 0.
    """

    id: str
    level: str
    title: str
    boxes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenRule:
    """A rule of a higher level that may be met: something is missing to decide.

    Attributes:
        id: of the rule, in its set.
        level: that it would support.
        title: one sentence for a person.
        missing: what would be needed: kinds of lesion that were not assessed, facts, or ``fovea``,
            ``optic_disc``, ``quadrants``, ``acuity``, ``macula``, ``edge`` (the photograph ends too
            near to the fovea), ``withheld`` (lesions that are not drawn would decide).
    """

    id: str
    level: str
    title: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleGrade:
    """The level of a published rule set that the lesions support at least.

    It is a lower bound, as seen on one photograph by this detector.

    Attributes:
        ruleset: its id.
        title: its name.
        year: of its publication.
        level: the highest level of which a rule is met.
        name: of that level in words.
        icdr: the International grade of that level; ``None`` if it has none.
        refer: whether the set refers an eye of that level; ``None`` if it says nothing.
        recall: the interval to the next examination in words; ``""`` if the set says nothing.
        fired: the rules that are met, mildest level first.
        open: the rules of higher levels that may be met.
        highest: the highest level that cannot be excluded.
    """

    ruleset: str
    title: str
    year: int
    level: str
    name: str
    icdr: int | None = None
    refer: bool | None = None
    recall: str = ""
    fired: tuple[FiredRule, ...] = ()
    open: tuple[OpenRule, ...] = ()
    highest: str = ""


@dataclass(frozen=True, slots=True)
class LesionGrade:
    """The International grade that a fitted model reads from the lesions alone.

    It knows how many false boxes the detector draws on healthy eyes, so unlike the rules it is an
    estimate, not a lower bound. It does not see what the detector does not look for, such as new
    vessels.

    Attributes:
        icdr: 0 to 4, the most probable grade.
        probabilities: of the five grades; they sum to one.
        referable_probability: of grade 2 or more, 0 to 1.
    """

    icdr: int
    probabilities: tuple[float, float, float, float, float]
    referable_probability: float


@dataclass(frozen=True, slots=True)
class MacularOedema:
    """Macular oedema, by hard exudates within one disc diameter of the fovea. Not a diagnosis.

    Attributes:
        state: ``"possible"``: such exudates are there; ``"no_exudates_near"``; ``"cannot_tell"``;
            ``None`` if it was not looked for.
        distance: of the nearest hard exudate from the fovea's centre, in disc diameters; ``None``
            without one, without a fovea, or without an optic disc as the ruler.
        reason: why it cannot be assessed: ``"not_assessed"`` (hard exudates); ``"fovea"``: its
            place is not certain enough; ``"optic_disc"``: it was not found, so distances are not
            known; ``"edge"``: the photograph ends too near to the fovea; or ``"withheld"``:
            exudates that are not drawn may lie near the fovea.
    """

    state: str | None = None
    distance: float | None = None
    reason: str | None = None


NO_OEDEMA_LOOKED_FOR: Final = MacularOedema()
"""The value of a Reading without lesions."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where the grader's network saw what speaks for or against "referable".

    Attributes:
        values: h rows of w numbers, from the top left of the square around the field of view: what
            each place adds to the network's score for "referable", times the number of places.
            Above 0 speaks for referable, below 0 against.
    """

    values: tuple[tuple[float, ...], ...]
