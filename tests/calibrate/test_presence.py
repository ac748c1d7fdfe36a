"""Fitting when a kind of lesion counts as present."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fundoscope.calibrate import known_lesions, presence
from fundoscope.calibrate.presence import BoxedPhotograph
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError, UsageError
from fundoscope.lesions.presence import probability

KIND = "haemorrhage"


def drawn(count: int = 200, seed: int = 0) -> list[BoxedPhotograph]:
    """Photographs of two sources; sick eyes have more boxes, and better ones."""
    random = np.random.default_rng(seed)
    photographs = []
    for number in range(count):
        sick = number % 2 == 1
        boxes = random.poisson(8 if sick else 2)
        scores = tuple(random.beta(4 if sick else 2, 4, boxes).tolist())
        source = "a" if number < count // 2 else "b"
        photographs.append(BoxedPhotograph({KIND: scores}, {KIND: sick}, not sick, source, number))
    return photographs


def test_sick_eyes_are_told_from_healthy_ones() -> None:
    photographs = drawn()
    fit = presence.fit(KIND, photographs, 0.1)
    assert fit is not None
    p = [probability(fit.model, each.scores[KIND]) for each in photographs]
    labels = [each.known[KIND] for each in photographs]
    assert fit.auc == pytest.approx(roc_auc_score(labels, p), abs=1e-12)
    assert fit.auc > 0.9
    assert (fit.photographs, fit.with_kind) == (200, 100)


def test_the_probabilities_are_calibrated_in_the_whole() -> None:
    """Both sources weigh the same, so the mean probability is the share of eyes with the kind."""
    photographs = drawn(400)
    fit = presence.fit(KIND, photographs, 0.1)
    assert fit is not None
    mean = np.mean([probability(fit.model, each.scores[KIND]) for each in photographs])
    assert mean == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.3])
def test_few_healthy_eyes_of_each_source_have_the_kind_present(share: float) -> None:
    fit = presence.fit(KIND, drawn(), share)
    assert fit is not None
    assert set(fit.healthy_present) == {"a", "b"}
    assert all(reached <= share for reached in fit.healthy_present.values())


def test_a_kind_with_too_few_photographs_is_not_fitted() -> None:
    assert presence.fit(KIND, drawn(18), 0.1) is None
    assert presence.fit("hard_exudate", drawn(), 0.1) is None
    assert presence.fit(KIND, [], 0.1) is None


def test_boxes_that_say_nothing_give_the_share_of_eyes_with_the_kind() -> None:
    photographs = [
        BoxedPhotograph({KIND: ()}, {KIND: n % 4 == 0}, n % 4 != 0, "a", n) for n in range(80)
    ]
    fit = presence.fit(KIND, photographs, 0.1)
    assert fit is not None
    assert fit.auc == 0.5
    assert probability(fit.model, ()) == pytest.approx(0.25, abs=0.001)


def test_small_sources_share_a_limit() -> None:
    values = [(str(n), n / 10) for n in range(10)]
    assert presence.limit_of(values, 0.1) == pytest.approx(0.8)
    assert presence.limit_of([], 0.1) == 0.0
    assert presence.limit_of(values, 1.0) == 0.0


def test_a_single_healthy_eye_of_a_small_source_sets_no_limit() -> None:
    large = [("a", n / 100) for n in range(50)]
    alone = presence.limit_of(large, 0.1)
    assert alone == pytest.approx(0.44)
    assert presence.limit_of([*large, ("b", 0.99)], 0.1) == alone
    many = [*large, *((f"small {n}", 0.9 + n / 100) for n in range(10))]
    assert presence.limit_of(many, 0.1) == pytest.approx(0.98)
    assert presence.limit_of([("b", 0.99)], 0.1) > 0.99


@pytest.mark.parametrize("healthy", [0, 9])
def test_without_healthy_eyes_nothing_says_from_where_on_a_kind_is_present(healthy: int) -> None:
    photographs = [
        replace(each, healthy=each.healthy and number < 2 * healthy)
        for number, each in enumerate(drawn())
    ]
    with pytest.raises(UsageError) as caught:
        presence.fit(KIND, photographs, 0.1)
    assert str(caught.value).startswith(f"{healthy} healthy eyes: are too few")
    anything = presence.fit(KIND, photographs, 1.0)
    assert anything is not None
    assert anything.model.limit == 0.0


def row(grade: int, **other: str) -> Row:
    return Row("a.jpg", grade, other=other)


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        (row(0), dict.fromkeys(known_lesions.OF_RETINOPATHY, False)),
        (row(0, other_disease="branch retinal vein occlusion"), {}),
        (
            row(1),
            {"microaneurysm": True, "haemorrhage": False, "hard_exudate": False,
             "soft_exudate": False},
        ),
        (row(2), {"microaneurysm": True}),
        (row(2, dme="0"), {"microaneurysm": True, "hard_exudate": False}),
        (row(2, dme="2"), {"microaneurysm": True, "hard_exudate": True}),
        (row(3), {"microaneurysm": True, "haemorrhage": True}),
        (row(4), {"microaneurysm": True}),
        (row(4, has_soft_exudate="1"), {"microaneurysm": True, "soft_exudate": True}),
        (row(4, has_soft_exudate="1.0"), {"microaneurysm": True, "soft_exudate": True}),
        (row(4, has_soft_exudate="0.0"), {"microaneurysm": True, "soft_exudate": False}),
        (row(2, dme="1.0"), {"microaneurysm": True, "hard_exudate": True}),
        (row(2, dme="1.0", other_disease="no"), {"microaneurysm": True, "hard_exudate": True}),
    ],
)  # fmt: skip
def test_what_labels_tell(labelled: Row, expected: dict[str, bool]) -> None:
    assert known_lesions.known(labelled) == expected


@pytest.mark.parametrize("column", ["has_soft_exudate", "dme"])
def test_cells_that_say_nothing_are_refused(column: str) -> None:
    labelled = Row("a.jpg", 4, other={column: "yes"}, line=7)
    with pytest.raises(TableError) as caught:
        known_lesions.known(labelled)
    assert str(caught.value).startswith(f"a.jpg, line 7, column {column}: is 'yes'")


def test_a_stated_kind_wins_over_the_grade() -> None:
    assert known_lesions.known(row(0, has_haemorrhage="1"))["haemorrhage"] is True


def test_other_diseases_are_not_healthy() -> None:
    assert known_lesions.is_healthy(row(0))
    assert not known_lesions.is_healthy(row(0, other_disease="drusen"))
    assert not known_lesions.is_healthy(row(1))


@pytest.mark.parametrize("cell", ["0", "0.0", "no", "No", "false", "none", ""])
def test_an_eye_without_another_disease_is_healthy(cell: str) -> None:
    assert known_lesions.is_healthy(row(0, other_disease=cell))
    assert known_lesions.known(row(0, other_disease=cell)) == known_lesions.known(row(0))


def test_each_source_counts_the_same() -> None:
    weights = presence.equal_sources(["a", "a", "a", "b"])
    assert weights[:3].sum() == pytest.approx(weights[3])
    assert weights.sum() == pytest.approx(4)


def test_a_share_of_healthy_eyes_is_all_of_it() -> None:
    """29 of 100 eyes are 0.29 of them, although 0.29 * 100 is less than 29 in a computer."""
    eyes = [("a", number / 100) for number in range(100)]
    limit = presence.limit_of(eyes, 0.29)
    assert sum(value >= limit for _, value in eyes) == 29


def test_many_photographs_need_little_memory() -> None:
    """A table of all pairs of 20,000 sick and 20,000 healthy eyes would take 3 GB."""
    import tracemalloc

    photographs = drawn(40_000)
    model = presence.fit(KIND, drawn(), 0.1)
    assert model is not None
    labels = np.array([each.known[KIND] for each in photographs])
    healthy = [each for each in photographs if each.healthy]
    tracemalloc.start()
    presence._measured(KIND, model.model, photographs, labels, healthy)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6
