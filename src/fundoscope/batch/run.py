"""Read many photographs on several threads, in order, and write the results."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol

from fundoscope.batch import names, shown
from fundoscope.batch import reports as report_files
from fundoscope.batch.inputs import Input
from fundoscope.batch.outcome import NOT_GRADED, READ, REFUSED, STATUSES, Outcome, trouble
from fundoscope.batch.results import Results, results_in
from fundoscope.errors import FundoscopeError, PhotoError
from fundoscope.ordered import in_order
from fundoscope.reading import ModelUsed, Reading
from fundoscope.report.wording import NotAssessed, not_assessed

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo

INTERNAL_ERROR: Final = "internal_error"
REPORT: Final = "please report it"
RUN_VERSION: Final = "fundoscope.run/1"
PNG_COMPRESSION: Final = 3
"""zlib level: on pictures of eyes, level 6 took twice as long for files 3 % smaller."""


class PhotoReader(Protocol):
    """What a batch needs of a reader; :class:`fundoscope.reader.Reader` is one."""

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles that it uses."""

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""

    def examine(self, source: str | Path, *, eye: str | None = None) -> tuple[Photo, Reading]:
        """Read the file of a photograph of an eye, and return its decoded pixels too.

        Raises:
            PhotoError: the file cannot be read as a photograph.
        """


@dataclass(slots=True)
class Tally:
    """Counts over a run.

    Attributes:
        photographs: the number of photographs to read.
        statuses: the number of each status so far.
        referable: the number of graded photographs that are referable.
        thresholds: the operating points for "referable" that were used.
        unseen: what was not assessed, in order, and on how many photographs that opened.
        troubled: image, number among the inputs from 1, status, code, reason and remedy of each
            photograph without a grade.
        first: the first photograph with each file, by the file's sha256.
        equal: the photographs whose file was read before in this run, and under which name. Names
            that several photographs have are followed by the number of the photograph.
        patients: the patients.
        interrupted: whether the run was stopped before its end.
        paths: whether photographs are named by their paths, else by their bare file names.
        shared: names that several photographs of the run have.
    """

    photographs: int
    statuses: Counter[str] = field(default_factory=Counter)
    referable: int = 0
    thresholds: set[float] = field(default_factory=set)
    unseen: Counter[NotAssessed] = field(default_factory=Counter)
    troubled: list[dict[str, Any]] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)
    equal: list[dict[str, str]] = field(default_factory=list)
    patients: set[str] = field(default_factory=set)
    interrupted: bool = False
    paths: bool = False
    shared: frozenset[str] = frozenset()

    def compared(self, outcome: Outcome) -> Outcome:
        """The outcome, with the name of an earlier photograph that has the same file."""
        if outcome.reading is None:
            return outcome
        sha256 = outcome.reading.photo.sha256
        if sha256 in self.first:
            return replace(outcome, same_as=self.first[sha256])
        self.first[sha256] = self._told_apart(outcome.input)
        return outcome

    def _told_apart(self, photograph: Input) -> str:
        """The name of the next photograph, with its number where others have that name, too."""
        name = shown.image(photograph, paths=self.paths)
        return f"{name} (No. {self.done + 1})" if name in self.shared else name

    def add(self, outcome: Outcome) -> None:
        """Count one photograph."""
        if outcome.same_as:
            image = self._told_apart(outcome.input)
            self.equal.append({"image": image, "same_as": outcome.same_as})
        if outcome.input.patient:
            self.patients.add(outcome.input.patient)
        self.statuses[outcome.status] += 1
        if outcome.reading is not None:
            self.unseen.update(not_assessed(outcome.reading))
            referable = outcome.reading.grade.referable
            if referable is not None:
                self.thresholds.add(referable.threshold)
        if outcome.status == READ:
            self.referable += outcome.referable
        else:
            image = shown.image(outcome.input, paths=self.paths)
            named = {"image": image, "number": self.done, "status": outcome.status}
            self.troubled.append(named | trouble(outcome))

    @property
    def opened(self) -> int:
        """The number of photographs that could be opened."""
        return self.done - self.statuses[REFUSED]

    @property
    def done(self) -> int:
        """The number of photographs that are done."""
        return self.statuses.total()

    @property
    def exit_code(self) -> int:
        """0 if all were read and graded, 3 if some were not, 1 after an internal error."""
        if any(entry["code"] == INTERNAL_ERROR for entry in self.troubled):
            return FundoscopeError.exit_code
        return 0 if self.statuses[READ] == self.photographs else PhotoError.exit_code

    def counts(self) -> dict[str, int]:
        """The numbers that are shown and written to ``run.json``."""
        by_status = {status: self.statuses[status] for status in STATUSES}
        return {"photographs": self.photographs, **by_status, "referable": self.referable}


def run(
    inputs: Sequence[Input],
    reader: PhotoReader,
    *,
    workers: int,
    show: Callable[[Outcome], None],
    stop: Event,
    out: Path | None = None,
    pictures: bool = True,
    labels: bool = False,
    quadrants: bool = False,
    paths: bool = False,
    excel: bool = False,
    reports: str | None = None,
    arguments: dict[str, Any] | None = None,
) -> Tally:
    """Read photographs, write the results and show each one, in the order of the inputs.

    Args:
        inputs: the photographs.
        reader: reads one photograph; used from several threads at once.
        workers: threads, at least 1.
        show: called with each outcome, in order, in the calling thread.
        stop: once set, the run ends after the current photograph; finished results are written.
        out: folder for the results (see :mod:`fundoscope.batch.results`); ``None`` writes none.
        pictures: whether to draw a picture of each photograph into ``out``.
        labels: whether the picture has kind and score at each lesion.
        quadrants: whether it has the quadrants and the ETDRS grid.
        paths: whether results name photographs by their paths, else by their bare file names.
        excel: whether ``out`` gets ``readings.xlsx``, too; needs the extra [excel].
        reports: the code of the language in which ``out`` gets a report for each patient; needs
            the extra [report]. ``None`` writes none; an interrupted run writes none either.
        arguments: of the command, for ``run.json``.

    Raises:
        OutputError: a result could not be written.
        FundoscopeError: reading failed for a reason that concerns all photographs.
    """
    started = _now()
    tally = Tally(len(inputs), paths=paths, shared=shown.shared(inputs, paths=paths))
    draw = (
        partial(_picture, labels=labels, quadrants=quadrants)
        if pictures and out is not None
        else None
    )
    look = partial(examine, reader=reader, draw=draw)
    if out is None:
        _walk(inputs, look, workers, stop, tally, show)
        return tally
    with_patients = any(photograph.patient for photograph in inputs)
    with results_in(out, with_patients=with_patients, paths=paths, excel=excel) as results:
        _walk(inputs, look, workers, stop, tally, show, results)
        results.run = _manifest(reader, tally, arguments or {}, started)
        if reports is not None and not tally.interrupted:
            results.write_reports = report_files.writer(inputs, workers=workers, spoken=reports)
    return tally


def _walk(
    inputs: Sequence[Input],
    examine: Callable[[Input], Outcome],
    workers: int,
    stop: Event,
    tally: Tally,
    show: Callable[[Outcome], None],
    results: Results | None = None,
) -> None:
    with closing(in_order(inputs, examine, workers)) as outcomes:
        for outcome in map(tally.compared, outcomes):
            if results is not None:
                results.add(outcome)
            tally.add(outcome)
            show(outcome)
            if stop.is_set():
                break
    tally.interrupted = tally.done < tally.photographs


def examine(
    photograph: Input,
    *,
    reader: PhotoReader,
    draw: Callable[[Photo, Reading], bytes] | None = None,
) -> Outcome:
    """Read one photograph; an error that concerns it alone becomes its refusal.

    Args:
        photograph: what to read.
        reader: what reads it.
        draw: makes the picture, bytes of a PNG file; ``None`` makes none.

    Raises:
        FundoscopeError: reading failed for a reason that concerns all photographs.
    """
    try:
        if photograph.problem is not None:
            raise photograph.problem
        eye = names.eye_of(photograph.eye)
        photo, reading = reader.examine(photograph.path, eye=eye)
        return Outcome(photograph, reading, picture=draw(photo, reading) if draw else None)
    except PhotoError as refusal:
        return Outcome(photograph, refusal=refusal.with_traceback(None))
    except FundoscopeError:
        raise  # It concerns the other photographs too.
    except MemoryError:
        why, remedy = "needs more memory than is available", "use fewer --workers"
        fault = PhotoError(photograph.image, why, remedy, code="out_of_memory")
        return Outcome(photograph, refusal=fault)
    except Exception as error:  # noqa: BLE001
        # An internal error on one photograph must not end a run over 100,000.
        why = f"internal error ({type(error).__name__}: {error})"
        fault = PhotoError(photograph.image, why, REPORT, code=INTERNAL_ERROR)
        return Outcome(photograph, refusal=fault)


def _picture(photo: Photo, reading: Reading, *, labels: bool, quadrants: bool) -> bytes:
    from fundoscope.report.overlay import draw

    buffer = io.BytesIO()
    picture = draw(photo, reading, labels=labels, quadrants=quadrants)
    picture.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def _manifest(
    reader: PhotoReader, tally: Tally, arguments: dict[str, Any], started: str
) -> dict[str, Any]:
    """The content of ``run.json``: everything that the results depend on."""
    from fundoscope.batch.versions import versions

    return {
        "version": RUN_VERSION,
        "command": "read",
        "arguments": arguments,
        "versions": versions(),
        "models": reader.models,
        "thresholds": {
            "referable": sorted(tally.thresholds),
            "lesions": dict(reader.lesion_thresholds),
        },
        "counts": tally.counts(),
        "not_assessed": [str(what) for what in tally.unseen],
        "refused": [entry for entry in tally.troubled if entry["status"] == REFUSED],
        "not_graded": [entry for entry in tally.troubled if entry["status"] == NOT_GRADED],
        "equal": tally.equal,
        "started": started,
        "finished": _now(),
        "interrupted": tally.interrupted,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
