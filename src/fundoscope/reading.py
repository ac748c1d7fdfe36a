"""The contract that everything else consumes: what fundoscope says about one photograph.

Values only, no computing. Coordinates are pixels of the photograph as stored, after its EXIF
orientation was applied (see :mod:`fundoscope.geometry`). Fields are only ever added to a version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fundoscope.geometry import Affine, Box

VERSION: Final = "fundoscope.reading/1"
NO_FIELD_REASONS: Final = ("too_dark", "no_disc", "no_colour", "not_a_retina")
NOT_ASSESSED_REASONS: Final = (
    "no_detector",
    "unknown_to_detector",
    "no_field",
    "photograph_too_small",
)
"""Why a kind of lesion was not looked for."""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """Facts of the file.

    Attributes:
        name: bare file name when read from a file, ``None`` from bytes or an array; never a path.
        sha256: of the file's bytes; of an array, of its shape and pixels.
        width, height: in pixels, after the EXIF orientation was applied.
    """

    name: str | None
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """The disc of retina.

    Attributes:
        found: whether the picture shows one.
        centre: x, y in the photograph's pixels; ``None`` when not found.
        radius: the vertical semi-axis in the photograph's pixels; ``None`` when not found.
        stretch: true width over height of one stored pixel: 1.0 natural, 1.5 for a 3:2 photograph
            that was squashed into a square. The horizontal semi-axis is ``radius / stretch``.
        reason: why it was not found, one of :data:`NO_FIELD_REASONS`.
    """

    found: bool
    centre: tuple[float, float] | None = None
    radius: float | None = None
    stretch: float | None = None
    reason: str | None = None

    def to_unit(self) -> Affine:
        """Map the photograph's pixels so that the disc becomes the unit circle about the origin.

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
class Quality:
    """Whether the photograph can be judged; ``None`` where that was not assessed."""

    gradable: bool | None = None
    reasons: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Referable:
    """Grade 2 or more ("more than mild").

    Attributes:
        probability: p2 + p3 + p4, 0 to 1.
        positive: whether the probability reaches the threshold.
        threshold: the operating point that the bundle stores.
    """

    probability: float
    positive: bool
    threshold: float


@dataclass(frozen=True, slots=True)
class Grade:
    """The International Clinical Diabetic Retinopathy grade; all ``None`` when not graded.

    Attributes:
        icdr: 0 to 4, from the bundle's cut-points on ``expected`` (need not be the likeliest).
        probabilities: of the five grades; they sum to one.
        expected: the mean of the grade under these probabilities, 0 to 4.
    """

    icdr: int | None = None
    probabilities: tuple[float, float, float, float, float] | None = None
    expected: float | None = None
    referable: Referable | None = None


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion: its kind (:mod:`fundoscope.kinds`), box in the photograph's pixels, score 0-1."""

    kind: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class LesionSummary:
    """What was seen of one kind of lesion on the whole photograph.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.LESIONS`.
        assessed: whether it was looked for; if not, the numbers are ``None``, never 0.
        reason: why it was not, one of :data:`NOT_ASSESSED_REASONS`.
        count: of boxes.
        box_area: of the union of the boxes, in square pixels of the photograph. A lesion's own area
            is smaller; boxes do not tell it.
        box_area_discs: the same in areas of the optic disc, where that was found.
    """

    kind: str
    assessed: bool
    reason: str | None = None
    count: int | None = None
    box_area: float | None = None
    box_area_discs: float | None = None


@dataclass(frozen=True, slots=True)
class OpticDisc:
    """The optic disc.

    Attributes:
        found: whether it was; ``None`` where it was not looked for.
        box: around it, in the photograph's pixels.
        centre: x, y, of the box.
        diameter: one disc diameter, the conventional ruler: the mean of the box's sides, across
            counted in the pixel's height where the photograph is stretched.
        score: 0 to 1.
    """

    found: bool | None = None
    box: Box | None = None
    centre: tuple[float, float] | None = None
    diameter: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The landmarks of the eye."""

    disc: OpticDisc = OpticDisc()


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A bundle that took part: its task, its name and the sha256 of its ``model.onnx``."""

    task: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What fundoscope says about one photograph that opens.

    Attributes:
        lesions: what was found, without the landmarks, best first.
        lesion_summary: an entry for every kind of lesion, in the order of
            :data:`fundoscope.kinds.LESIONS`, those that were not looked for too.
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

    def to_json(self) -> str:
        """One line of JSON in the form of :func:`schema`."""
        import msgspec

        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Reading:
        """The Reading that :meth:`to_json` wrote.

        Raises:
            msgspec.ValidationError: the text is not of this form.
        """
        import msgspec

        return msgspec.json.decode(text, type=cls)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a Reading."""
    import msgspec

    return msgspec.json.schema(Reading)
