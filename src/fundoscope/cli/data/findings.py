"""What ``fundoscope data check`` prints: tables of counts and findings, and the totals."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fundoscope.quoting import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fundoscope.data.annotations.faults import Fault
    from fundoscope.data.check import Duplicates, Leak, Member, Report, Trouble
    from fundoscope.data.shortcuts import Audit

SHOWN: Final = 5
"""Findings of each kind, and shapes, that are printed; the JSON file has all."""
WIDTH: Final = 100
"""Columns of the tables where standard output is not a terminal."""
UNKNOWN: Final = "—"


def lines(report: Report) -> Iterator[str]:
    """The report as lines of text: tables, then totals."""
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
        declared = sum(group.declared for group in report.duplicates)
        yield f"groups of duplicates: {groups}, {declared} of them declared in the column group"
    findings = ", ".join(f"{count} {kind}" for kind, count in report.findings.items() if count)
    yield f"{report.photographs} photographs: {findings or 'nothing found'}"


def _parts(report: Report) -> Iterator[RenderableType]:
    yield from _counts(report.counts)
    yield _shapes(report.shapes)
    if report.shortcuts:
        yield _shortcuts(report.shortcuts)
    if any(report.findings.values()):
        yield _findings(report)


def _counts(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[Table]:
    """Photographs by source and split, a column a grade; nothing where there are no labels."""
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

    title = f"Shortcuts to the grade (* quadratic kappa above {FAIR})"
    columns = ("accuracy", "quadratic kappa", "referable AUC", "photographs")
    table = _table(title, ("of", "guessed from"), columns)
    for audit in audits:
        for figures in audit.figures:
            mark = " *" if figures in audit.telling else ""
            table.add_row(
                printable(audit.of) or UNKNOWN,
                figures.cue + mark,
                f"{figures.accuracy:.3f}",
                _figure(figures.quadratic_kappa),
                _figure(figures.referable_auc),
                str(audit.tested_on),
            )
        table.add_section()
    table.caption = "; ".join(_how(audits))
    return table


def _how(audits: Sequence[Audit]) -> Iterator[str]:
    """How the audits were made: ``train to test: aptos, idrid``."""
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
    yield "missing", [_trouble(photo) for photo in report.missing]
    yield "unreadable", [_trouble(photo) for photo in report.unreadable]
    yield "no retina", [_trouble(photo) for photo in report.no_retina]
    yield "duplicates", [_duplicates(group) for group in report.duplicates if not group.declared]
    yield "contradictory labels", [_members(group) for group in report.contradictions]
    yield "on two sides", [_leak(leak) for leak in report.leaks]
    yield "faults of boxes", [_fault(fault) for fault in report.faults]


def _trouble(photo: Trouble) -> str:
    line = f" (line {photo.line})" if photo.line else ""
    return printable(f"{photo.image}{line}: {photo.reason} [{photo.code}]")


def _duplicates(group: Duplicates) -> str:
    if group.exact:
        return f"{_members(group.members)}: the same file"
    least = min(pair.correlation for pair in group.pairs)
    mirrored = ", mirrored" if any(pair.mirrored for pair in group.pairs) else ""
    return f"{_members(group.members)}: correlation {least:.3f}{mirrored}"


def _leak(leak: Leak) -> str:
    return printable(f"{leak.by} {leak.name}: {', '.join(leak.splits)}")


def _fault(fault: Fault) -> str:
    number = f", object {fault.number}" if fault.number else ""
    return printable(f"{fault.image}{number}: {fault.sentence} [{fault.code}]")


def _members(members: Sequence[Member]) -> str:
    named = [
        member.image if member.grade is None else f"{member.image} ({_label(member)})"
        for member in members[:SHOWN]
    ]
    if len(members) > SHOWN:
        named.append(f"{len(members) - SHOWN} more")
    return printable(" = ".join(named))


def _label(member: Member) -> str:
    return f"grade {member.grade}, {member.split}" if member.split else f"grade {member.grade}"


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as NewTable

    table = NewTable(title=title, box=SIMPLE_HEAD, title_justify="left", caption_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table
