"""The lesions of one photograph, by a bundle's network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.kinds import KINDS
from fundoscope.lesions import heads, merge, painted, tiles, view
from fundoscope.lesions.components import Components
from fundoscope.lesions.heads import Boxes
from fundoscope.lesions.painted import Painted
from fundoscope.lesions.view import View
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.reading import FieldOfView, Lesion, ModelUsed

if TYPE_CHECKING:
    import onnxruntime

_Seen = TypeVar("_Seen")
UINT8: Final = "tensor(uint8)"
"""ONNX Runtime's name for the type of maps."""


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
    def paints(self) -> bool:
        """Whether it gives maps, from which boxes are made."""
        return self.manifest.head == heads.MASK

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
    classes, masks = set(manifest.classes), manifest.head == heads.MASK
    gives = {one.name: one for one in session.get_outputs()}
    maps = gives.get(heads.MAPS) if masks else None
    faults = {
        "a kind has no threshold": not manifest.thresholds.keys() >= classes,
        "its radius is not positive": not manifest.radius > 0,
        "its tiles are no multiples of its step": step < 1 or any(side % step for side in sides),
        "its tiles do not reach beyond their overlap": not 0 <= manifest.overlap < min(sides),
        "its graph takes no fixed number of tiles": not isinstance(takes[0], int),
        "its graph gives other outputs": not gives.keys() >= set(heads.HEADS[manifest.head]),
        "a kind has no level": masks and not manifest.levels.keys() >= classes,
        "its graph gives maps of other kinds": maps is not None and maps.shape[1] != len(classes),
        "its graph's maps are no bytes": maps is not None and maps.type != UINT8,
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
    return with_maps(detector, photo, fov)[0]


def with_maps(
    detector: Detector, photo: Photo, fov: FieldOfView
) -> tuple[tuple[Lesion, ...], Painted | None]:
    """The same, and the maps that it comes from where the head paints.

    Args: as :func:`find`.
    """
    made = view.make(photo, fov, detector.manifest.radius, threads=detector.threads)
    if not detector.paints:
        return _lesions(detector, _merged(detector, made), made), None
    maps = maps_on_view(detector, made)
    found = _components(detector, maps, made)
    return _lesions(detector, found, made), Painted(detector.manifest.classes, maps, made.to_view)


def on_view(detector: Detector, made: View) -> Boxes:
    """What :func:`candidates` finds, in the view's pixels, best first."""
    if detector.paints:
        return _components(detector, maps_on_view(detector, made), made)
    return _merged(detector, made)


def _lesions(detector: Detector, found: Boxes, made: View) -> tuple[Lesion, ...]:
    """Boxes on a view as lesions of the photograph."""
    whole, classes = made.to_view.inverse(), detector.manifest.classes
    rows = zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    return tuple(
        Lesion(classes[label - 1], whole.box((box[0], box[1], box[2], box[3])), score)
        for box, label, score in rows
    )


def maps_on_view(detector: Detector, made: View) -> NDArray[np.uint8]:
    """What a ``mask`` head sees on a view: ``uint8 (K, H, W)``, of each class its probability.

    Of overlapping tiles each pixel is taken from the one in which it lies further inside, so that
    no lesion is cut at a seam.
    """
    height, width, corners = _laid(detector, made)
    parts = tiles.owned(corners, height, width, made)
    whole = np.zeros((len(detector.manifest.classes), *made.pixels.shape[:2]), np.uint8)

    def look(start: int, cut: Pixels) -> None:
        seen = zip(heads.maps(detector.session, cut), corners[start:], parts[start:], strict=False)
        for found, corner, part in seen:
            tiles.paste(whole, found, corner, part)

    _each_tile(look, detector, made, corners, (height, width))
    return whole


def _components(detector: Detector, maps: NDArray[np.uint8], made: View) -> Boxes:
    """The lesions of each kind at the bundle's levels, best first."""
    classes, levels = detector.manifest.classes, detector.manifest.levels

    def of_class(place: int) -> Components:
        kind = classes[place]
        return painted.lesions(maps[place], levels[kind], kind, made)

    parts = _each(of_class, range(len(classes)), detector.threads)
    labels = np.repeat(np.arange(1, len(classes) + 1), [len(part.scores) for part in parts])
    boxes = np.concatenate([part.boxes for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    return Boxes(np.zeros(len(order), np.int64), boxes[order], labels[order], scores[order])


def _merged(detector: Detector, made: View) -> Boxes:
    """The boxes of a ``boxes`` head on the retina: tile by tile, merged, best first."""
    manifest = detector.manifest
    height, width, corners = _laid(detector, made)

    def look(start: int, cut: Pixels) -> Boxes:
        return _moved(heads.boxes(detector.session, cut), start)

    parts = _each_tile(look, detector, made, corners, (height, width))
    found = merge.merge(
        _joined(parts),
        np.array(corners),
        (height, width),
        made.pixels.shape[:2],
        manifest.suppress,
    )
    on_it = view.on_retina(made, found.boxes)
    return Boxes(found.tile[on_it], found.boxes[on_it], found.labels[on_it], found.scores[on_it])


def _laid(detector: Detector, made: View) -> tuple[int, int, list[tiles.Corner]]:
    """Height, width and corners of the tiles that a view is read in."""
    manifest = detector.manifest
    height, width = tiles.fit(made, *manifest.height_width, manifest.overlap, manifest.step)
    return height, width, tiles.lay(made, height, width, manifest.overlap)


def _each_tile(
    look: Callable[[int, Pixels], _Seen],
    detector: Detector,
    made: View,
    corners: Sequence[tiles.Corner],
    size: tuple[int, int],
) -> list[_Seen]:
    """What ``look`` sees: it gets the number of a tile and, from that one on, so many tiles'
    pixels as the graph takes a call."""
    at_once = detector.session.get_inputs()[0].shape[0]

    def cut_and_look(start: int) -> _Seen:
        some = corners[start : start + at_once]
        return look(start, np.stack([tiles.cut(made, corner, *size) for corner in some]))

    return _each(cut_and_look, range(0, len(corners), at_once), detector.threads)


def _each(look: Callable[[int], _Seen], starts: range, threads: int) -> list[_Seen]:
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
