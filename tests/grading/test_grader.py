from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fundoscope import phantom
from fundoscope.errors import BundleError
from fundoscope.grading import grader
from fundoscope.models import bundle
from fundoscope.models.correction import GradeCorrection
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader

Tiny = Callable[..., Path]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.shipped(), tmp_path / "copy"))


def changed(folder: Path, **values: object) -> Path:
    path = folder / "bundle.json"
    content = json.loads(path.read_text()) | values
    content.pop("sealed", None)
    path.write_text(json.dumps(content))
    (folder / "bundle.sha256").unlink(missing_ok=True)
    return folder


def test_a_bundle_of_the_user_grades_like_the_shipped_one(copy: Path) -> None:
    ours, theirs = grader.load(), grader.load(copy)
    size = ours.manifest.input_size
    square = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    assert grader.grade(ours, square) == grader.grade(theirs, square)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"task": "lesions"}, "this version reads"), ({"head": "mystery"}, "needs another version")],
)
def test_another_kind_of_bundle_is_refused(
    copy: Path, values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        grader.load(changed(copy, **values))


def test_a_network_of_another_input_is_refused_when_it_is_loaded(copy: Path) -> None:
    with pytest.raises(BundleError, match="takes"):
        grader.load(changed(copy, input_size=77))


def test_the_grade_is_the_likeliest_whatever_the_cut_points_say(copy: Path) -> None:
    """Bundles of 0.1 have cut-points on the expected grade, which no longer make the grade."""
    square = np.zeros((grader.load().manifest.input_size,) * 2 + (3,), np.uint8)
    old = {"correction": None, "cut_points": [3.9, 3.92, 3.94, 3.96]}
    lowest = grader.grade(grader.load(changed(copy, **old)), square)
    old["cut_points"] = [0.01, 0.02, 0.03, 0.04]
    highest = grader.grade(grader.load(changed(copy, **old)), square)
    assert lowest == highest
    assert lowest.icdr == np.argmax(lowest.probabilities)


@pytest.mark.parametrize(("offset", "icdr"), [(-15.0, 0), (15.0, 4)])
def test_the_correction_makes_the_grade(tiny: Tiny, offset: float, icdr: int) -> None:
    correction = GradeCorrection(slope=1.0, offsets=(offset,) * 4)
    loaded = grader.load(tiny([0.0] * 4, correction=correction))
    assert grader.grade(loaded, np.zeros((16, 16, 3), np.uint8)).icdr == icdr
    plain = grader.grade(grader.uncorrected(loaded), np.zeros((16, 16, 3), np.uint8))
    assert plain.probabilities == (0.5, 0.0, 0.0, 0.0, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"slope": 0.0, "offsets": [0, 0, 0, 0]},
        {"slope": -1.0, "offsets": [0, 0, 0, 0]},
        {"slope": 1e9, "offsets": [0, 0, 0, 0]},
        {"slope": 1.0, "offsets": [0, 0, 1e3, 0]},
        {"slope": 1.0, "offsets": [0, 0, 0]},
    ],
)
def test_a_correction_out_of_range_is_refused(copy: Path, wrong: object) -> None:
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        grader.load(changed(copy, correction=wrong))


def test_the_threshold_makes_it_referable(copy: Path) -> None:
    square = np.zeros((grader.load().manifest.input_size,) * 2 + (3,), np.uint8)
    for threshold, positive in ((0.0, True), (1.0, False)):
        graded = grader.grade(grader.load(changed(copy, referable_threshold=threshold)), square)
        assert graded.referable is not None
        assert graded.referable.positive is positive


ANSWERS = {
    "cumulative": [9.0, 9.0, -9.0, -9.0],
    "corn": [9.0, 9.0, -9.0, 9.0],
    "softmax": [0.0, 0.0, 9.0, 0.0, 0.0],
    "regression": [2.2],
}


@pytest.mark.parametrize("head", ANSWERS)
def test_every_head_gives_its_grade(tiny: Tiny, head: str) -> None:
    loaded = grader.load(tiny(ANSWERS[head], head=head))
    graded = grader.grade(loaded, np.zeros((16, 16, 3), np.uint8))
    assert graded.icdr == 2
    assert graded.probabilities is not None
    assert sum(graded.probabilities) == pytest.approx(1)
    assert np.argmax(graded.probabilities) == 2
    assert graded.referable is not None
    assert graded.referable.positive


@pytest.mark.parametrize(("logit", "icdr"), [(-3.0, 0), (-0.1, 0), (0.1, 1), (30.0, 1)])
def test_a_sigmoid_says_nothing_but_0_and_1(tiny: Tiny, logit: float, icdr: int) -> None:
    loaded = grader.load(tiny([logit], head="sigmoid"))
    graded = grader.grade(loaded, np.zeros((16, 16, 3), np.uint8))
    assert graded.icdr == icdr
    assert graded.referable is not None
    assert not graded.referable.positive


def test_the_network_sees_the_pixels(tiny: Tiny) -> None:
    loaded = grader.load(tiny([0.0], [4 / 255], head="regression"))
    for level, icdr in ((0, 0), (128, 2), (255, 4)):
        assert grader.grade(loaded, np.full((16, 16, 3), level, np.uint8)).icdr == icdr


def test_a_squashed_and_a_native_input_are_taken(tiny: Tiny) -> None:
    squash = grader.load(tiny([0.0] * 4, shape=(16, 24), input="squash", input_size=(16, 24)))
    assert (squash.input.height, squash.input.width) == (16, 24)
    native = grader.load(tiny([0.0] * 4, shape=("h", "w"), input="native", input_size=(16, 24)))
    for shape in ((16, 24, 3), (24, 16, 3), (40, 8, 3)):
        assert grader.grade(native, np.zeros(shape, np.uint8)).icdr is not None


@pytest.mark.parametrize(
    ("bias", "shape", "fields"),
    [
        ([0.0] * 5, (16, 16), {"head": "cumulative"}),
        ([0.0] * 4, (16, 16), {"head": "softmax"}),
        ([0.0] * 4, (16, 16), {"head": "regression"}),
        ([0.0] * 4, (24, 16), {"input": "squash", "input_size": (16, 24)}),
        ([0.0] * 4, ("h", "w"), {}),
        ([0.0] * 4, (16, 16), {"input": "native"}),
        ([0.0] * 4, (16, "w"), {"input": "native"}),
    ],
)
def test_a_graph_that_its_manifest_does_not_describe_is_refused(
    tiny: Tiny, bias: list[float], shape: tuple[int | str, int | str], fields: dict[str, Any]
) -> None:
    with pytest.raises(BundleError, match=r"its network takes .* export it again"):
        grader.load(tiny(bias, shape=shape, **fields))


@pytest.mark.parametrize(
    "fields", [{"input": "stretch"}, {"input_size": (16, 24)}, {"head": "mystery"}]
)
def test_an_input_that_is_unknown_here_is_refused(tiny: Tiny, fields: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="needs another version"):
        grader.load(tiny([0.0] * 4, **fields))


@pytest.mark.parametrize(
    ("kind", "shape"), [("crop", (32, 32)), ("squash", (24, 40)), ("native", ("h", "w"))]
)
def test_a_reader_grades_a_drawn_eye_with_every_input(
    tiny: Tiny, kind: str, shape: tuple[int | str, int | str]
) -> None:
    size = 32 if kind == "crop" else (24, 40)
    eye = phantom.draw(PhantomSpec(seed=3, width=480, height=320))[0]
    reader = Reader(
        tiny(ANSWERS["regression"], head="regression", shape=shape, input=kind, input_size=size),
        lesions=False,
    )
    assert reader.read(eye).grade.icdr == 2
