"""A monitor's page and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import writing
from fundoscope.errors import UsageError
from fundoscope.evaluate.monitor import plots
from fundoscope.evaluate.monitor.changes import Change, changes, expected_false_alarms
from fundoscope.evaluate.monitor.charts import (
    ABSTAINED,
    CAMERAS,
    DISTANCE,
    FAILURES,
    FAMILIARITY,
    GRADES,
    NEW_SIZE,
    SCORES,
    UNFAMILIAR,
    Chart,
    charts,
    new_sizes,
    patients,
    quartiles,
    too_small,
)
from fundoscope.evaluate.monitor.limits import FEWEST, TAIL, TOGETHER
from fundoscope.evaluate.monitor.runs import Period
from fundoscope.evaluate.report import html, markdown
from fundoscope.evaluate.report.document import (
    Block,
    Paragraph,
    Report,
    Section,
    Table,
    without_empty,
)
from fundoscope.quoting import as_json, printable

VERSION: Final = "fundoscope.monitor/1"
RENDERERS: Final = {".html": html.render, ".htm": html.render, ".md": markdown.render}
JSON: Final = ".json"
HOW: Final = (
    "Limits are probability limits: if nothing has changed, a point lies beyond them in"
    f" {100 * TAIL:.3f} % of periods on each side, as with three standard deviations (Shewhart)."
    " They are of the beta-binomial distribution that predicts a period's count from the"
    " reference's, so they know how small both are. Where patients are known, a patient counts"
    f" once. A period of fewer than {FEWEST} has none. The last"
    f" {TOGETHER} periods are also tested together, for a slow drift. The distance of the scores"
    " is that of Kolmogorov and Smirnov, with Smirnov's limit."
)
LEGEND: Final = (
    "In the charts, the band holds the limits, the dashed line is the reference, and a diamond"
    " marks a value beyond its limits."
)
MEANING: Final = (
    "A monitor does not know the right grades. It says that something is not as it was: the people,"
    " the camera, the photographer or the software. Look for the cause before you blame the grader."
)
MISSING: Final = {
    NEW_SIZE: "Cameras: the reference does not say the size of its photographs. Give a run of"
    " fundoscope read.",
    DISTANCE: "Scores: the reference holds no probabilities.",
    UNFAMILIAR: "Unfamiliar photographs: the grader of the reference does not look for them.",
    ABSTAINED: "Abstentions: the grader of the reference makes none.",
}
"""By chart, why it is missing."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A comparison of periods with a reference.

    Attributes:
        reference: what is compared with.
        periods: in order.
        charts: every figure over time.
        changes: what is not as in the reference.
    """

    reference: Period
    periods: tuple[Period, ...]
    charts: tuple[Chart, ...]
    changes: tuple[Change, ...]

    @property
    def too_small(self) -> tuple[str, ...]:
        """The names of the periods that have no limits."""
        return tuple(period.name for period in self.periods if too_small(period))

    @property
    def changed(self) -> bool | None:
        """Whether something has changed; ``None`` if nothing was seen, but no period has limits."""
        if self.changes:
            return True
        return None if len(self.too_small) == len(self.periods) else False


def watch(reference: Period, periods: Sequence[Period]) -> Monitor:
    """Compare periods with a reference.

    Raises:
        UsageError: the reference is too small to be compared with.
    """
    known = patients(reference.photographs)
    if known < FEWEST:
        raise UsageError(
            f"--against {reference.name}",
            f"holds {len(reference.photographs)} photographs of {known} patients, fewer than"
            f" {FEWEST}",
            "give a larger run: a hundred patients or more",
        )
    made = charts(reference, periods)
    return Monitor(reference, tuple(periods), made, changes(reference, periods, made))


def document(monitor: Monitor) -> dict[str, Any]:
    """Build the JSON: the same runs give the same bytes."""
    return {
        "version": VERSION,
        "reference": _period(monitor.reference),
        "periods": [
            _period(period) | {"new_sizes": dict(new_sizes(monitor.reference, period))}
            for period in monitor.periods
        ],
        "changed": monitor.changed,
        "too_small": list(monitor.too_small),
        "changes": msgspec.to_builtins(monitor.changes),
        "charts": msgspec.to_builtins(monitor.charts),
        "quartiles": msgspec.to_builtins(quartiles((monitor.reference, *monitor.periods))),
        "limits": {"tail": TAIL, "fewest": FEWEST, "together": TOGETHER},
        "expected_false_alarms": expected_false_alarms(monitor.charts),
    }


def _period(period: Period) -> dict[str, Any]:
    return {
        "name": period.name,
        "started": period.started.isoformat(),
        "photographs": len(period.photographs),
        "models": [{"name": name, "sha256": sha256} for name, sha256 in sorted(period.models)],
        "bundles": sorted(period.bundles),
    }


def page(monitor: Monitor) -> Report:
    """Build the page."""
    sections = [
        Section("What has changed", tuple(_changes(monitor))),
        *(Section(title, tuple(_section(monitor, title))) for title in (
            CAMERAS, FAILURES, FAMILIARITY, SCORES, GRADES,
        )),
        Section("How the limits were made", (Paragraph(HOW), Paragraph(MEANING))),
        Section("Not given", tuple(_missing(monitor))),
    ]  # fmt: skip
    return Report(
        f"Monitor: {_periods(monitor)} against {printable(monitor.reference.name)}",
        without_empty(sections),
    )


def _periods(monitor: Monitor) -> str:
    count = len(monitor.periods)
    return "1 period" if count == 1 else f"{count:,} periods"


def headline(monitor: Monitor) -> list[str]:
    """Say, in sentences, what was not seen: no change, and periods that have no limits.

    Args:
        monitor: the comparison.
    """
    said = []
    if monitor.changed is False:
        of_others = " in the other periods" if monitor.too_small else ""
        said.append(f"Nothing lies beyond its limits{of_others}.")
    if monitor.too_small:
        number, total = len(monitor.too_small), len(monitor.periods)
        said.append(
            f"{number:,} of {total:,} periods {'is' if number == 1 else 'are'} too small to judge"
            f" (fewer than {FEWEST} patients): put runs together with --every week or longer."
        )
    return said


def _changes(monitor: Monitor) -> list[Block]:
    total = sum(len(period.photographs) for period in monitor.periods)
    last = monitor.periods[-1]
    blocks: list[Block] = [
        Paragraph(
            f"{total:,} photographs in {_periods(monitor)}, the last {last.name}"
            f" ({last.started:%Y-%m-%d}); reference {monitor.reference.name} with"
            f" {len(monitor.reference.photographs):,}."
        )
    ]
    blocks += [Paragraph(sentence) for sentence in headline(monitor)]
    if not monitor.changes:
        return [*blocks, Paragraph(LEGEND)]
    rows = tuple((change.since, change.kind, change.words) for change in monitor.changes)
    blocks.append(Table("Not as in the reference", ("since", "kind", "what"), rows))
    expected = expected_false_alarms(monitor.charts)
    blocks.append(
        Paragraph(f"By chance alone, {expected:.1f} points would lie beyond limits. {LEGEND}")
    )
    return blocks


def _missing(monitor: Monitor) -> list[Block]:
    names = {chart.name for chart in monitor.charts}
    absent = [why for name, why in MISSING.items() if name not in names]
    return [Paragraph(why) for why in absent]


def _section(monitor: Monitor, title: str) -> list[Block]:
    own = [chart for chart in monitor.charts if chart.section == title]
    if not own:
        return []
    blocks: list[Block] = [plots.control(chart) for chart in own]
    if title == SCORES:
        first, *others = quartiles((monitor.reference, *monitor.periods))
        picture = plots.scores(first, tuple(others))
        blocks += [] if picture is None else [picture]
    return [*blocks, _table(title, own)]


def _table(title: str, own: Sequence[Chart]) -> Table:
    rows = []
    for chart in own:
        for point in chart.points:
            limits = (
                "too few patients"
                if point.low is None or point.high is None
                else f"{point.low:.3f} to {point.high:.3f}"
            )
            state = "beyond" if point.beyond else "drift" if point.drift else "within"
            value = "no photographs" if point.value is None else f"{point.value:.3f}"
            shown_state = state if point.high is not None or point.drift else "not given"
            rows.append((point.period, chart.name, f"{point.n:,}", value, limits, shown_state))
    columns = ("period", "figure", "photographs", "value", "limits", "state")
    return Table(f"{title}, by period", columns, tuple(rows))


def require_name(path: Path) -> None:
    """Check that a result can be written under a name.

    Raises:
        UsageError: the name ends in something else than ``.html``, ``.md`` or ``.json``.
    """
    if path.suffix.lower() not in (*RENDERERS, JSON):
        raise UsageError(path.name, "is not a name for the result", "end it in .html, .md or .json")


def write(monitor: Monitor, path: Path, *, overwrite: bool = False) -> None:
    """Write the page or the JSON, by the ending of the name.

    Raises:
        OutputError: the file exists, or cannot be written; it is never written in part.
    """
    ending = path.suffix.lower()
    if ending == JSON:
        writing.write_bytes(path, as_json(document(monitor)), overwrite=overwrite)
    else:
        writing.write_text(path, RENDERERS[ending](page(monitor)), overwrite=overwrite)
