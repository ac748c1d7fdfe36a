"""The grader's opinion of a photograph: its field of view, whether it can be judged, its grade."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from fundoscope.grading import grader as graders
from fundoscope.grading import heat, inputs
from fundoscope.grading.grader import Grader
from fundoscope.grading.judge import Verdict
from fundoscope.opinions import HeatMap
from fundoscope.photo import advice, reasons
from fundoscope.photo import field as fields
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, Grade

GRADE_0_ALONE: Final = (0,)
"""The set of plausible grades of a photograph on which ``lesions="auto"`` leaves lesions out. What
that costs in missed lesions is in docs/performance.md (``bench/lesions_auto.py``)."""
NOT_A_RETINA: Final = "not_a_retina"
"""The reason of :data:`fundoscope.reading.NO_FIELD_REASONS` that the judge gives."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the grader's network says of a photograph.

    Attributes:
        field: the field of view; not found where the picture is not a retina.
        grade: empty where there is none.
        verdict: of the judge.
        warnings: why there is no grade, or why it is doubtful.
        usable: whether lesions are looked for.
        heat: where the network looked, if that was asked for.
    """

    field: FieldOfView
    grade: Grade = dataclasses.field(default_factory=Grade)
    verdict: Verdict = dataclasses.field(default_factory=Verdict)
    warnings: tuple[str, ...] = ()
    usable: bool = True
    heat: HeatMap | None = None

    @property
    def is_sure_of_grade_0(self) -> bool:
        """Whether 0 is the only plausible grade, of a photograph that the grader can judge."""
        doubtful = self.verdict.familiar is False or self.verdict.quality.gradable is False
        referable = self.grade.referable is not None and self.grade.referable.positive
        return self.grade.set == GRADE_0_ALONE and not doubtful and not referable


def form(photo: Photo, grader: Grader, *, force: bool = False, heat_map: bool = False) -> Opinion:
    """Find the field of view, judge the photograph, and grade it if it can be graded.

    Args:
        photo: decoded at the grader's scale.
        grader: with its judge, if it has one.
        force: whether a photograph that is not gradable is graded all the same.
        heat_map: whether to say where the network looked.
    """
    fov = fields.find(photo, textured=grader.judge is None)
    if fov.radius is None:
        return Opinion(fov, warnings=(reasons.sentence(fov.reason),))
    minimum = grader.manifest.minimum_radius
    if fov.radius < minimum:  # too few pixels for the judge
        fov = fields.find(photo)
        why = _too_small(fov.radius, minimum) if fov.radius else reasons.sentence(fov.reason)
        return Opinion(fov, warnings=(why,))
    pixels = inputs.make(photo, fov, grader.input)
    grade, verdict = graders.grade_and_check(grader, pixels)
    if verdict.retina is False:
        refused = FieldOfView(False, reason=NOT_A_RETINA)
        return Opinion(refused, warnings=(reasons.sentence(NOT_A_RETINA),))
    warnings: tuple[str, ...] = ()
    if verdict.quality.gradable is False:
        warnings = (advice.sentence(verdict.quality.reasons, forced=force),)
        if not force:
            return Opinion(fov, Grade(), verdict, warnings, usable=False)
    seen = heat.heat(grader, pixels) if heat_map else None
    return Opinion(fov, grade, verdict, warnings, heat=seen)


def _too_small(radius: float, minimum: float) -> str:
    return (
        f"not graded: the field of view is too small (radius {radius:.0f} pixels, at least"
        f" {minimum:.0f} needed); give the original photograph"
    )
