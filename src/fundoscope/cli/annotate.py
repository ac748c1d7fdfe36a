"""``fundoscope annotate``: the lesions that are found, as boxes for an annotator to correct."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.batch import annotate as annotating
    from fundoscope.batch.inputs import Input
    from fundoscope.cli.terminal import Terminal


class Form(StrEnum):
    """The formats that hold boxes, see :data:`fundoscope.data.annotations.formats.FORMATS`."""

    VOC = "voc"
    LABELSTUDIO = "labelstudio"
    CVAT = "cvat"
    COCO = "coco"
    YOLO = "yolo"


def annotate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Photographs; folders, with all below; or tables (.csv) with a column image.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the annotations into this folder.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="Format to write.")] = Form.VOC,
    beside: Annotated[
        bool,
        typer.Option(
            "--beside",
            help="In place of --out: write each XML next to its photograph, as labelImg does.",
        ),
    ] = False,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="Look for lesions with this bundle; the shipped one by default."
        ),
    ] = None,
    disc: Annotated[
        bool, typer.Option("--disc/--no-disc", help="Box the optic disc as well.")
    ] = True,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Photographs read at a time; as many as processors by default."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace annotations that are there, corrected or not."),
    ] = False,
) -> None:
    """Write the lesions that are found as boxes, for an annotator to correct.

    Annotations that are there are left alone. Correct them all before training on them.

    Exit code 0: all have annotations. 3: some were refused, each named with its reason.

    2: misuse. 1: failure.
    """
    from fundoscope.batch import annotate as annotating
    from fundoscope.batch import annotation_files, processors
    from fundoscope.cli.terminal import quiet_libraries, stopping, terminal
    from fundoscope.reader import Reader

    _check(out, form, beside=beside)
    photographs = _photographs(paths, out)
    names = annotation_files.names_of(photographs, _folder(paths))
    files = annotation_files.files_for(form.value, out, names, overwrite=overwrite)
    workers = workers or processors.available()
    threads = processors.threads(workers, len(photographs))
    reader = Reader(detector=detector, threads=threads)
    with quiet_libraries(), stopping() as stop, terminal(len(photographs)) as screen:

        def show(one: annotating.Annotated) -> None:
            _show(one, screen, disc=disc)
            if screen.closed:
                stop.set()

        tally = annotating.annotate(
            photographs,
            names,
            reader,
            files,
            disc=disc,
            workers=workers,
            show=show,
            stop=stop,
        )
    raise typer.Exit(_conclude(tally, screen, out))


def _check(out: Path | None, form: Form, *, beside: bool) -> None:
    if beside and form is not Form.VOC:
        raise UsageError("--beside", f"has no meaning for {form.value}", "leave it out")
    if beside and out is not None:
        raise UsageError("--beside", "writes next to the photographs", "leave out --out")
    if not beside and out is None:
        raise UsageError("--out", "is missing", "name a folder, or add --beside")


def _folder(paths: list[Path]) -> Path | None:
    """The folder of photographs, where one is named."""
    return paths[0] if len(paths) == 1 and paths[0].is_dir() else None


def _photographs(paths: list[Path], out: Path | None) -> list[Input]:
    """What to annotate, each once; results may lie in the folder of the photographs."""
    from fundoscope.batch.inputs import gather

    apart = out is not None and not any(path.exists() and _same(path, out) for path in paths)
    inputs = gather(paths, leave_out=out if apart else None)
    return list({one.path.absolute(): one for one in reversed(inputs.photographs)}.values())[::-1]


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


def _show(one: annotating.Annotated, screen: Terminal, *, disc: bool) -> None:
    """One line: what was found on standard output, a photograph without it on standard error."""
    from fundoscope.report.wording import lesions_in_words, printable, too_small

    image = printable(one.input.image)
    screen.advance()
    if one.trouble:
        screen.err(printable(f"{image}: {one.trouble['reason']}; {one.trouble['remedy']}"))
    elif one.kept:
        screen.out(f"{image}: has annotations already, left as they are")
    elif one.reading is not None:
        ring = "optic disc" if disc and one.reading.anatomy.disc.found else ""
        parts = (lesions_in_words(one.reading), ring, too_small(one.reading))
        screen.out(f"{image}: {'; '.join(filter(None, parts))}")


def _conclude(tally: annotating.AnnotationTally, screen: Terminal, out: Path | None) -> int:
    from fundoscope.cli.read import INTERRUPTED, PIPE_CLOSED

    if screen.closed:
        return PIPE_CLOSED
    if tally.interrupted:
        typer.echo(f"interrupted: {tally.done} of {tally.photographs} were done", err=True)
    for line in _totals(tally, out):
        screen.out(line)
    return INTERRUPTED if tally.interrupted else tally.exit_code


def _totals(tally: annotating.AnnotationTally, out: Path | None) -> list[str]:
    from fundoscope.report.wording import kind_in_words, listed_over

    noun = "photograph" if tally.photographs == 1 else "photographs"
    lines = [
        f"{tally.photographs} {noun}: {tally.annotated} annotated, {tally.kept} had annotations"
        f" already, {tally.troubled} could not be"
    ]
    if tally.boxes:
        boxes = (f"{n} {kind_in_words(kind, n)}" for kind, n in tally.boxes.most_common())
        lines.append(f"boxes: {', '.join(boxes)}")
    if tally.unseen:
        lines.append(f"not assessed: {listed_over(tally.unseen, tally.annotated)}")
    lines += [f"not kept: {loss.what} ({loss.count})" for loss in tally.losses]
    lines.append(f"annotations: {'beside the photographs' if out is None else out}")
    return [*lines, "a program drew them: correct them before anybody trains on them"]
