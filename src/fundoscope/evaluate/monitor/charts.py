"""The charts of a monitor: shares and scores of each period, with limits and what lies beyond."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.monitor import limits
from fundoscope.evaluate.monitor.limits import Count
from fundoscope.evaluate.monitor.runs import MonitoredPhotograph, Period
from fundoscope.grading.heads import GRADE_COUNT

GRADES, FAILURES, FAMILIARITY, SCORES, CAMERAS = (
    "Grades", "Photographs without a grade", "Unfamiliar and uncertain", "Scores", "Cameras",
)  # fmt: skip
"""The sections of the page."""
NEW_SIZE: Final = "sizes that the reference does not have"
DISTANCE: Final = "distance of the scores from the reference"
UNFAMILIAR, ABSTAINED = "unfamiliar", "abstained from"
"""Names of charts."""
QUARTILES: Final = (25, 50, 75)
SHOWN_SIZES: Final = 5
"""New sizes of photographs that are named, the most frequent first."""

Look = Callable[[MonitoredPhotograph], bool | None]
"""Whether a photograph has something; ``None`` if it was not looked at for it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A period on a chart.

    Attributes:
        period: its name.
        n: photographs that were looked at.
        value: 0 to 1; ``None`` without any.
        low, high: limits; ``None`` where there are too few patients.
        beyond: whether the value lies beyond them.
        drift: whether the last eight periods together lie beyond theirs.
    """

    period: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    beyond: bool
    drift: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure over time.

    Attributes:
        section: of the page.
        name: what it is the share of.
        centre: the reference's value; ``None`` where it does not exist.
        reference_n: photographs of the reference that were looked at.
        points: one for each period.
    """

    section: str
    name: str
    centre: float | None
    reference_n: int
    points: tuple[Point, ...]

    @property
    def signals(self) -> tuple[Point, ...]:
        """The points beyond the limits, or in a drift."""
        return tuple(point for point in self.points if point.beyond or point.drift)


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The distribution of the probability of referable in a period; ``None`` without scores."""

    period: str
    n: int
    values: tuple[float, float, float] | None


def charts(reference: Period, periods: Sequence[Period]) -> tuple[Chart, ...]:
    """Make every chart for which the reference and a period say enough.

    Args:
        reference: what is compared with.
        periods: in order.
    """
    made = [_chart(section, name, look, reference, periods) for section, name, look in _looks(
        (reference, *periods)
    )]  # fmt: skip
    return tuple(
        chart
        for chart in (*made, _scores(reference, periods), _sizes(reference, periods))
        if chart is not None
    )


def quartiles(periods: Sequence[Period]) -> tuple[Quartiles, ...]:
    """The quartiles of the scores of each period."""
    found = []
    for period in periods:
        scores = _scores_of(period)
        q = tuple(float(v) for v in np.percentile(scores, QUARTILES)) if len(scores) else None
        found.append(Quartiles(period.name, len(scores), q))  # type: ignore[arg-type]  # three
    return tuple(found)


def new_sizes(reference: Period, period: Period) -> list[tuple[str, int]]:
    """The sizes of a period's photographs that the reference does not have, most frequent first."""
    known = {seen.size for seen in reference.photographs}
    sizes = Counter(s.size for s in period.photographs if s.size and s.size not in known)
    return sizes.most_common(SHOWN_SIZES)


def too_small(period: Period) -> bool:
    """Whether a period has too few patients for any limits."""
    return patients(period.photographs) < limits.FEWEST


def _looks(periods: Sequence[Period]) -> Iterator[tuple[str, str, Look]]:
    for grade in range(GRADE_COUNT):
        yield GRADES, f"grade {grade}", partial(_has_grade, grade)
    yield GRADES, "called referable", lambda seen: seen.referable
    yield FAILURES, "without a grade", lambda seen: bool(seen.reasons)
    reasons = Counter(reason for p in periods for seen in p.photographs for reason in seen.reasons)
    for reason in sorted(reasons):
        yield FAILURES, reason.replace("_", " "), partial(_has_reason, reason)
    yield FAMILIARITY, UNFAMILIAR, lambda seen: seen.unfamiliar
    yield FAMILIARITY, ABSTAINED, lambda seen: seen.abstained


def _has_grade(grade: int, seen: MonitoredPhotograph) -> bool | None:
    return None if seen.grade is None else seen.grade == grade


def _has_reason(reason: str, seen: MonitoredPhotograph) -> bool:
    return reason in seen.reasons


def _chart(
    section: str, name: str, look: Look, reference: Period, periods: Sequence[Period]
) -> Chart | None:
    of_reference = counted(reference, look)
    if not of_reference.whole:
        return None
    return _of_counts(section, name, of_reference, periods, [counted(p, look) for p in periods])


def counted(period: Period, look: Look) -> Count:
    """Count the photographs of a period that have something, and those that were looked at."""
    looked = [(seen, has) for seen in period.photographs if (has := look(seen)) is not None]
    return Count(sum(has for _, has in looked), len(looked), patients([seen for seen, _ in looked]))


def patients(photographs: Sequence[MonitoredPhotograph]) -> int:
    """The number of patients; a photograph whose patient is not known is one of its own."""
    named = {seen.patient for seen in photographs if seen.patient}
    return len(named) + sum(not seen.patient for seen in photographs)


def _of_counts(
    section: str, name: str, reference: Count, periods: Sequence[Period], counts: Sequence[Count]
) -> Chart:
    points = []
    for period, count, together in zip(periods, counts, limits.windows(counts), strict=True):
        bounds = limits.of_share(reference, count)
        drift = together is not None and limits.beyond(
            together.share, limits.of_share(reference, together)
        )
        low, high = bounds or (None, None)
        beyond = limits.beyond(count.share, bounds)
        points.append(Point(period.name, count.whole, count.share, low, high, beyond, drift))
    return Chart(section, name, reference.share, reference.whole, tuple(points))


def _scores_of(period: Period) -> Floats:
    return np.array([s.score for s in period.photographs if s.score is not None], dtype=np.float64)


def _scored_patients(period: Period) -> int:
    return patients([seen for seen in period.photographs if seen.score is not None])


def _scores(reference: Period, periods: Sequence[Period]) -> Chart | None:
    known = _scores_of(reference)
    if not len(known):
        return None
    points = []
    for period in periods:
        scores = _scores_of(period)
        value = limits.distance(known, scores) if len(scores) else None
        high = limits.of_distance(_scored_patients(reference), _scored_patients(period))
        beyond = value is not None and high is not None and value > high
        low = None if high is None else 0.0
        points.append(Point(period.name, len(scores), value, low, high, beyond))
    return Chart(SCORES, DISTANCE, None, len(known), tuple(points))


def _sizes(reference: Period, periods: Sequence[Period]) -> Chart | None:
    """Photographs of a size that the reference does not have.

    How many to expect without a new camera is the share of the reference's photographs whose size
    occurs once (Good, Biometrika 1953): where every photograph is cropped by hand, nearly all.
    """
    sizes = Counter(seen.size for seen in reference.photographs if seen.size)
    if not sizes:
        return None
    alone = sum(number == 1 for number in sizes.values())
    opened = [seen for seen in reference.photographs if seen.size]
    of_reference = Count(alone, len(opened), patients(opened))
    counts = [
        counted(p, lambda seen: seen.size not in sizes if seen.size else None) for p in periods
    ]
    return _of_counts(CAMERAS, NEW_SIZE, of_reference, periods, counts)
