"""Decoding a file into pixels.

The format is found from the content, not from the name. Damaged files are rejected. A JPEG is
decoded at the smallest scale that is large enough; other pixels are reduced to it.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope import limits
from fundoscope.errors import PhotoError
from fundoscope.geometry import Affine
from fundoscope.photo import deep, formats, jpeg, orientation, scales
from fundoscope.photo.formats import JPEG, TIFF
from fundoscope.photo.strips import rgb
from fundoscope.photo.structure.check import check as check_structure
from fundoscope.photo.structure.source import InMemory
from fundoscope.quoting import encodable, quoted
from fundoscope.reading import PhotoFacts

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]
"""``uint8 (H, W, 3)``, RGB, 0 to 255."""

EXIF_ORIENTATION: Final = 0x0112
"""The EXIF tag of the orientation, 1 to 8."""
TIFF_BITS_PER_SAMPLE: Final = 258
"""The TIFF tag of the bits of each channel."""
DECODER_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on damaged files; it depends on the format and on the damage."""
PILLOW: Final = re.compile(r"PIL\.")
"""The modules of Pillow, for the filter of warnings."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph in memory.

    Attributes:
        facts: name, hash and size of the photograph as stored.
        pixels: ``uint8 (H, W, 3)`` RGB, possibly smaller than the photograph.
        to_pixels: the map from the photograph's pixels to those of ``pixels``.
        warnings: conversions that a reader of the result should know about.
    """

    facts: PhotoFacts
    pixels: Pixels
    to_pixels: Affine
    warnings: tuple[str, ...] = ()


def decode_file(path: str | Path, *, min_side: int | None = None) -> Photo:
    """Read and decode a photograph's file.

    Args:
        path: of the file.
        min_side: see :func:`decode`.

    Raises:
        PhotoError: the file cannot be read, or is not a photograph that can be decoded.
    """
    path = Path(path)
    return decode(read_bytes(path), name=name_of(path), min_side=min_side)


def name_of(path: Path) -> str:
    """A bare file name as text. Bytes that are not text, which JSON cannot hold, become escapes."""
    return encodable(path.name)


def read_bytes(path: Path) -> bytes:
    """Read a file, after checking its size.

    Raises:
        PhotoError: with the code ``not_found``, ``not_a_file``, ``no_permission``, ``unreadable``
            or ``too_large``.
    """
    name = encodable(path.name)
    if "\0" in name:
        raise PhotoError(quoted(name), "is not a file name", "check the path", code="not_found")
    try:
        if path.is_dir():
            raise PhotoError(name, "is a folder", "name the photographs in it", code="not_a_file")
        size = path.stat().st_size
        if not path.is_file():
            raise PhotoError(name, "is not a regular file", "name a file", code="not_a_file")
        _check_file_size(size, name)
        data = path.read_bytes()
    except FileNotFoundError:
        raise PhotoError(name, "does not exist", "check the path", code="not_found") from None
    except PermissionError:
        raise PhotoError(
            name, "may not be read", "change its permissions", code="no_permission"
        ) from None
    except OSError as error:
        raise PhotoError(
            name, f"cannot be read ({error.strerror})", "check the disk", code="unreadable"
        ) from None
    return data


def decode(data: bytes, *, name: str | None = None, min_side: int | None = None) -> Photo:
    """Decode a photograph from the bytes of a JPEG, PNG or TIFF file.

    Args:
        data: the file's content. The format is found from it, never from ``name``.
        name: the file's name, for messages and for the facts of the photograph.
        min_side: the photograph may be reduced (in steps of 1/8) as long as its shorter side
            still has this many pixels. ``None`` decodes it at full size.

    Raises:
        PhotoError: with the code ``empty``, ``not_an_image``, ``unsupported``, ``animated``,
            ``too_large``, ``too_complex``, ``too_small``, ``cmyk``, ``truncated`` (also for
            damage) or ``unsupported_mode``.
    """
    title = name or "photograph"
    if not data:
        raise PhotoError(title, "is empty (0 bytes)", "copy it again from the camera", code="empty")
    _check_file_size(len(data), title)
    check_structure(InMemory(title, data))
    image = _open(data, title)
    _check(image, title)
    notes: list[str] = []
    wanted = scales.wanted(image.size, min_side)
    decoded = scales.BLOCK
    if image.format == JPEG:
        with _damage_as_refusal(title):
            eighths = scales.decoded(image.size, wanted)
            padded = scales.takes_padded(eighths, wanted)
            pixels, decoded = jpeg.pixels(data, image, eighths, notes, padded=padded)
    else:
        pixels = _decode_pillow(image, title, notes, lambda: _open(data, title))
    # After the pixels: asking a PNG for its EXIF block would decode it without our checks.
    turned = _orientation(image)
    pixels = orientation.upright(pixels, turned)
    size = orientation.upright_size(image.size, turned)
    facts = PhotoFacts(name, hashlib.sha256(data).hexdigest(), *size)
    to_pixels = orientation.to_decoded(decoded / scales.BLOCK, size, pixels.shape, turned)
    photo = Photo(facts, pixels, to_pixels, tuple(notes))
    return photo if decoded == wanted else _reduced(photo, wanted)


def from_array(pixels: Pixels, *, name: str | None = None, min_side: int | None = None) -> Photo:
    """Make a photograph of an array.

    Args:
        pixels: ``uint8 (H, W, 3)``, RGB, 0 to 255.
        name: for messages only; it is not stored in the Reading.
        min_side: see :func:`decode`.

    Raises:
        PhotoError: the array has another shape or type (``unsupported_mode``), or its size is out
            of bounds (``too_small``, ``too_large``).
    """
    title = name or "array"
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PhotoError(
            title,
            f"is {pixels.dtype} {pixels.shape}, not uint8 (height, width, 3)",
            "convert it to 8-bit RGB",
            code="unsupported_mode",
        )
    height, width = pixels.shape[:2]
    check_size(width, height, title)
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.sha256(f"{height}x{width}x3:uint8:".encode())
    digest.update(pixels.data)
    facts = PhotoFacts(None, digest.hexdigest(), width, height)
    return _reduced(Photo(facts, pixels, Affine()), scales.wanted((width, height), min_side))


def _reduced(photo: Photo, eighths: int) -> Photo:
    """Reduce a photograph that was decoded at full size and turned upright."""
    to_pixels = photo.to_pixels.then(Affine.scale(eighths / scales.BLOCK))
    return replace(photo, pixels=scales.reduced(photo.pixels, eighths), to_pixels=to_pixels)


@contextmanager
def _damage_as_refusal(title: str) -> Iterator[None]:
    try:
        yield
    except DECODER_ERRORS as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(
            title,
            f"is damaged or incomplete ({detail})",
            "copy it again from the camera",
            code="truncated",
        ) from None


def _silence_pillow() -> None:
    """Silence Pillow's warnings of large pictures and odd tags; our own checks cover both.

    ``warnings.catch_warnings`` would be narrower, but it is not safe when several threads read
    photographs.
    """
    if not any(module == PILLOW for _, _, _, module, _ in warnings.filters):
        warnings.filterwarnings("ignore", module=PILLOW.pattern)


def _open(data: bytes, title: str) -> Image.Image:
    """Read only the header; Pillow decodes nothing until it is asked for pixels."""
    from PIL import Image, UnidentifiedImageError

    _silence_pillow()
    with _damage_as_refusal(title):
        try:
            image = Image.open(io.BytesIO(data), formats=formats.PHOTOGRAPHS)
        except Image.DecompressionBombError:
            raise PhotoError(
                title,
                f"has more than {limits.MAX_PIXELS // 10**6} million pixels",
                "store it smaller",
                code="too_large",
            ) from None
        except UnidentifiedImageError:
            raise PhotoError(title, **formats.foreign(data)._asdict()) from None
        if image.format == formats.MPO:
            image.format = JPEG
        return image


def _check(image: Image.Image, title: str) -> None:
    check_size(*image.size, title)
    if image.mode in ("CMYK", "YCCK"):
        raise PhotoError(title, "is in print colours (CMYK)", "store it as RGB", code="cmyk")
    with _damage_as_refusal(title):
        several = image.format != JPEG and _has_further_pictures(image)
    if several:
        raise PhotoError(
            title, "holds several pictures", "store the one to be read alone", code="animated"
        )


def _check_file_size(size: int, title: str) -> None:
    if size > limits.MAX_FILE_BYTES:
        raise PhotoError(
            title,
            f"has {size / 2**20:.0f} MiB, more than {limits.MAX_FILE_BYTES // 2**20}",
            "store it as JPEG or smaller",
            code="too_large",
        )


def check_size(width: int, height: int, title: str) -> None:
    """Check that a photograph is neither too small to be read nor too large for memory.

    Args:
        width: in pixels.
        height: in pixels.
        title: how the photograph is named in an error.

    Raises:
        PhotoError: with the code ``too_small`` or ``too_large``.
    """
    if min(width, height) < limits.MIN_SIDE:
        raise PhotoError(
            title,
            f"has {width} x {height} pixels, fewer than {limits.MIN_SIDE} on a side",
            "give the original photograph",
            code="too_small",
        )
    if max(width, height) > limits.MAX_SIDE or width * height > limits.MAX_PIXELS:
        raise PhotoError(
            title,
            f"has {width} x {height} pixels, more than {limits.MAX_PIXELS // 10**6} million"
            f" or {limits.MAX_SIDE} on a side",
            "store it smaller",
            code="too_large",
        )


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied, 1 to 8; 1 if it is missing or invalid."""
    if image.format == TIFF:
        return 1  # Pillow turns TIFF files itself.
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1  # A damaged EXIF block does not make the picture unreadable.
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_further_pictures(image: Image.Image) -> bool:
    """Whether a file holds pictures that are not reductions of its first one.

    Scanners and editors store small copies of a TIFF's first picture behind it.
    """
    # The pages of a TIFF are a linked list in the file, which may be damaged too.
    pages = getattr(image, "n_frames", 1)
    if image.format != TIFF or pages > limits.MAX_TIFF_PAGES:
        return pages > 1
    width, height = image.size
    for page in range(1, pages):
        image.seek(page)
        if image.size[0] >= width or image.size[1] >= height:
            return True
    if pages > 1:
        image.seek(0)
    return False


def _decode_pillow(
    image: Image.Image, title: str, notes: list[str], again: Callable[[], Image.Image]
) -> Pixels:
    """Decode a PNG or TIFF file.

    Args:
        image: the opened file.
        title: of the file, for messages.
        notes: conversions are added to them.
        again: opens the same file again.
    """
    is_deep = deep.is_deep(image)
    _check_planes(image, title, is_deep=is_deep)
    with _damage_as_refusal(title):
        image.load()
    if image.mode in ("RGBA", "LA", "PA") or (image.mode == "P" and "transparency" in image.info):
        notes.append("the photograph's transparency was ignored")
    if image.mode.startswith("I"):
        notes.append("16-bit values were converted to 8 bits by their 0.1 % and 99.9 % percentiles")
        return deep.grey(np.asarray(image))
    if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1", "YCbCr"):
        raise PhotoError(
            title,
            f"has pixels of mode {image.mode}",
            "store it as 8-bit RGB",
            code="unsupported_mode",
        )
    pixels: Pixels = rgb(image)
    if not is_deep:
        return pixels
    with _damage_as_refusal(title):
        pixels, bits = deep.upper_bits(pixels, again)
    used = "" if bits == deep.DEPTHS[-1] else f", of which {bits} bits are in use,"
    notes.append(f"16-bit colours{used} were reduced to their upper 8 bits")
    return pixels


def _check_planes(image: Image.Image, title: str, *, is_deep: bool) -> None:
    """Refuse a 16-bit TIFF file of separate planes: Pillow would take it for 8 bits and garble it.

    Raises:
        PhotoError: it is one.
    """
    bits = getattr(image, "tag_v2", {}).get(TIFF_BITS_PER_SAMPLE, (deep.BYTE_BITS,))
    if max(bits) > deep.BYTE_BITS and not is_deep and image.mode == "RGB":
        raise PhotoError(
            title,
            "is a 16-bit TIFF in separate planes",
            "store it as 8-bit RGB",
            code="unsupported_mode",
        )
