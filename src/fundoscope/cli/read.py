"""``fundoscope read``: grade photographs and find lesions on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.batch.inputs import Inputs
    from fundoscope.batch.outcome import Outcome
    from fundoscope.batch.run import Tally
    from fundoscope.cli.terminal import Terminal

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""The exit codes of shells for a program ended by Ctrl-C and by a closed pipe (128 + signal)."""


def read(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs; folders, with all below; or tables (.csv) with a column image and "
            "optionally id, patient, eye.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write tables and pictures into this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one reading a line as JSON.")] = False,
    grader: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Grade with this bundle; the shipped one by default."),
    ] = None,
    lesions: Annotated[
        bool, typer.Option("--lesions/--no-lesions", help="Look for lesions and the optic disc.")
    ] = True,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="Look for lesions with this bundle; the shipped one by default."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Photographs read at a time; as many as processors by default."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw a picture of each into DIR.")
    ] = True,
    labels: Annotated[
        bool, typer.Option("--labels", help="Write kind and score at each lesion on the pictures.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run in DIR.")
    ] = False,
) -> None:
    """Grade diabetic retinopathy on photographs of the retina, and find its lesions.

    For research; not a diagnosis.

    Exit code 0: all were graded. 3: some were refused or not graded, each named with its reason.

    2: misuse. 1: failure.
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
    """Refuse options that have nothing to work on, each true where that is so."""
    if overwrite:
        raise UsageError("--overwrite", "replaces results in a folder", "name it with --out DIR")
    if labels:
        raise UsageError(
            "--labels",
            "writes at the lesions on pictures",
            "name their folder with --out DIR, without --no-lesions or --no-pictures",
        )
    if detector:
        raise UsageError("--detector", "finds lesions", "leave out --no-lesions")


def _show(outcome: Outcome, screen: Terminal, *, json: bool) -> None:
    """One line: a reading on standard output, a photograph without a grade on standard error."""
    from fundoscope.batch.outcome import json_line, trouble
    from fundoscope.cli.terminal import JSON_ENCODING
    from fundoscope.report.wording import printable, summary

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
    """Say what the run came to; on standard error where standard output is for programs."""
    if screen.closed:
        return PIPE_CLOSED
    if tally.interrupted:
        kept = f"; their results are in {out}" if out is not None else ""
        typer.echo(f"interrupted: {tally.done} of {tally.photographs} were read{kept}", err=True)
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
        lines.append(f"not taken for photographs: {others}")
    if tally.unseen:
        lines.append(f"not assessed: {listed_over(tally.unseen, tally.opened)}")
    if out is not None:
        lines.append(f"results: {out}")
    return [*lines, DISCLAIMER]
