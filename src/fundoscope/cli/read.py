"""``fundoscope read``: grade photographs and find lesions on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.cli.exit_codes import INTERRUPTED, PIPE_CLOSED
from fundoscope.cli.extras import EXCEL, REPORT, require
from fundoscope.cli.options import DetectorBundle, GraderBundle, WithPaths, Workers
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.batch.inputs import Inputs
    from fundoscope.batch.outcome import Outcome
    from fundoscope.batch.run import PhotoReader, Tally
    from fundoscope.cli.terminal import Terminal
    from fundoscope.reading import Reading

HASH_SHOWN: Final = 12
"""Characters of a hash that are printed."""
EQUAL_SHOWN: Final = 3
"""Pairs of equal photographs that are printed."""


def read(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, folders (with their subfolders), or tables (.csv, .xlsx) with the"
            " column image and, optionally, id, patient and eye.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write tables and pictures into.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print each reading as a line of JSON.")
    ] = False,
    grader: GraderBundle = None,
    lesions: Annotated[
        bool, typer.Option("--lesions/--no-lesions", help="Find lesions and the optic disc, too.")
    ] = True,
    detector: DetectorBundle = None,
    workers: Workers = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help="Draw the lesions of each photograph on a picture in DIR.",
        ),
    ] = True,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Label each lesion on the pictures with its kind and score."),
    ] = False,
    excel: Annotated[
        bool,
        typer.Option("--excel", help="Write readings.xlsx, a workbook for people, into DIR, too."),
    ] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Write a report to print, as PDF and HTML, for each patient into DIR, too; for"
            " each photograph where no patient is known.",
        ),
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(metavar="en|zh", help="Language of the reports. Default: en."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run in DIR.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Lowest probability of grade 2 or more at which an eye is referable. Default: the"
            " bundle's.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Device that runs the networks: a provider of ONNX Runtime, such as cuda."
            " Default: cpu.",
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            metavar="eye,patient",
            help="Take eye, patient or both from the names of the files, such as 59_left,"
            " Patient088_L or smith_OD. A table's cells are kept.",
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Rule set to apply to the lesions, or a .toml file of your own; repeat it for"
            " several. fundoscope rules lists them. Default: icdr.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Grade photographs that are not gradable, too, with a mark."),
    ] = False,
    heat: Annotated[
        bool,
        typer.Option(
            "--heat", help="Show where the grader saw what speaks for a referable grade, too."
        ),
    ] = False,
    grid: Annotated[
        bool,
        typer.Option("--grid", help="Draw the quadrants and the ETDRS grid on the pictures."),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print the totals and problems, not each reading."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print the models and details of each reading, too."),
    ] = False,
    with_paths: WithPaths = False,
) -> None:
    """Grade diabetic retinopathy on photographs of the retina, and find its lesions.

    For research; the result is not a diagnosis.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded (each is
    named with the reason), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.batch import processors
    from fundoscope.batch.run import run
    from fundoscope.cli.terminal import quiet_libraries, stopping, terminal
    from fundoscope.reader import DEFAULT_RULES, Reader

    drawn = out is not None and pictures and lesions
    _check(
        overwrite=overwrite and out is None,
        labels=labels and not drawn,
        grid=grid and not drawn,
        detector=detector is not None and not lesions,
        rules=rules is not None and not lesions,
        loudness=quiet and (verbose or json),
    )
    _check_workbook(out, wanted=excel)
    spoken = _language_of_reports(out, language, wanted=report)
    inputs = _inputs(paths, out, names, overwrite=overwrite, excel=excel)
    workers = workers or processors.available()
    threads = processors.threads(workers, len(inputs.photographs))
    reader = Reader(
        grader,
        detector,
        lesions=lesions,
        threads=threads,
        referable_threshold=threshold,
        providers=None if device is None else [device],
        rules=tuple(rules) if rules else DEFAULT_RULES,
        force=force,
        heat_map=heat,
    )
    given: dict[str, Any] = {"json": json, "lesions": lesions, "workers": workers}
    given |= {"pictures": pictures, "labels": labels, "overwrite": overwrite, "heat": heat}
    given |= {"threshold": threshold, "device": device, "names": names, "rules": rules}
    given |= {"excel": excel, "force": force, "grid": grid, "report": report}
    given |= {"language": language}
    with quiet_libraries(), stopping() as stop, terminal(len(inputs.photographs)) as screen:
        if verbose:
            for line in _models(reader):
                screen.err(line)

        def show(outcome: Outcome) -> None:
            _show(outcome, screen, json=json, paths=with_paths, quiet=quiet, verbose=verbose)
            if screen.closed:
                stop.set()

        tally = run(
            inputs.photographs,
            reader,
            workers=workers,
            show=show,
            stop=stop,
            out=out,
            pictures=pictures,
            labels=labels,
            quadrants=grid,
            paths=with_paths,
            excel=excel,
            reports=spoken,
            arguments=_named(paths, out, grader, detector, paths_too=with_paths) | given,
        )
    raise typer.Exit(_conclude(tally, inputs, screen, out, json=json))


def _named(
    paths: list[Path],
    out: Path | None,
    grader: Path | None,
    detector: Path | None,
    *,
    paths_too: bool,
) -> dict[str, Any]:
    """The files and folders of the command, as ``run.json`` names them."""
    from fundoscope.batch.shown import FOLDER, named

    bundles = {"grader": grader, "detector": detector}
    return {
        "paths": [named(path, paths=paths_too) for path in paths],
        "out": None if out is None else str(out) if paths_too else FOLDER,
        **{
            task: None if path is None else named(path, paths=paths_too, bundle=True)
            for task, path in bundles.items()
        },
    }


def _check(
    *, overwrite: bool, labels: bool, grid: bool, detector: bool, rules: bool, loudness: bool
) -> None:
    """Reject options without effect; each argument says whether its option is one."""
    if overwrite:
        raise UsageError("--overwrite", "needs a folder of results", "name it with --out DIR")
    if labels or grid:
        raise UsageError(
            "--labels" if labels else "--grid",
            "needs pictures with lesions",
            "name a folder with --out DIR, and leave out --no-lesions and --no-pictures",
        )
    if detector:
        raise UsageError("--detector", "cannot be combined with --no-lesions", "leave one out")
    if rules:
        raise UsageError("--rules", "cannot be combined with --no-lesions", "leave one out")
    if loudness:
        raise UsageError("--quiet", "cannot be combined with --verbose or --json", "leave one out")


def _check_workbook(out: Path | None, *, wanted: bool) -> None:
    """Check that a workbook can be written, if one is wanted."""
    if wanted and out is None:
        raise UsageError("--excel", "needs a folder of results", "name it with --out DIR")
    if wanted:
        require("fundoscope read --excel", EXCEL)


def _language_of_reports(out: Path | None, language: str | None, *, wanted: bool) -> str | None:
    """The code of the language in which reports are written; ``None`` if none are wanted.

    Raises:
        UsageError: they cannot be written, or the language is unknown.
    """
    from fundoscope.report import languages

    if not wanted:
        if language is not None:
            raise UsageError("--language", "is the language of reports", "add --report")
        return None
    if out is None:
        raise UsageError("--report", "needs a folder of results", "name it with --out DIR")
    require("fundoscope read --report", REPORT)
    return languages.language(language or languages.ENGLISH).code


def _inputs(
    paths: list[Path], out: Path | None, names: str | None, *, overwrite: bool, excel: bool
) -> Inputs:
    """The photographs to read, with what the names of their files say of them.

    Raises:
        UsageError, TableError: a path, a table or ``names`` is not valid, or the folder of results
            is in use.
    """
    from fundoscope.batch import names as naming
    from fundoscope.batch.inputs import gather
    from fundoscope.batch.results import check_folder
    from fundoscope.batch.workbook import MOST_ROWS

    from_names = () if names is None else naming.chosen(names)
    inputs = gather(paths, leave_out=out)
    inputs = replace(inputs, photographs=naming.completed(inputs.photographs, from_names))
    if excel and len(inputs.photographs) > MOST_ROWS:
        raise UsageError("--excel", f"holds at most {MOST_ROWS} photographs", "leave it out")
    if out is not None:
        check_folder(out, overwrite=overwrite)
    return inputs


def _models(reader: PhotoReader) -> Iterator[str]:
    """Lines about the bundles in use."""
    for model in reader.models:
        yield f"{model.task}: {model.name}, sha256 {model.sha256[:HASH_SHOWN]}"


def _details(reading: Reading) -> str:
    """The numbers behind a reading, on one line."""
    photo, fov, grade = reading.photo, reading.field, reading.grade
    parts = [f"{photo.width} x {photo.height} px", f"sha256 {photo.sha256[:HASH_SHOWN]}"]
    if fov.radius is not None:
        parts.append(f"radius of the field {fov.radius:.0f} px")
    if grade.probabilities is not None and grade.referable is not None:
        of_grades = ", ".join(f"{p:.3f}" for p in grade.probabilities)
        parts.append(f"probabilities {of_grades}")
        parts.append(f"referable from {grade.referable.threshold:.3f} on")
    if grade.icdr is not None and grade.set is None:
        parts.append("no set of plausible grades: it was not fitted for this grader")
    return "; ".join(parts)


def _show(
    outcome: Outcome,
    screen: Terminal,
    *,
    json: bool,
    paths: bool,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Print a reading on standard output, or why there is no grade on standard error."""
    from fundoscope.batch.outcome import json_line, trouble
    from fundoscope.cli.terminal import JSON_ENCODING
    from fundoscope.quoting import printable
    from fundoscope.report.wording import rules_in_words, summary

    image = printable(outcome.input.image)
    screen.advance()
    if json and outcome.reading is not None:
        screen.out(json_line(outcome, paths=paths), encoding=JSON_ENCODING)
    cause = trouble(outcome)
    if cause:
        screen.err(printable(f"{image}: {cause['reason']}; {cause['remedy']}"))
    elif not json and not quiet and outcome.reading is not None:
        screen.out(f"{image}: {summary(outcome.reading)}")
    if verbose and outcome.reading is not None:
        screen.err(f"  {_details(outcome.reading)}")
        for by_rules in outcome.reading.rules:
            screen.err(f"  {printable(rules_in_words(by_rules))}")


def _conclude(
    tally: Tally, inputs: Inputs, screen: Terminal, out: Path | None, *, json: bool
) -> int:
    """Print the totals, and return the exit code."""
    if screen.closed:
        return PIPE_CLOSED
    if tally.interrupted:
        kept = f"; their results are in {out}" if out is not None else ""
        done = f"{tally.done} of {tally.photographs} photographs were read"
        typer.echo(f"interrupted: {done}{kept}", err=True)
        return INTERRUPTED
    if not json:
        for line in _totals(tally, inputs, out):
            screen.out(line)
    return PIPE_CLOSED if screen.closed else tally.exit_code


def _totals(tally: Tally, inputs: Inputs, out: Path | None) -> list[str]:
    from fundoscope.report.wording import DISCLAIMER, listed_over

    counts = tally.counts()
    noun = "photograph" if tally.photographs == 1 else "photographs"
    lines = [
        f"{tally.photographs} {noun}: {counts['read']} graded ({counts['referable']} referable), "
        f"{counts['not_graded']} not graded, {counts['refused']} refused"
    ]
    if inputs.passed_over:
        others = ", ".join(f"{count} {suffix}" for suffix, count in inputs.passed_over.items())
        lines.append(f"ignored, not photographs: {others}")
    if tally.unseen:
        lines.append(f"not assessed: {listed_over(tally.unseen, tally.opened)}")
    if tally.equal:
        lines.append(_equal(tally.equal))
    if out is not None:
        lines.append(f"results: {out}")
        lines.append(_by_patient(tally, out))
    return [*lines, DISCLAIMER]


def _equal(equal: list[dict[str, str]]) -> str:
    """A line about photographs that were read more than once."""
    from fundoscope.quoting import printable

    pairs = [f"{pair['image']} = {pair['same_as']}" for pair in equal[:EQUAL_SHOWN]]
    more = f", and {len(equal) - EQUAL_SHOWN} more" if len(equal) > EQUAL_SHOWN else ""
    noun = "photograph is" if len(equal) == 1 else "photographs are"
    return printable(f"{len(equal)} {noun} there twice, the same file: {', '.join(pairs)}{more}")


def _by_patient(tally: Tally, out: Path) -> str:
    """A line about ``patients.csv``, or about how to get it."""
    from fundoscope.batch.results import PATIENTS_CSV

    if tally.patients:
        noun = "patient" if len(tally.patients) == 1 else "patients"
        return f"the worse eye decides: {out / PATIENTS_CSV} ({len(tally.patients)} {noun})"
    return f"for {PATIENTS_CSV}, give a table with the column patient, or --names eye,patient"
