"""The lesions of one photograph, by the network of a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.geometry import clipped
from fundoscope.kinds import KINDS
from fundoscope.lesions import comparable, heads, merge, segmentation, tiles
from fundoscope.lesions import view as views
from fundoscope.lesions.components import Components
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.lesions.segmentation import Segmentation
from fundoscope.lesions.view import View
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.reading import FieldOfView, Lesion, ModelUsed

if TYPE_CHECKING:
    import onnxruntime

_Result = TypeVar("_Result")
UINT8: Final = "tensor(uint8)"
"""ONNX Runtime's name for the type of maps."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A loaded detection bundle.

    Attributes:
        manifest: of the bundle.
        session: the loaded network.
        threads: CPU threads for one photograph.
        bundle_sha256: of the bundle's ``bundle.json``; ``None`` where there is none.
    """

    manifest: DetectorManifest
    session: onnxruntime.InferenceSession
    threads: int = 1
    bundle_sha256: str | None = None

    @property
    def used(self) -> ModelUsed:
        """The model as a Reading names it."""
        m = self.manifest
        return ModelUsed(m.task, m.name, m.model_sha256, self.bundle_sha256)

    @property
    def has_masks(self) -> bool:
        """Whether the network gives segmentation masks, from which boxes are made."""
        return self.manifest.head == heads.MASK

    @property
    def decode_side(self) -> int:
        """The ``min_side`` to decode a photograph with."""
        return views.decode_side(self.manifest.radius)

    def assesses(self, kind: str, fov: FieldOfView) -> bool:
        """Whether it can see a kind of lesion on a photograph with a field of this size.

        On a squeezed photograph the shorter of both radii counts.
        """
        minimum = self.manifest.minimum_radius.get(kind)
        if minimum is None or fov.radius is None:
            return False
        return min(fov.radius, fov.radius / (fov.stretch or 1.0)) >= minimum

    def reads(self, fov: FieldOfView) -> bool:
        """Whether a field of this size is large enough for any kind, the optic disc included."""
        return any(self.assesses(kind, fov) for kind in self.manifest.classes)


def load(
    path: str | Path | None = None, *, threads: int = 1, providers: Sequence[str] | None = None
) -> Detector:
    """Load and verify a detection bundle.

    Args:
        path: the bundle's folder or zip file; ``None`` means the one that ships.
        threads: CPU threads for one photograph. Each reads tiles of its own, on one thread
            of ONNX Runtime, so the result does not depend on their number.
        providers: see :func:`fundoscope.models.runtime.available_providers`.

    Raises:
        BundleError: it is missing or damaged, or it is not a detector that this version can use.
        UsageError: a provider is not available.
    """
    path = bundles.shipped(bundles.DETECTION) if path is None else Path(path)
    bundle = bundles.load_detector(path)
    manifest = bundle.manifest
    unknown = [kind for kind in manifest.classes if kind not in KINDS]
    if manifest.head not in heads.HEADS or unknown:
        raise BundleError(
            path.name,
            f"needs another version: {manifest.head!r} head for"
            f" {', '.join(unknown or manifest.classes)} is unknown here",
            "use the fundoscope version that it was made with",
        )
    session = runtime.session(bundle, providers=providers)
    fault = _fault(manifest, session)
    if fault is not None:
        raise BundleError(path.name, f"cannot be used: {fault}", "export it again")
    return Detector(manifest, session, threads, bundle.sha256)


def _fault(manifest: DetectorManifest, session: onnxruntime.InferenceSession) -> str | None:
    """The first contradiction within a bundle, or ``None``."""
    sides, step, takes = manifest.height_width, manifest.step, session.get_inputs()[0].shape
    classes, masks = set(manifest.classes), manifest.head == heads.MASK
    outputs = {output.name: output for output in session.get_outputs()}
    maps = outputs.get(heads.MAPS) if masks else None
    faults = {
        "a kind has no threshold": not manifest.thresholds.keys() >= classes,
        "its radius is not positive": not manifest.radius > 0,
        "its tiles are not multiples of its step": step < 1 or any(side % step for side in sides),
        "its tiles are not larger than their overlap": not 0 <= manifest.overlap < min(sides),
        "its graph does not take a fixed number of tiles": not isinstance(takes[0], int),
        "its graph has other outputs": not outputs.keys() >= set(heads.HEADS[manifest.head]),
        "a kind has no level": masks and not manifest.levels.keys() >= classes,
        "its graph gives maps of other kinds": maps is not None and maps.shape[1] != len(classes),
        "its graph's maps are not bytes": maps is not None and maps.type != UINT8,
    }
    return next((fault for fault, present in faults.items() if present), None)


def find(detector: Detector, photo: Photo, fov: FieldOfView) -> tuple[Lesion, ...]:
    """Find lesions and landmarks on a photograph, using the bundle's thresholds.

    Args:
        detector: from :func:`load`.
        photo: decoded with ``detector.decode_side``.
        fov: its field of view, which must have been found.

    Returns:
        Lesions of the kinds that the detector can see at this size, highest score first.

    Raises:
        MemoryError: there is too little memory for the network.
        PhotoError: the network failed, or gave values that are not finite.
    """
    return accepted(detector, assessable(detector, photo, fov), fov)


def assessable(detector: Detector, photo: Photo, fov: FieldOfView) -> tuple[Lesion, ...]:
    """As :func:`candidates`, without reading a photograph too small for every kind."""
    return candidates(detector, photo, fov) if detector.reads(fov) else ()


def accepted(detector: Detector, boxes: Sequence[Lesion], fov: FieldOfView) -> tuple[Lesion, ...]:
    """The boxes that reach the bundle's thresholds, of kinds that it can see at this size.

    Args:
        detector: from :func:`load`.
        boxes: what :func:`candidates` gives, in any order; the order is kept.
        fov: the field of view, which must have been found.
    """
    manifest = detector.manifest
    limits = {
        kind: manifest.thresholds[kind] if detector.assesses(kind, fov) else math.inf
        for kind in manifest.classes
    }
    return tuple(lesion for lesion in boxes if lesion.score >= limits[lesion.kind])


def candidates(detector: Detector, photo: Photo, fov: FieldOfView) -> tuple[Lesion, ...]:
    """Find everything that the network sees, whatever its score and the size of the photograph.

    Args:
        detector: as for :func:`find`.
        photo: likewise.
        fov: likewise.

    Returns:
        The lesions, highest score first.
    """
    return with_maps(detector, photo, fov)[0]


def with_maps(
    detector: Detector, photo: Photo, fov: FieldOfView
) -> tuple[tuple[Lesion, ...], Segmentation | None]:
    """As :func:`candidates`, with the maps that the lesions come from.

    Args:
        detector: as for :func:`find`.
        photo: likewise.
        fov: likewise.

    Returns:
        The lesions, highest score first, and the maps; ``None`` if the head gives boxes.
    """
    view = views.make(photo, fov, detector.manifest.radius, threads=detector.threads)
    if not detector.has_masks:
        return _lesions(detector, _merged(detector, view), view, photo), None
    maps = maps_on_view(detector, view)
    lesions = _lesions(detector, _boxed(detector, maps, view), view, photo)
    return lesions, Segmentation(detector.manifest.classes, maps, view.to_view)


def on_view(detector: Detector, view: View) -> DetectedBoxes:
    """As :func:`candidates`, for a view and in its pixels; highest score first."""
    if detector.has_masks:
        return _boxed(detector, maps_on_view(detector, view), view)
    return _merged(detector, view)


def _lesions(
    detector: Detector, detections: DetectedBoxes, view: View, photo: Photo
) -> tuple[Lesion, ...]:
    """Lesions of the photograph, from boxes on a view, which reaches a pixel beyond it."""
    width, height = photo.facts.width, photo.facts.height
    to_photo, classes = view.to_view.inverse(), detector.manifest.classes
    rows = zip(
        detections.boxes.tolist(),
        detections.labels.tolist(),
        detections.scores.tolist(),
        strict=True,
    )
    placed = (
        (classes[label - 1], clipped(to_photo.box((x0, y0, x1, y1)), width, height), score)
        for (x0, y0, x1, y1), label, score in rows
    )
    return tuple(
        Lesion(kind, box, score)
        for kind, box, score in placed
        if box[0] < box[2] and box[1] < box[3]
    )


def maps_on_view(detector: Detector, view: View) -> NDArray[np.uint8]:
    """The probability maps of a ``mask`` head for a whole view.

    Where tiles overlap, a pixel is taken from the tile in which it is further from the edge, so
    that no lesion is cut at a seam.

    Args:
        detector: with a ``mask`` head.
        view: to read.

    Returns:
        ``uint8 (K, H, W)``: for each class the probability times 255.
    """
    height, width, corners = _layout(detector, view)
    parts = tiles.owned(corners, height, width, view)
    whole = np.zeros((len(detector.manifest.classes), *view.pixels.shape[:2]), np.uint8)

    def read(start: int, pixels: Pixels) -> None:
        maps_of_tiles = heads.maps(detector.session, pixels)
        for maps, corner, part in zip(maps_of_tiles, corners[start:], parts[start:], strict=False):
            tiles.paste(whole, maps, corner, part)

    _for_tiles(read, detector, view, corners, (height, width))
    return whole


def _boxed(detector: Detector, maps: NDArray[np.uint8], view: View) -> DetectedBoxes:
    """The boxes of the lesions on maps, at the bundle's levels; highest score first."""
    classes, levels = detector.manifest.classes, detector.manifest.levels

    def of_class(place: int) -> Components:
        kind = classes[place]
        return segmentation.lesions(maps[place], levels[kind], kind, view)

    parts = _in_parallel(of_class, range(len(classes)), detector.threads)
    labels = np.repeat(np.arange(1, len(classes) + 1), [len(part.scores) for part in parts])
    boxes = np.concatenate([part.boxes for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    found = DetectedBoxes(
        np.zeros(len(order), np.int64), boxes[order], labels[order], scores[order]
    )
    return comparable.all_corrected(found, detector.manifest, view)


def _merged(detector: Detector, view: View) -> DetectedBoxes:
    """The boxes of a ``boxes`` head on the retina, merged over tiles; highest score first."""
    height, width, corners = _layout(detector, view)

    def read(start: int, pixels: Pixels) -> DetectedBoxes:
        detections = heads.boxes(detector.session, pixels)
        heads.require_valid(detections, len(detector.manifest.classes))
        return replace(detections, tile=detections.tile + start)

    parts = _for_tiles(read, detector, view, corners, (height, width))
    merged = merge.merge(
        _joined(parts),
        np.array(corners),
        (height, width),
        view.pixels.shape[:2],
        detector.manifest.suppress,
    )
    found = heads.subset(merged, np.flatnonzero(views.on_retina(view, merged.boxes)))
    return comparable.all_corrected(found, detector.manifest, view)


def _layout(detector: Detector, view: View) -> tuple[int, int, list[tiles.Corner]]:
    """Height, width and corners of the tiles that a view is read in."""
    manifest = detector.manifest
    height, width = tiles.fit(view, *manifest.height_width, manifest.overlap, manifest.step)
    return height, width, tiles.lay(view, height, width, manifest.overlap)


def _for_tiles(
    read: Callable[[int, Pixels], _Result],
    detector: Detector,
    view: View,
    corners: Sequence[tiles.Corner],
    size: tuple[int, int],
) -> list[_Result]:
    """Apply ``read`` to the tiles, in batches as large as the graph takes.

    Args:
        read: gets the number of the first tile of a batch, and the pixels of its tiles.
        detector: with the graph.
        view: to cut into tiles.
        corners: of the tiles.
        size: height and width of a tile.
    """
    batch = detector.session.get_inputs()[0].shape[0]

    def cut_and_read(start: int) -> _Result:
        batch_corners = corners[start : start + batch]
        return read(start, np.stack([tiles.cut(view, corner, *size) for corner in batch_corners]))

    return _in_parallel(cut_and_read, range(0, len(corners), batch), detector.threads)


def _in_parallel(function: Callable[[int], _Result], places: range, threads: int) -> list[_Result]:
    """The results of a function for each place, in their order."""
    if threads == 1 or len(places) == 1:
        return [function(place) for place in places]
    with ThreadPoolExecutor(threads, thread_name_prefix="tiles") as pool:
        return list(pool.map(function, places))


def _joined(parts: Sequence[DetectedBoxes]) -> DetectedBoxes:
    return DetectedBoxes(
        np.concatenate([part.tile for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
