"""The grade of one photograph, by the network of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError, UsageError
from fundoscope.grading import conformal, heads, inputs, judge
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.judge import FEATURES, STAGES
from fundoscope.models.sets import GradeSets
from fundoscope.photo.decode import Pixels
from fundoscope.reading import Grade, ModelUsed, Referable

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True, slots=True)
class Grader:
    """A loaded grading bundle.

    Attributes:
        manifest: of the bundle.
        input: what the network takes.
        session: the loaded network.
        judge: its heads; ``None`` for a bundle without.
        bundle_sha256: of the bundle's ``bundle.json``; ``None`` where there is none.
    """

    manifest: GraderManifest
    input: inputs.Input
    session: onnxruntime.InferenceSession
    judge: judge.Judge | None = None
    bundle_sha256: str | None = None

    @property
    def used(self) -> ModelUsed:
        """The model as a Reading names it."""
        m = self.manifest
        return ModelUsed(m.task, m.name, m.model_sha256, self.bundle_sha256)


def load(path: str | Path | None = None, *, providers: Sequence[str] | None = None) -> Grader:
    """Load and verify a grading bundle.

    Args:
        path: the bundle's folder or zip file; ``None`` means the one that ships.
        providers: see :func:`fundoscope.models.runtime.available_providers`.

    Raises:
        BundleError: it is missing or damaged, or it is not a grader that this version can use.
        UsageError: a provider is not available.
    """
    path = bundles.shipped(bundles.GRADING) if path is None else Path(path)
    bundle = bundles.load_grader(path)
    manifest = bundle.manifest
    wanted = inputs.Input(manifest.input, *manifest.height_width)
    if not _usable(manifest, wanted):
        raise BundleError(
            path.name,
            f"needs another version: head {manifest.head!r} with input {manifest.input!r} is"
            " unknown here",
            "use the fundoscope version that it was made with, or name another grading bundle",
        )
    session = runtime.session(bundle, providers=providers)
    _require_shapes(session, manifest, wanted, path.name)
    _require_features(session, manifest, path.name)
    ready = None if manifest.judge is None else judge.ready(manifest.judge)
    return Grader(manifest, wanted, session, ready, bundle.sha256)


def uncorrected(grader: Grader) -> Grader:
    """The same grader without the values fitted to its probabilities, to fit others."""
    return replace(grader, manifest=replace(grader.manifest, correction=None, conformal=None))


def with_threshold(grader: Grader, threshold: float) -> Grader:
    """The same grader with another operating point.

    Args:
        grader: from :func:`load`.
        threshold: the lowest probability of grade 2 or more at which an eye is referable.

    Raises:
        UsageError: the threshold is not above 0 and at most 1.
    """
    if not 0.0 < threshold <= 1.0:
        raise UsageError(
            f"threshold {threshold}", "is not a probability", "give a number above 0, at most 1"
        )
    return replace(grader, manifest=replace(grader.manifest, referable_threshold=threshold))


def _usable(manifest: GraderManifest, wanted: inputs.Input) -> bool:
    """Whether this version knows the head and the input of a bundle."""
    return (
        manifest.head in heads.OUTPUTS
        and wanted.kind in inputs.KINDS
        and (wanted.kind != inputs.CROP or wanted.height == wanted.width)
    )


def _require_shapes(
    session: onnxruntime.InferenceSession,
    manifest: GraderManifest,
    wanted: inputs.Input,
    title: str,
) -> None:
    """Check that the graph's input and output have the shapes that the manifest promises.

    Raises:
        BundleError: they do not. ``None`` in a shape is a free dimension.
    """
    free = wanted.kind == inputs.NATIVE
    takes = [n if isinstance(n, int) else None for n in session.get_inputs()[0].shape[1:]]
    gives = session.get_outputs()[0].shape[1:]
    expected = [None, None, 3] if free else [wanted.height, wanted.width, 3]
    if takes != expected or gives != [heads.OUTPUTS[manifest.head]]:
        raise BundleError(
            title,
            f"its network takes {takes} and gives {gives}, but {bundles.MANIFEST} says {expected}"
            f" and [{heads.OUTPUTS[manifest.head]}]",
            "export it again",
        )


def _require_features(
    session: onnxruntime.InferenceSession, manifest: GraderManifest, title: str
) -> None:
    """Check that the graph gives the features that the judge needs.

    Raises:
        BundleError: it does not.
    """
    if manifest.judge is None:
        return
    gives = {node.name: node.shape[-1] for node in session.get_outputs()}
    if (gives.get(FEATURES), gives.get(STAGES)) != (manifest.judge.features, manifest.judge.stages):
        raise BundleError(
            title,
            f"has heads for {manifest.judge.features} features and {manifest.judge.stages} values"
            " of stages, which its network does not give",
            "get the bundle again, or fit the heads again: fundoscope calibrate judge",
        )


def grade(grader: Grader, pixels: Pixels) -> Grade:
    """Grade one photograph.

    Args:
        grader: from :func:`load`.
        pixels: ``uint8 (H, W, 3)`` RGB, from :func:`fundoscope.grading.inputs.make`.

    Raises:
        PhotoError: the network gives numbers that are not finite.
    """
    return grade_and_check(grader, pixels)[0]


def grade_and_check(grader: Grader, pixels: Pixels) -> tuple[Grade, judge.Verdict]:
    """Grade one photograph, and judge whether the grade can be believed.

    Args:
        grader: from :func:`load`.
        pixels: as for :func:`grade`.

    Raises:
        PhotoError: the network gives numbers that are not finite.
    """
    batch = pixels[np.newaxis]
    if grader.judge is None:
        outputs = runtime.run(grader.session, batch)
        runtime.require_finite(grader.manifest.name, outputs)
        return _of_outputs(grader.manifest, outputs), judge.Verdict()
    outputs, seen = forward(grader, batch)
    return _of_outputs(grader.manifest, outputs), judge.verdict(grader.judge, seen)


def forward(
    grader: Grader, batch: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], judge.NetworkFeatures]:
    """Run the network on squares.

    Args:
        grader: whose network gives its features and stages.
        batch: ``uint8 (N, H, W, 3)`` RGB, from :func:`fundoscope.grading.inputs.make`.

    Returns:
        The logits, ``float32 (N, outputs)``, and what the judge needs.

    Raises:
        PhotoError: the network gives numbers that are not finite.
    """
    names = [grader.session.get_outputs()[0].name, FEATURES, STAGES]
    outputs, features, stages = runtime.outputs(grader.session, batch, names)
    runtime.require_finite(grader.manifest.name, outputs, features, stages)
    return outputs, judge.NetworkFeatures(features, stages)


def gives_features(grader: Grader) -> bool:
    """Whether the network gives what a judge needs."""
    return {FEATURES, STAGES} <= {node.name for node in grader.session.get_outputs()}


def _of_outputs(manifest: GraderManifest, outputs: NDArray[np.float32]) -> Grade:
    """The grade that the outputs ``(1, outputs)`` mean."""
    p = heads.probabilities(outputs, manifest.temperature, manifest.head, manifest.correction)
    expected = float(heads.expected(p)[0])
    probability = float(heads.referable(p)[0])
    threshold = manifest.referable_threshold
    sets = manifest.conformal
    p0, p1, p2, p3, p4 = (float(value) for value in p[0])
    return Grade(
        icdr=int(heads.most_probable(p)[0]),
        probabilities=(p0, p1, p2, p3, p4),
        expected=expected,
        referable=Referable(probability, probability >= threshold, threshold),
        set=None if sets is None else _plausible(p, sets),
        set_coverage=None if sets is None else sets.coverage,
    )


def _plausible(p: heads.Floats, sets: GradeSets) -> tuple[int, ...]:
    """The set of plausible grades of one photograph, from its probabilities ``(1, 5)``."""
    return tuple(int(grade) for grade in np.flatnonzero(conformal.members(p, sets)[0]))
