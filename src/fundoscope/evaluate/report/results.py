"""Make a report from result folders and write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fundoscope import writing
from fundoscope.errors import UsageError
from fundoscope.evaluate.grading import training
from fundoscope.evaluate.intervals import RESAMPLES
from fundoscope.evaluate.report import checklists, detectors, graders, html, markdown
from fundoscope.evaluate.report.document import (
    Paragraph,
    Report,
    Section,
    Table,
    without_empty,
)
from fundoscope.evaluate.report.sources import HASH_SHOWN, Evaluated, Graded, read
from fundoscope.reading import ModelUsed

SUFFIXES: Final = (".html", ".htm", ".md")
TITLE: Final = "Evaluation"
HOW: Final = (
    "Every row of the label table counts. 95 % intervals are percentile bootstrap intervals. The"
    " table says what is drawn together in them: the photographs of a patient, those of a group"
    " where a row names no patient, or single photographs. Nothing was fitted here: thresholds are"
    " those that the bundle or the command brought along. Where the bundle names the sources that"
    " it was trained on, each subgroup says whether its source is among them; whether the"
    " photographs themselves took part is for the author to say."
)


def make(
    paths: Sequence[Path],
    *,
    by: Sequence[str] = (),
    photographs: Path | None = None,
    workers: int = 1,
    resamples: int = RESAMPLES,
) -> Report:
    """Make a report from result folders.

    Args:
        paths: folders that ``fundoscope evaluate grading`` or ``evaluate lesions`` wrote.
        by: columns of the label tables for subgroups, beside those of the folders.
        photographs: the folder that the names in the label tables are relative to. With it the
            report holds pictures of the worst errors and the shortcut baseline.
        workers: photographs that are read at a time.
        resamples: for the intervals that are not in the folders.

    Raises:
        UsageError: a folder does not hold results, or a column does not exist.
    """
    evaluated = read(paths)
    graded = [each for each in evaluated if isinstance(each, Graded)]
    others = [each for each in evaluated if not isinstance(each, Graded)]
    sections = [
        *graders.sections(
            graded, by=by, photographs=photographs, workers=workers, resamples=resamples
        ),
        *detectors.sections(others),
        _provenance(evaluated),
    ]
    kept = without_empty(sections)
    title = f"{TITLE}: {', '.join(each.name for each in evaluated)}"
    return Report(title, (*kept, checklists.section({section.title for section in kept})))


def require_name(path: Path) -> None:
    """Check that a report can be written under a name.

    Raises:
        UsageError: the name ends in something else than ``.html`` or ``.md``.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(path.name, "is not a name for a report", "end it in .html or .md")


def write(report: Report, path: Path, *, overwrite: bool = False) -> None:
    """Write a report as HTML or Markdown, by the ending of the name.

    Raises:
        OutputError: the file exists, or cannot be written; it is never written in part.
    """
    is_markdown = path.suffix.lower() == ".md"
    text = markdown.render(report) if is_markdown else html.render(report)
    writing.write_text(path, text, overwrite=overwrite)


def _provenance(evaluated: Sequence[Evaluated]) -> Section:
    rows = tuple(row for each in evaluated for row in _rows(each))
    table = Table("Software, data and thresholds", ("evaluation", "what", "value"), rows)
    return Section("How it was made", (Paragraph(HOW), table))


def _model(model: ModelUsed) -> str:
    """Name and hashes; that of ``bundle.json`` tells two calibrations of a network apart."""
    network = f"{model.name}, sha256 {model.sha256[:HASH_SHOWN]}…"
    if model.bundle_sha256 is None:
        return network
    return f"{network}, bundle.json {model.bundle_sha256[:HASH_SHOWN]}…"


def _rows(each: Evaluated) -> list[tuple[str, str, str]]:
    run = each.results.run
    intervals = each.metrics.get("intervals") or {}
    clusters = intervals.get("clusters") or {}
    drawn = ", ".join(f"{count} by {kind}" for kind, count in clusters.items())
    thresholds = ", ".join(
        f"{name} {value:.3f}" for name, value in run.thresholds.items() if value is not None
    )
    rows = [
        ("command", f"fundoscope {run.command}"),
        *(("model", _model(m)) for m in run.models),
        ("labels", f"sha256 {run.truth_sha256[:HASH_SHOWN]}…"),
        ("thresholds", thresholds or "none"),
        ("drawn together for intervals", f"{drawn}; {intervals.get('resamples')} resamples"),
    ]
    if isinstance(each, Graded):
        states = training.counts((row.source for row in each.rows), run.trained_on)
        rows.append(("splits", graders.splits(each.rows)))
        rows.append(("sources", training.in_words(states)))
    return [(each.name, what, value) for what, value in rows]
