"""Compare two result folders; write the comparison as JSON, as a Markdown table and in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import writing
from fundoscope.errors import UsageError
from fundoscope.evaluate import folder
from fundoscope.evaluate.compare import folders, grading, lesions
from fundoscope.evaluate.compare.differences import Bundle, Change, Comparison, Part
from fundoscope.evaluate.folder import GRADING, figure_document
from fundoscope.evaluate.intervals import PERCENTILES, RESAMPLES, SEED, drawn_by
from fundoscope.quoting import printable
from fundoscope.reading import ModelUsed

COMPARISON, TABLE = "compare.json", "compare.md"
FILES: Final = (COMPARISON, TABLE)
"""All files that a comparison writes."""

VERSION: Final = "fundoscope.comparison/1"
TITLES: Final = {
    "quadratic_kappa": "quadratic kappa",
    "referable_auc": "AUC referable",
    "referable_sensitivity": "sensitivity",
    "referable_specificity": "specificity",
    "severe_called_referable": "grade 3 and 4 called referable",
    "ap_hit": "AP by the hit rule",
}
"""Titles of the figures whose name is not a good title."""
SMALLEST_P: Final = 0.001
"""Smaller probabilities are written as less than this."""
HASH_SHOWN: Final = 8
"""Characters of a bundle's hash that are shown above a table."""


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
        old: the folder of the old bundle.
        new: the folder of the new bundle; both of graders, or both of detectors.
        by: columns of the label table; graders are also compared for each of their values.
        resamples: number of resamples for the intervals.
        seed: of the resamples.

    Raises:
        UsageError: the folders differ in their photographs, labels or annotations, or are damaged.
    """
    before, after = folders.read(old), folders.read(new)
    if before.run.command == GRADING:
        return grading.compare(before, after, by=by, resamples=resamples, seed=seed)
    if by:
        raise UsageError(
            f"--by {by[0]}", "is only for graders", "leave it out: every kind of lesion is compared"
        )
    return lesions.compare(before, after, resamples=resamples, seed=seed)


def write(comparison: Comparison, out: Path) -> None:
    """Write every file of :data:`FILES`; other files in the folder are left alone.

    Raises:
        OutputError: a file could not be written; nothing was changed.
    """
    with folder.staged(out, FILES, record=COMPARISON) as stage:
        folder.write_json(stage / COMPARISON, document(comparison))
        writing.write_text(stage / TABLE, markdown(comparison))


def document(comparison: Comparison) -> dict[str, Any]:
    """Build the content of ``compare.json``: the same folders give the same bytes."""
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
                "old": figure_document(change.old),
                "new": figure_document(change.new),
                "difference": figure_document(change.difference),
                "excludes_zero": change.excludes_zero,
                **_mcnemar(part, name),
            }
            for name, change in part.changes.items()
        },
    }


def _mcnemar(part: Part, name: str) -> dict[str, Any]:
    return {"mcnemar": msgspec.to_builtins(part.mcnemar[name])} if name in part.mcnemar else {}


def mcnemar_in_words(part: Part, name: str) -> str:
    """Say what McNemar's test gives; nothing where there is no test."""
    if name not in part.mcnemar:
        return ""
    test = part.mcnemar[name]
    p = f"= {test.p:.3f}" if test.p >= SMALLEST_P else f"< {SMALLEST_P}"
    return f"McNemar p {p} ({test.old_only} only old, {test.new_only} only new)"


def markdown(comparison: Comparison) -> str:
    """Write a Markdown table with a row for each figure."""
    clusters = drawn_by(comparison.clusters)
    lines = [
        f"Old: {_bundles(comparison.old)}; new: {_bundles(comparison.new)}, on the same"
        f" {comparison.photographs:,} photographs. 95 % intervals; those of the difference by"
        f" paired bootstrap by {clusters}, bold where they exclude 0.",
        "",
        f"| of | {comparison.counted} | figure | old | new | new minus old |",
        "|---|---|---|---|---|---|",
    ]
    last: Part | None = None
    for part, name, change in shown(comparison):
        first = part is not last
        difference = change.difference.in_words(signed=True)
        if change.excludes_zero:
            difference = f"**{difference}**"
        cells = (
            _cell(part.name) if first else "",
            f"{part.n:,}" if first and part.n is not None else "",
            title(name),
            change.old.in_words(),
            change.new.in_words(),
            "; ".join(filter(None, (difference, mcnemar_in_words(part, name)))),
        )
        lines.append(f"| {' | '.join(cells)} |")
        last = part
    return "\n".join(lines) + "\n"


def lines(comparison: Comparison) -> Iterator[str]:
    """Say the same in words, one line for each figure."""
    for part, name, change in shown(comparison):
        n = "" if part.n is None else f" ({part.n:,})"
        verdict = ", excludes 0" if change.excludes_zero else ""
        old, new = change.old.value_in_words(), change.new.value_in_words()
        yield (
            f"{printable(part.name)}{n}: {title(name)} {old} → {new},"
            f" difference {change.difference.in_words(signed=True)}{verdict}"
        )
        if name in part.mcnemar:
            yield f"    {mcnemar_in_words(part, name)}"


def shown(comparison: Comparison) -> Iterator[tuple[Part, str, Change]]:
    """List the figures of a table, part by part."""
    for part in comparison.parts:
        for name in comparison.shown:
            if name in part.changes:
                yield part, name, part.changes[name]


def title(name: str) -> str:
    """Give a figure its title."""
    return TITLES.get(name, name)


def _bundles(bundle: Bundle) -> str:
    return " and ".join(map(_model, bundle.models)) or "no bundle"


def _model(model: ModelUsed) -> str:
    """Name and hashes; that of ``bundle.json`` tells two calibrations of a network apart."""
    hashes = [f"`{model.sha256[:HASH_SHOWN]}…`"]
    if model.bundle_sha256 is not None:
        hashes.append(f"bundle.json `{model.bundle_sha256[:HASH_SHOWN]}…`")
    return f"`{_cell(model.name)}` ({', '.join(hashes)})"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
