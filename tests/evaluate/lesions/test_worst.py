from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fundoscope.evaluate.lesions import truth, worst
from fundoscope.evaluate.lesions.evaluation import evaluate

MA, OD = "microaneurysm", "optic_disc"
BOX, OTHER = (10, 10, 20, 20), (60, 60, 70, 70)
EYES = {stem: [(MA, BOX)] for stem in ("bad", "dark", "good", "middle")}
FOUND = {
    "bad": [(MA, OTHER, 0.9)],
    "good": [(MA, BOX, 0.9)],
    "middle": [(MA, BOX, 0.9), (MA, OTHER, 0.8)],
}


@pytest.fixture
def evaluation(eyes, seen_as, monkeypatch):
    monkeypatch.setattr(worst, "CELL", 240)
    root = eyes(EYES)
    known = truth.gather(root / "JPEGImages", root)
    return evaluate(known, seen_as(FOUND), {MA: 0.5, OD: 0.5}, resamples=5)


def test_the_worst_come_first(evaluation):
    assert [each.photograph.image for each in worst.order(evaluation)] == [
        "bad.png",
        "middle.png",
        "good.png",
    ]


def test_a_photograph_that_is_gone_by_now_is_left_out(evaluation, tmp_path):
    worst.draw(evaluation, tmp_path / "all.jpg")
    (tmp_path / "JPEGImages" / "bad.png").unlink()
    worst.draw(evaluation, tmp_path / "less.jpg")
    with Image.open(tmp_path / "all.jpg") as whole, Image.open(tmp_path / "less.jpg") as less:
        assert less.height < whole.height
        assert less.width == whole.width


@pytest.mark.parametrize("dashed", [True, False])
@pytest.mark.parametrize("side", [0, 1, 3, 40])
def test_an_outline_lies_around_its_box(side, dashed):
    picture = Image.new("RGB", (60, 60))
    worst._outline(
        worst.ImageDraw.Draw(picture), (10, 10, 10 + side, 10 + side), (255, 0, 0), dashed=dashed
    )
    drawn = np.asarray(picture)[..., 0] > 0
    assert drawn.any()
    assert not drawn[10 : 10 + side, 10 : 10 + side].any()
    rows, columns = np.nonzero(drawn)
    assert min(rows.min(), columns.min()) >= 10 - worst.MARGIN
    assert max(rows.max(), columns.max()) < 10 + side + worst.MARGIN


def test_a_disc_of_which_the_centre_alone_is_known(eyes, seen_as, tmp_path):
    root = eyes(dict.fromkeys(("far", "near", "none"), ()))
    table = tmp_path / "discs.csv"
    table.write_text("image,od_x,od_y\nfar,2144,1430\nnear,2144,1430\nnone,2144,1430\n")
    known = truth.gather(root / "JPEGImages", None, table=table)
    result = {
        "far": [(OD, (90, 20, 110, 40), 0.9)],
        "near": [(OD, (53, 33, 67, 47), 0.9)],
        "none": [],
    }
    evaluation = evaluate(known, seen_as(result), {OD: 0.5}, resamples=5)
    far, near, none = (worst._panel(each, OD, evaluation) for each in evaluation.photographs)
    assert [len(part) for part in (far.hit, far.missed, far.false)] == [0, 1, 1]
    assert [len(part) for part in (near.hit, near.missed, near.false)] == [1, 0, 0]
    assert [len(part) for part in (none.hit, none.missed, none.false)] == [0, 1, 0]
    # A disc of 520 pixels at 4288, on a photograph of 120.
    x0, _, x1, _ = far.missed[0]
    assert (x0 + x1) / 2 == pytest.approx(60)
    assert x1 - x0 == pytest.approx(520 * 120 / 4288)
    assert worst.order(evaluation)[0].photograph.image == "none.png"
