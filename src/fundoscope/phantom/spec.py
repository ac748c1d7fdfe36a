"""The specification of a phantom, and its ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from fundoscope.errors import UsageError
from fundoscope.geometry import Affine, Box
from fundoscope.reading import FieldOfView

Eye = Literal["left", "right"]
Shape = Literal["full", "clipped", "square", "notch", "label", "frame", "grey", "noisy", "dark"]

SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)
EYES: Final[tuple[Eye, ...]] = get_args(Eye)
FRAMINGS: Final[tuple[Shape, ...]] = ("full", "clipped", "square")
GRADES: Final = range(5)
SMALLEST: Final = 224
"""Shortest long side, in pixels: that of squashed copies of APTOS."""
LARGEST: Final = 6000
"""Longest long side, in pixels: that of the largest fundus cameras."""
FLATTEST: Final = 3.0
"""Largest ratio of the stored sides; camera sensors stay below 2."""
MOST_STRETCH: Final = 2.0
"""Largest stretch; real squashed photographs reach 1.52 (16:9 would be 1.78)."""


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """The specification of a phantom.

    Attributes:
        seed: everything random follows from it; the same seed at another size is the same eye.
        width: of the stored picture in pixels; the longer side has 224 to 6000.
        height: of the stored picture in pixels.
        grade: 0 to 4 of the International scale.
        eye: left or right; in the photograph of a right eye the optic disc lies on the right.
        shape: at most one framing, ``full`` (whole disc), ``clipped`` (cut by the edges) or
            ``square`` (the picture is inscribed in the disc, without a border), and any of
            ``notch``, ``label`` (text in the border), ``frame`` (of another colour around the
            photograph), ``grey`` or ``noisy`` (border) and ``dark`` (nearly black exposure).
        stretch: true width over height of one stored pixel; 1.5 squashes a 3:2 photograph into a
            square.

    Raises:
        UsageError: a value is out of bounds.
    """

    seed: int = 0
    width: int = 1280
    height: int = 960
    grade: int = 0
    eye: Eye = "right"
    shape: tuple[Shape, ...] = ("full",)
    stretch: float = 1.0

    def __post_init__(self) -> None:
        """Reject invalid values."""
        long, short = max(self.width, self.height), min(self.width, self.height)
        checks = (
            ("seed", self.seed >= 0, "must not be negative"),
            (
                "size",
                SMALLEST <= long <= LARGEST and short > 0 and long <= FLATTEST * short,
                f"needs a long side of {SMALLEST} to {LARGEST} px, at most "
                f"{FLATTEST:g} times the short one",
            ),
            ("grade", self.grade in GRADES, "must be 0 to 4"),
            ("eye", self.eye in EYES, "must be left or right"),
            (
                "shape",
                all(word in SHAPES for word in self.shape),
                f"must be of {', '.join(SHAPES)}",
            ),
            (
                "shape",
                sum(word in FRAMINGS for word in self.shape) <= 1,
                f"takes only one of {', '.join(FRAMINGS)}",
            ),
            (
                "stretch",
                1.0 / MOST_STRETCH <= self.stretch <= MOST_STRETCH,
                f"must be {1 / MOST_STRETCH:g} to {MOST_STRETCH:g}",
            ),
        )
        for name, holds, why in checks:
            if not holds:
                raise UsageError(f"phantom {name}", why, "choose another value")

    @property
    def framing(self) -> Shape:
        """``full``, ``clipped`` or ``square``."""
        return next((word for word in self.shape if word in FRAMINGS), "full")


@dataclass(frozen=True, slots=True)
class TrueField:
    """The place of the disc of retina; see :class:`fundoscope.reading.FieldOfView`.

    Attributes:
        centre: x, y in pixels.
        radius: the vertical semi-axis in pixels.
        stretch: true width over height of one stored pixel.
        shape: as in the spec.
        clipped: whether an edge of the picture (or of its frame) cuts the disc.
    """

    centre: tuple[float, float]
    radius: float
    stretch: float
    shape: tuple[Shape, ...]
    clipped: bool

    def to_unit(self) -> Affine:
        """The map from the photograph's pixels to the unit circle."""
        return FieldOfView(True, self.centre, self.radius, self.stretch).to_unit()


@dataclass(frozen=True, slots=True)
class TrueDisc:
    """The optic disc: centre x, y and vertical radius in pixels."""

    centre: tuple[float, float]
    radius: float


@dataclass(frozen=True, slots=True)
class TrueLesion:
    """One lesion as drawn: its kind (:mod:`fundoscope.kinds`) and box in pixels, half-open."""

    kind: str
    box: Box


@dataclass(frozen=True, slots=True)
class Truth:
    """The ground truth of a phantom, written beside it as ``<name>.truth.json``.

    Attributes:
        seed: as in the spec.
        width: of the picture in pixels.
        height: of the picture in pixels.
        grade: 0 to 4 of the International scale.
        eye: left or right.
        field: the place of the disc of retina.
        optic_disc: its place.
        fovea: x, y in pixels.
        lesions: all that were drawn.
    """

    seed: int
    width: int
    height: int
    grade: int
    eye: Eye
    field: TrueField
    optic_disc: TrueDisc
    fovea: tuple[float, float]
    lesions: tuple[TrueLesion, ...]

    def to_json(self) -> str:
        """Indented JSON, ending in a line end."""
        import msgspec

        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Truth:
        """The truth that :meth:`to_json` wrote.

        Raises:
            msgspec.ValidationError: the text does not have this structure.
        """
        import msgspec

        return msgspec.json.decode(text, type=cls)
