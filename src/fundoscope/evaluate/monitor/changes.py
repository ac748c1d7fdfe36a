"""What a monitor says has changed, in sentences, the most telling first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fundoscope.evaluate.monitor import charts
from fundoscope.evaluate.monitor.charts import CAMERAS, Chart, Point, new_sizes
from fundoscope.evaluate.monitor.limits import TOGETHER
from fundoscope.evaluate.monitor.runs import Period

CAMERA, GRADER, FIGURE = "camera", "grader", "figure"
"""Kinds of changes."""
CAMERA_REMEDY: Final = (
    "Another camera, or other settings of it? Evaluate the grader on its photographs before you"
    " rely on it."
)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not as in the reference.

    Attributes:
        kind: :data:`CAMERA`, :data:`GRADER` or :data:`FIGURE`.
        since: the first period that shows it.
        words: a sentence.
    """

    kind: str
    since: str
    words: str


def changes(
    reference: Period, periods: Sequence[Period], made: Sequence[Chart]
) -> tuple[Change, ...]:
    """Find what has changed.

    Args:
        reference: what is compared with.
        periods: in order.
        made: their charts.
    """
    cameras = _cameras(reference, periods, made)
    found = [*cameras, *_graders(reference, periods)]
    for chart in made:
        if chart.section != CAMERAS and chart.signals:
            found.append(_of_chart(chart))
        # Each period's few photographs of a new camera may lie within the limits.
        if chart.section == CAMERAS and not cameras and any(p.drift for p in chart.points):
            found.append(_of_chart(chart))
    return tuple(found)


def _cameras(reference: Period, periods: Sequence[Period], made: Sequence[Chart]) -> list[Change]:
    """A change of the camera, from the sizes of photographs."""
    found, named = [], set[str]()
    for chart in (each for each in made if each.section == CAMERAS):
        for place, (point, period) in enumerate(zip(chart.points, periods, strict=True)):
            sizes = new_sizes(reference, period)
            fresh = [size for size, _ in sizes if size not in named]
            if not point.beyond or not fresh or point.value is None:
                continue
            named.update(size for size, _ in sizes)
            listed = ", ".join(f"{size} ({n:,})" for size, n in sizes)
            also = [c.name for c in made if c is not chart and c.points[place].beyond]
            words = (
                f"{point.period}: {100 * point.value:.0f} % of {point.n:,} photographs have sizes"
                f" in pixels that the reference does not have: {listed}. {CAMERA_REMEDY}"
            )
            if also:
                words += f" Beyond its limits in the same period: {', '.join(also)}."
            found.append(Change(CAMERA, point.period, words))
    return found


def _graders(reference: Period, periods: Sequence[Period]) -> list[Change]:
    """The first period of another grader, and the first of the same one calibrated again."""
    found: dict[bool, Change] = {}
    for period in periods:
        names = " and ".join(sorted({name for name, _ in period.models}))
        if _differ(period.models, reference.models):
            known = " and ".join(sorted({name for name, _ in reference.models}))
            words = (
                f"{period.name}: graded by {names}, the reference by {known}. Grades of two graders"
                " differ without any change of photographs: make a reference with the new one."
            )
        elif _differ(period.bundles, reference.bundles):
            words = (
                f"{period.name}: {names} has another bundle.json than in the reference: it was"
                " calibrated again. Grades and referable eyes may differ without any change of"
                " photographs: make a reference with the new one."
            )
        else:
            continue
        found.setdefault(period.models == reference.models, Change(GRADER, period.name, words))
    return list(found.values())


def _differ(ours: frozenset[Any], theirs: frozenset[Any]) -> bool:
    """Whether two runs name other bundles; a run may not say."""
    return bool(ours and theirs and ours != theirs)


def _of_chart(chart: Chart) -> Change:
    beyond = [point for point in chart.points if point.beyond]
    if not beyond:
        first = chart.signals[0]
        return Change(
            FIGURE,
            first.period,
            f"{chart.name}: the last {TOGETHER} periods up to {first.period} together lie beyond"
            f" their limits ({_centre(chart)}): a slow drift.",
        )
    first = beyond[0]
    others = f" and {len(beyond) - 1} later" if len(beyond) > 1 else ""
    return Change(
        FIGURE,
        first.period,
        f"{chart.name}: {_value(first)} in {first.period}{others}, beyond the limits"
        f" {first.low:.3f} to {first.high:.3f} ({_centre(chart)}).",
    )


def _value(point: Point) -> str:
    return f"{point.value:.3f} of {point.n:,}"


def _centre(chart: Chart) -> str:
    if chart.centre is None:
        return f"reference of {chart.reference_n:,}"
    return f"reference {chart.centre:.3f} of {chart.reference_n:,}"


def expected_false_alarms(made: Sequence[charts.Chart]) -> float:
    """How many points lie beyond their limits by chance, if nothing has changed."""
    from fundoscope.evaluate.monitor.limits import TAIL

    with_limits = sum(point.high is not None for chart in made for point in chart.points)
    return 2.0 * TAIL * with_limits
