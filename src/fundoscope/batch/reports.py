"""A report on paper for each patient, made from the finished tables of a run.

The photographs are opened again: only these and the tables are needed, so that a run over many
photographs keeps no pictures in memory.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.batch.inputs import Input
from fundoscope.batch.names import eye_of
from fundoscope.batch.outcome import REFUSED
from fundoscope.batch.shown import stem_for_a_file
from fundoscope.batch.sources import remote
from fundoscope.batch.sources.archives import SharedArchives
from fundoscope.batch.sources.remote import Url
from fundoscope.errors import ConnectionLostError, PhotoError
from fundoscope.ordered import in_order
from fundoscope.reading import Reading

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo
    from fundoscope.report.paper.content import Examined, Report

READINGS_CSV, READINGS_JSONL = "readings.csv", "readings.jsonl"
PREFIX: Final = "report-"
PDF, HTML = ".pdf", ".html"
HASH_CHARACTERS: Final = 8
CHANGED: Final = "the photograph was changed since it was read, so it is not shown"


@dataclass(frozen=True, slots=True)
class Photographed:
    """One photograph in the tables.

    Attributes:
        input: what was read.
        line: where its Reading begins in the file of Readings, in bytes; ``None`` if refused.
        trouble: why it was refused.
    """

    input: Input
    line: int | None
    trouble: str = ""


@dataclass(slots=True)
class Patient:
    """The photographs of a patient, or one photograph whose patient is not known.

    Attributes:
        patient: name or number; ``""`` if not known.
        file: the name of the report, without its suffix.
        photographs: in the order of the inputs.
    """

    patient: str
    file: str
    photographs: list[Photographed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the readings of a run are, and the photographs that lie in archives."""

    readings: Path
    archives: SharedArchives


def write(
    stage: Path,
    *,
    inputs: Sequence[Input],
    workers: int = 1,
    spoken: str = "en",
    day: date | None = None,
) -> list[str]:
    """Write the reports of a run, each as PDF and as HTML.

    Args:
        stage: the folder with the tables; the reports are written there, too.
        inputs: the photographs of the run.
        workers: threads, at least 1.
        spoken: the code of the language.
        day: printed as the date of the reports; ``None`` means today.

    Returns:
        The names of the files.

    Raises:
        OSError: a report cannot be written.
        MissingExtraError: reportlab is not installed.
        UsageError: there is no such language.
    """
    path = stage / READINGS_JSONL
    patients = _patients(inputs, stage / READINGS_CSV, path)
    names: list[str] = []
    with closing(SharedArchives()) as archives:
        source = _Source(path, archives)
        if any(given.archive for given in inputs):
            workers = 1  # Members are read fastest in the order of their archive.
        make = partial(_report, source=source, spoken=spoken, day=day or date.today())
        with closing(in_order(patients, make, workers)) as made:
            for file, pdf, html in made:
                for suffix, content in ((PDF, pdf), (HTML, html.encode("utf-8"))):
                    (stage / f"{file}{suffix}").write_bytes(content)
                    names.append(f"{file}{suffix}")
    return names


def writer(inputs: Sequence[Input], *, workers: int, spoken: str) -> Callable[[Path], list[str]]:
    """What writes the reports of a run, once its tables are complete; see :func:`write`."""
    return partial(write, inputs=inputs, workers=workers, spoken=spoken)


def _patients(inputs: Sequence[Input], table: Path, readings: Path) -> list[Patient]:
    """The patients, in the order in which they first appear in the table."""
    patients: dict[str, Patient] = {}
    with table.open(encoding="utf-8", newline="") as stream:
        for row, line in _with_lines(csv.DictReader(stream), readings):
            photograph = inputs[int(row["number"]) - 1]
            if not photograph.patient and line is None:
                continue  # Nothing is known of it but that it cannot be read.
            trouble = f"{row['image']}: {row['reason']}; {row['remedy']}" if line is None else ""
            file = _file(photograph.patient, row)
            patient = patients.setdefault(file, Patient(photograph.patient, file))
            patient.photographs.append(Photographed(photograph, line, trouble))
    return list(patients.values())


def _with_lines(
    rows: Iterator[dict[str, str]], readings: Path
) -> Iterator[tuple[dict[str, str], int | None]]:
    """Each row with the place of its Reading: refused photographs have none."""
    with readings.open("rb") as lines:
        for row in rows:
            if row["status"] == REFUSED:
                yield row, None
                continue
            start = lines.tell()
            lines.readline()
            yield row, start


def _file(patient: str, row: dict[str, str]) -> str:
    """The name of a report: that of the patient, else of the photograph, with a hash."""
    name = patient or Path(row["image"]).stem
    digest = hashlib.sha256(patient.encode()).hexdigest() if patient else row["sha256"]
    return f"{PREFIX}{stem_for_a_file(name)}-{digest[:HASH_CHARACTERS]}"


def _report(patient: Patient, *, source: _Source, spoken: str, day: date) -> tuple[str, bytes, str]:
    """Name, PDF and HTML of the report of a patient."""
    from fundoscope.report.paper import content, html, pdf

    report: Report = content.report(
        [_examined(each, source) for each in patient.photographs],
        identity=content.Identity(patient=patient.patient),
        date=day.isoformat(),
        spoken=spoken,
    )
    return patient.file, pdf.render(report), html.render(report)


def _examined(photographed: Photographed, source: _Source) -> Examined:
    from fundoscope.report.paper.content import Examined

    eye = eye_of(photographed.input.eye)
    if photographed.line is None:
        return Examined(trouble=photographed.trouble, eye=eye)
    with source.readings.open("rb") as lines:
        lines.seek(photographed.line)
        reading = Reading.from_json(lines.readline())
    photo = _again(photographed.input, reading, source.archives)
    return Examined(reading, photo, "" if photo else CHANGED, eye)


def _again(photograph: Input, reading: Reading, archives: SharedArchives) -> Photo | None:
    """The photograph as it was read; ``None`` if it was changed or removed since."""
    from fundoscope.photo.decode import decode, decode_file
    from fundoscope.report.paper.picture import WIDTH

    try:
        if photograph.url:
            photo = decode(remote.read(Url(photograph.url)), min_side=WIDTH)
        elif photograph.archive:
            photo = decode(
                archives.read(photograph.archive, photograph.place, photograph.member),
                min_side=WIDTH,
            )
        else:
            photo = decode_file(photograph.path, min_side=WIDTH)
    except (PhotoError, ConnectionLostError):
        return None
    return photo if photo.facts.sha256 == reading.photo.sha256 else None
