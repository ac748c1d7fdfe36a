"""``fundoscope read``: grade photographs and find lesions on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from fundoscope.cli.extras import EXCEL, require
from fundoscope.cli.options import DetectorBundle, GraderBundle, WithPaths, Workers
from fundoscope.cli.read_output import conclude, models, show
from fundoscope.errors import UsageError
from fundoscope.quoting import shown

if TYPE_CHECKING:
    from fundoscope.batch.engines import Engine
    from fundoscope.batch.inputs import Input
    from fundoscope.batch.outcome import Outcome

LESIONS, LESIONS_AUTO = "--lesions", "--lesions-auto"
"""Options; ``--lesions auto`` is written in one word, as an option may not take a value or none."""
SHARD: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


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
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs, folders (with their subfolders), patterns ('eyes/*.jpg'), lists"
            " (.txt, a path a line), archives (.zip, .tar, .tar.gz), or tables (.csv, .xlsx) with"
            " the column image and, optionally, id, patient and eye.",
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
    lesions_auto: Annotated[
        bool,
        typer.Option(
            LESIONS_AUTO,
            help="Leave lesions out where the grader is sure of grade 0; also --lesions auto.",
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
    same command goes on with it.

    Exit codes: 0 if all photographs were graded, 3 if some could not be read or graded (each is
    named with the reason), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.batch import processors
    from fundoscope.batch.run import Options, read_all
    from fundoscope.cli.terminal import quiet_libraries, stopping, terminal
    from fundoscope.reader import DEFAULT_RULES

    drawn = out is not None and pictures and lesions
    _check(
        overwrite=overwrite and out is None,
        labels=labels and not drawn,
        grid=grid and not drawn,
        detector=detector is not None and not lesions,
        rules=rules is not None and not lesions,
        loudness=quiet and (verbose or json),
        auto=lesions_auto and not lesions,
    )
    _check_workbook(out, wanted=excel)
    part = _shard(shard)
    passed_over: Counter[str] = Counter()
    workers = workers or processors.available()
    count, inputs = _inputs(paths, out, names, passed_over, at_least=workers, overwrite=overwrite)
    made_with = {
        "grader": grader,
        "detector": detector,
        "lesions": "auto" if lesions_auto else lesions,
        "referable_threshold": threshold,
        "providers": None if device is None else [device],
        "rules": tuple(rules) if rules else DEFAULT_RULES,
        "force": force,
        "heat_map": heat,
    }
    given: dict[str, Any] = {"lesions": made_with["lesions"], "pictures": pictures}
    given |= {"labels": labels, "threshold": threshold, "device": device, "names": names}
    given |= {"rules": rules, "excel": excel, "force": force, "shard": shard}
    given |= {"heat": heat, "grid": grid}
    arguments = _named(paths, out, grader, detector, paths_too=with_paths) | given
    arguments |= {"json": json, "workers": workers, "overwrite": overwrite}
    options = Options(
        out=out,
        pictures=pictures,
        labels=labels,
        quadrants=grid,
        paths=with_paths,
        excel=excel,
        overwrite=overwrite,
        shard=part,
        arguments=arguments,
        command=_command(paths, grader, detector, given | {"paths": with_paths}),
    )
    with (
        quiet_libraries(),
        stopping() as stop,
        _engine(made_with, workers, count, limit) as engine,
        terminal() as screen,
    ):
        for line in models(engine) if verbose else ():
            screen.err(line)

        def show_it(outcome: Outcome) -> None:
            show(outcome, screen, json=json, paths=with_paths, quiet=quiet, verbose=verbose)
            if screen.closed:
                stop.set()

        def begin(total: int, earlier: int) -> None:
            _check_rows(total, excel=excel)
            screen.begin(total, earlier)

        tally = read_all(inputs, engine, options, show=show_it, stop=stop, begin=begin)
    raise typer.Exit(conclude(tally, passed_over, screen, out, json=json))


def _engine(
    made_with: dict[str, Any], workers: int, photographs: int, deadline: float | None
) -> Engine:
    """What reads the photographs."""
    from fundoscope import reader
    from fundoscope.batch import engines, processors
    from fundoscope.batch.workers import WorkerLimits

    usual = WorkerLimits()
    return engines.engine(
        reader.Reader,
        made_with,
        workers=workers,
        threads=processors.threads(workers, photographs),
        photographs=photographs,
        limits=usual if deadline is None else replace(usual, deadline_s=deadline),
    )


def _command(
    paths: list[Path], grader: Path | None, detector: Path | None, given: dict[str, Any]
) -> dict[str, Any]:
    """What the results depend on, so that an unfinished run is known by it."""
    from fundoscope._version import __version__

    files = {
        "paths": [str(path.absolute()) for path in paths],
        "grader": None if grader is None else str(grader.absolute()),
        "detector": None if detector is None else str(detector.absolute()),
    }
    return {"version": __version__, "files": files, "given": given}


def _shard(text: str | None) -> tuple[int, int]:
    """The part of the photographs in an option's value, such as ``2/20``.

    Raises:
        UsageError: it is not one.
    """
    if text is None:
        return (1, 1)
    match = SHARD.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        why = "is not a part of the photographs"
        raise UsageError(f"--shard {shown(text)}", why, "give i/n with i from 1 to n, such as 2/20")
    return int(match[1]), int(match[2])


def _check_rows(photographs: int, *, excel: bool) -> None:
    """Check that a workbook holds all photographs, if one is wanted."""
    from fundoscope.batch.workbook import MOST_ROWS

    if excel and photographs > MOST_ROWS:
        raise UsageError("--excel", f"holds at most {MOST_ROWS} photographs", "leave it out")


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
    *,
    overwrite: bool,
    labels: bool,
    grid: bool,
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


def _inputs(
    paths: list[Path],
    out: Path | None,
    names: str | None,
    passed_over: Counter[str],
    *,
    at_least: int,
    overwrite: bool,
) -> tuple[int, Iterator[Input]]:
    """The photographs to read, with what the names of their files say of them, and their number.

    Not all are counted: only ``at_least``, and as many as decide between threads and processes.

    Raises:
        UsageError, TableError: a path, a table or ``names`` is not valid, or the folder of results
            is in use.
    """
    from fundoscope.batch import engines
    from fundoscope.batch import names as naming
    from fundoscope.batch.inputs import stream
    from fundoscope.batch.results import check_folder

    from_names = () if names is None else naming.chosen(names)
    inputs = naming.completed(stream(paths, passed_over, leave_out=out), from_names)
    first = list(islice(inputs, max(at_least, engines.PROCESSES_FROM)))
    if out is not None:
        check_folder(out, overwrite=overwrite)
    return len(first), chain(first, inputs)
