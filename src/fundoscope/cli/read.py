"""``fundoscope read``: grade photographs and find lesions on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.exit_codes import INTERRUPTED, PIPE_CLOSED
from fundoscope.cli.options import DetectorBundle, GraderBundle, Workers
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.batch.inputs import Inputs
    from fundoscope.batch.outcome import Outcome
    from fundoscope.batch.run import Tally
    from fundoscope.cli.terminal import Terminal


def read(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, folders (with their subfolders), or tables (.csv) with the column"
            " image and, optionally, id, patient and eye.",
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run in DIR.")
    ] = False,
) -> None:
    """Grade diabetic retinopathy on photographs of the retina, and find its lesions.

    For research; the result is not a diagnosis.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded (each is
    named with the reason), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.batch import processors
    from fundoscope.batch.inputs import gather
    from fundoscope.batch.results import check_folder
    from fundoscope.batch.run import run
    from fundoscope.cli.terminal import quiet_libraries, stopping, terminal
    from fundoscope.reader import Reader

    drawn = out is not None and pictures and lesions
    _check(
        overwrite=overwrite and out is None,
        labels=labels and not drawn,
        detector=detector is not None and not lesions,
    )
    inputs = gather(paths, leave_out=out)
    if out is not None:
        check_folder(out, overwrite=overwrite)
    workers = workers or processors.available()
    threads = processors.threads(workers, len(inputs.photographs))
    reader = Reader(grader, detector, lesions=lesions, threads=threads)
    arguments = {
        "paths": [str(path) for path in paths],
        "out": None if out is None else str(out),
        "json": json,
        "grader": None if grader is None else str(grader),
        "lesions": lesions,
        "detector": None if detector is None else str(detector),
        "workers": workers,
        "pictures": pictures,
        "labels": labels,
        "overwrite": overwrite,
    }
    with quiet_libraries(), stopping() as stop, terminal(len(inputs.photographs)) as screen:

        def show(outcome: Outcome) -> None:
            _show(outcome, screen, json=json)
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
            arguments=arguments,
        )
    raise typer.Exit(_conclude(tally, inputs, screen, out, json=json))


def _check(*, overwrite: bool, labels: bool, detector: bool) -> None:
    """Reject options without effect; each argument says whether its option is one."""
    if overwrite:
        raise UsageError("--overwrite", "needs a folder of results", "name it with --out DIR")
    if labels:
        raise UsageError(
            "--labels",
            "needs pictures with lesions",
            "name a folder with --out DIR, and leave out --no-lesions and --no-pictures",
        )
    if detector:
        raise UsageError("--detector", "cannot be combined with --no-lesions", "leave one out")


def _show(outcome: Outcome, screen: Terminal, *, json: bool) -> None:
    """Print a reading on standard output, or why there is no grade on standard error."""
    from fundoscope.batch.outcome import json_line, trouble
    from fundoscope.cli.terminal import JSON_ENCODING
    from fundoscope.quoting import printable
    from fundoscope.report.wording import summary

    image = printable(outcome.input.image)
    screen.advance()
    if json and outcome.reading is not None:
        screen.out(json_line(outcome), encoding=JSON_ENCODING)
    cause = trouble(outcome)
    if cause:
        screen.err(printable(f"{image}: {cause['reason']}; {cause['remedy']}"))
    elif not json and outcome.reading is not None:
        screen.out(f"{image}: {summary(outcome.reading)}")


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
    if out is not None:
        lines.append(f"results: {out}")
    return [*lines, DISCLAIMER]
