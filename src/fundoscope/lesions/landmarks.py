"""Optic disc and fovea on the whole field of view, by the network of a landmark bundle.

The network gives a coarse map for each landmark, whose values are the log-odds that the landmark is
there, and a map of the logarithm of the disc's diameter. A landmark lies at the mean of the places
around the highest value, weighted by their probabilities, which is exact to a fraction of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import LandmarksManifest
from fundoscope.photo import field
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, ModelUsed

if TYPE_CHECKING:
    import onnxruntime

DISC, FOVEA, DIAMETER = range(3)
"""The maps of the network, in order."""
SHAPE_AXES: Final = 4
MAPS: Final = 3
REACH: Final = 2
"""Cells around the highest value that decide the place: about the width of a peak. In training the
peak is a Gaussian of a standard deviation of 1.5 cells."""
ELSEWHERE: Final = 0.45
"""Distance in radii of the field, 1.5 disc diameters, from which on a second peak is another place.
"""
Maps = NDArray[np.float32]
"""``float32 (3, H, W)``: log-odds of disc and fovea, and the logarithm of the disc's diameter in
radii of the field."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a map has its highest value.

    Attributes:
        x: from -1 (the left edge of the field's square) to 1.
        y: from -1 (the upper edge) to 1.
        score: the probability there, 0 to 1.
        diameter: of the disc if it lies there, in radii of the field.
        rival: the highest probability farther away than :data:`ELSEWHERE`.
    """

    x: float
    y: float
    score: float
    diameter: float
    rival: float = 0.0


@dataclass(frozen=True, slots=True)
class Landmarker:
    """A loaded landmark bundle.

    Attributes:
        manifest: of the bundle.
        session: the loaded network.
        bundle_sha256: of the bundle's ``bundle.json``; ``None`` where there is none.
    """

    manifest: LandmarksManifest
    session: onnxruntime.InferenceSession
    bundle_sha256: str | None = None

    @property
    def used(self) -> ModelUsed:
        """The model as a Reading names it."""
        m = self.manifest
        return ModelUsed(m.task, m.name, m.model_sha256, self.bundle_sha256)

    @property
    def side(self) -> int:
        """Side in pixels of the square that the network takes."""
        return self.manifest.height_width[0]


def load(path: str | Path | None = None, *, providers: Sequence[str] | None = None) -> Landmarker:
    """Load and verify a landmark bundle.

    Args:
        path: the bundle's folder or zip file; ``None`` means the one that ships.
        providers: see :func:`fundoscope.models.runtime.available_providers`.

    Raises:
        BundleError: it is missing or damaged, or it is not one that this version can use.
        UsageError: a provider is not available.
    """
    path = bundles.shipped(bundles.LANDMARKS) if path is None else Path(path)
    bundle = bundles.load_landmarks(path)
    session = runtime.session(bundle, providers=providers)
    side = bundle.manifest.height_width
    takes, gives = session.get_inputs()[0].shape, session.get_outputs()[0].shape
    if (
        takes[1:] != [*side, 3]
        or side[0] != side[1]
        or len(gives) != SHAPE_AXES
        or gives[1] != MAPS
    ):
        raise BundleError(
            path.name,
            f"is not a landmark network: input {takes[1:]}, output {gives[1:]}",
            "export it again",
        )
    return Landmarker(bundle.manifest, session, bundle.sha256)


def ships() -> bool:
    """Whether this installation comes with a landmark bundle."""
    return (bundles.SHIPPED / bundles.LANDMARKS / bundles.MANIFEST).is_file()


def find(landmarker: Landmarker, photo: Photo, fov: FieldOfView) -> tuple[Peak, Peak]:
    """The likeliest disc and fovea, whatever their scores.

    Args:
        landmarker: from :func:`load`.
        photo: decoded at any scale.
        fov: its field of view, found.

    Raises:
        PhotoError: the network gives numbers that are not finite.
    """
    pixels = field.crop(photo, fov, landmarker.side)
    maps = runtime.run(landmarker.session, pixels[np.newaxis])
    runtime.require_finite(landmarker.manifest.name, maps)
    return peaks(maps[0])


def peaks(maps: Maps) -> tuple[Peak, Peak]:
    """Where disc and fovea lie on the maps of one photograph."""
    return _peak(maps, DISC), _peak(maps, FOVEA)


def _peak(maps: Maps, which: int) -> Peak:
    height, width = maps.shape[1:]
    row, column = divmod(int(maps[which].argmax()), width)
    rows = slice(max(0, row - REACH), row + REACH + 1)
    columns = slice(max(0, column - REACH), column + REACH + 1)
    near = 1 / (1 + np.exp(-maps[which, rows, columns].astype(np.float64)))
    weights = near / near.sum()
    y = (np.arange(height)[rows] + 0.5) / height * 2 - 1
    x = (np.arange(width)[columns] + 0.5) / width * 2 - 1
    all_x, all_y = (np.arange(side) + 0.5 for side in (width, height))
    away = np.hypot((all_x - column - 0.5) * 2 / width, ((all_y - row - 0.5) * 2 / height)[:, None])
    odds = maps[which][away > ELSEWHERE].max(initial=-np.inf)
    size = float((weights * maps[DIAMETER, rows, columns]).sum())
    return Peak(
        x=float(weights.sum(axis=0) @ x),
        y=float(weights.sum(axis=1) @ y),
        score=float(near.max()),
        diameter=float(np.exp(size)),
        rival=float(1 / (1 + np.exp(-np.float64(odds)))),
    )
