"""The folder of results: ``readings.jsonl``, ``readings.csv``, ``patients.csv``, ``run.json``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fundoscope.batch import outcome as outcomes
from fundoscope.batch import patients
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.patients import Patient
from fundoscope.writing import TextFile, explained, refuse_results, text_files, write_whole

READINGS_JSONL: Final = "readings.jsonl"
READINGS_CSV: Final = "readings.csv"
PATIENTS_CSV: Final = "patients.csv"
RUN_JSON: Final = "run.json"
RESULT_NAMES: Final = (READINGS_JSONL, READINGS_CSV, PATIENTS_CSV, RUN_JSON)

MAX_STEM_BYTES: Final = 200
"""Bytes of a photograph's name in the name of its picture. A file name has 255; the others are for
the hash, the suffix and the temporary name."""
HASH_CHARACTERS: Final = 8


@dataclass(slots=True)
class Results:
    """The results of a run while they are written.

    Attributes:
        folder: where they are written.
        jsonl: ``readings.jsonl``.
        table: ``readings.csv``.
        patients: the rows of ``patients.csv`` by name of the patient.
        run: the content of ``run.json``; the run sets it before the block ends.
    """

    folder: Path
    jsonl: TextFile
    table: TextFile
    patients: dict[str, Patient] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Write the outcome of the next photograph.

        Raises:
            OutputError: it could not be written.
        """
        picture = ""
        if outcome.picture is not None and outcome.reading is not None:
            picture = picture_name(outcome.input.path, outcome.reading.photo.sha256)
            write_whole(self.folder / picture, outcome.picture)
        if outcome.reading is not None:
            self.jsonl.write(outcomes.json_line(outcome) + "\n")
        csv.DictWriter(self.table, outcomes.COLUMNS, lineterminator="\n").writerow(
            outcomes.row(outcome, picture)
        )
        patient = outcome.input.patient
        if patient:
            self.patients.setdefault(patient, Patient(patient)).add(outcome)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check that results may be written into a folder, before anything is computed.

    Raises:
        UsageError: it is a file, or holds results of an earlier run and ``overwrite`` is false.
    """
    refuse_results(folder, RESULT_NAMES, overwrite=overwrite)


@contextmanager
def results_in(folder: Path, *, with_patients: bool) -> Iterator[Results]:
    """Open a folder for the results of one run; they appear when the block ends without an error.

    Pictures appear one by one. Nothing else in the folder is touched.

    Args:
        folder: created if it does not exist.
        with_patients: whether to write ``patients.csv``. An earlier one is always replaced (by a
            header without rows), so that it is not mistaken for a result of this run.

    Raises:
        OutputError: something could not be written.
    """
    with explained(folder, "cannot be made", "name another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
    names = [READINGS_JSONL, READINGS_CSV, RUN_JSON]
    if with_patients or (folder / PATIENTS_CSV).exists():
        names.append(PATIENTS_CSV)
    with text_files(folder, names) as files:
        results = Results(folder, files[0], files[1])
        csv.DictWriter(results.table, outcomes.COLUMNS, lineterminator="\n").writeheader()
        yield results
        _write_run(files[names.index(RUN_JSON)], results.run)
        if PATIENTS_CSV in names:
            _write_patients(files[names.index(PATIENTS_CSV)], results.patients)


def _write_run(file: TextFile, run: dict[str, Any]) -> None:
    import msgspec

    file.write(msgspec.json.format(msgspec.json.encode(run), indent=2).decode() + "\n")


def _write_patients(file: TextFile, by_name: dict[str, Patient]) -> None:
    writer = csv.DictWriter(file, patients.COLUMNS, lineterminator="\n")
    writer.writeheader()
    for patient in by_name.values():
        writer.writerow(patient.row())


def picture_name(photograph: Path, sha256: str) -> str:
    """The file name of the picture of a photograph: ``<stem>-<8 of sha256>.png``.

    Path separators and unprintable characters become ``_``; a long stem is cut.
    """
    stem = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in photograph.stem)
    stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    return f"{stem}-{sha256[:HASH_CHARACTERS]}.png"
