"""``fundoscope annotate``: write detected lesions as boxes for an annotator to correct."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.exit_codes import INTERRUPTED, PIPE_CLOSED
from fundoscope.cli.options import DetectorBundle, Workers
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.batch import annotate as annotating
    from fundoscope.batch.inputs import Input
    from fundoscope.cli.terminal import Terminal


class BoxFormat(StrEnum):
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
            help="Photographs, folders (with their subfolders), or tables (.csv) with the column"
            " image.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write the annotations into.")
    ] = None,
    form: Annotated[
        BoxFormat, typer.Option("--format", metavar="|".join(BoxFormat), help="Format to write.")
    ] = BoxFormat.VOC,
    beside: Annotated[
        bool,
        typer.Option(
            "--beside",
            help="Write each VOC file next to its photograph, as labelImg does, instead of into"
            " --out.",
        ),
    ] = False,
    detector: DetectorBundle = None,
    disc: Annotated[
        bool, typer.Option("--disc/--no-disc", help="Draw a box around the optic disc, too.")
    ] = True,
    workers: Workers = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace existing annotations, corrected ones included."),
    ] = False,
) -> None:
    """Find lesions and write them as boxes, for an annotator to correct.

    Existing annotations are kept. Have a person correct the boxes before training on them.

    Exit codes: 0 if all photographs have annotations, 3 if some could not be read (each is named
    with the reason), 2 for wrong use, 1 for any other failure.
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

        def show(annotated: annotating.Annotated) -> None:
            _show(annotated, screen, disc=disc)
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


def _check(out: Path | None, form: BoxFormat, *, beside: bool) -> None:
    if beside and form is not BoxFormat.VOC:
        raise UsageError("--beside", "works with --format voc only", "leave one of them out")
    if beside and out is not None:
        raise UsageError("--beside", "cannot be combined with --out", "leave one of them out")
    if not beside and out is None:
        raise UsageError("--out", "is missing", "name a folder, or add --beside")


def _folder(paths: list[Path]) -> Path | None:
    """The folder of photographs, if the user named a single folder."""
    return paths[0] if len(paths) == 1 and paths[0].is_dir() else None


def _photographs(paths: list[Path], out: Path | None) -> list[Input]:
    """The photographs to annotate, each once. Results may lie in their folder."""
    from fundoscope.batch.annotation_files import plain
    from fundoscope.batch.inputs import gather

    apart = out is not None and not any(path.exists() and _same(path, out) for path in paths)
    inputs = gather(paths, leave_out=out if apart else None)
    for photo in inputs.photographs:
        if photo.archive or photo.url:
            raise UsageError(
                photo.archive or photo.url,
                "is an archive or an address: annotations need photographs in a folder",
                "unpack or download the photographs, and name their folder",
            )
    return list({plain(photo.path): photo for photo in reversed(inputs.photographs)}.values())[::-1]


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


def _show(annotated: annotating.Annotated, screen: Terminal, *, disc: bool) -> None:
    """Print what was found on standard output, or what went wrong on standard error."""
    from fundoscope.quoting import printable
    from fundoscope.report.wording import lesions_in_words, too_small

    image = printable(annotated.input.image)
    screen.advance()
    if annotated.trouble:
        screen.err(
            printable(f"{image}: {annotated.trouble['reason']}; {annotated.trouble['remedy']}")
        )
    elif annotated.kept:
        screen.out(f"{image}: has annotations already; they were kept")
    elif annotated.reading is not None:
        disc_found = "optic disc" if disc and annotated.reading.anatomy.disc.found else ""
        parts = (lesions_in_words(annotated.reading), disc_found, too_small(annotated.reading))
        screen.out(f"{image}: {'; '.join(filter(None, parts))}")


def _conclude(tally: annotating.AnnotationTally, screen: Terminal, out: Path | None) -> int:
    if screen.closed:
        return PIPE_CLOSED
    if tally.interrupted:
        typer.echo(
            f"interrupted: {tally.done} of {tally.photographs} photographs were done", err=True
        )
    for line in _totals(tally, out):
        screen.out(line)
    return INTERRUPTED if tally.interrupted else tally.exit_code


def _totals(tally: annotating.AnnotationTally, out: Path | None) -> list[str]:
    from fundoscope.report.kind_names import kind_in_words
    from fundoscope.report.wording import listed_over

    noun = "photograph" if tally.photographs == 1 else "photographs"
    lines = [
        f"{tally.photographs} {noun}: {tally.annotated} annotated, {tally.kept} had annotations"
        f" already, {tally.troubled} failed"
    ]
    if tally.boxes:
        boxes = (f"{n} {kind_in_words(kind, n)}" for kind, n in tally.boxes.most_common())
        lines.append(f"boxes: {', '.join(boxes)}")
    if tally.unseen:
        lines.append(f"not assessed: {listed_over(tally.unseen, tally.annotated)}")
    lines += [f"not kept: {loss.what} ({loss.count})" for loss in tally.losses]
    lines.append(f"annotations: {'beside the photographs' if out is None else out}")
    return [
        *lines,
        "a program drew these boxes: have a person correct them before training on them",
    ]
