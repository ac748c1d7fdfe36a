"""Fitting a bundle to a clinic's photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from fundoscope.calibrate import bundle as recalibration
from fundoscope.calibrate import clinic
from fundoscope.calibrate.clinic import FOLDS, NAMES, Photographs, Values
from fundoscope.errors import UsageError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.correction import GradeCorrection

LOW = GradeCorrection(slope=0.8, offsets=(-1.0, -1.0, -1.0, -1.0))
EARLIER = Values(None, 0.5)


def clinic_of(count: int = 160, seed: int = 0) -> Photographs:
    """Two eyes of each patient, by a grader that calls all too low."""
    random = np.random.default_rng(seed)
    severity = np.repeat(random.uniform(-0.5, 4.5, count // 2), 2)
    p = heads.probabilities(3.0 * (severity[:, None] - np.array([0.5, 1.5, 2.5, 3.5])))
    labels = np.array([random.choice(5, p=row / row.sum()) for row in p])
    return Photographs(heads.corrected(p, LOW), labels, tuple(i // 2 for i in range(count)))


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    return clinic_of()


@pytest.fixture(scope="module")
def result(photographs: Photographs) -> clinic.Fit:
    return clinic.fit(photographs, EARLIER, 0.9)


def test_figures_before_and_after_have_intervals(result: clinic.Fit) -> None:
    for figures in (result.before, result.after):
        assert tuple(figures) == NAMES
        for figure in figures.values():
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high
    assert result.after["log_loss"].value < result.before["log_loss"].value
    assert result.after["referable_sensitivity"].value > 0.8


def test_the_values_that_ship_have_the_sensitivity(
    photographs: Photographs, result: clinic.Fit
) -> None:
    assert result.values.correction is not None
    probability = heads.referable(heads.corrected(photographs.p, result.values.correction))
    called = probability[photographs.referable] >= result.values.threshold
    assert called.mean() >= 0.9


def test_a_label_does_not_move_its_own_figure(photographs: Photographs) -> None:
    """The values that a photograph is evaluated with do not depend on its label."""
    part = clinic.folds(photographs.referable, photographs.patients)
    out = part == part[0]
    other = photographs.labels.copy()
    other[out] = np.where(other[out] >= 2, 4, 0)  # as referable as before, so the parts are equal
    p, _ = clinic._cross_validated(photographs, EARLIER, 0.9)
    q, _ = clinic._cross_validated(replace(photographs, labels=other), EARLIER, 0.9)
    assert np.array_equal(p[out], q[out])
    assert not np.array_equal(p[~out], q[~out])


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60))
def test_a_patient_is_in_one_part(eyes: list[tuple[int, bool]]) -> None:
    patients = [patient for patient, _ in eyes]
    parts = clinic.folds(np.array([sick for _, sick in eyes]), patients)
    assert set(parts) <= set(range(FOLDS))
    for patient in set(patients):
        assert len({part for p, part in zip(patients, parts, strict=True) if p == patient}) == 1


def test_every_part_has_referable_eyes(photographs: Photographs) -> None:
    parts = clinic.folds(photographs.referable, photographs.patients)
    counts = [photographs.referable[parts == part].sum() for part in range(FOLDS)]
    assert min(counts) > 0


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0] * 20 + [2] * 20, "has 40 graded photographs, too few"),
        ([0] * 100, "has no photograph of grade 2 to 4"),
        ([0] * 100 + [2], "has only 1 photograph of grade 2 to 4"),
        ([2] * 91 + [1] * 9, "has only 9 photographs of grade 0 or 1"),
        ([4] * 60, "has no photograph of grade 0 or 1"),
    ],
)
def test_too_few_photographs_or_one_class_are_refused(labels: list[int], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as error:
        clinic.require_enough(labels, range(len(labels)), "clinic.csv")
    assert "label at least 50" in str(error.value)


@pytest.mark.parametrize(
    ("patients", "grades"),
    [
        (["a"] * 50 + list(range(50)), "grade 2 to 4"),
        (list(range(50)) + ["a"] * 50, "grade 0 or 1"),
    ],
)
def test_one_patient_with_all_referable_eyes_is_refused(
    patients: list[object], grades: str
) -> None:
    """Cross-validation would leave out all of them at once."""
    with pytest.raises(UsageError, match=f"{grades} of one patient"):
        clinic.require_enough([2] * 50 + [0] * 50, patients, "clinic.csv")


def test_few_patients_are_refused() -> None:
    with pytest.raises(UsageError, match="photographs of 4 patients"):
        clinic.require_enough([0, 2] * 50, ["a", "b", "c", "d"] * 25, "clinic.csv")
    clinic.require_enough([0, 2] * 50, range(100), "clinic.csv")


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_figures_of_the_probabilities(seed: int) -> None:
    random = np.random.default_rng(seed)
    p, labels = random.dirichlet(np.ones(5), 40), random.integers(0, 5, 40)
    weights = random.integers(0, 3, (2, 40)).astype(float) + 0.5
    found = clinic.of_probabilities(p, labels, weights)
    for row, weight in zip(found, weights, strict=True):
        theirs = log_loss(labels, p, labels=range(5), sample_weight=weight)
        assert row[0] == pytest.approx(theirs, rel=1e-6)
        assert 0 <= row[1] <= 1


def test_calibration_error_by_hand() -> None:
    p = np.array([[0.75, 0.25, 0, 0, 0]] * 4 + [[0.0, 1.0, 0, 0, 0]] * 4)
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1])
    # The first four are right in one half and say 0.75; the others are right, and sure.
    assert clinic.of_probabilities(p, labels, np.ones((1, 8)))[0, 1] == pytest.approx(0.125)


def test_the_new_bundle(
    tmp_path: Path, grader_manifest: Callable[..., GraderManifest], photographs: Photographs
) -> None:
    network = b"the network"
    card = "# grader-test-1\n\nGrades.\n\n## Limitations\n\n- Some.\n"
    bundles.write(tmp_path / "given", grader_manifest(network), network, card)

    def calibrate(given: Path, out: Path) -> GraderManifest:
        return recalibration.calibrate(
            given, out, photographs, sensitivity=0.9, table_sha256="f" * 64,
            fitted_at="2026-11-29T00:00:00+00:00",
        )[1]  # fmt: skip

    manifest = calibrate(tmp_path / "given", tmp_path / "new")
    new = bundles.load_grader(tmp_path / "new")
    assert new.model == network
    assert new.manifest == manifest
    assert manifest.name == "grader-test-1-calibrated"
    assert manifest.correction is not None
    record = manifest.recalibrated
    assert record is not None
    assert (record.given, record.photographs) == ("grader-test-1", 160)
    assert record.table_sha256 == "f" * 64
    assert record.referable == int(photographs.referable.sum())
    assert set(record.before) == set(record.after) == set(NAMES)
    text = bundles.card(tmp_path / "new")
    assert text.startswith("# grader-test-1-calibrated\n\nGrades.\n")
    assert "## Limitations" in text
    assert f"fitted to 160 photographs, {record.referable} of them" in text.replace("\n", " ")
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=GraderManifest) == manifest

    again = calibrate(tmp_path / "new", tmp_path / "again")
    assert again.name == "grader-test-1-calibrated"
    assert bundles.card(tmp_path / "again").count(recalibration.TITLE) == 1
