"""The field of view: the disc of retina, and the square cut out around it.

The finder works on a small copy of the photograph:

1. The corners give the border's colour (:mod:`fundoscope.photo.border`). What differs from it is
   lit.
2. An upright ellipse is fitted to the edge of the light (:mod:`fundoscope.photo.rim`).
3. The content decides whether it can be a retina (:mod:`fundoscope.photo.retina`).

For a photograph without a border the field is the smallest disc around the whole picture. A slide
whose disc is cut off on all four sides is trimmed to its picture first.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.photo import border, further, retina, rim
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.photo.rim import Ellipse, Signal
from fundoscope.reading import FieldOfView

WORKING_SIDE: Final = 256
"""Longer side in pixels of the small copy: 1 % of a radius is then about a pixel. With 352 pixels
the error on the photographs marked by hand is the same, and it takes half as long again."""
DECODED_SIDE: Final = 264
"""Least shorter side in pixels of the decoded photograph, whatever is cut out of it."""
DECODE_MARGIN: Final = 1.1
"""Shorter side of the decoded photograph, as a multiple of the crop's side. The disc is rarely much
smaller than the shorter side, so a crop is nearly always scaled down, not up."""
DARK: Final = 11
DARK_SHARE: Final = 0.01
"""A photograph is too dark if less than this share of its values reach the first, 0 to 255."""
LIT_SHARE: Final = 0.12
"""A pixel is lit if it differs from the border by this share of the bright parts' difference."""
LIT_FLOOR: Final = 5.0
"""The smallest difference (0 to 255) at which a pixel is lit."""
NATURAL: Final = 0.06
"""A stretch that differs from 1 by less than this is an error of the lens or the fit; no photograph
is squeezed so little."""
STRETCH_ERROR: Final = 0.03
"""A stretch is trusted if its standard error is below this."""
WIDER: Final = 1.1
"""An ellipse with this many times the coverage of the circle is preferred to it."""
BETTER: Final = 0.8
"""An ellipse whose spread is below this share of the circle's is preferred to it."""
MIN_COVERAGE: Final = 0.05
"""Least coverage of a disc's rim: 18 of 360 directions. Four cut corners show about as much."""
MIN_AGREEMENT: Final = 0.2
"""Least share of the directions covered by the picture in which the rim is seen."""
MAX_SPREAD: Final = 0.02
"""Largest spread of an aperture's rim, as a share of the radius."""
STRETCHED_SPREAD: Final = 0.006
"""Largest spread of a stretched disc. The squeezed photographs that we have seen had 0.0007 to
0.0015; a cut-off disc that a stretch could explain had 0.013."""
FULL: Final = 0.9
"""Share of lit pixels from which a picture counts as one without a border."""
CORNER_RIM: Final = 0.95
"""For such a picture, the least radius of a rim that shows in its corners, as a multiple of half of
the height."""


TRIMMED: Final = 0.85
"""A disc that is cut off on all sides is looked for within the box around the lit part, if at least
this share of the box is lit; the corners of a slide's frame take a few per cent."""
TRIMMED_AREA: Final = 0.1
"""The least area of that part, as a share of the picture's."""
FADE: Final = 2
"""Working pixels along the edges of the lit part in which it fades into the frame."""
MUCH_VISIBLE: Final = 0.7
"""Share of the disc below which a warning says that the rest is cut off. A 3:2 picture without a
border shows 59 %, a square one 64 %; the disc of an ordinary camera, 80 % and more."""
AROUND: Final = 1.01
"""Radii within which a disc around the whole picture has the corners: the small copy on which it is
found may lack a part of a pixel at its edges."""
LONG: Final = 1.7
"""A picture without a border that is this many times as long as broad may show two eyes."""
VISIBLE_SIDE: Final = 128
"""Side in pixels of the square on which that share is measured."""


def decode_side(size: int) -> int:
    """The ``min_side`` to decode a photograph with.

    Args:
        size: side of the crop, in pixels.

    Returns:
        Pixels on the shorter side, enough for the crop and for the finder.
    """
    return max(math.ceil(size * DECODE_MARGIN), DECODED_SIDE)


def find(photo: Photo, *, textured: bool = True) -> FieldOfView:
    """Find the field of view.

    Args:
        photo: decoded at any scale.
        textured: whether texture and vessels decide that it is a retina, too. Without it texture is
            not asked; all other reasons still hold.

    Returns:
        Centre and radius in the photograph's pixels, or ``found`` false with the reason.
    """
    field, small, light = _search(_reduced(photo))
    if not field.found:
        return field
    square = crop(small, field, retina.SIDE)
    if retina.colourless(square):
        return FieldOfView(False, reason="no_colour")
    if textured and not retina.plausible(square):
        return FieldOfView(False, reason="not_a_retina")
    if further.may_meet(light.mask) and further.seam(_reduced(photo, further.SEAM_SIDE).pixels):
        return FieldOfView(False, reason="several_fields")
    if _shows_another(small, light, field):
        return FieldOfView(False, reason="several_fields")
    return field


def locate(photo: Photo) -> FieldOfView:
    """Find the disc without checking that it shows a retina.

    Args:
        photo: decoded at any scale.

    Returns:
        As :func:`find`.
    """
    return _search(_reduced(photo))[0]


def crop(photo: Photo, field: FieldOfView, size: int) -> Pixels:
    """Cut the field's square out, without stretching the retina. Outside of the disc it is black.

    Args:
        photo: decoded at any scale.
        field: its field of view, which must have been found.
        size: side of the square in pixels.

    Returns:
        ``uint8 (size, size, 3)`` RGB; the disc touches all four sides.

    Raises:
        ValueError: the field was not found.
    """
    to_pixels = field.to_unit().inverse().then(photo.to_pixels)
    x0, y0, x1, y1 = to_pixels.box((-1.0, -1.0, 1.0, 1.0))
    left, top = math.floor(x0), math.floor(y0)
    # Pillow fills with black what lies outside of the picture.
    around = Image.fromarray(photo.pixels).crop((left, top, math.ceil(x1), math.ceil(y1)))
    sampling = Image.Resampling.BOX if x1 - x0 > 2 * size else Image.Resampling.BILINEAR
    square = around.resize((size, size), sampling, box=(x0 - left, y0 - top, x1 - left, y1 - top))
    pixels: Pixels = np.array(square)
    pixels *= _disc_of_colours(size)
    return pixels


def warnings(photo: Photo, field: FieldOfView) -> tuple[str, ...]:
    """Sentences about anything unusual in how the field was found."""
    if field.stretch is None:
        return ()
    notes = []
    if field.stretch != 1.0:
        notes.append(
            f"the photograph is stored squeezed (a pixel is {field.stretch:.2f} times"
            " as wide as tall); this was undone for grading"
        )
    width, height = photo.facts.width, photo.facts.height
    corners = np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    if (np.hypot(*field.to_unit().points(corners).T) <= AROUND).all():
        notes.append(
            "the picture shows no border; the field of view was taken to be the smallest disc"
            " around it"
        )
        if max(width, height) > LONG * min(width, height):
            notes.append("the picture is long for one eye; if it shows two, cut them apart")
    elif (visible := _visible(photo, field)) < MUCH_VISIBLE:
        notes.append(
            f"the picture shows only {visible:.0%} of the field of view; the rest is cut off"
        )
    return tuple(notes)


def _visible(photo: Photo, field: FieldOfView) -> float:
    """The share of the disc that is lit, 0 to 1."""
    inside = disc(VISIBLE_SIDE)
    square = crop(photo, field, VISIBLE_SIDE)
    return float(retina.is_lit(square)[inside].mean())


def crop_map(field: FieldOfView, size: int) -> Affine:
    """The map from the photograph's pixels to those of :func:`crop`.

    Args:
        field: the field of view, which must have been found.
        size: side of the crop, in pixels.

    Raises:
        ValueError: the field was not found.
    """
    return field.to_unit().then(Affine.scale(size / 2)).then(Affine.shift(size / 2, size / 2))


@cache
def disc(size: int) -> NDArray[np.bool_]:
    """``bool (size, size)``: the pixels whose centre lies in the square's inscribed disc."""
    axis = (np.arange(size) + 0.5) * (2 / size) - 1
    inside: NDArray[np.bool_] = axis[:, None] ** 2 + axis**2 <= 1.0
    inside.flags.writeable = False  # the cached array is shared by all callers
    return inside


@cache
def _disc_of_colours(size: int) -> Pixels:
    """``uint8 (size, size, 3)``: 1 in the disc. An index by :func:`disc` is 20 times as slow."""
    inside = np.repeat(disc(size)[..., np.newaxis], 3, axis=2).view(np.uint8)
    inside.flags.writeable = False  # the cached array is shared by all callers
    return inside


def _reduced(photo: Photo, side: int = WORKING_SIDE) -> Photo:
    """A small copy of a photograph, with at most ``side`` pixels on its longer side."""
    height, width = photo.pixels.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return photo
    # Use exactly one scale for both axes, so that a circle stays a circle. This loses less than one
    # working pixel at the right and lower edge.
    size = (int(width * factor), int(height * factor))
    small = Image.fromarray(photo.pixels).resize(
        size, Image.Resampling.BOX, box=(0, 0, size[0] / factor, size[1] / factor)
    )
    return replace(
        photo, pixels=np.asarray(small), to_pixels=photo.to_pixels.then(Affine.scale(factor))
    )


def _search(photo: Photo) -> tuple[FieldOfView, Photo, Light]:
    """Find the disc on a small copy.

    Returns:
        The field, the copy, and its light; what lies around the picture of a slide is black on it.
    """
    pixels = photo.pixels
    light = _light(pixels)
    if float((pixels[::2, ::2] >= DARK).mean()) < DARK_SHARE:
        return FieldOfView(False, reason="too_dark"), photo, light
    ellipse = _ellipse(light)
    if ellipse is not None:
        return _in_photograph(ellipse, photo.to_pixels), photo, light
    window = _slide(light)
    if window is None:
        return FieldOfView(False, reason="no_disc"), photo, light
    if border.coloured(border.colour(pixels)):
        return FieldOfView(False, reason="framed"), photo, light
    bare = np.zeros_like(pixels)
    bare[window] = pixels[window]
    ellipse = _in_window(pixels[window])
    left, top = window[1].start, window[0].start
    placed = replace(ellipse, x=ellipse.x + left, y=ellipse.y + top)
    return _in_photograph(placed, photo.to_pixels), replace(photo, pixels=bare), _light(bare)


class Light(NamedTuple):
    """How much the pixels of the small copy differ from the border.

    Attributes:
        signal: ``float32 (H, W)``, the difference, 0 to 255, smoothed.
        mask: ``bool (H, W)``, the lit pixels.
    """

    signal: Signal
    mask: NDArray[np.bool_]


def _light(pixels: Pixels) -> Light:
    """The difference of each pixel from the border, and which pixels are lit."""
    colour = border.colour(pixels)
    smooth = border.smoothed(border.distance(pixels, colour))
    bright = float(np.percentile(smooth[::2, ::2], 90))
    mask = smooth > max(LIT_FLOOR, LIT_SHARE * bright)
    framed = border.coloured(colour) and float(mask.mean()) < FULL
    return Light(smooth, border.without_line(mask) if framed else mask)


def _ellipse(light: Light) -> Ellipse | None:
    height, width = light.mask.shape
    share = float(light.mask.mean())
    mask = further.largest(light.mask)
    aperture = _fitted(light.signal, rim.outline(mask), (width, height))
    if share < FULL:
        return aperture
    # Nearly all of the picture is lit. A real rim can then only show in the corners, outside of any
    # disc that fits into the picture. A smaller ellipse is something drawn on the retina.
    if aperture is not None and aperture.radius > CORNER_RIM * height / 2:
        return aperture
    return _around(width, height)


def _slide(light: Light) -> tuple[slice, slice] | None:
    """The rows and columns of a picture within a frame that cuts its disc off on all four sides."""
    mask = further.largest(light.mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    window = (
        slice(int(rows[0]) + FADE, int(rows[-1]) + 1 - FADE),
        slice(int(columns[0]) + FADE, int(columns[-1]) + 1 - FADE),
    )
    part = mask[window]
    if part.size < TRIMMED_AREA * mask.size or part.mean() < TRIMMED:
        return None
    return window


def _in_window(pixels: Pixels) -> Ellipse:
    """The disc of a slide's picture: the rim in its corners, or the smallest disc around it."""
    height, width = pixels.shape[:2]
    ellipse = _ellipse(_light(pixels))
    if ellipse is not None and rim.believable(ellipse, (width, height)):
        return ellipse
    return _around(width, height)


def _shows_another(photo: Photo, light: Light, field: FieldOfView) -> bool:
    """Whether the picture shows a second retina beside a found one.

    Args:
        photo: the small copy.
        light: of the same.
        field: the found one.
    """
    size = light.mask.shape[1], light.mask.shape[0]
    for part in further.parts(light.mask, field, photo.to_pixels):
        ellipse = _fitted(light.signal * part, rim.outline(part), size)
        if ellipse is None or not further.covers(ellipse, part):
            continue
        square = crop(photo, _in_photograph(ellipse, photo.to_pixels), retina.SIDE)
        if retina.plausible(square):
            return True
    return False


def _fitted(signal: Signal, points: NDArray[np.float64], size: tuple[int, int]) -> Ellipse | None:
    """The better of a circle and an ellipse; ``None`` if neither can be an aperture."""
    circle = _fit(signal, points, size, stretch=1.0)
    if circle is not None and rim.clean(circle):
        return circle
    ellipse = _fit(signal, points, size, stretch=None)
    if ellipse is None or not _stretched(ellipse):
        return circle
    if circle is None:
        return ellipse
    better = ellipse.coverage > WIDER * circle.coverage or ellipse.spread < BETTER * circle.spread
    return ellipse if better else circle


def _fit(
    signal: Signal, points: NDArray[np.float64], size: tuple[int, int], stretch: float | None
) -> Ellipse | None:
    """Fit a circle (``stretch`` 1) or an ellipse (``None``) that can be an aperture's rim."""
    start = rim.guess(points, size, stretch=stretch)
    if start is None:
        return None
    fitted = rim.refine(signal, start, free=stretch is None)
    seen = fitted.coverage >= MIN_COVERAGE and fitted.agreement >= MIN_AGREEMENT
    possible = seen and fitted.spread <= MAX_SPREAD and rim.believable(fitted, size)
    return fitted if possible else None


def _stretched(ellipse: Ellipse) -> bool:
    """Whether an ellipse is certainly not a circle."""
    return (
        abs(ellipse.stretch - 1) > NATURAL
        and ellipse.stretch_error < STRETCH_ERROR
        and ellipse.spread < STRETCHED_SPREAD
    )


def _around(width: int, height: int) -> Ellipse:
    """The smallest circle around the whole picture."""
    return Ellipse(width / 2, height / 2, math.hypot(width, height) / 2, 1.0)


def _in_photograph(ellipse: Ellipse, to_working: Affine) -> FieldOfView:
    """The field of view in the photograph's pixels, of an ellipse on the small copy."""
    back = to_working.inverse()
    x, y = back.point(ellipse.x, ellipse.y)
    radius = ellipse.radius * back.yy
    stretch = ellipse.stretch * back.yy / back.xx
    return FieldOfView(True, (x, y), radius, stretch)
