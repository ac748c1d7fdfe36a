"""The folder of results: tables, pictures, a page and ``run.json``, which switch as a whole.

While a run works, its rows and its pictures are kept below, see
:mod:`fundoscope.batch.ledger.folder`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from fundoscope import checksums
from fundoscope.batch import outcome as outcomes
from fundoscope.batch import page, shown, summary
from fundoscope.batch.earlier import pictures_of, reports_of
from fundoscope.batch.ledger import patients
from fundoscope.batch.ledger.database import Ledger
from fundoscope.batch.ledger.folder import UNFINISHED, discard, is_unfinished, kept_picture
from fundoscope.batch.ledger.record import ENCODING, csv_line, summary_line
from fundoscope.batch.ledger.tally import Tally
from fundoscope.writing import explained, refuse_results, staged

READINGS_JSONL: Final = "readings.jsonl"
READINGS_CSV: Final = "readings.csv"
SUMMARY_CSV: Final = "summary.csv"
PATIENTS_CSV: Final = "patients.csv"
READINGS_XLSX: Final = "readings.xlsx"
INDEX_HTML: Final = "index.html"
RUN_JSON: Final = "run.json"
RESULT_NAMES: Final = (
    READINGS_JSONL, READINGS_CSV, SUMMARY_CSV, PATIENTS_CSV, READINGS_XLSX, INDEX_HTML, RUN_JSON,
)  # fmt: skip

HASH_CHARACTERS: Final = 8


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that results may be written into a folder, before anything is computed.

    An unfinished run there is checked when it is resumed.

    Raises:
        UsageError: it is a file, or holds results of an earlier run and ``overwrite`` is false.
    """
    refuse_results(folder, RESULT_NAMES, overwrite=overwrite or is_unfinished(folder))


def refuse_earlier(folder: Path) -> None:
    """Refuse a folder with the results of another run.

    Raises:
        UsageError: it has some.
    """
    refuse_results(folder, RESULT_NAMES, overwrite=False)


def publish(
    folder: Path,
    ledger: Ledger,
    totals: Tally,
    run: dict[str, Any],
    *,
    excel: bool = False,
    reports: Callable[[Path], list[str]] | None = None,
) -> None:
    """Write all that a ledger holds; it replaces the results of an earlier run in one step.

    Nothing else in the folder is touched. The ledger is closed, and removed if the run has ended.

    Args:
        folder: of the results.
        ledger: of the run.
        totals: of the run.
        run: the content of ``run.json``.
        excel: whether to write ``readings.xlsx``, too; needs the extra [excel].
        reports: writes reports into a folder that has the tables, and returns their names; ``None``
            writes none. A run that was stopped has none either.

    Raises:
        OutputError: something could not be written. Nothing was changed.
    """
    with explained(folder, "cannot be made", "name another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        earlier = [*RESULT_NAMES, *pictures_of(folder), *reports_of(folder)]
    names = [READINGS_JSONL, READINGS_CSV, SUMMARY_CSV, INDEX_HTML]
    # An earlier one is always replaced, so that it is not mistaken for a result of this run.
    if ledger.has_patients() or (folder / PATIENTS_CSV).exists():
        names.append(PATIENTS_CSV)
    ended = not totals.interrupted
    with staged(folder, earlier) as stage:
        parts = _parts(ledger, totals)
        for name in names:
            with explained(folder / name):
                _write(stage / name, parts[name])
        if excel:
            _write_workbook(folder / READINGS_XLSX, stage)
            names.append(READINGS_XLSX)
        if reports is not None and ended:
            with explained(folder):
                names.extend(reports(stage))
        pictures = dict(ledger.pictures())
        with explained(folder):
            for name in pictures:
                _link(kept_picture(folder, name), stage / name)
        with explained(folder / RUN_JSON):
            tables = {name: checksums.of_file(stage / name) for name in names}
            text = checksums.sealed(run, tables | pictures)
            (stage / RUN_JSON).write_bytes(text)
        ledger.close()
        if ended:
            earlier.extend(_unfinished(folder))
    if ended:
        discard(folder)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as stream:
        stream.writelines(lines)
        stream.flush()
        os.fsync(stream.fileno())


def _unfinished(folder: Path) -> Iterator[str]:
    """The files of an unfinished run, as paths below the folder of results."""
    for where, _, names in os.walk(folder / UNFINISHED):
        for name in names:
            yield (Path(where) / name).relative_to(folder).as_posix()


def _parts(ledger: Ledger, totals: Tally) -> dict[str, Iterator[bytes]]:
    """The lines of each file, made when they are asked for."""
    return {
        READINGS_JSONL: ledger.lines("line"),
        READINGS_CSV: _with(
            csv_line(outcomes.COLUMNS, {name: name for name in outcomes.COLUMNS}),
            ledger.lines("row"),
        ),
        SUMMARY_CSV: _with(
            summary.BYTE_ORDER_MARK.encode() + summary_line(summary.COLUMNS),
            ledger.lines("summary"),
        ),
        PATIENTS_CSV: _with(
            csv_line(patients.COLUMNS, {name: name for name in patients.COLUMNS}),
            (csv_line(patients.COLUMNS, each.row()) for each in ledger.patients()),
        ),
        INDEX_HTML: (text.encode(*ENCODING) for text in page.lines(totals, ledger.facts)),
    }


def _with(head: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from lines


def _link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where the file system has none."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _write_workbook(path: Path, stage: Path) -> None:
    """Write ``summary.csv`` as a workbook, too."""
    from fundoscope.batch import workbook

    with explained(path):
        workbook.write(summary.read(stage / SUMMARY_CSV), stage / path.name)


def picture_name(photograph: Path, sha256: str, *, eye: str | None = "") -> str:
    """The file name of the picture of a photograph: ``<stem>-<8 of sha256>.png``.

    Args:
        photograph: its path.
        sha256: of its file.
        eye: where the same file has another picture, for it was given as another eye: the eye is in
            the name, too. ``None`` means that it is not known.
    """
    stem = shown.stem_for_a_file(photograph.stem) + ("" if eye == "" else f"-{eye or 'eye'}")
    return f"{stem}-{sha256[:HASH_CHARACTERS]}.png"
