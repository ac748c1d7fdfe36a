"""How well shape, size, border colour and source alone predict the grade.

If a few decision trees can predict the grade from these, a network learns that shortcut too, and
fails on the next camera. The retina itself is not used. Needs the extra [evaluate].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE

TREES: Final = 100
LEAF: Final = 10
"""Fewest photographs in a leaf: identical frames share one, and a cue that is the same for all
predicts the commonest grade (nearest neighbours would predict that of a random photograph)."""
FOLDS: Final = 5
SEED: Final = 0
MIN_PHOTOGRAPHS: Final = 100
"""Fewest photographs to learn from and to test on."""
TRAIN, VAL, TEST = "train", "val", "test"
CROSS_VALIDATED: Final = f"{FOLDS}-fold cross-validation"
ALL: Final = "all together"
MAJORITY: Final = "commonest grade"
WHOLE: Final = "all"
FAIR: Final = 0.2
"""Quadratic kappa above which a shortcut is reported: agreement is more than "slight" (Landis and
Koch, Biometrics 1977;33:159)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """How well one cue predicts the grade.

    Attributes:
        cue: ``shape``, ``size``, ``border``, ``source``, all together, or the commonest grade.
        accuracy: share of correct grades, 0 to 1.
        quadratic_kappa: -1 to 1, 0 is chance; ``None`` where all labels are equal.
        referable_auc: 0 to 1, 0.5 is chance; ``None`` where all are referable or none is.
    """

    cue: str
    accuracy: float
    quadratic_kappa: float | None
    referable_auc: float | None


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of all photographs, or of those of one source.

    Attributes:
        of: :data:`WHOLE`, or the source.
        how: ``train to test``, ``train to val`` or cross-validated.
        learned_from: the number of photographs to learn from.
        tested_on: the number of photographs to test on.
        figures: of the commonest grade first, then of each cue.
    """

    of: str
    how: str
    learned_from: int
    tested_on: int
    figures: tuple[Figures, ...]

    @property
    def telling(self) -> tuple[Figures, ...]:
        """The cues that predict the grade better than they should."""
        return tuple(each for each in self.figures if (each.quadratic_kappa or 0.0) > FAIR)


def audit(rows: Sequence[Row], prints: Sequence[Fingerprint | None]) -> tuple[Audit, ...]:
    """Audit all photographs, and those of each source separately.

    The split ``train`` is used to learn and ``test`` (else ``val``) to test if the table has both
    and they are large enough; else there is a cross-validation by patient and group.

    Args:
        rows: of a label table; ``excluded`` ones are not used.
        prints: the fingerprint of each photograph; photographs without one are not used.

    Returns:
        Nothing for fewer than ``MIN_PHOTOGRAPHS`` photographs, or fewer than ``FOLDS`` patients and
        groups to cross-validate with.
    """
    used = [
        (row, print_)
        for row, print_ in zip(rows, prints, strict=True)
        if print_ is not None and row.split != EXCLUDED
    ]
    sources = sorted({row.source for row, _ in used})
    parts = {WHOLE: used}
    if len(sources) > 1:
        parts |= {name: [pair for pair in used if pair[0].source == name] for name in sources}
    audits = [_audit(name, part) for name, part in parts.items()]
    return tuple(result for result in audits if result is not None)


def _audit(name: str, used: Sequence[tuple[Row, Fingerprint]]) -> Audit | None:
    rows = [row for row, _ in used]
    label = np.array([row.grade for row in rows], dtype=np.int64)
    folds, how = _folds(rows, label)
    if not folds:
        return None
    cues = _cues([print_ for _, print_ in used])
    if len({row.source for row in rows}) > 1:
        cues["source"] = _one_hot([row.source for row in rows])
    cues[ALL] = np.hstack(list(cues.values()))
    tested = np.concatenate([test for _, test in folds])
    figures = [_figures(MAJORITY, label[tested], _commonest(label, folds))]
    figures += [
        _figures(cue, label[tested], _forest(values, label, folds)) for cue, values in cues.items()
    ]
    learned = len(folds[0][0]) if len(folds) == 1 else len(rows)
    return Audit(name, how, learned, len(tested), tuple(figures))


def _folds(rows: Sequence[Row], label: Ints) -> tuple[list[tuple[Ints, Ints]], str]:
    """Places to learn from and to test on, and how they were chosen; none if there are too few."""
    split = np.array([row.split for row in rows])
    train = np.flatnonzero(split == TRAIN)
    for name in (TEST, VAL):
        other = np.flatnonzero(split == name)
        if min(len(train), len(other)) >= MIN_PHOTOGRAPHS:
            return [(train, other)], f"{TRAIN} to {name}"
    keys = [_key(row, place) for place, row in enumerate(rows)]
    if len(rows) < MIN_PHOTOGRAPHS or len(set(keys)) < FOLDS:
        return [], ""
    return _cross_validation(keys, label), CROSS_VALIDATED


def _cross_validation(keys: Sequence[str], label: Ints) -> list[tuple[Ints, Ints]]:
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        # A grade with fewer photographs than folds is missing in some folds, which is fine.
        warnings.filterwarnings("ignore", message="The least populated class", module="sklearn")
        return list(folds.split(label, label, keys))


def _key(row: Row, place: int) -> str:
    if row.patient:
        return f"patient {row.source} {row.patient}"
    return f"group {row.group}" if row.group else f"photograph {place}"


def _cues(prints: Sequence[Fingerprint]) -> dict[str, Floats]:
    """The values of each cue, ``float64 (N, K)``."""
    width, height, stretch, radius, x, y = np.array([_frame(print_) for print_ in prints]).T
    # Lengths are in heights of the picture, with the disc's stretch undone, so that squeezing a
    # photograph does not hide its original shape.
    shape = (width * stretch / height, 2 * radius / height, x * stretch / height, y / height)
    return {
        "shape": np.column_stack(shape),
        "size": np.column_stack((width, height)),
        "border": np.array([print_.border for print_ in prints]),
    }


def _frame(print_: Fingerprint) -> tuple[float, ...]:
    """Width, height, stretch, radius and centre; without a disc, as if it filled the height."""
    disc, width, height = print_.field, print_.width, print_.height
    if disc.stretch is None or disc.radius is None or disc.centre is None:
        return (width, height, 1.0, height / 2, width / 2, height / 2)
    return (width, height, disc.stretch, disc.radius, *disc.centre)


def _one_hot(names: Sequence[str]) -> Floats:
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.eye(len(places))[[places[name] for name in names]]


def _commonest(label: Ints, folds: Sequence[tuple[Ints, Ints]]) -> Floats:
    shares = [np.bincount(label[train], minlength=GRADE_COUNT) / len(train) for train, _ in folds]
    return np.concatenate(
        [np.tile(share, (len(test), 1)) for share, (_, test) in zip(shares, folds, strict=True)]
    )


def _forest(values: Floats, label: Ints, folds: Sequence[tuple[Ints, Ints]]) -> Floats:
    """Probabilities of the grades, ``float64 (tested, 5)``."""
    from sklearn.ensemble import RandomForestClassifier

    probabilities = []
    for train, test in folds:
        forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=SEED)
        forest.fit(values[train], label[train])
        shares = np.zeros((len(test), GRADE_COUNT))
        shares[:, forest.classes_] = forest.predict_proba(values[test])
        probabilities.append(shares)
    return np.concatenate(probabilities)


def _figures(cue: str, label: Ints, shares: Floats) -> Figures:
    from sklearn.metrics import cohen_kappa_score, roc_auc_score

    predicted = shares.argmax(axis=1)
    referable = label >= REFERABLE_GRADE
    kappa = (
        cohen_kappa_score(label, predicted, weights="quadratic") if len(set(label)) > 1 else None
    )
    area = None
    if referable.any() and not referable.all():
        area = roc_auc_score(referable, shares[:, REFERABLE_GRADE:].sum(axis=1))
    return Figures(
        cue,
        float((predicted == label).mean()),
        None if kappa is None else float(kappa),
        None if area is None else float(area),
    )
