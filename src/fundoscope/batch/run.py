"""Read many photographs, in order, and write the results."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDoneError
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Final

from fundoscope.batch import names, processors, results, shown
from fundoscope.batch.engines import Engine, Threads
from fundoscope.batch.inputs import Input
from fundoscope.batch.jobs import INTERNAL_ERROR, Answer, Job, PhotoReader, Refusal, answer
from fundoscope.batch.ledger import equal
from fundoscope.batch.ledger.database import LISTED, PUBLISHED, STARTED, Ledger
from fundoscope.batch.ledger.folder import keep_picture, ledger_of
from fundoscope.batch.ledger.noticed import Noticed
from fundoscope.batch.ledger.record import Facts, record
from fundoscope.batch.ledger.tally import Tally
from fundoscope.batch.outcome import NOT_GRADED, READ, REFUSED, Outcome
from fundoscope.batch.sources import folders
from fundoscope.batch.sources.archives import Archives
from fundoscope.batch.sources.remote import Url
from fundoscope.errors import ConnectionLostError, PhotoError, UsageError
from fundoscope.photo.decode import name_of

__all__ = ["INTERNAL_ERROR", "Options", "PhotoReader", "Tally", "examine", "read_all", "run"]

RUN_VERSION: Final = "fundoscope.run/1"
WAKE: Final = 0.1
"""Seconds between two looks whether the run is to stop."""
WHOLE: Final = (1, 1)
"""The shard that is everything."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run works.

    Attributes:
        out: folder for the results (see :mod:`fundoscope.batch.results`); ``None`` writes none.
        pictures: whether to draw a picture of each photograph into ``out``.
        labels: whether the picture has kind and score at each lesion.
        quadrants: whether it has the quadrants and the ETDRS grid.
        paths: whether results name photographs by their paths, else by their bare file names.
        excel: whether ``out`` gets ``readings.xlsx``, too; needs the extra [excel].
        reports: the code of the language in which ``out`` gets a report for each patient; needs
            the extra [report]. ``None`` writes none; a run that was stopped writes none either.
        overwrite: whether results of an earlier run may be replaced.
        shard: ``(i, n)``: only every n-th photograph, beginning with the i-th, counted from 1.
        arguments: of the command, for ``run.json``.
        command: what the results depend on; an unfinished run with the same is resumed.
    """

    out: Path | None = None
    pictures: bool = True
    labels: bool = False
    quadrants: bool = False
    paths: bool = False
    excel: bool = False
    reports: str | None = None
    overwrite: bool = True
    shard: tuple[int, int] = WHOLE
    arguments: dict[str, Any] = field(default_factory=dict)
    command: dict[str, Any] = field(default_factory=dict)


def run(
    inputs: Iterable[Input],
    reader: PhotoReader,
    *,
    workers: int,
    show: Callable[[Outcome], None],
    stop: Event,
    **options: Any,
) -> Tally:
    """Read photographs on threads of this process, see :func:`read_all`.

    Args:
        inputs: the photographs.
        reader: reads one photograph; used from several threads at once.
        workers: threads, at least 1.
        show: called with each outcome, in order, in the calling thread.
        stop: once set, the run ends after the current photograph; finished results are written.
        options: see :class:`Options`.
    """
    with Threads(reader, workers) as engine:
        return read_all(inputs, engine, Options(**options), show=show, stop=stop)


def read_all(
    inputs: Iterable[Input],
    engine: Engine,
    options: Options,
    *,
    show: Callable[[Outcome], None],
    stop: Event,
    begin: Callable[[int, int], None] | None = None,
    noticed: Noticed | None = None,
) -> Tally:
    """Read photographs, write the results and show each one, in the order of the inputs.

    Each is recorded in a ledger in the folder of results as soon as it was read. If the folder has
    the ledger of a run with the same command, that run is resumed.

    Args:
        inputs: the photographs; taken once, before the first is read.
        engine: reads the photographs.
        options: see :class:`Options`.
        show: called with each outcome, in order, in the calling thread.
        stop: once set, the run ends; what was recorded is written.
        begin: called with the number of photographs, and of those that were read before.
        noticed: gets what was noticed when the photographs were listed: in a run that is resumed,
            when it began.

    Raises:
        UsageError: the folder of results holds another run, or one that is at work; or reports of
            patients are wanted from a part of the photographs.
        OutputError: a result could not be written.
        FundoscopeError: reading failed for a reason that concerns all photographs. If a cluster or
            store is lost, what was read is written, and the tally says so.
    """
    command = {**options.command, "models": [model.sha256 for model in engine.models]}
    with ledger_of(options.out, command, _now(), overwrite=options.overwrite) as ledger:
        if options.out is not None and not options.overwrite and ledger.fact(PUBLISHED) is None:
            results.refuse_earlier(options.out)
        _list(inputs, ledger, options, noticed or Noticed())
        tally = Tally(ledger.total(options.shard))
        for _, facts in ledger.facts():
            tally.add(facts)
        tally.earlier = tally.done
        if begin is not None:
            begin(tally.photographs, tally.earlier)
        try:
            _walk(ledger, engine, options, stop, tally, show)
        except ConnectionLostError as error:
            tally.lost = error
        tally.interrupted = tally.done < tally.photographs
        _conclude(ledger, tally)
        if options.out is not None:
            ledger.set_fact(PUBLISHED, "")
            document = _manifest(engine, tally, options, ledger.fact(STARTED) or _now())
            write = _reports(ledger, options) if options.reports is not None else None
            results.publish(
                options.out, ledger, tally, document, excel=options.excel, reports=write
            )
    return tally


def _list(inputs: Iterable[Input], ledger: Ledger, options: Options, noticed: Noticed) -> None:
    """List the photographs, or restore what was noticed when that was done."""
    named = ((each, shown.image(each, paths=options.paths)) for each in inputs)
    ledger.list_inputs(named, noticed.to_text)
    noticed.restore(ledger.fact(LISTED) or "")
    if options.reports is not None and options.shard != WHOLE and ledger.has_patients():
        why = "cannot be combined with --shard: another part may have photographs of a patient"
        raise UsageError("--report", why, "leave one of them out")


def _walk(
    ledger: Ledger,
    engine: Engine,
    options: Options,
    stop: Event,
    tally: Tally,
    show: Callable[[Outcome], None],
) -> None:
    with closing(_outcomes(ledger, engine, options, stop)) as outcomes:
        for begun, outcome in outcomes:
            compared = _compared(outcome, ledger)
            facts = _recorded(begun, compared, ledger, options)
            tally.add(facts)
            show(compared)
            if stop.is_set():
                break


@dataclass(frozen=True, slots=True)
class _Begun:
    """A photograph whose reading has begun."""

    number: int
    photograph: Input
    size: int
    answer: Future[Answer | Refusal]


def _outcomes(
    ledger: Ledger, engine: Engine, options: Options, stop: Event
) -> Generator[tuple[_Begun, Outcome]]:
    """What is not recorded yet, in order; no more than ``engine.ahead`` are in memory."""
    with closing(Archives()) as archives:
        pending = ledger.pending(options.shard)
        begun = (_begin(*each, ledger, engine, options, archives) for each in pending)
        window = deque(islice(begun, engine.ahead))
        while window:
            result = _result(window[0].answer, stop, at_once=engine.ends_at_once)
            if result is None:
                return
            first = window.popleft()
            yield first, _outcome(first.photograph, result)
            if not stop.is_set():
                window.extend(islice(begun, 1))


def _begin(
    number: int,
    photograph: Input,
    ledger: Ledger,
    engine: Engine,
    options: Options,
    archives: Archives,
) -> _Begun:
    try:
        if photograph.problem is not None:
            raise photograph.problem
        job = _job(photograph, options, archives)
    except PhotoError as error:
        return _Begun(number, photograph, 0, _done(_refusal(error)))
    size = _size(job)
    before = equal.answer(job, size, ledger, options.out)
    answered = engine.begin(job) if before is None else _done(before)
    return _Begun(number, photograph, size, answered)


def _job(photograph: Input, options: Options, archives: Archives) -> Job:
    """The job of a photograph; of one in an archive it has the bytes, of one in a store the URL.

    Raises:
        PhotoError: it cannot be read from its archive.
    """
    eye = names.eye_of(photograph.eye)
    pictures = options.pictures and options.out is not None
    plain = Job(
        str(photograph.path),
        eye=eye,
        picture=pictures,
        labels=options.labels,
        quadrants=options.quadrants,
    )
    if photograph.url:
        return replace(plain, source=Url(photograph.url), name=name_of(photograph.path))
    if not photograph.archive:
        return plain
    data = archives.read(photograph.archive, photograph.place, photograph.member)
    return replace(plain, source=data, name=name_of(photograph.path))


def _size(job: Job) -> int:
    """Bytes of a file; 0 where that cannot be known."""
    if isinstance(job.source, bytes):
        return len(job.source)
    if isinstance(job.source, Url):
        return 0
    try:
        return Path(job.source).stat().st_size
    except (OSError, ValueError):
        return 0


def _done(result: Answer | Refusal) -> Future[Answer | Refusal]:
    future: Future[Answer | Refusal] = Future()
    future.set_result(result)
    return future


def _result(
    future: Future[Answer | Refusal], stop: Event, *, at_once: bool
) -> Answer | Refusal | None:
    """Wait for a result; ``None`` once the run is to stop, and the engine would not finish it."""
    while True:
        try:
            return future.result(WAKE)
        except NotDoneError:
            if stop.is_set() and (at_once or not future.running()):
                return None


def _refusal(error: PhotoError) -> Refusal:
    return Refusal(error.what, error.why, error.remedy, error.code)


def _outcome(photograph: Input, result: Answer | Refusal) -> Outcome:
    if isinstance(result, Refusal):
        folder = photograph.path.parent if photograph.listed else None
        folders.require_there(result.code, folder=folder, archive=photograph.archive)
        return Outcome(photograph, refusal=result.error())
    return Outcome(photograph, result.reading, picture=result.picture)


def examine(photograph: Input, *, reader: PhotoReader) -> Outcome:
    """Read one photograph; an error that concerns it alone becomes its refusal.

    Args:
        photograph: what to read.
        reader: what reads it.

    Raises:
        FundoscopeError: reading failed for a reason that concerns all photographs.
    """
    if photograph.problem is not None:
        return Outcome(photograph, refusal=photograph.problem)
    job = Job(str(photograph.path), eye=names.eye_of(photograph.eye))
    return _outcome(photograph, answer(job, reader))


def _compared(outcome: Outcome, ledger: Ledger) -> Outcome:
    """The outcome, with the name of an earlier photograph that has the same file."""
    if outcome.reading is None:
        return outcome
    first = ledger.first_with(outcome.reading.photo.sha256)
    return outcome if first is None else replace(outcome, same_as=_told_apart(*first, ledger))


def _told_apart(number: int, image: str, ledger: Ledger) -> str:
    """The name of a photograph, with its number where others have that name, too."""
    return f"{image} (No. {number})" if ledger.is_shared(image) else image


def _recorded(begun: _Begun, outcome: Outcome, ledger: Ledger, options: Options) -> Facts:
    """Write a photograph's picture and record it; both are on the disk then."""
    picture = sha256 = ""
    if outcome.picture is not None and outcome.reading is not None and options.out is not None:
        file, path = outcome.reading.photo.sha256, outcome.input.path
        picture = results.picture_name(path, file)
        sha256 = hashlib.sha256(outcome.picture).hexdigest()
        if ledger.has_other_picture(file, picture, sha256):
            picture = results.picture_name(path, file, eye=names.eye_of(outcome.input.eye))
        keep_picture(options.out, picture, outcome.picture)
    kept = record(
        outcome,
        begun.number,
        size=begun.size,
        picture=picture,
        picture_sha256=sha256,
        paths=options.paths,
    )
    ledger.add(kept)
    return kept.facts


def _conclude(ledger: Ledger, tally: Tally) -> None:
    """List what a person should know of single photographs."""
    noticed = Noticed()
    noticed.restore(ledger.fact(LISTED) or "")
    tally.ignored = dict(sorted(noticed.passed_over.items()))
    tally.patients = ledger.patient_count()
    for number, facts in ledger.facts():
        if facts.same_as:
            image = _told_apart(number, facts.image, ledger)
            tally.equal.append({"image": image, "same_as": facts.same_as})
        if facts.status != READ:
            named = {"image": facts.image, "number": number, "status": facts.status}
            cause = {"code": facts.code, "reason": facts.reason, "remedy": facts.remedy}
            tally.ungraded.append(named | cause)


def _reports(ledger: Ledger, options: Options) -> Callable[[Path], list[str]]:
    from fundoscope.batch import reports

    inputs, spoken = ledger.inputs(), options.reports or ""
    return reports.writer(inputs, workers=processors.available(), spoken=spoken)


def _manifest(engine: Engine, tally: Tally, options: Options, started: str) -> dict[str, Any]:
    """The content of ``run.json``: everything that the results depend on."""
    from fundoscope.batch.versions import versions

    return {
        "version": RUN_VERSION,
        "command": "read",
        "arguments": options.arguments,
        "versions": versions(),
        "models": engine.models,
        "thresholds": {
            "referable": sorted(tally.thresholds),
            "lesions": dict(engine.lesion_thresholds),
        },
        "counts": tally.counts(),
        "not_assessed": [str(what) for what in tally.unseen],
        "refused": [entry for entry in tally.ungraded if entry["status"] == REFUSED],
        "not_graded": [entry for entry in tally.ungraded if entry["status"] == NOT_GRADED],
        "equal": tally.equal,
        "ignored": tally.ignored,
        "started": started,
        "finished": _now(),
        "interrupted": tally.interrupted,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
