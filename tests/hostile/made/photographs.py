"""Photographs and masks that cost far more than they look."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from made.bomb import Bomb, content

LARGE = (8_900, 8_900)
"""Width and height just below the bound of 80 megapixels."""
PIECE = 2**20
ADLER = 65_521
"""The modulus of the check sum Adler-32 (RFC 1950)."""
SOS, END = b"\xff\xda", b"\xff\xd9"


def jpeg(size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    """A JPEG file of noise."""
    noise = np.random.default_rng(5).integers(60, 160, (size[1] // 8, size[0] // 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size).save(stream, "JPEG", **options)
    return stream.getvalue()


def claims(data: bytes, size: tuple[int, int], marker: int = 0xC0) -> bytes:
    """A JPEG file whose header states another size."""
    place = data.index(bytes((0xFF, marker))) + 5
    return data[:place] + struct.pack(">HH", size[1], size[0]) + data[place + 4 :]


def segment(marker: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(data: bytes, *more: bytes) -> bytes:
    """A JPEG file with more segments at its start."""
    return data[:2] + b"".join(more) + data[2:]


def scans(count: int, size: tuple[int, int], *, between: bytes = b"") -> bytes:
    """A progressive JPEG with its last scan repeated."""
    stream = io.BytesIO()
    Image.new("RGB", size, (90, 60, 30)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(SOS)
    return data[:last] + (between + data[last:-2]) * count + END


def as_kind(marker: int, size: tuple[int, int] = LARGE) -> bytes:
    """A JPEG whose frame is of another kind."""
    data = claims(jpeg(), size)
    return data.replace(b"\xff\xc0", bytes((0xFF, marker)), 1)


def progressive_of_zeros(size: tuple[int, int]) -> bytes:
    """A progressive JPEG of full colours whose first scan has a bit for each block."""
    data = claims(jpeg(progressive=True, subsampling=0), size, 0xC2)
    place = data.index(SOS)
    head = data[place : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
    return data[:place] + head + bytes(3 * size[0] * size[1] // 64 // 8 + 100_000) + END


def two_frames() -> bytes:
    data = jpeg()
    place = data.index(b"\xff\xc0")
    length = int.from_bytes(data[place + 2 : place + 4], "big") + 2
    frame = data[place : place + length]
    return data[:place] + claims(frame, LARGE) + data[place:]


def directory(entries: Sequence[tuple[int, int, int, int]], next_: int = 0) -> bytes:
    """A directory of TIFF, little-endian: tag, type, count and value of each entry."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", next_)


def overlapping(entries: int, count: int, *, kind: int = 3) -> bytes:
    """A block of TIFF whose entries all hold the same bytes."""
    start = 8 + 2 + 12 * entries + 4
    listed = [(tag, kind, count, start) for tag in range(entries)]
    return b"II*\0" + struct.pack("<I", 8) + directory(listed) + bytes(2 * count)


def tiff(
    *entries: tuple[int, int, int, int],
    size: tuple[int, int] = LARGE,
    bits: int = 8,
    compression: int = 8,
    data: bytes = b"",
    ending: bytes = b"",
    tiled: bool = False,
) -> bytes:
    """A grey TIFF of one strip or tile; further entries replace those of the same tag."""
    listed = {
        256: (256, 4, 1, size[0]),
        257: (257, 4, 1, size[1]),
        258: (258, 3, 1, bits),
        259: (259, 3, 1, compression),
        262: (262, 3, 1, 1),
        277: (277, 3, 1, 1),
    }
    place, count = (324, 325) if tiled else (273, 279)
    listed[place] = (place, 4, 1, 0)
    listed[count] = (count, 4, 1, len(data))
    listed |= {entry[0]: entry for entry in entries}
    start = 8 + 2 + 12 * len(listed) + 4
    if listed[place][2] == 1:
        listed[place] = (place, 4, 1, start)
    written = directory([listed[tag] for tag in sorted(listed)])
    return b"II*\0" + struct.pack("<I", 8) + written + data + ending


def chain(pages: int, *, ring: bool = False) -> bytes:
    """A TIFF whose pictures are a long list, or a ring."""
    one = directory([(256, 4, 1, 64), (257, 4, 1, 64)])
    ends = [8 + (page + 1) * len(one) for page in range(pages)]
    ends[-1] = 8 if ring else 0
    body = b"".join(one[:-4] + struct.pack("<I", end) for end in ends)
    return b"II*\0" + struct.pack("<I", 8) + body


def big_tiff(count: int) -> bytes:
    return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, count) + bytes(64)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    size: tuple[int, int] = LARGE,
    *,
    bits: int = 8,
    colours: int = 2,
    interlaced: int = 0,
    before: bytes = b"",
    after: bytes = b"",
    data: bytes = b"",
    end: bytes = chunk(b"IEND", b""),
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, bits, colours, 0, 0, interlaced)
    palette = chunk(b"PLTE", b"\0\0\0\xff\xff\xff") if colours == 3 else b""
    pixels = chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + palette + pixels + after + end


def zeros(count: int) -> bytes:
    """At least so many zeros, compressed by deflate."""
    pieces = -(-count // PIECE)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # After a full flush each piece is compressed alike, so one is enough.
    piece = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = (pieces * PIECE % ADLER << 16) + 1
    return b"\x78\xda" + piece * pieces + b"\x03\x00" + struct.pack(">I", check)


def dense(bits: int = 8, colours: int = 2, channels: int = 3, interlaced: int = 0) -> bytes:
    """A black PNG just below the bound of pixels."""
    row = -(-LARGE[0] * bits * channels // 8) + 1
    return png(bits=bits, colours=colours, interlaced=interlaced, data=zeros(row * LARGE[1]))


def small_png(before: bytes = b"", after: bytes = b"") -> bytes:
    return png((64, 64), before=before, after=after, data=zeros(64 * 193))


def by_pillow(kind: str, mode: str, **options: object) -> bytes:
    """An even picture just below the bound of pixels, written by Pillow."""
    stream = io.BytesIO()
    Image.new(mode, LARGE).save(stream, kind, **options)
    return stream.getvalue()


def bitmap_of_runs() -> bytes:
    """A bitmap of run lengths of one pixel each."""
    size = struct.pack("<IiiHHIIiiII", 40, 8_000, 8_000, 1, 8, 1, 0, 0, 0, 2, 0)
    head = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 8) + size + bytes(8)
    return head + b"\x01\x01" * 4_000_000


def speckled() -> bytes:
    """A mask of single pixels, each an object of its own."""
    pixels = np.zeros((4_000, 4_000), bool)
    pixels[::2, ::2] = True
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def sparse(size: int, start: bytes) -> Callable[[Path], None]:
    """A file of zeros that takes no room on the disk."""

    def make(path: Path) -> None:
        with path.open("wb") as stream:
            stream.write(start)
            stream.truncate(size)

    return make


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def read(path: Path) -> object:
    from fundoscope.photo.decode import decode_file

    return decode_file(path)


def read_mask(path: Path) -> object:
    from fundoscope.data.annotations.masks.components import components
    from fundoscope.data.annotations.masks.pixels import read_mask as pixels_of

    return components(pixels_of(path).pixels)


def header(path: Path) -> object:
    from fundoscope.data.annotations.pictures import picture_size

    return picture_size(path)


def _jpegs() -> Iterator[Bomb]:
    lying = partial(Bomb, use=read, lies=True)
    bomb = partial(Bomb, use=read)
    exif = overlapping(1_000, 25_000)[:65_000]
    yield lying("claims-80-megapixels.jpg", content(lambda: claims(jpeg(), LARGE)))
    yield lying("claims-65535.jpg", content(lambda: claims(jpeg(), (65_535, 65_535))))
    yield lying(
        "progressive-claims-80-megapixels.jpg",
        content(lambda: claims(jpeg(progressive=True), LARGE, 0xC2)),
    )
    yield lying("arithmetic-claims-80-megapixels.jpg", content(lambda: as_kind(0xC9)))
    yield lying("lossless-claims-80-megapixels.jpg", content(lambda: as_kind(0xC3)))
    yield lying("two-frames.jpg", content(two_frames))
    yield bomb("20000-scans.jpg", content(lambda: scans(20_000, (640, 480))), lies=True)
    yield bomb("1000-scans-of-12-megapixels.jpg", content(lambda: scans(1_000, (4_000, 3_000))))
    yield bomb(
        "scans-behind-a-comment.jpg",
        content(lambda: scans(5_000, (640, 480), between=segment(0xFE, END))),
    )
    yield bomb(
        "progressive-of-60-megapixels.jpg", content(lambda: progressive_of_zeros((8_000, 7_500)))
    )
    yield bomb(
        "progressive-of-40-megapixels.jpg",
        content(lambda: progressive_of_zeros((6_400, 6_200))),
        may_be_read=True,
    )
    many = b"".join(segment(0xFE) for _ in range(1_000_000))
    yield lying("a-million-comments.jpg", content(lambda: after_start(jpeg(), many)))
    yield lying(
        "junk-between-segments.jpg", content(lambda: after_start(jpeg(), bytes(20_000_000)))
    )
    yield lying(
        "filling-between-segments.jpg", content(lambda: after_start(jpeg(), b"\xff" * 20_000_000))
    )
    yield lying(
        "exif-of-the-same-bytes.jpg",
        content(lambda: after_start(jpeg(), segment(0xE1, b"Exif\0\0" + exif))),
    )
    yield lying(
        "pictures-of-the-same-bytes.jpg",
        content(lambda: after_start(jpeg(), segment(0xE2, b"MPF\0" + exif))),
    )
    large = overlapping(1_000, 2_000_000)
    parts = [large[at : at + 60_000] for at in range(0, len(large), 60_000)]
    yield lying(
        "exif-of-several-segments.jpg",
        content(
            lambda: after_start(jpeg(), *(segment(0xE1, b"Exif\0\0" + each) for each in parts))
        ),
    )


def _pngs() -> Iterator[Bomb]:
    lying = partial(Bomb, use=read, lies=True)
    bomb = partial(Bomb, use=read)
    text = chunk(b"zTXt", b"Comment\0\0" + zeros(100 * 2**20))
    small = chunk(b"zTXt", b"Comment\0\0" + zeros(2**20))
    profile = b"\nexif\n  65000\n" + overlapping(1_000, 25_000)[:65_000].hex().encode()
    yield lying("claims-80-megapixels.png", content(png))
    yield lying("claims-60000.png", content(lambda: png((60_000, 60_000))))
    yield lying("two-headers.png", content(lambda: small_png(before=png()[8:33])))
    yield lying("black.png", content(dense))
    yield lying("black-of-16-bits.png", content(lambda: dense(16)), slow_to_make=True)
    yield lying("black-of-one-bit.png", content(lambda: dense(1, 0, 1)))
    yield lying("black-with-palette.png", content(lambda: dense(1, 3, 1)))
    yield lying("black-interlaced.png", content(lambda: dense(interlaced=1)), slow_to_make=True)
    yield lying(
        "empty-chunks.png",
        content(lambda: small_png(before=chunk(b"tEXt", b"") * 1_000_000)),
    )
    yield lying(
        "empty-pixels.png", content(lambda: small_png(after=chunk(b"IDAT", b"") * 1_000_000))
    )
    yield bomb("text.png", content(lambda: small_png(before=text)), may_be_read=True)
    yield bomb("texts.png", content(lambda: small_png(before=small * 2_000)))
    yield bomb("texts-behind.png", content(lambda: small_png(after=small * 400)), may_be_read=True)
    yield bomb(
        "colour-profile.png",
        content(lambda: small_png(before=chunk(b"iCCP", b"p\0\0" + zeros(100 * 2**20)))),
        may_be_read=True,
    )
    yield bomb(
        "colour-profiles.png",
        content(lambda: small_png(before=chunk(b"iCCP", b"p\0\0" + zeros(2**19)) * 1_000)),
    )
    yield bomb(
        "international-text.png",
        content(lambda: small_png(before=chunk(b"iTXt", b"x\0\x01\0\0\0" + zeros(100 * 2**20)))),
        may_be_read=True,
    )
    yield lying(
        "exif-of-the-same-bytes.png",
        content(lambda: small_png(before=chunk(b"eXIf", overlapping(1_000, 500_000)))),
    )
    yield bomb(
        "exif-in-text.png",
        content(
            lambda: small_png(
                before=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
            )
        ),
        may_be_read=True,
    )
    yield lying(
        "a-billion-frames.png",
        content(lambda: small_png(before=chunk(b"acTL", struct.pack(">II", 2**30, 0)))),
    )
    yield lying(
        "a-chunk-of-2-gigabytes.png",
        content(lambda: small_png(before=struct.pack(">I4s", 2**31 - 1, b"tEXt"))),
    )


def _tiffs() -> Iterator[Bomb]:
    lying = partial(Bomb, use=read, lies=True)
    black = zeros(LARGE[0] * LARGE[1])
    yield lying(
        "a-tile-of-2-gigabytes.tif",
        content(lambda: tiff((322, 4, 1, 46_336), (323, 4, 1, 46_336), tiled=True)),
    )
    yield lying(
        "a-tile-of-2-gigabytes-around-64-pixels.tif",
        content(
            lambda: tiff(
                (322, 4, 1, 46_336), (323, 4, 1, 46_336), size=(64, 64), data=black, tiled=True
            )
        ),
    )
    yield lying(
        "tiles-of-no-pixel.tif",
        content(lambda: tiff((322, 4, 1, 0), (323, 4, 1, 0), size=(64, 64), tiled=True)),
    )
    for compression in (1, 5, 8, 32_773, 34_925, 50_000, 50_001):
        yield lying(
            f"claims-80-megapixels-by-{compression}.tif",
            content(partial(tiff, compression=compression, data=bytes(100))),
        )
    yield lying("black.tif", content(lambda: tiff(data=black)))
    yield lying("white-by-fax.tif", content(lambda: by_pillow("TIFF", "1", compression="group4")))
    yield lying(
        "black-by-lzw.tif",
        content(lambda: by_pillow("TIFF", "L", compression="tiff_lzw")),
        slow_to_make=True,
    )
    yield lying("a-hundred-thousand-pages.tif", content(lambda: chain(100_000)))
    yield lying("a-ring-of-pages.tif", content(lambda: chain(5, ring=True)))
    yield lying("a-page-that-is-its-next.tif", content(lambda: chain(1, ring=True)))
    yield lying("65535-entries.tif", content(lambda: overlapping(65_535, 25_000)))
    yield lying("entries-of-the-same-bytes.tif", content(lambda: overlapping(1_000, 500_000)))
    yield lying(
        "a-million-bits-per-sample.tif",
        content(lambda: tiff((258, 3, 2_000_000, 8), data=bytes(4_000_000), size=(64, 64))),
    )
    yield lying(
        "a-million-strips.tif",
        content(lambda: tiff((273, 4, 900_000, 8), data=bytes(4_000_000), size=(2_000, 2_000))),
    )
    yield lying(
        "60000-samples.tif", content(lambda: tiff((277, 3, 1, 60_000), size=(2_000, 2_000)))
    )
    yield lying("big-tiff-of-many-entries.tif", content(lambda: big_tiff(2**60)))
    yield lying(
        "a-strip-of-20000-scans.tif",
        content(
            lambda: tiff(
                (262, 3, 1, 6), (277, 3, 1, 3), size=(640, 480), compression=7,
                data=scans(20_000, (640, 480)),
            )
        ),
    )  # fmt: skip


def _files() -> Iterator[Bomb]:
    lying = partial(Bomb, use=read, lies=True)
    yield lying("a-pipe.jpg", pipe)
    yield lying("an-endless-device.jpg", endless)
    yield lying("300-megabytes.jpg", sparse(300 * 2**20, b"\xff\xd8\xff"))
    yield Bomb("250-megabytes-of-nothing.jpg", sparse(250 * 2**20, b"\xff\xd8\xff"), read)


def _masks() -> Iterator[Bomb]:
    lying = partial(Bomb, use=read_mask, lies=True)
    yield lying("mask-of-run-lengths.bmp", content(bitmap_of_runs))
    yield lying("mask-claims-60000.png", content(lambda: png((60_000, 60_000))))
    yield lying("mask-claims-80-megapixels.png", content(png))
    yield lying("mask-a-pipe.png", pipe)
    yield lying("mask-an-endless-device.png", endless)
    yield lying(
        "mask-of-a-tile-of-2-gigabytes.tif",
        content(lambda: tiff((322, 4, 1, 46_336), (323, 4, 1, 46_336), tiled=True)),
    )
    yield lying("mask-of-a-hundred-thousand-pages.tif", content(lambda: chain(100_000)))
    yield Bomb("mask-of-specks.png", content(speckled), read_mask)
    yield Bomb("mask-of-one-bit.png", content(lambda: dense(1, 0, 1)), read_mask, may_be_read=True)
    yield Bomb(
        "size-of-a-million-comments.jpg",
        content(lambda: after_start(jpeg(), segment(0xFE) * 1_000_000)),
        header,
        lies=True,
    )


def bombs() -> list[Bomb]:
    """All of them."""
    return [*_jpegs(), *_pngs(), *_tiffs(), *_files(), *_masks()]
