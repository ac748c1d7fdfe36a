"""The Reading: what fundoscope reports about one photograph.

Values only; nothing is computed here. Coordinates are pixels of the photograph as stored, after its
EXIF orientation was applied (see :mod:`fundoscope.geometry`). Within one version of the Reading,
fields may be added but never removed or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fundoscope import decoding
from fundoscope.geometry import Affine, Box
from fundoscope.opinions import (
    NO_OEDEMA_LOOKED_FOR,
    HeatMap,
    LesionGrade,
    MacularOedema,
    RuleGrade,
)
from fundoscope.quality import Quality

VERSION: Final = "fundoscope.reading/1"
"""The version of the Reading, stored in each."""
NO_FIELD_REASONS: Final = (
    "too_dark",
    "no_disc",
    "no_colour",
    "not_a_retina",
    "several_fields",
    "framed",
)
"""Why no field of view was found."""
NOT_ASSESSED_REASONS: Final = (
    "no_detector",
    "unknown_to_detector",
    "no_field",
    "photograph_too_small",
    "overexposed",
    "not_gradable",
    "sure_of_grade_0",
)
"""Why a kind of lesion was not looked for."""

NOT_GRADABLE: Final = "not_gradable"
UNFAMILIAR: Final = "unfamiliar"
NEEDS_READER_REASONS: Final = ("lesions_unlike_grade", NOT_GRADABLE, UNFAMILIAR)
"""Why a person should look at a photograph, whatever its grade. Later versions may add more.

``lesions_unlike_grade``: the boxes and the grade contradict each other, such as twelve haemorrhages
on an eye of grade 0, or no lesion on one of grade 3 (:mod:`fundoscope.grading.contradictions`).
``not_gradable``: the photograph is too poor, or was graded all the same because the user forced it.
``unfamiliar``: it is unlike those that the grader learnt from, so the grade may be wrong.
"""


FOUND, ESTIMATED, NOT_FOUND = "found", "estimated", "not_found"
LANDMARK_STATES: Final = (FOUND, ESTIMATED, NOT_FOUND)
"""How far a landmark can be relied on: seen; seen too faintly to be sure, or worked out from other
landmarks; neither, so that there is no value."""
RIGHT, LEFT = "right", "left"
EYES: Final = (RIGHT, LEFT)
"""The two eyes."""

AGREEMENTS: Final = ("same", "one_apart", "two_or_more_apart")
"""How far the grade and the grade that the lesions support lie apart."""

NEXT_STEPS: Final = ("refer", "routine_recall", "retake", "reader")
"""What to do with a photograph next: refer the patient, recall the patient as usual, take another
photograph, or have a person look at this one."""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """Facts about the photograph's file.

    Attributes:
        name: the bare file name, never a path; ``None`` unless a path was given.
        sha256: of the file's bytes; for an array, of its shape and pixels.
        width: in pixels, after the EXIF orientation was applied.
        height: likewise.
    """

    name: str | None
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """The field of view: the disc of retina in the photograph.

    Attributes:
        found: whether the picture shows one.
        centre: x and y in the photograph's pixels; ``None`` if not found.
        radius: the vertical semi-axis in the photograph's pixels; ``None`` if not found.
        stretch: true width over true height of one stored pixel: 1.0 normally, 1.5 for a 3:2
            photograph that was squeezed into a square. The horizontal semi-axis is
            ``radius / stretch``.
        reason: why it was not found, one of :data:`NO_FIELD_REASONS`.
    """

    found: bool
    centre: tuple[float, float] | None = None
    radius: float | None = None
    stretch: float | None = None
    reason: str | None = None

    def to_unit(self) -> Affine:
        """The map from the photograph's pixels to the unit disc about the origin.

        Raises:
            ValueError: the field was not found.
        """
        if self.centre is None or self.radius is None or self.stretch is None:
            raise ValueError("no field of view was found, so there is no map to it")
        x, y = self.centre
        return Affine.shift(-x, -y).then(
            Affine.scale(self.stretch / self.radius, 1.0 / self.radius)
        )


@dataclass(frozen=True, slots=True)
class Referable:
    """Whether the eye should be referred: grade 2 or more ("more than mild").

    Attributes:
        probability: p2 + p3 + p4, 0 to 1.
        positive: whether the probability reaches the threshold.
        threshold: the operating point that was used: the bundle's, or the caller's.
    """

    probability: float
    positive: bool
    threshold: float


@dataclass(frozen=True, slots=True)
class Grade:
    """The International Clinical Diabetic Retinopathy grade; all ``None`` if not graded.

    Attributes:
        icdr: 0 to 4, the most probable grade. Version 0.1 could give another one.
        probabilities: of the five grades; they sum to one.
        expected: the mean grade under these probabilities, 0 to 4.
        referable: whether the eye should be referred.
        set: the plausible grades, neighbours in ascending order, with the most probable one;
            ``None`` if the bundle has no fitted sets.
        set_coverage: the share of photographs whose true grade the sets were fitted to hold.
        abstained: whether the grade is too uncertain to be used without a reader: the set is too
            wide, or the photograph is unfamiliar or too poor; ``None`` if nothing of this is known.
    """

    icdr: int | None = None
    probabilities: tuple[float, float, float, float, float] | None = None
    expected: float | None = None
    referable: Referable | None = None
    set: tuple[int, ...] | None = None
    set_coverage: float | None = None
    abstained: bool | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next with a photograph.

    Attributes:
        step: one of :data:`NEXT_STEPS`.
        reason: a stable word for the reason. Later versions may add more.
        words: the reason in words, without a capital letter and a full stop.
    """

    step: str
    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion or landmark.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        box: in the photograph's pixels.
        score: 0 to 1.
    """

    kind: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class LesionSummary:
    """What was found of one kind of lesion on the whole photograph.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.LESIONS`.
        assessed: whether it was looked for. If not, the numbers are ``None``, never 0.
        reason: why it was not assessed, one of :data:`NOT_ASSESSED_REASONS`.
        count: number of boxes.
        box_area: area of the union of the boxes, in square pixels of the photograph. The lesions
            themselves are smaller.
        box_area_discs: the same area as a multiple of the optic disc's; ``None`` if no disc was
            found.
        presence_probability: that the eye has this kind at all, 0 to 1, also from boxes too weak
            to be drawn; ``None`` unless ``fundoscope calibrate lesions`` was run on the bundle.
        present: whether that probability reaches the bundle's limit; ``None`` likewise. At most
            ``--healthy-share`` of the healthy eyes of the fit do.
        withheld: number of boxes that are not drawn, because all lesions together are not enough to
            tell the eye from a healthy one; they are counted nowhere else. ``None`` if the kind was
            not assessed, or the bundle does not withhold boxes.
    """

    kind: str
    assessed: bool
    reason: str | None = None
    count: int | None = None
    box_area: float | None = None
    box_area_discs: float | None = None
    presence_probability: float | None = None
    present: bool | None = None
    withheld: int | None = None


@dataclass(frozen=True, slots=True)
class OpticDisc:
    """The optic disc.

    Attributes:
        found: whether it was found; ``None`` if it was not looked for.
        box: around it, in the photograph's pixels.
        centre: x and y of the box's centre.
        diameter: one disc diameter, the usual unit of length on the retina: the mean of the
            box's width and height. On a squeezed photograph the width is first converted to units
            of a pixel's height.
        score: 0 to 1.
        state: one of :data:`LANDMARK_STATES`; ``None`` if it was not looked for. An estimated disc
            has centre and diameter, but no box, and ``found`` is false.
    """

    found: bool | None = None
    box: Box | None = None
    centre: tuple[float, float] | None = None
    diameter: float | None = None
    score: float | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Fovea:
    """The fovea, the centre of sharp sight.

    Attributes:
        state: ``"found"``; ``"estimated"``: seen faintly, or placed where it usually lies from the
            disc; ``"not_found"``; ``None`` if it was not looked for.
        centre: x and y in the photograph's pixels; ``None`` if not found.
        score: 0 to 1; ``None`` if it was not seen.
        error: how far it may lie from there, in disc diameters; 0 if found.
    """

    state: str | None = None
    centre: tuple[float, float] | None = None
    score: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Laterality:
    """Which eye the photograph shows.

    Attributes:
        eye: ``"right"`` or ``"left"``; ``None`` where it is not known.
        source: ``"given"`` by the caller, or ``"image"``: the disc lies nasal of the fovea.
        contradiction: whether the picture shows the other eye than the one that was given.
        certainty: the probability, by the picture, that ``eye`` is correct; near 0 if it shows the
            other eye, ``None`` if it shows nothing about it.
    """

    eye: str | None = None
    source: str | None = None
    contradiction: bool = False
    certainty: float | None = None


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The landmarks of the eye.

    Attributes:
        disc: the optic disc.
        fovea: the fovea.
        laterality: which eye it is.
    """

    disc: OpticDisc = OpticDisc()
    fovea: Fovea = Fovea()
    laterality: Laterality = Laterality()


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A bundle that was used.

    Attributes:
        task: what it does: ``"grading"``, ``"detection"`` or ``"landmarks"``.
        name: the bundle's name.
        sha256: of its ``model.onnx``.
        bundle_sha256: of its ``bundle.json``. It tells bundles of one network apart that were
            calibrated differently. ``None`` in older Readings.
    """

    task: str
    name: str
    sha256: str
    bundle_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What fundoscope reports about one photograph.

    Attributes:
        photo: facts about the file.
        field: the field of view.
        quality: whether it can be graded.
        grade: the grade.
        lesions: without the landmarks, highest score first.
        models: the bundles that were used.
        warnings: sentences about anything unusual.
        software: name and version of the program.
        lesion_summary: an entry for every kind of lesion, in the order of
            :data:`fundoscope.kinds.LESIONS`, including kinds that were not assessed.
        anatomy: the landmarks.
        version: of this format.
        needs_reader: why a person should look at this photograph, codes of
            :data:`NEEDS_READER_REASONS`; empty if there is no such reason.
        rules: the level of each applied rule set that the lesions support.
        oedema: macular oedema, as far as hard exudates show it.
        agreement: of the grade with the International grade that the lesions support, one of
            :data:`AGREEMENTS`; ``None`` where one of them is missing.
        next_step: what to do next, and why; ``None`` in Readings of earlier versions.
        familiar: whether the photograph is like those that the grader learnt from; ``None`` if this
            was not assessed.
        heat: where the grader looked; ``None`` unless it was asked for.
        lesion_grade: the grade by the lesions alone; ``None`` where the photograph is too small for
            the detector or overexposed, or the detector's bundle has no model for it.
    """

    photo: PhotoFacts
    field: FieldOfView
    quality: Quality
    grade: Grade
    lesions: tuple[Lesion, ...]
    models: tuple[ModelUsed, ...]
    warnings: tuple[str, ...]
    software: str
    lesion_summary: tuple[LesionSummary, ...] = ()
    anatomy: Anatomy = Anatomy()
    version: str = VERSION
    needs_reader: tuple[str, ...] = ()
    rules: tuple[RuleGrade, ...] = ()
    oedema: MacularOedema = NO_OEDEMA_LOOKED_FOR
    agreement: str | None = None
    next_step: NextStep | None = None
    familiar: bool | None = None
    heat: HeatMap | None = None
    lesion_grade: LesionGrade | None = None

    def to_json(self) -> str:
        """The Reading as one line of JSON, as :func:`schema` describes it."""
        import msgspec

        return msgspec.json.encode(self).decode()

    def to_dict(self) -> dict[str, Any]:
        """The Reading as dictionaries, lists, texts and numbers: what :meth:`to_json` encodes."""
        import msgspec

        values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return values

    @classmethod
    def from_json(cls, text: str | bytes) -> Reading:
        """The Reading in a text that :meth:`to_json` wrote.

        Raises:
            msgspec.MsgspecError, ValueError, OverflowError, RecursionError: the text is not a
                Reading.
        """
        return decoding.decoded(text, cls)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a Reading."""
    import msgspec

    return msgspec.json.schema(Reading)
