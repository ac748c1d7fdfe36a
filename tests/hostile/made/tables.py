"""Tables that cost far more than they look."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from made.bomb import Bomb, content
from made.photographs import endless, pipe, sparse

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def read(path: Path) -> object:
    from fundoscope.data.table import read_table

    return read_table(path, required=("image",))


def workbook(**parts: bytes) -> bytes:
    """A workbook with other parts: ``sheet`` or ``strings``."""
    import openpyxl

    stream = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["image", "grade"])
    book.save(stream)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(stream) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = parts.get(name.rpartition("/")[2].partition(".")[0], source.read(name))
            target.writestr(name, data)
    return out.getvalue()


def sheet(rows: bytes) -> bytes:
    start = f'<worksheet xmlns="{MAIN}"><sheetData>'.encode()
    return start + rows + b"</sheetData></worksheet>"


def wide_rows(count: int) -> bytes:
    """Rows whose only cell is the last one of the sheet, and blank."""
    rows = (f'<row r="{row}"><c r="XFD{row}"/></row>' for row in range(1, count))
    return sheet("".join(rows).encode())


def lying_zip() -> bytes:
    """A workbook that states a small size of its sheet."""
    data = workbook(sheet1=sheet(b"<row/>" * 20_000_000))
    size = (6 * 20_000_000 + len(sheet(b""))).to_bytes(4, "little")
    return data.replace(size, (1_000).to_bytes(4, "little"))


def parquet(columns: Callable[[], dict[str, object]], **options: object) -> bytes:
    import polars as pl

    stream = io.BytesIO()
    pl.DataFrame(columns()).write_parquet(stream, **options)
    return stream.getvalue()


def repeated(rows: int, cells: int) -> dict[str, object]:
    import polars as pl

    return {f"image{n or ''}": pl.repeat("x" * 40, rows, eager=True) for n in range(cells)}


def long_text(rows: int) -> dict[str, object]:
    """A megabyte of text in each row, which the file holds once."""
    import polars as pl

    return {"image": pl.repeat("x" * 2**20, rows, eager=True, dtype=pl.Categorical)}


def torn_parquet() -> bytes:
    """A file whose header states more values than memory can hold."""
    data = bytearray(parquet(lambda: repeated(50, 3)))
    end = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - end : -8]
    # Zig-zag variable-length integers of the number of rows: 50 is 100, a byte.
    large = footer.replace(b"\x64", b"\xfe\xff\xff\xff\xff\x7f", 4)
    return bytes(data[: -8 - end] + large + len(large).to_bytes(4, "little") + b"PAR1")


def bombs() -> Iterator[Bomb]:
    """All of them."""
    bomb = partial(Bomb, use=read)
    lying = partial(Bomb, use=read, lies=True)
    yield lying("table-a-pipe.csv", pipe)
    yield lying("table-an-endless-device.csv", endless)
    yield lying("table-of-600-megabytes.csv", sparse(600 * 2**20, b"image\n"))
    yield bomb("table-of-a-million-columns.csv", content(lambda: b"image," * 1_000_000 + b"\na\n"))
    yield bomb("table-of-60-million-cells.csv", content(lambda: b"image\n" + b"," * 60_000_000))
    yield bomb("table-of-a-long-cell.csv", content(lambda: b"image\n" + b"a" * 50_000_000 + b"\n"))
    yield bomb("table-of-one-quote.csv", content(lambda: b'image\n"' + b"a\n" * 25_000_000))
    yield bomb("table-of-blank-lines.csv", content(lambda: b"image\n" + b"\n" * 30_000_000))
    if importlib.util.find_spec("openpyxl"):
        yield lying(
            "workbook-of-blanks.xlsx",
            content(lambda: workbook(sheet1=sheet(b" " * 120_000_000))),
        )
        yield bomb(
            "workbook-of-texts.xlsx",
            content(lambda: workbook(sharedStrings=b"<sst>" + b"<si><t>a</t></si>" * 7_000_000)),
        )
        yield bomb(
            "workbook-of-wide-rows.xlsx", content(lambda: workbook(sheet1=wide_rows(100_000)))
        )
        yield bomb(
            "workbook-of-one-far-row.xlsx",
            content(lambda: workbook(sheet1=sheet(b'<row r="1048576"><c r="A1048576"/></row>'))),
        )
        yield bomb("workbook-that-lies.xlsx", content(lying_zip), slow_to_make=True)
        yield bomb(
            "workbook-of-entities.xlsx",
            content(
                lambda: workbook(
                    sheet1=b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
                    + sheet(b"<row><c><v>&b;</v></c></row>")
                )
            ),
        )
    if importlib.util.find_spec("polars"):
        yield bomb(
            "table-of-6-million-rows.parquet",
            content(partial(parquet, partial(repeated, 6_000_000, 1))),
        )
        yield bomb(
            "table-of-cells.parquet",
            content(partial(parquet, partial(repeated, 3_000_000, 20))),
            slow_to_make=True,
        )
        yield bomb(
            "table-of-5000-columns.parquet", content(partial(parquet, partial(repeated, 1, 5_000)))
        )
        yield bomb(
            "table-of-long-texts.parquet", content(partial(parquet, partial(long_text, 20_000)))
        )
        yield bomb("table-of-more-rows-than-it-holds.parquet", content(torn_parquet))
        yield bomb("table-that-is-no-parquet.parquet", content(lambda: b"PAR1" * 1_000))
        yield lying("table-a-pipe.parquet", pipe)
