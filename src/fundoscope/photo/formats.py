"""The file formats that are read, and the names of those that are not.

Pillow tries every parser that it has unless it is given a list. Each parser is code that a hostile
file can reach, so only those of :data:`PHOTOGRAPHS` (or :data:`MASKS`) are ever offered a file. Of
other common formats only the first bytes are compared, to tell the user what the file is.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from fundoscope.photo.structure import jpeg, png
from fundoscope.photo.structure.source import COPY_AGAIN, TRUNCATED

JPEG, MPO, PNG, TIFF = "JPEG", "MPO", "PNG", "TIFF"
PHOTOGRAPHS: Final = (JPEG, PNG, TIFF)
"""Pillow's names of the formats of photographs. Some cameras write MPO, a JPEG followed by further
pictures; Pillow's parser of JPEG opens it, and calls it so."""
MASKS: Final = (*PHOTOGRAPHS, "BMP", "GIF")
"""The same for masks: data sets ship bitmaps and, as DRIVE, GIF files too."""

AS_PICTURE: Final = "store it as JPEG, PNG or TIFF"
NOT_AN_IMAGE: Final = "not_an_image"
UNSUPPORTED: Final = "unsupported"


class Foreign(NamedTuple):
    """A file of a format that is not read.

    Attributes:
        why: what it is, to follow the file's name.
        remedy: what to do.
        code: of the refusal.
    """

    why: str
    remedy: str
    code: str


DICOM_START: Final = 128
"""Bytes before the word ``DICM`` in a DICOM file."""
BARE_DICOM: Final = (
    b"\x02\x00\x00\x00UL",
    b"\x08\x00\x05\x00",
    b"\x08\x00\x00\x00",
    b"\x08\x00\x08\x00",
)
"""First element of DICOM files without that word: older cameras wrote them so."""
DICOM: Final = Foreign(
    "is a DICOM file, which is not read",
    "export the photograph from it as PNG or JPEG, with the camera's software or a DICOM viewer",
    UNSUPPORTED,
)
BRANDS: Final = {
    b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"hevc": "HEIC",
    b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
"""The formats of the ISO container, by the brand after ``ftyp``."""
SIGNATURES: Final = (
    (0, b"GIF87a", "GIF"), (0, b"GIF89a", "GIF"), (0, b"BM", "BMP"), (8, b"WEBP", "WEBP"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"), (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"), (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "Photoshop"), (0, b"MM\x00+", "BigTIFF"),
    (0, b"P5", "PNM"), (0, b"P6", "PNM"), (0, b"II\xbc", "JPEG XR"),
)  # fmt: skip
"""Place, first bytes and name of pictures that are not read."""
DOCUMENTS: Final = (
    (b"%PDF", "a PDF document"), (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"), (b"7z\xbc\xaf", "a 7z archive"), (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an office document"), (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"), (b"<svg", "an SVG drawing"), (b"<?xml", "an XML document"),
    (b"<!DOCTYPE", "a web page"), (b"<!doctype", "a web page"), (b"<html", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)  # fmt: skip
"""First bytes and name of files that are not pictures."""
DOCUMENT_REMEDIES: Final = {
    "a PDF document": "export the photograph in it as PNG or JPEG",
    "a ZIP archive or an office document": "unpack it, and give the JPEG, PNG or TIFF file",
    "a Git LFS pointer": "fetch the file itself with: git lfs pull",
    "a web page": "download the photograph itself, not the page around it",
}
TIFF_STARTS: Final[dict[bytes, Literal["little", "big"]]] = {b"II*\0": "little", b"MM\0*": "big"}
"""First bytes of a TIFF file, and the order of bytes in its numbers."""
TIFF_ENTRY: Final = 12
"""Bytes of an entry of its directory."""
JPEG_START: Final = b"\xff\xd8"
JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that begin a frame of a JPEG."""
MARKER: Final = 0xFF
SEGMENT_HEADER: Final = 4
"""Bytes of a segment's marker and length."""
BYTE_BITS: Final = 8
SHORTEST: Final = 13
"""Bytes below which a file is not a picture of any of these formats: a GIF's header has 13."""


def foreign(data: bytes, *, is_whole: bool = True) -> Foreign:
    """Describe a file that none of the parsers of :data:`PHOTOGRAPHS` takes.

    Args:
        data: the file's content, or its first kilobyte.
        is_whole: whether it is all of the content.
    """
    unknown = Foreign("is not an image", "give a JPEG, PNG or TIFF file", NOT_AN_IMAGE)
    if len(data) < SHORTEST:
        return unknown
    if data[DICOM_START : DICOM_START + 4] == b"DICM" or data.startswith(BARE_DICOM):
        return DICOM
    named = [name for at, start, name in SIGNATURES if data[at : at + len(start)] == start]
    if data[4:8] == b"ftyp":
        named = [BRANDS[data[8:12]]] if data[8:12] in BRANDS else []
    bits = _jpeg_bits(data)
    if bits not in (None, BYTE_BITS):
        named = [f"a JPEG of {bits} bits a channel"]
    if named:
        return Foreign(f"is {named[0]}, which is not read", AS_PICTURE, UNSUPPORTED)
    order = TIFF_STARTS.get(data[:4])
    if order is not None and not (is_whole and _is_cut(data, order)):
        why = "is a TIFF file of a kind that is not read"
        return Foreign(why, "store it as 8-bit RGB", UNSUPPORTED)
    if order is not None or data.startswith((jpeg.START, png.START, b"II+\0")):
        return Foreign("is damaged or incomplete", COPY_AGAIN, TRUNCATED)
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, name in DOCUMENTS:
        if text.startswith(start):
            remedy = DOCUMENT_REMEDIES.get(name, unknown.remedy)
            return Foreign(f"is not an image but {name}", remedy, NOT_AN_IMAGE)
    return unknown


def _is_cut(data: bytes, order: Literal["little", "big"]) -> bool:
    """Whether the directory of a TIFF file, which many programs write last, is missing."""
    start = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[start : start + 2], order)
    return start + 2 + TIFF_ENTRY * max(entries, 1) > len(data)


def _jpeg_bits(data: bytes) -> int | None:
    """Bits a channel of a JPEG, from the header of its frame; ``None`` if that is not found."""
    place = len(JPEG_START)
    while data.startswith(JPEG_START) and place + SEGMENT_HEADER < len(data):
        if data[place] != MARKER:
            return None
        if data[place + 1] in JPEG_FRAMES:
            return data[place + SEGMENT_HEADER]
        place += 2 + int.from_bytes(data[place + 2 : place + SEGMENT_HEADER], "big")
    return None
