"""Fit the judge's heads: logistic regressions on features, and the cloud of familiar photographs.

Limits come from genuine photographs of sources that the head was not fitted to, so that they hold
for a camera that nobody has seen yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.calibrate.judging.degrade import FAULTS
from fundoscope.calibrate.judging.features import GENUINE, STRONG
from fundoscope.calibrate.judging.measured import Measured
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError
from fundoscope.grading.judge import all_inputs
from fundoscope.models import judge as stored
from fundoscope.models.judge import Familiar, Head, Judge
from fundoscope.quality import QUALITY_REASONS
from fundoscope.quoting import quoted

C_OTHER, C_UNGRADABLE, C_REASON = 1e-2, 3e-3, 1e-2
"""Inverse L2 penalty of each head (scikit-learn's ``C``), on features of unit variance."""
ITERATIONS: Final = 300
PARTS: Final = 5
"""Parts in which a source with ungradable photographs is left out."""
KEPT: Final = 0.985
"""Least share of the gradable photographs of each source that the limit of "ungradable" keeps."""
KEPT_RETINA: Final = 0.99
"""The same of all photographs for the limit of "not a retina"."""
KEPT_REASON: Final = 0.98
EVEN: Final = 0.0
"""The least limit of a reason: the log-odds at which it is as likely as not."""
FOUND: Final = 0.99
"""A reason's limit is raised as long as it finds this share of the strong faults of each kind: then
a good photograph that is only pale or a little soft is kept, too."""
KEPT_FAMILIAR: Final = 0.99
AXES: Final = 16
OTHER, UNGRADABLE = "other", "ungradable"
PHANTOM: Final = "phantom"
"""The source of drawn eyes: the heads must accept them, but they set no limit."""
PHANTOM_WEIGHT: Final = 10.0
"""What a drawn eye counts in a fit: they are few, and unlike any photograph."""
EYEQ: Final = "quality_eyeq"
"""The column with EyeQ's judgement of quality."""
USABLE, UNUSABLE = ("0", "1"), "2"
"""Its cells: EyeQ's "good" and "usable", and its "reject"."""
SPREAD: Final = 1e-3
"""Least standard deviation of a feature."""
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Material:
    """What the heads are fitted to: N squares of photographs and M of other pictures.

    Attributes:
        x: ``float64 (N, K + S)``, from :func:`fundoscope.grading.judge.all_inputs`.
        features: K.
        source: N texts.
        kind: N texts, see :class:`fundoscope.calibrate.judging.measured.Measured`.
        bad: whether a reader called the photograph ungradable, ``bool (N,)``.
        doubtful: whether two readers disagree on that, or nobody knows, ``bool (N,)``; not used for
            quality.
        other: the same of other pictures.
    """

    x: Floats
    features: int
    source: NDArray[np.str_]
    kind: NDArray[np.str_]
    bad: Flags
    doubtful: Flags
    other: Floats

    @property
    def stages(self) -> Floats:
        """The part of ``x`` that heads of quality take, ``float64 (N, S)``."""
        return self.x[:, self.features :]

    @property
    def genuine(self) -> Flags:
        """Photographs as they are, ``bool (N,)``."""
        flags: Flags = self.kind == GENUINE
        return flags

    @property
    def good(self) -> Flags:
        """Photographs as they are that nobody called ungradable, ``bool (N,)``."""
        flags: Flags = self.genuine & ~self.bad & ~self.doubtful
        return flags

    @property
    def strong(self) -> Flags:
        """Copies with a strong fault, ``bool (N,)``."""
        return np.char.startswith(self.kind, STRONG)


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights ``float64 (W,)`` and the bias of a head that takes the last W values."""

    weights: Floats
    bias: float

    def __call__(self, x: Floats) -> Floats:
        """Scores ``float64 (N,)``, of all values or at least the last W."""
        values: Floats = x[:, -len(self.weights) :] @ self.weights + self.bias
        return values


def material(
    measured: Measured,
    rows: Sequence[Row],
    pictures: Measured,
    phantoms: Measured,
    unlabelled: Sequence[str] = (),
) -> Material:
    """Put features and labels together.

    Args:
        measured: of the photographs of ``rows`` and their copies.
        rows: with ``gradable`` and, where known, ``quality_eyeq``.
        pictures: of other things.
        phantoms: of drawn eyes.
        unlabelled: sources with ungradable photographs that nobody has marked.

    Raises:
        TableError: a cell of ``quality_eyeq`` is invalid.
    """
    judged = [eyeq(row) for row in rows]
    of = [rows[place] for place in measured.place]
    by_eyeq = [judged[place] for place in measured.place]
    bad = np.array([row.gradable is False for row in of])
    rejected = np.array([cell == UNUSABLE for cell in by_eyeq])
    accepted = np.array([cell in USABLE for cell in by_eyeq])
    unknown = np.array([row.source in unlabelled for row in of])
    drawn = len(phantoms.place)
    none = np.zeros(drawn, dtype=bool)
    return Material(
        np.concatenate([_inputs(measured), _inputs(phantoms)]),
        int(measured.features.shape[1]),
        np.array([*(row.source for row in of), *[PHANTOM] * drawn]),
        np.concatenate([measured.kind, phantoms.kind]),
        np.concatenate([bad, none]),
        np.concatenate([(bad & accepted) | (~bad & rejected) | unknown, none]),
        _inputs(pictures),
    )


def eyeq(row: Row) -> str:
    """EyeQ's judgement of a photograph: ``0``, ``1``, ``2``, or ``""`` where there is none.

    Raises:
        TableError: the cell is something else.
    """
    cell = row.text(EYEQ).removesuffix(".0")
    if cell and cell not in (*USABLE, UNUSABLE):
        where = f"{row.image}, line {row.line}" if row.line else row.image
        raise TableError(
            f"{where}, column {EYEQ}", f"is {quoted(cell, 40)}", "write 0, 1, 2 or nothing"
        )
    return cell


def _inputs(measured: Measured) -> Floats:
    return all_inputs(measured.seen).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Kept:
    """What happens to the good photographs of a source that the heads were not fitted to.

    Attributes:
        photographs: their number.
        retina: the share that is taken for a retina.
        gradable: the share of these that is gradable.
    """

    photographs: int
    retina: float
    gradable: float


def judge(given: Material) -> tuple[Judge, Mapping[str, Kept]]:
    """Fit all heads.

    Returns:
        The judge, and by source what became of its photographs when it was left out of the fit.
    """
    fits: dict[str, tuple[Callable[[Material], Linear], Flags, float]] = {
        OTHER: (other, given.genuine, KEPT_RETINA),
        UNGRADABLE: (ungradable, _undisputed(given), KEPT),
        **{code: (partial(reason, code=code), given.good, KEPT_REASON) for code in QUALITY_REASONS},
    }
    heads, over = {}, {}
    for name, (fit, kept_of, share) in fits.items():
        scores = left_out(given, fit)
        limit = _limit(given, scores, kept_of, share)
        if name in QUALITY_REASONS:
            limit = max(EVEN, limit, _lenient(given, scores, name))
        heads[name], over[name] = _head(fit(given), limit), scores > limit
    fitted_on = Counter(given.source[given.genuine].tolist())
    fitted = Judge(
        features=given.features,
        stages=given.stages.shape[1],
        other=heads[OTHER],
        ungradable=heads[UNGRADABLE],
        reasons={code: heads[code] for code in QUALITY_REASONS},
        familiar=familiar(given),
        fitted_on=dict(sorted(fitted_on.items())),
    )
    return fitted, _kept(given, over)


def _kept(given: Material, over: Mapping[str, Flags]) -> dict[str, Kept]:
    """What became of each source's good photographs, by the heads that were over their limits."""
    bad = np.any([flags for name, flags in over.items() if name != OTHER], axis=0)
    kept = {}
    for source in np.unique(given.source[given.good]).tolist():
        of_source = given.good & (given.source == source)
        retinas = of_source & ~over[OTHER]
        gradable = float((~bad[retinas]).mean()) if retinas.any() else 0.0
        kept[source] = Kept(int(of_source.sum()), float((~over[OTHER][of_source]).mean()), gradable)
    return kept


def without(given: Material, out: Flags) -> Material:
    """The material without some photographs, ``bool (N,)``."""
    return Material(
        given.x[~out],
        given.features,
        given.source[~out],
        given.kind[~out],
        given.bad[~out],
        given.doubtful[~out],
        given.other,
    )


def other(given: Material) -> Linear:
    """Fit the head that tells other pictures from retinas, good or bad."""
    x = np.concatenate([given.x, given.other])
    y = np.arange(len(x)) >= len(given.x)
    weights = np.concatenate([_weights(given), np.ones(len(given.other))])
    return _logistic(x, y, weights, C_OTHER)


def ungradable(given: Material) -> Linear:
    """Fit the head that tells photographs which readers called ungradable.

    Made faults have heads of their own. Fitted together, each kind hid the other.
    """
    used = ~given.doubtful & ~given.strong
    return _logistic(given.stages[used], given.bad[used], _weights(given)[used], C_UNGRADABLE)


def reason(given: Material, *, code: str) -> Linear:
    """Fit the head of one reason, to good photographs with that fault against all others."""
    used = ~given.bad & ~given.doubtful
    y = np.isin(given.kind, _kinds(code))
    return _logistic(given.stages[used], y[used], _weights(given)[used], C_REASON)


def left_out(given: Material, fit: Callable[[Material], Linear]) -> Floats:
    """Scores ``float64 (N,)`` of each photograph by a head fitted without its source or part."""
    values = np.empty(len(given.x))
    groups = _groups(given)
    for group in range(int(groups.max()) + 1):
        out = groups == group
        values[out] = fit(without(given, out))(given.x[out])
    return values


def _groups(given: Material) -> NDArray[np.int64]:
    """The photographs that are left out together, ``int64 (N,)``, from 0.

    They are those of a source. A source with photographs that a reader called ungradable is left
    out in parts, because without all of it nothing shows what ungradable is. Copies of a photograph
    follow each other, so that they are in one part.
    """
    groups = np.empty(len(given.x), np.int64)
    first = 0
    for source in np.unique(given.source):
        of_source = np.flatnonzero(given.source == source)
        parts = PARTS if given.bad[of_source].any() else 1
        groups[of_source] = first + np.arange(len(of_source)) * parts // len(of_source)
        first += parts
    return groups


def _limit(given: Material, values: Floats, kept_of: Flags, share: float) -> float:
    """The least limit of scores that keeps a share of some photographs of each source."""
    return max(
        float(np.quantile(values[kept_of & (given.source == source)], share))
        for source in np.unique(given.source[kept_of])
        if source != PHANTOM
    )


def _lenient(given: Material, values: Floats, code: str) -> float:
    """The highest limit that finds enough of the strong faults of each kind with one reason."""
    of_good = given.strong & ~given.bad & ~given.doubtful
    copies = (of_good & (given.kind == kind) for kind in _kinds(code))
    return min(
        (float(np.quantile(values[each], 1.0 - FOUND)) for each in copies if each.any()),
        default=EVEN,
    )


def _kinds(code: str) -> list[str]:
    """The kinds of copies with a strong fault that has one reason."""
    return [f"{STRONG} {name}" for name, fault in FAULTS.items() if fault.reason == code]


def _undisputed(given: Material) -> Flags:
    """Good photographs of sources without ungradable ones, ``bool (N,)``.

    In a source that has some, readers disagree on where the limit is: two sets of readers of
    EyePACS agree with a kappa of 0.38. Any limit follows one of them.
    """
    disputed = np.unique(given.source[given.bad])
    flags: Flags = given.good & ~np.isin(given.source, disputed)
    return flags


def _weights(given: Material) -> Floats:
    """What each photograph counts, ``float64 (N,)``."""
    return np.where(given.source == PHANTOM, PHANTOM_WEIGHT, 1.0)


def _logistic(x: Floats, y: Flags, weights: Floats, inverse_penalty: float) -> Linear:
    """A logistic regression on features of unit variance, in terms of the features as they are."""
    from sklearn.linear_model import LogisticRegression

    centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), SPREAD)
    model = LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=ITERATIONS)
    model.fit((x - centre) / spread, y, sample_weight=weights)
    found = model.coef_[0] / spread
    return Linear(found, float(model.intercept_[0] - found @ centre))


def _head(linear: Linear, limit: float) -> Head:
    return Head(weights=stored.stored(linear.weights, stored.SINGLE), bias=linear.bias, limit=limit)


def familiar(given: Material) -> Familiar:
    """The cloud of good photographs, and the distance within which nearly all of them lie."""
    x = given.x[given.good, : given.features]
    centre = x.mean(axis=0)
    _, lengths, axes = np.linalg.svd(x - centre, full_matrices=False)
    axes = axes[:AXES]
    spreads = np.maximum(lengths[:AXES] / np.sqrt(len(x)), SPREAD)
    along = (x - centre) @ axes.T
    left = ((x - centre) ** 2).sum(axis=1) - (along**2).sum(axis=1)
    rest = float(max(np.sqrt(max(left.mean(), 0.0)), SPREAD))
    distance = np.sqrt(((along / spreads) ** 2).mean(axis=1) + left / rest**2)
    source = given.source[given.good]
    limit = max(
        float(np.quantile(distance[source == s], KEPT_FAMILIAR))
        for s in np.unique(source)
        if s != PHANTOM
    )
    return Familiar(
        centre=stored.stored(centre, stored.HALF),
        axes=stored.stored(axes, stored.HALF),
        spreads=tuple(float(spread) for spread in spreads),
        rest=rest,
        limit=limit,
    )
