"""Which files a browser shows as the reader decodes them; all others are converted for the page.

Only bytes are compared here: files of strangers are decoded by processes of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO, Final

from fundoscope import limits
from fundoscope.photo.structure import jpeg, png

JPEG, PNG = "image/jpeg", "image/png"
HEAD_BYTES: Final = 512 * 2**10
"""Of a JPEG file, where its metadata lie: a segment has 64 KiB at most."""
TURNED_BY_XMP: Final = re.compile(rb'tiff:Orientation(?:="|>)[2-8]')
"""An orientation that we apply, where EXIF has none, and browsers do not."""
CHUNK: Final = 8
"""Bytes of a PNG chunk's length and type."""
BITS, COLOURS = 24, 25
"""The places of the bits of a channel and the type of colours in a PNG file."""
BYTE_BITS: Final = 8
WITH_ALPHA: Final = (4, 6)
"""Types of colours with transparency. We ignore it; browsers show the ground behind it."""
TRANSPARENCY, TEXTS = b"tRNS", (b"tEXt", b"zTXt", b"iTXt")
METADATA: Final = (b"Raw profile type ", b"XML:com.adobe.xmp\0")
"""How texts begin that may turn a photograph; as with ``eXIf``, not every browser turns it."""


def media_type(path: Path) -> str | None:
    """The media type of a photograph that browsers show as it was read; ``None`` for others.

    Of 16 bits a channel browsers show the upper 8, nearly black where 12 are in use.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(jpeg.START):
            return None if TURNED_BY_XMP.search(head) else JPEG
        if head.startswith(png.START):
            return PNG if _is_plain(stream, head) else None
    return None


def _is_plain(stream: BinaryIO, head: bytes) -> bool:
    """Whether a PNG file has 8 bits or fewer, no transparency, and nothing that may turn it."""
    if len(head) <= COLOURS or head[BITS] > BYTE_BITS or head[COLOURS] in WITH_ALPHA:
        return False
    place = len(png.START)
    for _ in range(limits.MAX_PNG_CHUNKS):
        stream.seek(place)
        chunk = stream.read(CHUNK + max(map(len, METADATA)))
        kind, content = chunk[4:CHUNK], chunk[CHUNK:]
        if len(kind) < 4 or kind == png.LAST:
            return True
        if kind in (TRANSPARENCY, png.EXIF) or (kind in TEXTS and content.startswith(METADATA)):
            return False
        place += png.FRAME_BYTES + int.from_bytes(chunk[:4], "big")
    return False
