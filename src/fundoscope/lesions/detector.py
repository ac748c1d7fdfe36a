"""The lesions of one photograph, by a bundle's network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.kinds import KINDS
from fundoscope.lesions import heads, merge, tiles, view
from fundoscope.lesions.heads import Boxes
from fundoscope.lesions.view import View
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, Lesion, ModelUsed

if TYPE_CHECKING:
    import onnxruntime

RIM: Final = 1.0
"""A lesion's centre lies within the field's radius times this; labels on the border do not."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A loaded detection bundle."""

    manifest: DetectorManifest
    session: onnxruntime.InferenceSession
    threads: int = 1

    @property
    def used(self) -> ModelUsed:
        """How a Reading names this model."""
        m = self.manifest
        return ModelUsed(task=m.task, name=m.name, sha256=m.model_sha256)

    @property
    def decode_side(self) -> int:
        """The ``min_side`` to decode a photograph with."""
        return view.decode_side(self.manifest.radius)

    def assesses(self, kind: str, fov: FieldOfView) -> bool:
        """Whether it can see a kind on a photograph whose field is so large."""
        least = self.manifest.minimum_radius.get(kind)
        return least is not None and fov.radius is not None and fov.radius >= least


def load(path: str | Path | None = None, *, threads: int = 1) -> Detector:
    """Load and verify a detection bundle.

    Args:
        path: the bundle's folder or zip file; ``None`` takes the one that ships.
        threads: of the processor, for one photograph. Each reads tiles of its own by a session
            of one thread, so the result does not depend on their number.

    Raises:
        BundleError: it is missing or damaged, or it is no detector that this version can use.
    """
    path = bundles.shipped(bundles.DETECTION) if path is None else Path(path)
    bundle = bundles.load_detector(path)
    manifest = bundle.manifest
    unknown = [kind for kind in manifest.classes if kind not in KINDS]
    if manifest.head not in heads.HEADS or unknown:
        raise BundleError(
            path.name,
            f"has a {manifest.head!r} head for {', '.join(unknown or manifest.classes)}: unknown"
            " here",
            "use the fundoscope version that it was made with",
        )
    session = runtime.session(bundle)
    fault = _fault(manifest, session)
    if fault is not None:
        raise BundleError(path.name, f"cannot work: {fault}", "export it again")
    return Detector(manifest, session, threads)


def _fault(manifest: DetectorManifest, session: onnxruntime.InferenceSession) -> str | None:
    """What of a bundle does not go together."""
    sides, step, takes = manifest.height_width, manifest.step, session.get_inputs()[0].shape
    faults = {
        "a kind has no threshold": not manifest.thresholds.keys() >= set(manifest.classes),
        "its radius is not positive": not manifest.radius > 0,
        "its tiles are no multiples of its step": step < 1 or any(side % step for side in sides),
        "its tiles do not reach beyond their overlap": not 0 <= manifest.overlap < min(sides),
        "its graph takes no fixed number of tiles": not isinstance(takes[0], int),
        "its graph gives other outputs": not {one.name for one in session.get_outputs()}
        >= set(heads.OUTPUTS),
    }
    return next((fault for fault, there in faults.items() if there), None)


def find(detector: Detector, photo: Photo, fov: FieldOfView) -> tuple[Lesion, ...]:
    """Find lesions and landmarks on a photograph, by the bundle's thresholds.

    Args:
        detector: from :func:`load`.
        photo: decoded with ``detector.decode_side``.
        fov: its field of view, found.

    Returns:
        Those of the kinds that the detector can see at this size, best first.

    Raises:
        MemoryError: there is too little for the network.
    """
    manifest = detector.manifest
    if not any(detector.assesses(kind, fov) for kind in manifest.classes):
        return ()
    limits = {
        kind: manifest.thresholds[kind] if detector.assesses(kind, fov) else math.inf
        for kind in manifest.classes
    }
    return tuple(
        lesion for lesion in candidates(detector, photo, fov) if lesion.score >= limits[lesion.kind]
    )


def candidates(detector: Detector, photo: Photo, fov: FieldOfView) -> tuple[Lesion, ...]:
    """All that the network found, whatever its score and the photograph's size, best first.

    Args: as :func:`find`.
    """
    made = view.make(photo, fov, detector.manifest.radius, threads=detector.threads)
    found = on_view(detector, made)
    whole = made.to_view.inverse()
    classes = detector.manifest.classes
    rows = zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    return tuple(
        Lesion(classes[label - 1], whole.box((box[0], box[1], box[2], box[3])), score)
        for box, label, score in rows
    )


def on_view(detector: Detector, made: View) -> Boxes:
    """The same in the view's pixels: tile by tile, merged, best first."""
    manifest = detector.manifest
    height, width = tiles.fit(made, *manifest.height_width, manifest.overlap, manifest.step)
    corners = tiles.lay(made, height, width, manifest.overlap)
    at_once = detector.session.get_inputs()[0].shape[0]

    def look(start: int) -> Boxes:
        some = corners[start : start + at_once]
        cut = np.stack([tiles.cut(made, corner, height, width) for corner in some])
        return _moved(heads.HEADS[manifest.head](detector.session, cut), start)

    parts = _each(look, range(0, len(corners), at_once), detector.threads)
    together = _joined(parts)
    merged = merge.merge(
        together, np.array(corners), (height, width), made.pixels.shape[:2], manifest.suppress
    )
    return _on_retina(merged, made)


def _each(look: Callable[[int], Boxes], starts: range, threads: int) -> list[Boxes]:
    if threads == 1 or len(starts) == 1:
        return [look(start) for start in starts]
    with ThreadPoolExecutor(threads, thread_name_prefix="tiles") as pool:
        return list(pool.map(look, starts))


def _moved(found: Boxes, start: int) -> Boxes:
    """Tiles counted from the photograph's first one."""
    return Boxes(found.tile + start, found.boxes, found.labels, found.scores)


def _joined(parts: Sequence[Boxes]) -> Boxes:
    return Boxes(
        np.concatenate([part.tile for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def _on_retina(found: Boxes, made: View) -> Boxes:
    """Without what lies beyond the field: labels, notches, the border."""
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - made.centre
    inside: NDArray[np.bool_] = np.hypot(*centres.T) <= made.radius * RIM
    return Boxes(
        found.tile[inside], found.boxes[inside], found.labels[inside], found.scores[inside]
    )
