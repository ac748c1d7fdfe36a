"""``fundoscope read``: grade photographs and find lesions on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from fundoscope.cli import read_setup as setup
from fundoscope.cli.extras import EXCEL, RAY, REPORT, require
from fundoscope.cli.options import DetectorBundle, GraderBundle, WithPaths, Workers
from fundoscope.cli.read_output import conclude, models, show
from fundoscope.errors import UsageError
from fundoscope.quoting import shown

if TYPE_CHECKING:
    from threading import Event

    from fundoscope.batch.engines import Engine
    from fundoscope.batch.inputs import Input
    from fundoscope.batch.ledger.noticed import Noticed
    from fundoscope.batch.ledger.tally import Tally
    from fundoscope.batch.outcome import Outcome
    from fundoscope.batch.run import Options
    from fundoscope.cli.terminal import Terminal

LESIONS, LESIONS_AUTO = "--lesions", "--lesions-auto"
"""Options; ``--lesions auto`` is written in one word, as an option may not take a value or none."""


class EngineName(StrEnum):
    """Where photographs are read."""

    LOCAL = "local"
    RAY = "ray"


class COMMAND(TyperCommand):
    """The command; it understands ``--lesions auto``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments."""
        return super().parse_args(ctx, list(_auto_joined(args)))


def _auto_joined(arguments: list[str]) -> Iterator[str]:
    waiting = iter(arguments)
    for word in waiting:
        if word != LESIONS:
            yield LESIONS_AUTO if word == f"{LESIONS}=auto" else word
            continue
        value = next(waiting, None)
        yield LESIONS_AUTO if value == "auto" else LESIONS
        if value not in ("auto", None):
            yield value


def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|URL",
            help="Photographs, folders (with their subfolders), patterns ('eyes/*.jpg'), lists"
            " (.txt, a path a line), archives (.zip, .tar, .tar.gz), or tables (.csv, .xlsx) with"
            " the column image and, optionally, id, patient and eye. Photographs may be in a store:"
            " s3://BUCKET/FOLDER.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to write tables and pictures into."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print each reading as a line of JSON.")
    ] = False,
    grader: GraderBundle = None,
    lesions: Annotated[
        bool, typer.Option("--lesions/--no-lesions", help="Find lesions and the optic disc, too.")
    ] = True,
    lesions_auto: Annotated[
        bool,
        typer.Option(
            LESIONS_AUTO,
            help="Do not look for lesions if 0 is the only plausible grade of a gradable, familiar"
            " photograph that is not referable. Same as --lesions auto.",
        ),
    ] = False,
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
            help="Device that runs the networks: a provider of ONNX Runtime, such as cuda, or"
            " openvino. Default: cpu.",
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
        typer.Option("--force", help="Also grade photographs that are not gradable; mark them."),
    ] = False,
    heat: Annotated[
        bool,
        typer.Option("--heat", help="Also draw a heat map of what raises the referable score."),
    ] = False,
    grid: Annotated[
        bool,
        typer.Option("--grid", help="Draw the quadrants and the ETDRS grid on the pictures."),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Read only every N-th photograph, beginning with the I-th: one of N machines."
            " Give each machine the same paths and its own DIR.",
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            min=1.0,
            help="Longest time for one photograph, where eight or more are read. One that takes"
            " longer is refused. Default: 120.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(
            metavar="|".join(EngineName),
            help="Where photographs are read: on this machine, or on a Ray cluster.",
        ),
    ] = EngineName.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of the cluster, for --engine ray; auto means that of this machine."
            " Default: a cluster is started on this machine, for this run.",
        ),
    ] = None,
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

    With --out, each photograph is kept as soon as it was read: if the run is stopped or killed, the
    same command resumes it.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded (each is
    named with the reason), 2 for wrong use, 130 if the run was stopped or lost its cluster, store
    or drive, 1 for any other failure.
    """
    from fundoscope.batch import processors
    from fundoscope.batch.ledger.noticed import Noticed
    from fundoscope.batch.run import Options
    from fundoscope.batch.sources import remote

    drawn = out is not None and pictures and lesions
    _check(
        overwrite=overwrite and out is None,
        labels=labels and not drawn,
        grid=grid and not drawn,
        heat=heat and out is None and not json,
        detector=detector is not None and not lesions,
        rules=rules is not None and not lesions,
        loudness=quiet and (verbose or json),
        auto=lesions_auto and not lesions,
    )
    _check_workbook(out, wanted=excel)
    _check_cluster(engine, address, device)
    spoken = _language_of_reports(out, language, wanted=report)
    remote.refuse("--out", out)
    given_paths = [remote.place(path) for path in paths]
    noticed, parallel = Noticed(), workers or processors.available()
    count, inputs = setup.inputs(
        given_paths, out, names, noticed, at_least=parallel, overwrite=overwrite
    )
    given: dict[str, Any] = {"lesions": "auto" if lesions_auto else lesions, "pictures": pictures}
    given |= {"labels": labels, "threshold": threshold, "device": device, "names": names}
    given |= {"rules": rules, "excel": excel, "force": force, "shard": shard}
    given |= {"heat": heat, "grid": grid, "report": report, "language": language}
    made_with = setup.reader_options(given) | {"grader": grader, "detector": detector}
    also = {"json": json, "workers": parallel, "overwrite": overwrite, "engine": engine}
    options = Options(
        out=out,
        pictures=pictures,
        labels=labels,
        quadrants=grid,
        paths=with_paths,
        excel=excel,
        reports=spoken,
        overwrite=overwrite,
        shard=setup.shard(shard),
        arguments=setup.named(given_paths, out, grader, detector, paths_too=with_paths)
        | given
        | also,
        command=setup.command(given_paths, grader, detector, given | {"paths": with_paths}),
    )
    start = partial(setup.engine, made_with, parallel, count, limit)
    if engine == EngineName.RAY:
        start = partial(setup.cluster, made_with, address, workers, limit)
    show_one = partial(show, json=json, paths=with_paths, quiet=quiet, verbose=verbose)
    tally, screen = _run(inputs, options, start, show_one, noticed, verbose=verbose)
    raise typer.Exit(conclude(tally, noticed, screen, out, json=json))


def _run(
    inputs: Iterator[Input],
    options: Options,
    start: Callable[[Event], Engine],
    show_one: Callable[[Outcome, Terminal], None],
    noticed: Noticed,
    *,
    verbose: bool,
) -> tuple[Tally, Terminal]:
    """Read photographs while the terminal shows it.

    Args:
        inputs: the photographs.
        options: of the run.
        start: gives what reads them; its argument is set when the run is to stop.
        show_one: prints an outcome.
        noticed: gets what was noticed when the photographs were listed.
        verbose: whether to print the models.
    """
    from fundoscope.batch.run import read_all
    from fundoscope.cli.terminal import quiet_libraries, stopping, terminal

    with quiet_libraries(), stopping() as stop, start(stop) as engine, terminal() as screen:
        if verbose:
            screen.err("\n".join(models(engine)))

        def show_it(outcome: Outcome) -> None:
            show_one(outcome, screen)
            if screen.closed:
                stop.set()

        def begin(total: int, earlier: int) -> None:
            _check_rows(total, excel=options.excel)
            screen.begin(total, earlier)

        tally = read_all(
            inputs, engine, options, show=show_it, stop=stop, begin=begin, noticed=noticed
        )
    return tally, screen


def _check_cluster(engine: EngineName, address: str | None, device: str | None) -> None:
    """Check that a cluster can be used, if one is wanted."""
    if engine == EngineName.RAY:
        if device not in (None, "cpu"):
            why = "cannot be combined with --engine ray, which runs on CPUs"
            raise UsageError(f"--device {shown(device)}", why, "leave it out")
        require("fundoscope read --engine ray", RAY)
    elif address is not None:
        raise UsageError("--address", "works with --engine ray only", "add --engine ray")


def _check_rows(photographs: int, *, excel: bool) -> None:
    """Check that a workbook holds all photographs, if one is wanted."""
    from fundoscope.batch.workbook import MOST_ROWS

    if excel and photographs > MOST_ROWS:
        raise UsageError("--excel", f"holds at most {MOST_ROWS} photographs", "leave it out")


def _check(
    *,
    overwrite: bool,
    labels: bool,
    grid: bool,
    heat: bool,
    detector: bool,
    rules: bool,
    loudness: bool,
    auto: bool,
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
    if heat:
        why = "has no effect without pictures or JSON"
        raise UsageError("--heat", why, "name a folder with --out DIR, or add --json")
    if detector:
        raise UsageError("--detector", "cannot be combined with --no-lesions", "leave one out")
    if rules:
        raise UsageError("--rules", "cannot be combined with --no-lesions", "leave one out")
    if auto:
        raise UsageError("--lesions-auto", "cannot be combined with --no-lesions", "leave one out")
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
            raise UsageError("--language", "works with --report only", "add --report")
        return None
    if out is None:
        raise UsageError("--report", "needs a folder of results", "name it with --out DIR")
    require("fundoscope read --report", REPORT)
    return languages.language(language or languages.ENGLISH).code
