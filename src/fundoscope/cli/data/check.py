"""``fundoscope data check``: what is wrong with labelled photographs and their boxes."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.errors import MissingExtraError, PhotoError, TableError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fundoscope.data.annotations.faults import Fault
    from fundoscope.data.check import Duplicates, Leak, Member, Report, Trouble
    from fundoscope.data.manifest import Manifest
    from fundoscope.data.shortcuts import Audit
    from fundoscope.data.subjects import Subject

SHOWN: Final = 5
"""Findings of a kind, and shapes, that are shown on the terminal; the JSON file has all."""
WIDTH: Final = 100
"""Columns of the tables where standard output is no terminal."""
UNKNOWN: Final = "—"


def check(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE|FOLDER",
            help="Label table; class folders 0 … 4; or any folder of photographs, without labels.",
        ),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Boxes to check too, in any format of data convert."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only these rows; repeat to narrow further."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write everything that was found.")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the label table again, with the duplicates in its column group.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep what was seen of each photograph here, so that the next check opens only "
            "those that changed; in your folder for caches by default.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Photographs opened at a time; as many as processors by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace each FILE.")] = False,
) -> None:
    """Look for missing, damaged and duplicate photographs, leaks, and frames that tell the grade.

    Leaks are patients or duplicates on two sides of a split. Needs the extra evaluate.

    Exit code 0: nothing was found. 3: something was. 2: misuse. 1: failure.
    """
    _require_extra()
    from fundoscope.cli.terminal import quiet_libraries, terminal
    from fundoscope.data import check as checking
    from fundoscope.data import manifest
    from fundoscope.data.fingerprint_cache import user_cache
    from fundoscope.data.grouping import with_groups
    from fundoscope.writing import refuse_existing, write_bytes

    for file in (json, groups):
        if file is not None:
            refuse_existing(file, overwrite=overwrite)
    table, subjects = _subjects(labels, where or ())
    if groups is not None and table is None:
        raise UsageError("--groups", "needs labels", "name a label table")
    folder = labels if table is None else table.folder or table.path.parent
    faults = () if annotations is None else _faults(annotations, folder)
    with quiet_libraries(), terminal(len(subjects)) as screen:
        report = checking.check(
            subjects,
            faults=faults,
            cache=cache or user_cache(),
            workers=workers or os.cpu_count() or 1,
            on_done=screen.advance,
        )
    if json is not None:
        write_bytes(json, checking.to_json(report), overwrite=overwrite)
    if groups is not None and table is not None:
        manifest.write(with_groups(table, report.duplicates), groups, overwrite=overwrite)
    with terminal(0) as screen:
        for line in _in_words(report):
            screen.out(line)
        for file in (json, groups):
            if file is not None:
                screen.out(f"written: {file}")
    if any(report.findings.values()):
        raise typer.Exit(PhotoError.exit_code)


def _require_extra() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError("fundoscope data check", "evaluate")


def _subjects(labels: Path, where: Sequence[str]) -> tuple[Manifest | None, tuple[Subject, ...]]:
    """The label table, if there is one, and what to check."""
    from fundoscope.data import manifest, subjects
    from fundoscope.data.selection import select

    table = subjects.labelled(labels) if labels.is_dir() else manifest.read(labels)
    if table is None:
        if where:
            raise UsageError("--where", "needs labels", "name a label table")
        return None, subjects.of_folder(labels)
    # Rows that are excluded count as well: they are there because somebody found duplicates.
    rows = select(table, where=where) if where else table.rows
    return table, subjects.of_rows(table, rows)


def _faults(annotations: Path, images: Path) -> tuple[Fault, ...]:
    """What is wrong with annotations; a file that cannot be read is all that is told of them."""
    from fundoscope.data.annotations import formats
    from fundoscope.data.annotations.faults import MALFORMED, Fault, faults

    try:
        found = formats.read(annotations, images=images)
    except (TableError, PhotoError) as error:
        sentence = f"{error.why}; the other annotations were not looked at"
        return (Fault(error.what, 0, MALFORMED, sentence),)
    for warning in found.warnings:
        typer.echo(warning, err=True)
    return faults(found, images)


def _in_words(report: Report) -> Iterator[str]:
    """The report as lines of text, with tables."""
    from rich.console import Console

    plain = not sys.stdout.isatty()
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=not plain,
        width=WIDTH if plain else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in _parts(report):
        console.print(part)
    yield from map(str.rstrip, text.getvalue().splitlines())
    yield from _totals(report)


def _totals(report: Report) -> Iterator[str]:
    groups = len(report.duplicates)
    if groups:
        declared = sum(one.declared for one in report.duplicates)
        yield f"groups of duplicates: {groups}, {declared} of them declared in the column group"
    found = {kind: count for kind, count in report.findings.items() if count}
    told = ", ".join(f"{count} {kind}" for kind, count in found.items())
    yield f"{report.photographs} photographs: {told or 'nothing found'}"


def _parts(report: Report) -> Iterator[RenderableType]:
    yield from _counts(report.counts)
    yield _shapes(report.shapes)
    if report.shortcuts:
        yield _shortcuts(report.shortcuts)
    if any(report.findings.values()):
        yield _findings(report)


def _counts(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[Table]:
    """Photographs by source and split, a column a grade; nothing where there are no labels."""
    from fundoscope.report.wording import printable

    if not counts:
        return
    grades = sorted({g for splits in counts.values() for of in splits.values() for g in of})
    table = _table("Photographs by grade", ("source", "split"), (*grades, "all"))
    for source, splits in counts.items():
        for split, of_grade in splits.items():
            numbers = [of_grade.get(grade, 0) for grade in grades]
            cells = (printable(source) or UNKNOWN, printable(split) or UNKNOWN)
            table.add_row(*cells, *map(str, numbers), str(sum(numbers)))
    yield table


def _shapes(shapes: Mapping[str, int]) -> Table:
    table = _table("Sizes in pixels", ("width x height",), ("photographs",))
    for shape in list(shapes)[:SHOWN]:
        table.add_row(shape, str(shapes[shape]))
    if len(shapes) > SHOWN:
        rest = sum(list(shapes.values())[SHOWN:])
        table.add_row(f"{len(shapes) - SHOWN} others", str(rest))
    return table


def _shortcuts(audits: Sequence[Audit]) -> Table:
    """The audit; what counts as a finding is marked with a star."""
    from fundoscope.data.shortcuts import FAIR
    from fundoscope.report.wording import printable

    title = f"The grade from the frame alone (* quadratic kappa above {FAIR})"
    columns = ("accuracy", "quadratic kappa", "referable AUC", "photographs")
    table = _table(title, ("of", "told from"), columns)
    for audit in audits:
        for one in audit.figures:
            mark = " *" if one in audit.telling else ""
            table.add_row(
                printable(audit.of) or UNKNOWN,
                one.cue + mark,
                f"{one.accuracy:.3f}",
                _figure(one.quadratic_kappa),
                _figure(one.referable_auc),
                str(audit.tested_on),
            )
        table.add_section()
    table.caption = "; ".join(_how(audits))
    return table


def _how(audits: Sequence[Audit]) -> Iterator[str]:
    """How the audits were made: ``train to test: aptos, idrid``."""
    from fundoscope.report.wording import printable

    for how in dict.fromkeys(audit.how for audit in audits):
        of = (printable(audit.of) or UNKNOWN for audit in audits if audit.how == how)
        yield f"{how}: {', '.join(of)}"


def _figure(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _findings(report: Report) -> Table:
    """The first of each kind of finding, by name."""
    table = _table("Findings", ("what", "photographs"), ())
    for kind, lines in _named(report):
        for line in lines[:SHOWN]:
            table.add_row(kind, line)
        if len(lines) > SHOWN:
            table.add_row(kind, f"and {len(lines) - SHOWN} more")
        if lines:
            table.add_section()
    return table


def _named(report: Report) -> Iterator[tuple[str, list[str]]]:
    yield "missing", [_trouble(one) for one in report.missing]
    yield "unreadable", [_trouble(one) for one in report.unreadable]
    yield "no retina", [_trouble(one) for one in report.no_retina]
    yield "duplicates", [_duplicates(one) for one in report.duplicates if not one.declared]
    yield "contradictory labels", [_members(one) for one in report.contradictions]
    yield "on two sides", [_leak(one) for one in report.leaks]
    yield "faults of boxes", [_fault(one) for one in report.faults]


def _trouble(one: Trouble) -> str:
    from fundoscope.report.wording import printable

    line = f" (line {one.line})" if one.line else ""
    return printable(f"{one.image}{line}: {one.reason} [{one.code}]")


def _duplicates(one: Duplicates) -> str:
    if one.exact:
        return f"{_members(one.members)}: the same file"
    least = min(pair.correlation for pair in one.pairs)
    mirrored = ", mirrored" if any(pair.mirrored for pair in one.pairs) else ""
    return f"{_members(one.members)}: correlation {least:.3f}{mirrored}"


def _leak(one: Leak) -> str:
    from fundoscope.report.wording import printable

    return printable(f"{one.by} {one.name}: {', '.join(one.splits)}")


def _fault(one: Fault) -> str:
    from fundoscope.report.wording import printable

    number = f", object {one.number}" if one.number else ""
    return printable(f"{one.image}{number}: {one.sentence} [{one.code}]")


def _members(members: Sequence[Member]) -> str:
    from fundoscope.report.wording import printable

    named = [
        one.image if one.grade is None else f"{one.image} ({_label(one)})"
        for one in members[:SHOWN]
    ]
    if len(members) > SHOWN:
        named.append(f"{len(members) - SHOWN} more")
    return printable(" = ".join(named))


def _label(one: Member) -> str:
    return f"grade {one.grade}, {one.split}" if one.split else f"grade {one.grade}"


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as NewTable

    table = NewTable(title=title, box=SIMPLE_HEAD, title_justify="left", caption_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table
