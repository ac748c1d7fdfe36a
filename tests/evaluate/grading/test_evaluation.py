from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from fundoscope.data.manifest import Row
from fundoscope.errors import BundleError, UsageError
from fundoscope.evaluate.grading.evaluation import BLANK, cluster_keys, evaluate, scores_of
from fundoscope.evaluate.grading.figures import NOT_GRADED
from fundoscope.reading import Referable

ROWS = [
    ("a-says0.jpg", 0),
    ("b-says1.jpg", 1),
    ("c-says2.jpg", 2),
    ("d-says3.jpg", 3),
    ("e-says4.jpg", 4),
]


@pytest.fixture
def evaluated(named_reader):
    def run(manifest, **more):
        return evaluate(manifest, manifest.rows, named_reader(), resamples=50, **more)

    return run


def value(evaluation, name):
    return evaluation.metrics.whole.figures[name].value


def test_a_perfect_reader_is_perfect_in_everything(manifest_of, evaluated):
    evaluation = evaluated(manifest_of(ROWS))
    assert all(figure.value == 1.0 for figure in evaluation.metrics.whole.figures.values())
    assert evaluation.without_grade == ()
    assert evaluation.threshold == 0.4


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("f-broken.jpg", "refused", "truncated"),
        ("f-dark.jpg", "not_graded", "too_dark"),
        ("f-memory.jpg", "refused", "out_of_memory"),
    ],
)
def test_what_gets_no_grade_counts_as_wrong_and_positive(
    name, status, code, manifest_of, evaluated
):
    manifest = manifest_of([*ROWS, (name, 0)])
    evaluation = evaluated(manifest)
    (outcome,) = evaluation.without_grade
    assert (outcome.row.image, outcome.status, outcome.code) == (name, status, code)
    assert outcome.reason
    assert outcome.remedy
    assert evaluation.metrics.whole.n == 6
    assert value(evaluation, "accuracy") == 5 / 6
    assert value(evaluation, "graded_share") == 5 / 6
    assert value(evaluation, "referable_specificity") == 2 / 3
    assert value(evaluation, "quadratic_kappa") < 1
    assert evaluation.metrics.whole.graded.figures["accuracy"].value == 1.0


def test_one_missing_file_is_a_refusal(manifest_of, evaluated):
    manifest = manifest_of([*ROWS, ("gone-says0.jpg", 0)], absent=["gone-says0.jpg"])
    (outcome,) = evaluated(manifest).without_grade
    assert (outcome.row.image, outcome.code) == ("gone-says0.jpg", "not_found")


def test_no_file_at_all_is_misuse(manifest_of, evaluated, named_reader):
    manifest = manifest_of(ROWS, absent=[row[0] for row in ROWS])
    with pytest.raises(UsageError, match="none of its photographs exists"):
        evaluated(manifest)
    with pytest.raises(UsageError, match="no rows"):
        evaluate(manifest, (), named_reader())


def test_outcomes_keep_the_order_of_the_rows_on_any_number_of_threads(manifest_of, evaluated):
    rows = [(f"{i:03}-says{i % 5}.jpg", i % 5) for i in range(60)]
    manifest = manifest_of(rows)
    done = []
    threaded = evaluated(manifest, workers=4, on_read=lambda: done.append(threading.get_ident()))
    assert [outcome.row.image for outcome in threaded.outcomes] == [row[0] for row in rows]
    assert set(done) == {threading.get_ident()}  # Progress is told where it is shown.
    assert len(done) == 60
    alone = evaluated(manifest)
    assert threaded.outcomes == alone.outcomes
    assert threaded.metrics == alone.metrics


def test_what_is_no_fault_of_a_photograph_ends_the_evaluation(manifest_of, named_reader):
    class Broken(named_reader):
        def read(self, source):
            raise BundleError("model.onnx", "is damaged", "install it again")

    manifest = manifest_of(ROWS)
    with pytest.raises(BundleError, match="damaged"):
        evaluate(manifest, manifest.rows, Broken(), workers=2)


def test_scores_as_arrays(manifest_of, evaluated):
    manifest = manifest_of([("a-says3.jpg", 2), ("b-dark.jpg", 1)])
    scores = scores_of(evaluated(manifest).outcomes)
    assert scores.label.tolist() == [2, 1]
    assert scores.given.tolist() == [3, NOT_GRADED]
    assert scores.positive.tolist() == [True, True]
    np.testing.assert_allclose(scores.referable, [0.95, 1.0])
    np.testing.assert_allclose(scores.vision_threatening, [0.925, 1.0])


def test_the_threshold_decides_not_the_grade(manifest_of, named_reader):
    class Cautious(named_reader):
        def read(self, source):
            said = super().read(source)
            bold = Referable(said.grade.referable.probability, True, 0.05)
            return replace(said, grade=replace(said.grade, referable=bold))

    manifest = manifest_of([("a-says1.jpg", 0), ("b-says1.jpg", 2)])
    evaluation = evaluate(manifest, manifest.rows, Cautious(), resamples=10)
    assert value(evaluation, "referable_sensitivity") == 1.0
    assert value(evaluation, "referable_specificity") == 0.0
    assert evaluation.threshold == 0.05


def test_patients_then_groups_then_photographs_are_drawn_together():
    rows = [
        Row("a", 0, patient="7"),
        Row("b", 0, patient="7", group="1"),
        Row("c", 0, group="7"),
        Row("d", 0, group="7"),
        Row("e", 0),
        Row("f", 0),
    ]
    keys = cluster_keys(rows)
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert len(set(keys)) == 4  # Patient 7, group 7, and two photographs.


def test_rows_that_name_one_photograph_are_one_cluster():
    assert len(set(cluster_keys([Row("x/e", 0), Row("x/./e", 0), Row("y/e", 0)]))) == 2
    assert cluster_keys([Row("e", 0)]) == (("photograph", "e"),)


def test_patients_with_duplicates_of_one_eye_are_one_cluster():
    rows = [
        Row("a", 0, patient="1", group="g"),
        Row("b", 0, patient="2", group="g"),
        Row("c", 0, patient="2"),
        Row("d", 0, group="g"),
        Row("e", 0, patient="3"),
    ]
    *first, last = cluster_keys(rows)
    assert set(first) == {("patient", "", "1")}
    assert last == ("patient", "", "3")


def test_patients_of_two_clinics_may_have_the_same_number():
    rows = [
        Row("a", 0, patient="7", source="A"),
        Row("b", 0, patient="7", source="B"),
        Row("c", 0, group="7", source="A"),
        Row("d", 0, group="7", source="B"),
    ]
    first, second, *group = cluster_keys(rows)
    assert first != second
    assert group[0] == group[1]


def test_clusters_are_counted_by_kind(manifest_of, evaluated):
    rows = [("a-says0.jpg", 0, "p", ""), ("b-says0.jpg", 0, "p", "3"), ("c-says2.jpg", 2, "", "3")]
    evaluation = evaluated(manifest_of(rows, ("image", "grade", "patient", "group")))
    assert evaluation.clusters == {"patient": 1}
    apart = [*rows[:2], ("c-says2.jpg", 2, "", "4")]
    evaluation = evaluated(manifest_of(apart, ("image", "grade", "patient", "group")))
    assert evaluation.clusters == {"patient": 1, "group": 1}


def test_eyes_that_agree_widen_the_interval(manifest_of, named_reader):
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(60):
        label, given = rng.integers(0, 5), rng.integers(0, 5)
        rows += [(f"{patient}{eye}-says{given}.jpg", label, patient) for eye in "lr"]
    manifest = manifest_of(rows, ("image", "grade", "patient"))
    strangers = [Row(row.image, row.grade) for row in manifest.rows]
    by_patient = evaluate(manifest, manifest.rows, named_reader())
    by_photograph = evaluate(manifest, strangers, named_reader())
    for name in ("accuracy", "quadratic_kappa", "referable_auc"):
        wide = by_patient.metrics.whole.figures[name]
        narrow = by_photograph.metrics.whole.figures[name]
        assert wide.value == narrow.value
        assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_by_any_column_blank_cells_among_the_values(manifest_of, evaluated):
    rows = [("a-says0.jpg", 0, "1"), ("b-says2.jpg", 2, ""), ("c-says0.jpg", 0, "1")]
    evaluation = evaluated(manifest_of(rows, ("image", "grade", "gradable")), by=["gradable"])
    values = evaluation.metrics.by["gradable"].values
    assert {value: summary.n for value, summary in values.items()} == {BLANK: 1, "1": 2}


def test_by_a_column_that_is_not_there_or_is_a_name(manifest_of, evaluated):
    rows = [(f"{i}-says0.jpg", 0) for i in range(101)]
    manifest = manifest_of(rows)
    with pytest.raises(UsageError, match=r"no column 'camera'; name one of: image, grade"):
        evaluated(manifest, by=["camera"])
    with pytest.raises(UsageError, match="has 101 values"):
        evaluated(manifest, by=["image"])
