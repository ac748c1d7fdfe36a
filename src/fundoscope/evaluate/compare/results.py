"""A comparison of two bundles as JSON, as a Markdown table and in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate import folder
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.compare import grading as compare_grading
from fundoscope.evaluate.compare import lesions as compare_lesions
from fundoscope.evaluate.compare.differences import Bundle, Change, Comparison, Part
from fundoscope.evaluate.intervals import PERCENTILES, RESAMPLES, SEED, Figure
from fundoscope.report.wording import printable

COMPARISON, TABLE = "compare.json", "compare.md"
FILES: Final = (COMPARISON, TABLE)
"""All that a comparison writes."""

VERSION: Final = "fundoscope.comparison/1"
TITLES: Final = {
    "quadratic_kappa": "quadratic kappa",
    "referable_auc": "AUC referable",
    "referable_sensitivity": "sensitivity",
    "referable_specificity": "specificity",
    "severe_called_referable": "grade 3 and 4 called referable",
    "ap_hit": "AP by the hit rule",
}
"""The figures as people call them, where that is not their name."""
HASH_SHOWN: Final = 8
"""Characters of a bundle's hash above a table."""


def compare(
    old: Path,
    new: Path,
    *,
    by: tuple[str, ...] = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare two result folders of ``fundoscope evaluate``.

    Args:
        old, new: both of graders, or both of detectors.
        by: columns of graders' label table for each value of which is compared as well.
        resamples, seed: of the intervals.

    Raises:
        UsageError: they are not of the same photographs, labels or annotations, or are damaged.
    """
    before, after = folders.read(old), folders.read(new)
    if before.run.command == folders.GRADING:
        return compare_grading.compare(before, after, by=by, resamples=resamples, seed=seed)
    if by:
        raise UsageError(
            f"--by {by[0]}", "means nothing for detectors", "leave it out: every kind is compared"
        )
    return compare_lesions.compare(before, after, resamples=resamples, seed=seed)


def write(comparison: Comparison, out: Path) -> None:
    """Write every file of :data:`FILES`; other files in the folder are left alone.

    Raises:
        OutputError: something could not be written; then nothing was changed.
    """
    with folder.staged(out, FILES) as stage:
        folder.write_json(stage / COMPARISON, document(comparison))
        (stage / TABLE).write_text(markdown(comparison), encoding="utf-8")


def document(comparison: Comparison) -> dict[str, Any]:
    """The content of ``compare.json``: the same folders give the same bytes."""
    return {
        "version": VERSION,
        "command": comparison.command,
        "old": msgspec.to_builtins(comparison.old),
        "new": msgspec.to_builtins(comparison.new),
        "photographs": comparison.photographs,
        "parts": [_part(part, comparison.counted) for part in comparison.parts],
        "intervals": {
            "resamples": comparison.resamples,
            "seed": comparison.seed,
            "percentiles": PERCENTILES,
            "clusters": dict(comparison.clusters),
        },
    }


def _part(part: Part, counted: str) -> dict[str, Any]:
    return {
        "of": part.name,
        counted: part.n,
        "figures": {
            name: {
                "old": folder.figure(change.old),
                "new": folder.figure(change.new),
                "difference": folder.figure(change.difference),
                "excludes_zero": change.excludes_zero,
            }
            for name, change in part.changes.items()
        },
    }


def markdown(comparison: Comparison) -> str:
    """A table, a row a figure; bold where the interval of the difference leaves 0 out."""
    clusters = " and ".join(sorted(comparison.clusters))
    lines = [
        f"Old: {_bundles(comparison.old)}; new: {_bundles(comparison.new)}, on the same"
        f" {comparison.photographs:,} photographs. 95 % intervals; those of the difference by"
        f" paired bootstrap by {clusters}, bold where they leave 0 out.",
        "",
        f"| of | {comparison.counted} | figure | old | new | new less old |",
        "|---|---|---|---|---|---|",
    ]
    last: Part | None = None
    for part, name, change in told(comparison):
        first = part is not last
        cells = (
            _cell(part.name) if first else "",
            f"{part.n:,}" if first and part.n is not None else "",
            title(name),
            _span(change.old),
            _span(change.new),
            f"**{_difference(change)}**" if change.excludes_zero else _difference(change),
        )
        lines.append(f"| {' | '.join(cells)} |")
        last = part
    return "\n".join(lines) + "\n"


def lines(comparison: Comparison) -> Iterator[str]:
    """The same in words, a line a figure."""
    for part, name, change in told(comparison):
        n = "" if part.n is None else f" ({part.n:,})"
        verdict = ", leaves 0 out" if change.excludes_zero else ""
        yield (
            f"{printable(part.name)}{n}: {title(name)} {_value(change.old)} → {_value(change.new)},"
            f" difference {_difference(change)}{verdict}"
        )


def told(comparison: Comparison) -> Iterator[tuple[Part, str, Change]]:
    """The figures of a table, part by part."""
    for part in comparison.parts:
        for name in comparison.told:
            if name in part.changes:
                yield part, name, part.changes[name]


def title(name: str) -> str:
    """A figure as people call it."""
    return TITLES.get(name, name)


def _bundles(bundle: Bundle) -> str:
    names = (f"`{_cell(m.name)}` (`{m.sha256[:HASH_SHOWN]}…`)" for m in bundle.models)
    return " and ".join(names) or "no bundle"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _value(figure: Figure) -> str:
    return "undefined" if figure.value is None else f"{figure.value:.3f}"


def _span(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return _value(figure)
    return f"{_value(figure)} ({figure.low:.3f} to {figure.high:.3f})"


def _difference(change: Change) -> str:
    difference = change.difference
    if difference.value is None:
        return "undefined"
    if difference.low is None or difference.high is None:
        return f"{difference.value:+.3f}"
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
