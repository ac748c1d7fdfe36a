from __future__ import annotations

import numpy as np
import pytest

from fundoscope.data import shortcuts
from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.manifest import Row
from fundoscope.data.shortcuts import (
    ALL,
    CROSS_VALIDATED,
    FAIR,
    MAJORITY,
    MIN_PHOTOGRAPHS,
    WHOLE,
    audit,
)
from fundoscope.reading import FieldOfView

SQUARE = (600, 600)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """Enough for frames as simple as these."""
    monkeypatch.setattr(shortcuts, "TREES", 5)


def seen(size=SQUARE, stretch=1.0, border=(0.0, 0.0, 0.0), has_field=True):
    width, height = size
    disc = (
        FieldOfView(True, (width / 2, height / 2), height / 2, stretch)
        if has_field
        else FieldOfView(False, reason="no_disc")
    )
    return Fingerprint("0" * 64, width, height, disc, border, b"")


def rows_of(grades, **columns):
    return [
        Row(f"{k}.jpg", int(grade), **{name: values[k] for name, values in columns.items()})
        for k, grade in enumerate(grades)
    ]


@pytest.fixture
def grades():
    """Three of five photographs healthy, the others referable, in a fixed disorder."""
    return np.random.default_rng(1).permutation(np.repeat((0, 0, 0, 2, 4), 80))


def figures(audits, of=WHOLE):
    (one,) = [one for one in audits if one.of == of]
    return {figure.cue: figure for figure in one.figures}


CUES = {
    "shape": {"stretch": {0: 1.0, 2: 1.3, 4: 1.5}},
    "size": {"size": {0: (600, 600), 2: (700, 700), 4: (900, 900)}},
    "border": {"border": {0: (0.0, 0.0, 0.0), 2: (9.0, 0.0, 0.0), 4: (0.0, 30.0, 0.0)}},
}


@pytest.mark.parametrize("cue", CUES)
def test_one_cue_tells_all_and_the_others_nothing(grades, cue):
    ((option, by_grade),) = CUES[cue].items()
    prints = [seen(**{option: by_grade[grade]}) for grade in grades.tolist()]
    reported = figures(audit(rows_of(grades), prints))
    assert set(reported) == {MAJORITY, "shape", "size", "border", ALL}
    for name in (cue, ALL):
        assert reported[name].accuracy == pytest.approx(1.0)
        assert reported[name].quadratic_kappa == pytest.approx(1.0)
        assert reported[name].referable_auc == pytest.approx(1.0)
    for name in set(reported) - {cue, ALL}:
        assert reported[name].accuracy == pytest.approx(0.6)
        assert reported[name].quadratic_kappa == 0.0
        assert reported[name].referable_auc == pytest.approx(0.5)


def test_the_source_alone_tells_and_within_one_nothing_is_left(grades):
    sources = ["sick" if grade else "well" for grade in grades]
    audits = audit(rows_of(grades, source=sources), [seen()] * len(grades))
    reported = figures(audits)
    assert reported["source"].referable_auc == pytest.approx(1.0)
    assert reported["shape"].quadratic_kappa == 0.0
    within = figures(audits, "sick")
    assert "source" not in within
    assert within[ALL].referable_auc is None
    assert figures(audits, "well")[ALL].quadratic_kappa is None
    assert {one.of for one in audits if one.telling} == {WHOLE}


def test_only_what_is_above_fair_is_telling(grades):
    prints = [seen(stretch=CUES["shape"]["stretch"][grade]) for grade in grades.tolist()]
    (one,) = audit(rows_of(grades), prints)
    assert [figure.cue for figure in one.telling] == ["shape", ALL]
    assert all(figure.quadratic_kappa > FAIR for figure in one.telling)


@pytest.mark.parametrize(
    ("splits", "how", "learned", "tested"),
    [
        ({"train": 200, "val": 100, "test": 100}, "train to test", 200, 100),
        ({"train": 200, "val": 150, "test": 50}, "train to val", 200, 150),
        ({"train": 350, "val": 25, "test": 25}, CROSS_VALIDATED, 400, 400),
        ({"": 400}, CROSS_VALIDATED, 400, 400),
        ({"train": 200, "excluded": 200}, CROSS_VALIDATED, 200, 200),
    ],
)
def test_what_is_learned_from_and_tested_on(grades, splits, how, learned, tested):
    split = [name for name, count in splits.items() for _ in range(count)]
    (one,) = audit(rows_of(grades, split=split), [seen()] * len(grades))
    assert (one.how, one.learned_from, one.tested_on) == (how, learned, tested)


def test_a_patient_is_in_one_fold():
    """Each patient has a frame of his own, which would give him away between folds."""
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 20)
    grades = np.repeat(random.permutation([0, 4] * 10), 20)
    prints = [seen((600 + 10 * int(order), 600)) for order in patients]
    alone = figures(audit(rows_of(grades), prints))["size"]
    together = figures(audit(rows_of(grades, patient=[str(p) for p in patients]), prints))["size"]
    assert alone.accuracy > 0.95
    assert together.accuracy < 0.8
    grouped = figures(audit(rows_of(grades, group=[str(p) for p in patients]), prints))["size"]
    assert grouped == together


def test_too_few_and_photographs_without_disc_or_file(grades):
    few = rows_of(grades[: MIN_PHOTOGRAPHS - 1])
    assert audit(few, [seen()] * len(few)) == ()
    assert audit([], []) == ()
    prints = [None if k % 2 else seen(has_field=k % 4 == 0) for k in range(len(grades))]
    (one,) = audit(rows_of(grades), prints)
    assert one.tested_on == len(grades) / 2


@pytest.mark.parametrize(("patients", "audits"), [(1, 0), (4, 0), (5, 1)])
def test_fewer_patients_than_folds_are_not_audited(grades, patients, audits):
    patient = [str(k % patients) for k in range(len(grades))]
    assert len(audit(rows_of(grades, patient=patient), [seen()] * len(grades))) == audits


def test_a_rare_grade_is_no_trouble(grades):
    grades = grades.copy()
    grades[0] = 3
    (one,) = audit(rows_of(grades), [seen()] * len(grades))
    assert one.tested_on == len(grades)
