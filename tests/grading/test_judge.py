from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.errors import BundleError
from fundoscope.grading import grader, judge
from fundoscope.models import bundle
from fundoscope.models import judge as stored
from fundoscope.models.judge import Familiar, Head, Judge
from fundoscope.phantom import PhantomSpec
from fundoscope.quality import QUALITY_REASONS
from fundoscope.reader import Reader
from fundoscope.reading import Reading

FEATURES, STAGES = 1280, 736
"""Of the network that ships."""
Bundle = Callable[..., Path]


def head(score: float, inputs: int = STAGES) -> Head:
    """A head that gives everything the same score, with the limit 0."""
    return Head(weights=stored.stored(np.zeros(inputs), stored.SINGLE), bias=score, limit=0.0)


def judge_of(
    other: float = -1.0,
    ungradable: float = -1.0,
    dark: float = -1.0,
    hazy: float = -1.0,
    farthest: float = 1e4,
) -> Judge:
    scores = dict.fromkeys(QUALITY_REASONS, -1.0) | {"too_dark": dark, "uneven_or_hazy": hazy}
    axes = np.eye(2, FEATURES)
    return Judge(
        features=FEATURES,
        stages=STAGES,
        other=head(other, FEATURES + STAGES),
        ungradable=head(ungradable),
        reasons={reason: head(score) for reason, score in scores.items()},
        familiar=Familiar(
            centre=stored.stored(np.zeros(FEATURES), stored.HALF),
            axes=stored.stored(axes, stored.HALF),
            spreads=(1.0, 1.0),
            rest=1.0,
            limit=farthest,
        ),
        fitted_on={"test": 1},
    )


@pytest.fixture
def bundled(tmp_path: Path) -> Bundle:
    """Writes the bundle that ships with a judge of the given scores."""

    def write(**scores: float) -> Path:
        shipped = bundle.load_grader(bundle.shipped())
        manifest = replace(shipped.manifest, judge=judge_of(**scores))
        bundle.write(tmp_path / "judged", manifest, shipped.model, "# A card\n")
        return tmp_path / "judged"

    return write


@pytest.fixture(scope="module")
def eye() -> np.ndarray:
    return phantom.draw(PhantomSpec(seed=3, width=400, height=300))[0]


def read(path: Path, eye: np.ndarray, *, force: bool = False) -> Reading:
    return Reader(path, lesions=False, force=force).read(eye)


def test_a_judge_without_doubts_leaves_the_grade_alone(bundled: Bundle, eye: np.ndarray) -> None:
    path = bundled()
    manifest = bundle.load_grader(path).manifest
    without = replace(grader.load(path), judge=None, manifest=replace(manifest, judge=None))
    judged, plain = read(path, eye), Reader(without, lesions=False).read(eye)
    assert judged.grade == plain.grade
    assert judged.quality.gradable is True
    assert judged.quality.reasons == ()
    assert judged.familiar is True
    assert judged.needs_reader == ()
    assert plain.quality.gradable is None
    assert plain.familiar is None


def test_what_is_not_gradable_has_no_grade_and_advice(bundled: Bundle, eye: np.ndarray) -> None:
    reading = read(bundled(ungradable=1.0, dark=0.5, hazy=2.0), eye)
    assert reading.grade.icdr is None
    assert reading.grade.referable is None
    assert reading.quality.gradable is False
    assert reading.quality.reasons == ("uneven_or_hazy", "too_dark")
    assert reading.quality.score == 1.0
    assert reading.needs_reader == ("not_gradable",)
    assert any("retake it: clean the lens" in warning for warning in reading.warnings)


def test_the_nearest_reason_is_given_where_none_is_clear(bundled: Bundle, eye: np.ndarray) -> None:
    assert read(bundled(ungradable=1.0, dark=-0.5), eye).quality.reasons == ("too_dark",)


def test_by_force_it_is_graded_and_marked(bundled: Bundle, eye: np.ndarray) -> None:
    reading = read(bundled(ungradable=1.0), eye, force=True)
    assert reading.grade.icdr is not None
    assert reading.quality.gradable is False
    assert reading.needs_reader == ("not_gradable",)
    assert any("although" in warning for warning in reading.warnings)


def test_on_what_is_not_gradable_no_lesion_is_looked_for(bundled: Bundle, eye: np.ndarray) -> None:
    reading = Reader(bundled(ungradable=1.0)).read(eye)
    assert {each.reason for each in reading.lesion_summary} == {"not_gradable"}


def test_what_is_no_retina_has_no_field(bundled: Bundle, eye: np.ndarray) -> None:
    reading = read(bundled(other=1.0, ungradable=1.0), eye, force=True)
    assert reading.field.reason == "not_a_retina"
    assert reading.grade.icdr is None
    assert reading.quality.gradable is None


def test_an_unfamiliar_photograph_keeps_its_grade_for_a_reader(
    bundled: Bundle, eye: np.ndarray
) -> None:
    reading = read(bundled(farthest=0.5), eye)
    assert reading.familiar is False
    assert reading.grade.icdr is not None
    assert reading.needs_reader == ("unfamiliar",)


def test_a_small_eye_is_not_graded_but_checked(bundled: Bundle) -> None:
    drawn = Image.fromarray(phantom.draw(PhantomSpec(seed=3, width=400, height=300))[0])
    small = np.asarray(drawn.resize((140, 105)))
    reading = read(bundled(), small)
    assert reading.grade.icdr is None
    assert reading.field.found
    assert any("pixels" in warning for warning in reading.warnings)


def test_the_length_of_features_says_nothing() -> None:
    features = np.random.default_rng(0).random((3, 8), np.float32)
    np.testing.assert_allclose(
        judge.directions(features), judge.directions(features * 4), rtol=1e-5
    )
    assert np.isfinite(judge.directions(np.zeros((1, 8), np.float32))).all()


def test_distances_grow_along_and_beside_the_axes() -> None:
    ready = judge.ready(judge_of())
    along, beside = np.zeros((2, FEATURES), np.float32)
    along[0], beside[5] = 1.0, 1.0
    near, far = judge.distances(ready, np.stack([along, beside]))
    assert near == pytest.approx(np.sqrt(FEATURES / 2))
    assert far == pytest.approx(np.sqrt(FEATURES))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"features": 7}, "bytes"),
        ({"features": 0}, "features is 0"),
        ({"stages": 0}, "stages is 0"),
        ({"other": Head(weights=b"", bias=0.0, limit=0.0)}, "bytes"),
        ({"other": replace(head(0.0, FEATURES + STAGES), limit=float("nan"))}, "other has nan"),
        ({"other": replace(head(0.0), weights=b"\xff" * 4 * (FEATURES + STAGES))}, "not finite"),
        ({"familiar": replace(judge_of().familiar, rest=0.0)}, "not above 0"),
        ({"familiar": replace(judge_of().familiar, spreads=())}, "spreads are 0"),
    ],
)
def test_values_out_of_range_are_faults(values: dict[str, object], sentence: str) -> None:
    fault = stored.fault(replace(judge_of(), **values))  # type: ignore[arg-type]
    assert fault is not None
    assert sentence in fault


def test_valid_values_are_no_fault() -> None:
    assert stored.fault(judge_of()) is None
    assert stored.fault(None) is None


def test_weights_that_overflow_are_not_stored() -> None:
    with pytest.raises(ValueError, match="too large"):
        stored.stored(np.array([1e9]), stored.HALF)


def test_heads_for_other_features_are_refused(tmp_path: Path) -> None:
    shipped = bundle.load_grader(bundle.shipped())
    other = replace(head(0.0, 0), weights=stored.stored(np.zeros(FEATURES + 5), stored.SINGLE))
    small = replace(head(0.0), weights=stored.stored(np.zeros(5), stored.SINGLE))
    reasons = dict.fromkeys(QUALITY_REASONS, small)
    given = replace(judge_of(), stages=5, other=other, ungradable=small, reasons=reasons)
    manifest = replace(shipped.manifest, judge=given)
    bundle.write(tmp_path, manifest, shipped.model, "# A card\n")
    with pytest.raises(BundleError, match="does not give"):
        grader.load(tmp_path)
