from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fundoscope.errors import BundleError
from fundoscope.grading import grader
from fundoscope.models import bundle


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.shipped(), tmp_path / "copy"))


def changed(folder: Path, **values: object) -> Path:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_a_bundle_of_the_user_grades_like_the_shipped_one(copy: Path) -> None:
    ours, theirs = grader.load(), grader.load(copy)
    size = ours.manifest.input_size
    square = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    assert grader.grade(ours, square) == grader.grade(theirs, square)


@pytest.mark.parametrize("values", [{"task": "lesions"}, {"head": "mystery"}])
def test_another_kind_of_bundle_is_refused(copy: Path, values: dict[str, str]) -> None:
    with pytest.raises(BundleError, match="it cannot grade"):
        grader.load(changed(copy, **values))


def test_a_network_of_another_input_is_refused_when_it_is_loaded(copy: Path) -> None:
    with pytest.raises(BundleError, match="takes"):
        grader.load(changed(copy, input_size=77))


def test_cut_points_make_the_grade(copy: Path) -> None:
    square = np.zeros((grader.load().manifest.input_size,) * 2 + (3,), np.uint8)
    lowest = grader.load(changed(copy, cut_points=[3.9, 3.92, 3.94, 3.96]))
    assert grader.grade(lowest, square).icdr == 0
    highest = grader.load(changed(copy, cut_points=[-4.0, -3.0, -2.0, -1.0]))
    assert grader.grade(highest, square).icdr == 4


def test_the_threshold_makes_it_referable(copy: Path) -> None:
    square = np.zeros((grader.load().manifest.input_size,) * 2 + (3,), np.uint8)
    for threshold, positive in ((0.0, True), (1.1, False)):
        graded = grader.grade(grader.load(changed(copy, referable_threshold=threshold)), square)
        assert graded.referable is not None
        assert graded.referable.positive is positive
