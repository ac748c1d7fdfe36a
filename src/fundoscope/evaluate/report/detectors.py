"""The sections of a report on detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fundoscope.evaluate.intervals import Figure
from fundoscope.evaluate.report import plots
from fundoscope.evaluate.report.document import Block, Section, Table, figure_cell
from fundoscope.evaluate.report.sources import Evaluated, figure_of
from fundoscope.evaluate.report.titles import title
from fundoscope.kinds import KINDS

SHOWN: Final = ("precision", "recall", "f1", "ap_hit", "ap_50", "aupr_pixels", "present_auc")
"""The figures of each kind that a report shows."""
ALL: Final = "all lesions"


def sections(all_detected: Sequence[Evaluated]) -> list[Section]:
    """Build the sections on detectors: a table and the FROC curves of each."""
    if not all_detected:
        return []
    blocks: list[Block] = []
    for detected in all_detected:
        classes = detected.metrics.get("classes") or {}
        whole = detected.metrics.get("overall")
        parts = {KINDS[k].name if k in KINDS else k: entry for k, entry in classes.items()}
        if whole:
            parts[ALL] = whole
        rows = tuple(
            (f"{name}, {title(figure)}", str(entry.get("lesions", "")), figure_cell(value))
            for name, entry in parts.items()
            for figure in SHOWN
            if (value := figure_of(entry.get(figure))) is not None
        )
        blocks.append(Table(f"Lesions by {detected.name}", ("figure", "lesions", "value"), rows))
        curves = {name: _froc(entry) for name, entry in parts.items()}
        if any(curves.values()):
            blocks.append(plots.froc(detected.name, curves))
    return [Section("Lesions", tuple(blocks))]


def _froc(entry: Mapping[str, Any]) -> dict[float, Figure]:
    """Sensitivity by false boxes per photograph."""
    by_rate = (entry.get("froc") or {}).get("sensitivity") or {}
    figures = {float(rate): figure_of(value) for rate, value in by_rate.items()}
    return {rate: figure for rate, figure in figures.items() if figure is not None}
