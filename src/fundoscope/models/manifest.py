"""The content of ``bundle.json``: what a model is, and how its outputs are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fundoscope.models.correction import GradeCorrection, Recalibration
from fundoscope.models.judge import Judge
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.models.presence import PresenceModel
from fundoscope.models.sets import GradeSets

FORMAT: Final = "fundoscope.bundle/1"
"""The version of the format, stored in each bundle."""
GRADING: Final = "grading"
DETECTION: Final = "detection"
LANDMARKS: Final = "landmarks"
LANDMARK_NAMES: Final = ("optic_disc", "fovea")
"""What a landmark network finds, in the order of its maps."""
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
"""How weights may be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model was trained on.

    Attributes:
        manifest_sha256: of the manifest's content.
        photographs: their number, by source.
        seed: of the run.
        configuration: the run's settings, as in its TOML file.
        minutes: how long the run took, with the runs and bundles that it started from.
        averaged: if the weights are the average of several runs, the share of each run.
    """

    manifest_sha256: str
    photographs: Mapping[str, int]
    seed: int
    configuration: Mapping[str, object] = field(default_factory=dict)
    minutes: float | None = None
    averaged: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How the weights of a graph are stored, and what that costs.

    Attributes:
        weights: ``float32``; ``float16`` for the large ones; or ``int8``, with 8-bit activations.
            The first two are summed in float32.
        cost: compared with float32 on validation: how much each figure falls, and how much the
            probabilities differ; ``None`` where undefined.
    """

    weights: str
    cost: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """The part of ``bundle.json`` that all tasks share.

    Attributes:
        name: short name with its version, e.g. ``grader-lite0-320-1``.
        task: what the model does; a key of :data:`MANIFESTS`.
        input_size: of the input ``uint8 (N, H, W, 3)`` RGB, in pixels: the side of a square, or
            height and width.
        opset: of the ONNX graph.
        model_sha256: of ``model.onnx``.
        trained_on: data, seed and settings.
        licence: the terms under which the weights may be used.
        versions: of the libraries that made it.
        validation: figures on validation, by source or kind of lesion, and in all; empty if nobody
            measured them.
        stored: how the weights are stored; ``None`` in older bundles, which did not record it.
        format: the version of the format.
    """

    name: str
    task: str
    input_size: int | tuple[int, int]
    opset: int
    model_sha256: str
    trained_on: TrainedOn
    licence: str
    versions: Mapping[str, str]
    validation: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    stored: Stored | None = None
    format: str = FORMAT

    @property
    def height_width(self) -> tuple[int, int]:
        """The height and width that ``input_size`` means."""
        size = self.input_size
        return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderManifest(BundleManifest):
    """The ``bundle.json`` of a grader.

    For a ``native`` input ``input_size`` gives the area; the graph takes any height and width.

    Attributes:
        head: how the output ``float32 (N, outputs)`` is read; a head of
            :mod:`fundoscope.grading.heads`.
        classes: names of the grades, from 0.
        temperature: divides the logits.
        correction: of the probabilities; ``None`` in bundles of 0.1 and imported ones.
        referable_threshold: operating point on the probability of grade 2 or more.
        minimum_radius: smallest radius of a field that is graded, in the photograph's pixels.
        input: the part of the photograph that is used; a kind of :mod:`fundoscope.grading.inputs`.
        cut_points: four ascending values of the expected grade. Version 0.1 took the grade from
            them; later versions ignore them and give the most probable grade.
        recalibrated: how a clinic fitted the bundle to its own photographs; ``None`` if nobody did.
        conformal: how the set of plausible grades is made; ``None`` in bundles to which it was not
            fitted.
        judge: heads on the network's features: retina or not, quality, familiar; ``None`` in older
            bundles, which assess none of these.
    """

    head: str
    classes: tuple[str, ...]
    temperature: float
    referable_threshold: float
    minimum_radius: float
    input: str = "crop"
    correction: GradeCorrection | None = None
    cut_points: tuple[float, float, float, float] | None = None
    recalibrated: Recalibration | None = None
    conformal: GradeSets | None = None
    judge: Judge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorManifest(BundleManifest):
    """The ``bundle.json`` of a lesion detector.

    The photograph is scaled so that its field has the radius ``radius``, and read in tiles that are
    not larger than ``input_size``.

    Attributes:
        head: how the output is read; a head of :mod:`fundoscope.lesions.heads`.
        classes: keys of the kinds that it finds; the label of the first is 1.
        thresholds: for each kind, the lowest score of an accepted box.
        minimum_radius: for each kind, the smallest radius of a field on which it is assessed, in
            the photograph's pixels.
        radius: of the field at the working scale, in pixels.
        overlap: least overlap of two neighbouring tiles, in pixels.
        step: sides of tiles are multiples of it, in pixels.
        suppress: if two boxes of one kind overlap by more than this (IoU), the better one is kept.
        levels: for a ``mask`` head, for each kind the probability from which a pixel belongs to a
            lesion.
        size_correction: for each kind, what is added to the log-odds of its scores where the field
            is half as large as ``radius``; 0 for those that are missing.
        size_exponent: where the field is smaller by ``n`` halvings, ``n ** size_exponent`` times as
            much is added; 1 in older bundles.
        presence: for each kind, the model that decides from its boxes whether it is in the eye;
            empty in bundles to which this was not fitted.
        lesion_grade: the model that grades by lesions alone; ``None`` in bundles to which this was
            not fitted.
    """

    head: str
    classes: tuple[str, ...]
    thresholds: Mapping[str, float]
    minimum_radius: Mapping[str, float]
    radius: float
    overlap: int
    step: int
    suppress: float
    levels: Mapping[str, float] = field(default_factory=dict)
    size_correction: Mapping[str, float] = field(default_factory=dict)
    size_exponent: float = 1.0
    presence: Mapping[str, PresenceModel] = field(default_factory=dict)
    lesion_grade: LesionGradeModel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarksManifest(BundleManifest):
    """The ``bundle.json`` of a landmark network, which sees the whole field of view.

    Attributes:
        found: for each landmark, ``optic_disc`` and ``fovea``, the score from which it is found.
        estimated: for each, the lower score from which it is only estimated.
        minimum_radius: smallest radius of a field that is read, in the photograph's pixels.
    """

    found: Mapping[str, float]
    estimated: Mapping[str, float]
    minimum_radius: float


MANIFESTS: Final[Mapping[str, type[GraderManifest | DetectorManifest | LandmarksManifest]]] = {
    GRADING: GraderManifest,
    DETECTION: DetectorManifest,
    LANDMARKS: LandmarksManifest,
}
"""The type of ``bundle.json`` for each task."""
