"""The outcome of one photograph: a row of the results in any case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fundoscope.batch import shown
from fundoscope.batch.inputs import Input
from fundoscope.errors import PhotoError
from fundoscope.kinds import LESIONS
from fundoscope.opinions import LesionGrade
from fundoscope.reading import LesionSummary, Reading
from fundoscope.report.wording import certainty, grade_in_words, why_not_graded

READ, NOT_GRADED, REFUSED = "read", "not_graded", "refused"
STATUSES: Final = (READ, NOT_GRADED, REFUSED)

DIGITS: Final = 6
"""Decimals of probabilities in tables: the precision of float32."""
OF_A_KIND: Final = ("count", "box_area", "box_area_discs", "not_assessed")
"""The columns of each kind of lesion: three numbers where it was looked for, else the reason, one
of :data:`fundoscope.reading.NOT_ASSESSED_REASONS`. Areas are in square pixels and in discs."""

COLUMNS: Final = (
    "image", "id", "patient", "eye",
    "status", "code", "reason", "remedy",
    "icdr", "grade", "certainty", "expected", "p0", "p1", "p2", "p3", "p4",
    "referable", "referable_probability", "referable_threshold",
    "gradable", "quality_reasons", "warnings",
    "field_found", "field_x", "field_y", "field_radius", "field_stretch",
    "width", "height", "sha256", "picture",
    "disc_found", "disc_x", "disc_y", "disc_diameter", "disc_score",
    *(f"{kind}_{what}" for kind in LESIONS for what in OF_A_KIND),
    "needs_reader",
    "same_as",
    "number",
    "rules", "agreement", "oedema", "oedema_distance",
    "grade_set", "set_coverage", "abstained", "next_step", "next_step_reason",
    "familiar", "quality_score", "quality_limit",
    "lesion_grade", "lesion_referable_probability", "lesions_withheld",
)  # fmt: skip
"""The columns of ``readings.csv``; empty where a photograph has no value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one photograph.

    Attributes:
        input: the photograph.
        reading: the Reading; ``None`` if it was refused.
        refusal: why the file could not be read; ``None`` if it was read.
        picture: the bytes of a PNG picture of the reading, if one was requested.
        same_as: the first photograph of the run with the same file (sha256), as results name it,
            with its number where several have that name; ``""`` if there is none.
    """

    input: Input
    reading: Reading | None = None
    refusal: PhotoError | None = None
    picture: bytes | None = None
    same_as: str = ""

    @property
    def status(self) -> str:
        """One of :data:`STATUSES`."""
        if self.reading is None:
            return REFUSED
        return NOT_GRADED if self.reading.grade.icdr is None else READ

    @property
    def referable(self) -> bool:
        """Whether the patient of this photograph should see a doctor; also without a grade."""
        if self.reading is None or self.reading.grade.referable is None:
            return True
        return self.reading.grade.icdr is None or self.reading.grade.referable.positive


def trouble(outcome: Outcome) -> dict[str, str]:
    """``code``, ``reason`` and ``remedy`` of a photograph without a grade; empty with one."""
    if outcome.refusal is not None:
        error = outcome.refusal
        why = shown.without_paths(error.why, outcome.input)
        return {"code": error.code, "reason": why, "remedy": error.remedy}
    cause = why_not_graded(outcome.reading) if outcome.reading is not None else None
    if cause is None:
        return {}
    return {"code": cause.code, "reason": cause.reason, "remedy": cause.remedy}


def json_line(outcome: Outcome, *, paths: bool = False) -> str:
    """The Reading as one line of JSON.

    ``input`` has the cells of a row of a table, or eye and patient where the name gave them.

    Args:
        outcome: of a photograph that was read.
        paths: whether ``input`` names the photograph by its path.

    Raises:
        ValueError: the photograph was refused, so there is no Reading.
    """
    if outcome.reading is None:
        raise ValueError("a refused photograph has no reading")
    line = outcome.reading.to_json()
    photograph = outcome.input
    if not (photograph.from_table or photograph.patient or photograph.eye):
        return line
    import msgspec

    cells = {
        "image": shown.image(photograph, paths=paths) if photograph.from_table else "",
        "id": photograph.id,
        "patient": photograph.patient,
        "eye": photograph.eye,
    }
    given = msgspec.json.encode({name: cell for name, cell in cells.items() if cell})
    return f'{line[:-1]},"input":{given.decode()}}}'


def row(outcome: Outcome, picture: str = "", *, paths: bool = False) -> dict[str, str]:
    """An outcome as text cells by column, those of :data:`COLUMNS` that have a value.

    The caller adds ``number``, the place among the inputs from 1.

    Args:
        outcome: of a photograph.
        picture: the file name of its picture, if one was written.
        paths: whether ``image`` is the path, else the bare file name.
    """
    cells = {
        "image": shown.image(outcome.input, paths=paths),
        "id": outcome.input.id,
        "patient": outcome.input.patient,
        "eye": outcome.input.eye,
        "status": outcome.status,
        "picture": picture,
        "same_as": outcome.same_as,
    }
    if outcome.reading is not None:
        cells |= _of_photo(outcome.reading) | _of_grade(outcome.reading)
        cells |= _of_disc(outcome.reading) | dict(_of_lesions(outcome.reading))
        cells |= _of_rules(outcome.reading)
    return cells | trouble(outcome)


def _of_photo(reading: Reading) -> dict[str, str]:
    photo, field, quality = reading.photo, reading.field, reading.quality
    cells = {
        "width": str(photo.width),
        "height": str(photo.height),
        "sha256": photo.sha256,
        "warnings": "; ".join(reading.warnings),
        "needs_reader": "; ".join(reading.needs_reader),
        "gradable": "" if quality.gradable is None else _truth(quality.gradable),
        "quality_reasons": "; ".join(quality.reasons or ()),
        "quality_score": "" if quality.score is None else _number(quality.score),
        "quality_limit": "" if quality.limit is None else _number(quality.limit),
        "familiar": "" if reading.familiar is None else _truth(reading.familiar),
        "field_found": _truth(field.found),
    }
    if field.centre is not None and field.radius is not None and field.stretch is not None:
        cells |= {
            "field_x": f"{field.centre[0]:.2f}",
            "field_y": f"{field.centre[1]:.2f}",
            "field_radius": f"{field.radius:.2f}",
            "field_stretch": f"{field.stretch:.4f}",
        }
    if reading.next_step is not None:
        cells |= {
            "next_step": reading.next_step.step,
            "next_step_reason": reading.next_step.reason,
        }
    return cells


def _of_rules(reading: Reading) -> dict[str, str]:
    oedema = reading.oedema
    return {
        "rules": "; ".join(f"{each.ruleset} {each.level}" for each in reading.rules),
        "agreement": reading.agreement or "",
        "oedema": oedema.state or "",
        "oedema_distance": "" if oedema.distance is None else f"{oedema.distance:.2f}",
        **_of_lesion_grade(reading.lesion_grade),
    }


def _of_lesion_grade(grade: LesionGrade | None) -> dict[str, str]:
    if grade is None:
        return {}
    return {
        "lesion_grade": str(grade.icdr),
        "lesion_referable_probability": _number(grade.referable_probability),
    }


def _of_grade(reading: Reading) -> dict[str, str]:
    grade, cells = reading.grade, dict[str, str]()
    sure = certainty(grade)
    if grade.icdr is not None:
        cells |= {"icdr": str(grade.icdr), "grade": grade_in_words(grade.icdr)}
    if sure is not None:
        cells["certainty"] = _number(sure)
    if grade.probabilities is not None:
        cells |= {f"p{icdr}": _number(p) for icdr, p in enumerate(grade.probabilities)}
    if grade.set is not None:
        cells["grade_set"] = "; ".join(map(str, grade.set))
    if grade.set_coverage is not None:
        cells["set_coverage"] = _number(grade.set_coverage)
    if grade.abstained is not None:
        cells["abstained"] = _truth(grade.abstained)
    if grade.expected is not None:
        cells["expected"] = _number(grade.expected)
    if grade.referable is not None:
        cells |= {
            "referable": _truth(grade.referable.positive),
            "referable_probability": _number(grade.referable.probability),
            "referable_threshold": _number(grade.referable.threshold),
        }
    return cells


def _of_disc(reading: Reading) -> dict[str, str]:
    disc, cells = reading.anatomy.disc, dict[str, str]()
    if disc.found is not None:
        cells["disc_found"] = _truth(disc.found)
    if disc.centre is not None:
        cells |= {"disc_x": f"{disc.centre[0]:.2f}", "disc_y": f"{disc.centre[1]:.2f}"}
    if disc.diameter is not None:
        cells["disc_diameter"] = f"{disc.diameter:.2f}"
    if disc.score is not None:
        cells["disc_score"] = _number(disc.score)
    return cells


def _of_lesions(reading: Reading) -> Iterator[tuple[str, str]]:
    for summary in reading.lesion_summary:
        names = (f"{summary.kind}_{what}" for what in OF_A_KIND)
        yield from zip(names, _of_kind(summary), strict=True)
    withheld = [each.withheld for each in reading.lesion_summary if each.withheld is not None]
    if withheld:
        yield "lesions_withheld", str(sum(withheld))


def _of_kind(summary: LesionSummary) -> tuple[str, str, str, str]:
    """The cells of :data:`OF_A_KIND`."""
    return (
        "" if summary.count is None else str(summary.count),
        "" if summary.box_area is None else f"{summary.box_area:.1f}",
        "" if summary.box_area_discs is None else _number(summary.box_area_discs),
        "" if summary.assessed else summary.reason or "no_detector",
    )


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _number(value: float) -> str:
    return f"{value:.{DIGITS}f}"
