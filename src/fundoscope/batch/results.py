"""The folder of results: tables, pictures and ``run.json``, which switch as a whole."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fundoscope import checksums
from fundoscope.batch import outcome as outcomes
from fundoscope.batch import patients, shown, summary
from fundoscope.batch.earlier import pictures_of, reports_of
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.patients import Patient
from fundoscope.writing import TextFile, explained, opened, refuse_results, staged

READINGS_JSONL: Final = "readings.jsonl"
READINGS_CSV: Final = "readings.csv"
SUMMARY_CSV: Final = "summary.csv"
PATIENTS_CSV: Final = "patients.csv"
READINGS_XLSX: Final = "readings.xlsx"
RUN_JSON: Final = "run.json"
RESULT_NAMES: Final = (
    READINGS_JSONL, READINGS_CSV, SUMMARY_CSV, PATIENTS_CSV, READINGS_XLSX, RUN_JSON,
)  # fmt: skip

HASH_CHARACTERS: Final = 8


@dataclass(slots=True)
class Results:
    """The results of a run while they are written.

    Attributes:
        folder: where they will be.
        stage: where they are written.
        jsonl: ``readings.jsonl``.
        table: ``readings.csv``.
        summary: ``summary.csv``.
        paths: whether photographs are named by their paths.
        number: of photographs so far.
        pictures: the SHA-256 of each picture, by its name.
        patients: the rows of ``patients.csv`` by name of the patient.
        run: the content of ``run.json``; the run sets it before the block ends.
        write_reports: writes reports into the stage, once the tables are complete, and returns
            their names; the run sets it before the block ends. ``None`` writes none.
    """

    folder: Path
    stage: Path
    jsonl: TextFile
    table: TextFile
    summary: TextFile
    paths: bool = False
    number: int = 0
    pictures: dict[str, str] = field(default_factory=dict)
    patients: dict[str, Patient] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    write_reports: Callable[[Path], list[str]] | None = None

    def add(self, outcome: Outcome) -> None:
        """Write the outcome of the next photograph.

        Raises:
            OutputError: it could not be written.
        """
        self.number += 1
        picture = ""
        if outcome.picture is not None and outcome.reading is not None:
            picture = picture_name(outcome.input.path, outcome.reading.photo.sha256)
            with explained(self.folder / picture):
                (self.stage / picture).write_bytes(outcome.picture)
            self.pictures[picture] = hashlib.sha256(outcome.picture).hexdigest()
        if outcome.reading is not None:
            self.jsonl.write(outcomes.json_line(outcome, paths=self.paths) + "\n")
        csv.DictWriter(self.table, outcomes.COLUMNS, lineterminator="\n").writerow(
            outcomes.row(outcome, picture, paths=self.paths) | {"number": str(self.number)}
        )
        image = shown.image(outcome.input, paths=self.paths)
        self._write_summary(summary.row(outcome, self.number, image, picture))
        patient = outcome.input.patient
        if patient:
            self.patients.setdefault(patient, Patient(patient)).add(outcome)

    def begin(self) -> None:
        """Write the headings.

        Raises:
            OutputError: they could not be written.
        """
        csv.DictWriter(self.table, outcomes.COLUMNS, lineterminator="\n").writeheader()
        self.summary.write(summary.BYTE_ORDER_MARK)
        self._write_summary(summary.COLUMNS)

    def _write_summary(self, cells: Sequence[str]) -> None:
        csv.writer(self.summary, lineterminator=summary.LINE_END).writerow(cells)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that results may be written into a folder, before anything is computed.

    Raises:
        UsageError: it is a file, or holds results of an earlier run and ``overwrite`` is false.
    """
    refuse_results(folder, RESULT_NAMES, overwrite=overwrite)


@contextmanager
def results_in(
    folder: Path, *, with_patients: bool, paths: bool = False, excel: bool = False
) -> Iterator[Results]:
    """Open a folder for the results of one run; they appear when the block ends without an error.

    They replace those of an earlier run, with its pictures, in one step. Nothing else in the folder
    is touched.

    Args:
        folder: created if it does not exist.
        with_patients: whether to write ``patients.csv``. An earlier one is always replaced (by a
            header without rows), so that it is not mistaken for a result of this run.
        paths: whether photographs are named by their paths, else by their bare file names.
        excel: whether to write ``readings.xlsx``, too; needs the extra [excel].

    Raises:
        OutputError: something could not be written.
    """
    with explained(folder, "cannot be made", "name another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        earlier = [*RESULT_NAMES, *pictures_of(folder), *reports_of(folder)]
    names = [READINGS_JSONL, READINGS_CSV, SUMMARY_CSV]
    if with_patients or (folder / PATIENTS_CSV).exists():
        names.append(PATIENTS_CSV)
    with staged(folder, earlier) as stage:
        with opened(folder, stage, names) as files:
            jsonl, table, short = files[:3]
            results = Results(folder, stage, jsonl, table, short, paths=paths)
            results.begin()
            yield results
            if PATIENTS_CSV in names:
                _write_patients(files[names.index(PATIENTS_CSV)], results.patients)
        if excel:
            _write_workbook(folder / READINGS_XLSX, stage)
            names.append(READINGS_XLSX)
        if results.write_reports is not None:
            with explained(folder):
                names.extend(results.write_reports(stage))
        with explained(folder / RUN_JSON):
            tables = {name: checksums.of_file(stage / name) for name in names}
            text = checksums.sealed(results.run, tables | results.pictures)
            (stage / RUN_JSON).write_bytes(text)


def _write_patients(file: TextFile, by_name: dict[str, Patient]) -> None:
    writer = csv.DictWriter(file, patients.COLUMNS, lineterminator="\n")
    writer.writeheader()
    for patient in by_name.values():
        writer.writerow(patient.row())


def _write_workbook(path: Path, stage: Path) -> None:
    """Write ``summary.csv`` as a workbook, too."""
    from fundoscope.batch import workbook

    with explained(path):
        workbook.write(summary.read(stage / SUMMARY_CSV), stage / path.name)


def picture_name(photograph: Path, sha256: str) -> str:
    """The file name of the picture of a photograph: ``<stem>-<8 of sha256>.png``."""
    return f"{shown.stem_for_a_file(photograph.stem)}-{sha256[:HASH_CHARACTERS]}.png"
