"""The ETDRS grid: in which of its nine fields about the fovea a point lies.

The grid is turned so that its horizontal is the line from the optic disc to the fovea. Its circles
have radii of 1/3, 1 and 2 disc diameters, which the study took for 500, 1500 and 3000 micrometres:
a disc diameter is 1500 micrometres there (Report 10, Ophthalmology 1991;98:786). The photograph is
taken to be upright.
"""

from __future__ import annotations

import math
from typing import Final

from fundoscope.geometry import Affine
from fundoscope.reading import RIGHT, Anatomy, FieldOfView

DISC_MICROMETRES: Final = 1500.0
"""One disc diameter by the convention of the ETDRS. On eyes it is nearer to 1800; the grid follows
the convention, as its circles were defined in disc diameters."""
CENTRE: Final = "centre"
INNER, OUTER = "inner", "outer"
SUPERIOR, NASAL, INFERIOR, TEMPORAL = "superior", "nasal", "inferior", "temporal"
RADII: Final = {
    CENTRE: 500.0 / DISC_MICROMETRES,
    INNER: 1500.0 / DISC_MICROMETRES,
    OUTER: 3000.0 / DISC_MICROMETRES,
}
"""Radii of the grid's circles in disc diameters."""
FIELDS: Final = (
    CENTRE,
    *(
        f"{ring}_{side}"
        for ring in (INNER, OUTER)
        for side in (SUPERIOR, NASAL, INFERIOR, TEMPORAL)
    ),
)
"""The nine fields of the grid."""


def retinal_map(anatomy: Anatomy, fov: FieldOfView) -> Affine | None:
    """The map from the photograph's pixels to disc diameters about the fovea.

    Args:
        anatomy: of the photograph.
        fov: its field of view, found.

    Returns:
        A map to the distances in the temporal and in the upward direction; ``None`` if the fovea,
        the disc diameter or the temporal side is not known.
    """
    centre = anatomy.fovea.centre
    temporal, unit = _temporal(anatomy, fov), anatomy.disc.diameter
    if centre is None or temporal is None or not unit:
        return None
    along, down = temporal
    # The upward axis is the temporal one turned by a right angle, to the side that is up.
    up = (down, -along) if along > 0 else (-down, along)
    turn = Affine(xx=along / unit, xy=down / unit, yx=up[0] / unit, yy=up[1] / unit)
    shift = Affine.shift(-centre[0], -centre[1])
    return shift.then(Affine.scale(fov.stretch or 1.0, 1.0)).then(turn)


def grid_field(point: tuple[float, float], anatomy: Anatomy, fov: FieldOfView) -> str | None:
    """The field of the ETDRS grid in which a point lies.

    Args:
        point: in the photograph's pixels.
        anatomy: as for :func:`retinal_map`.
        fov: likewise.

    Returns:
        One of :data:`FIELDS`; ``None`` if the point lies outside of the grid, or the grid is
        not known.
    """
    to_retina = retinal_map(anatomy, fov)
    if to_retina is None:
        return None
    temporal, up = to_retina.point(*point)
    distance = math.hypot(temporal, up)
    if distance <= RADII[CENTRE]:
        return CENTRE
    ring = next((ring for ring in (INNER, OUTER) if distance <= RADII[ring]), None)
    if ring is None:
        return None
    if abs(up) > abs(temporal):
        side = SUPERIOR if up > 0 else INFERIOR
    else:
        side = TEMPORAL if temporal > 0 else NASAL
    return f"{ring}_{side}"


def _temporal(anatomy: Anatomy, fov: FieldOfView) -> tuple[float, float] | None:
    """The unit vector towards the temporal side, in pixels of equal width and height."""
    disc, fovea = anatomy.disc.centre, anatomy.fovea.centre
    if disc is not None and fovea is not None:
        along, down = (fovea[0] - disc[0]) * (fov.stretch or 1.0), fovea[1] - disc[1]
        length = math.hypot(along, down)
        if along:  # straight above each other they do not say which side is up
            return along / length, down / length
    eye = anatomy.laterality.eye
    if eye is None:
        return None
    # In a right eye's photograph the nose is to the right.
    return (-1.0, 0.0) if eye == RIGHT else (1.0, 0.0)
