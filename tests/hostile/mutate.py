"""Seeded damage to files of every kind that is read, and what a user does with each.

A case is a kind and a number; the same case always makes the same bytes. ``bench/mutated.py`` runs
many of them.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import seeds

from fundoscope.errors import FundoscopeError

SEED = 20261129
LONGEST_MESSAGE = 10_000
TOKENS = (
    b"", b"\x00", b"\xff\xfe", b"\xff\xff\xff\xff", b"\x1b[2J", b"\xed\xa0\x80", b"\\ud800",
    b"null", b"-1", b"1e999999999", b"NaN", b"Infinity", b"9" * 5_000, b"0" * 5_000, b"[" * 3_000,
    b"{" * 500, b'"' + b"x" * 20_000 + b'"', b"../../../../etc/passwd", b"/dev/zero", b"a" * 300,
    b"\xe2\x80\xa8", b"true", b"{}", b"[]", b'""', b"\n\n", b",;\t", b"&#1;", b"&lt;", b"<object/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"%s%n", b"=1+1", b"0.5", b"1.5", b"-0.0", b"1e308",
    b"\r", b"\xc2\x85", b"- ", b": ", b"#",
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 32_767, 32_768, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
PNG, ZIP = b"\x89PNG\r\n\x1a\n", b"PK\x03\x04"
MILD = 0.5
"""The share of cases of texts in which values change and nothing else."""
VALUE = re.compile(rb"(?<=[\s\":,;\[>=])(?:-?\d+(?:\.\d+)?|[A-Za-z_]\w*)(?=[\s\",;\]}<])")
VALUES = (
    b"0", b"-1", b"1", b"2", b"0.5", b"1e9", b"1e300", b"-1e-300", b"16384", b"16385", b"65536",
    b"9999999999", b"1" * 400, b"0." + b"3" * 400, b"true", b"null", b"", b" ", b"x", b"a.png",
    b"..", b"/", b"a/b.png", b"NaN", b"inf", "é\u2028".encode(), b"1,2", b"[1]", b"{}",
)  # fmt: skip
REPAIRED = 0.7
"""The share of cases whose check sums are put right, so that the damage is read."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: writes whole files into a folder, once.
        targets: the files that are damaged, relative to the folder.
        use: what a user does with the folder, or its file.
    """

    make: Callable[[Path], object]
    targets: tuple[str, ...]
    use: Callable[[Path], object]


KINDS = {name: Kind(*parts) for name, parts in seeds.KINDS.items()}


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        word: ``"read"``, ``"refused"``, or ``"failed"``.
        detail: of a failure.
    """

    word: str
    detail: str = ""


def run(name: str, number: int, folder: Path) -> Outcome:
    """Run a case.

    Args:
        name: a key of :data:`KINDS`.
        number: of the case.
        folder: an empty one, which is filled.
    """
    damage(name, number, folder)
    return use(name, folder)


def use(name: str, folder: Path) -> Outcome:
    """Use the files of a kind in a folder."""
    try:
        KINDS[name].use(folder)
    except FundoscopeError as error:
        text = str(error)
        if len(text.splitlines()) > 1 or len(text) > LONGEST_MESSAGE:
            return Outcome("failed", f"a message of {len(text)} characters: {text[:300]!r}")
        return Outcome("refused")
    except BaseException as error:  # noqa: BLE001 (also a panic of Rust)
        return Outcome("failed", _described(error))
    return Outcome("read")


def damage(name: str, number: int, folder: Path) -> None:
    """Write the files of a case into an empty folder."""
    kind, rng = KINDS[name], random.Random(f"{SEED} {name} {number}")
    target = rng.choice(kind.targets)
    for path, data in whole(name).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(mutated(data, rng) if path == target else data)


@cache
def whole(name: str) -> dict[str, bytes]:
    """The whole files of a kind."""
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        KINDS[name].make(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with one to four damages."""
    if data.startswith(ZIP) and rng.random() < REPAIRED:
        return _in_archive(data, rng)
    if not data.startswith((PNG, ZIP)) and VALUE.search(data) and rng.random() < MILD:
        return _with_other_value(data, rng)
    for _ in range(rng.randint(1, 4)):
        data = _damaged(data, rng)
    if data.startswith(PNG) and rng.random() < REPAIRED:
        return _with_check_sums(data)
    return data


def _with_other_value(data: bytes, rng: random.Random) -> bytes:
    """A text with another value in one or two places, which mostly still parses."""
    for _ in range(rng.randint(1, 2)):
        places = list(VALUE.finditer(data))
        if not places:
            return data
        match = rng.choice(places)
        value = rng.choice((*VALUES, rng.choice(places)[0], match[0] * 2, match[0] * 40))
        data = data[: match.start()] + value + data[match.end() :]
    return data


def _damaged(data: bytes, rng: random.Random) -> bytes:
    near = rng.random() < 0.4
    most = min(len(data), 400) if near else len(data)
    place, end = sorted(rng.randrange(most + 1) for _ in range(2))
    match rng.randrange(9):
        case 0:
            return data[:place] + rng.choice(TOKENS) + data[place:]
        case 1:
            return data[:place] + rng.choice(TOKENS) + data[min(end, place + 12) :]
        case 2:
            return data[:place] + data[end:]
        case 3:
            return data[:place] + data[place:end] * rng.choice((2, 2, 3, 50)) + data[end:]
        case 4:
            number, form = rng.choice(NUMBERS), rng.choice(("<H", ">H", "<I", ">I"))
            size = struct.calcsize(form)
            packed = struct.pack(form, number % (1 << 8 * size))
            return data[:place] + packed + data[place + size :]
        case 5:
            return data[:end]
        case 6:
            other = rng.randrange(most + 1)
            return data[:other] + data[place:end] + data[other:]
        case _:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                if changed:
                    changed[rng.randrange(most) if most else 0] ^= 1 << rng.randrange(8)
            return bytes(changed)


def _in_archive(data: bytes, rng: random.Random) -> bytes:
    """An archive with damage in one of its files, packed again with the right check sums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    chosen = rng.choice(sorted(files))
    match rng.randrange(8):
        case 0:
            del files[chosen]
        case 1:
            files[rng.choice(("../x", "/x", chosen.upper(), "a" * 300))] = files.pop(chosen)
        case _:
            files[chosen] = _damaged(files[chosen], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _with_check_sums(data: bytes) -> bytes:
    """A PNG file whose chunks have the right check sums."""
    out, place = [data[: len(PNG)]], len(PNG)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : place + 8 + length]
        if len(body) < 4 + length:
            break
        out += [data[place : place + 4], body, struct.pack(">I", zlib.crc32(body))]
        place += 12 + length
    return b"".join(out) + data[place:]


def _described(error: BaseException) -> str:
    """An exception, and where in this project it was raised."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "fundoscope" in frame.filename] or frames
    where = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    return f"{type(error).__name__} at {where}: {str(error)[:300]}"


def clear(folder: Path) -> None:
    """Empty a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
