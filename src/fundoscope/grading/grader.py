"""The grade of one field's square, by a bundle's network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fundoscope.errors import BundleError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import BundleManifest
from fundoscope.photo.decode import Pixels
from fundoscope.reading import Grade, ModelUsed, Referable

if TYPE_CHECKING:
    import onnxruntime

HEADS = ("cumulative",)


@dataclass(frozen=True, slots=True)
class Grader:
    """A loaded grading bundle."""

    manifest: BundleManifest
    session: onnxruntime.InferenceSession

    @property
    def used(self) -> ModelUsed:
        """How a Reading names this model."""
        m = self.manifest
        return ModelUsed(task=m.task, name=m.name, sha256=m.model_sha256)


def load(path: str | Path | None = None) -> Grader:
    """Load and verify a grading bundle.

    Args:
        path: the bundle's folder or zip file; ``None`` takes the one that ships.

    Raises:
        BundleError: it is missing or damaged, or it is not a grader that this version can use.
    """
    path = bundles.shipped(bundles.GRADING) if path is None else Path(path)
    bundle = bundles.load(path)
    manifest = bundle.manifest
    if manifest.task != bundles.GRADING or manifest.head not in HEADS:
        raise BundleError(
            path.name,
            f"does {manifest.task!r} with a {manifest.head!r} head: unknown here, it cannot grade",
            "name a grading bundle",
        )
    session = runtime.session(bundle)
    shape = session.get_inputs()[0].shape[1:]
    wanted = [manifest.input_size, manifest.input_size, 3]
    if shape != wanted:
        raise BundleError(
            path.name,
            f"its network takes {shape}, and {bundles.MANIFEST} says {wanted}",
            "export it again",
        )
    return Grader(manifest, session)


def grade(grader: Grader, square: Pixels) -> Grade:
    """Grade one photograph.

    Args:
        grader: from :func:`load`.
        square: ``uint8 (S, S, 3)`` RGB of :func:`fundoscope.photo.field.crop`, S the bundle's
            ``input_size``.
    """
    manifest = grader.manifest
    logits = runtime.run(grader.session, square[np.newaxis])
    p = heads.probabilities(logits, manifest.temperature)
    expected = float(heads.expected(p)[0])
    probability = float(heads.referable(p)[0])
    threshold = manifest.referable_threshold
    p0, p1, p2, p3, p4 = (float(value) for value in p[0])
    return Grade(
        icdr=int(heads.icdr([expected], manifest.cut_points)[0]),
        probabilities=(p0, p1, p2, p3, p4),
        expected=expected,
        referable=Referable(probability, probability >= threshold, threshold),
    )
