from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fundoscope.cli.evaluate import lesions as command
from fundoscope.cli.main import run
from fundoscope.evaluate.lesions import detections, worst
from fundoscope.evaluate.lesions.results import FILES
from fundoscope.lesions import detector as detectors
from fundoscope.reading import ModelUsed

pytestmark = pytest.mark.usefixtures("few_plots")

MA, EX, OD = "microaneurysm", "hard_exudate", "optic_disc"
EYES = {
    "a": [(MA, (10, 10, 20, 20)), (MA, (40, 10, 50, 20)), (OD, (50, 20, 90, 60))],
    "b": [(MA, (10, 10, 20, 20)), (EX, (30, 30, 44, 40))],
    "c": [("drusen", (30, 30, 44, 40))],
}
FOUND = {
    "a": [(MA, (10, 10, 20, 20), 0.9), (MA, (70, 60, 80, 70), 0.6), (OD, (55, 20, 95, 60), 0.8)],
    "b": [(MA, (11, 10, 21, 20), 0.3), (EX, (30, 30, 44, 40), 0.7), ("irma", (1, 1, 9, 9), 0.9)],
    "c": [],
}
KINDS = (MA, EX, OD, "irma")


@pytest.fixture(autouse=True)
def fake(monkeypatch, seen_as):
    """A detector that sees :data:`FOUND`; microaneurysms not on c, for its size."""
    loaded = SimpleNamespace(
        manifest=SimpleNamespace(thresholds=dict.fromkeys(KINDS, 0.5)),
        used=ModelUsed("detection", "made-up", "d" * 64),
        has_masks=False,
    )
    look = seen_as(FOUND, KINDS, {"c": (MA,)})
    monkeypatch.setattr(detectors, "load", lambda path=None: loaded)
    monkeypatch.setattr(detections, "detect", lambda detector, path: look(path))
    monkeypatch.setattr(worst, "CELL", 240)
    return loaded


@pytest.fixture
def evaluate(eyes, tmp_path, capsys):
    root = eyes(EYES)

    def call(*options, annotations=True):
        words = ["--images", root / "JPEGImages", "--out", tmp_path / "out", *options]
        words += ["--annotations", root] if annotations else []
        code = run(["evaluate", "lesions", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def content(tmp_path, name):
    return json.loads((tmp_path / "out" / name).read_bytes())


def rows(tmp_path, name):
    with (tmp_path / "out" / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.plots
def test_the_whole_command(evaluate, tmp_path):
    code, out, err = evaluate("--masks", tmp_path / "masks")
    assert code == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)
    lines = out.splitlines()
    assert lines[0].startswith("microaneurysm (3): precision 0.500 (")
    assert lines[3].startswith("all lesions: precision 0.667")
    assert "mean sensitivity" in lines[0]
    assert lines[4] == "AUPR pixels: the score of a pixel is that of the best box over it"
    assert lines[5].startswith("optic disc: centre within half a disc diameter on 1 of 1")
    assert "3 photographs" in lines[6]
    assert "drusen is an unknown class" in err
    assert "1 photographs are too small for microaneurysm" in err
    assert "not annotated here, so not measured: irma" in err
    assert "test-looks" not in err


def test_metrics_have_the_keys_that_others_rely_on(evaluate, tmp_path):
    evaluate("--masks", tmp_path / "masks")
    result = content(tmp_path, "metrics.json")
    assert set(result["classes"]) == {MA, EX, OD}
    for part in (*result["classes"].values(), result["overall"]):
        for name in ("precision", "recall", "f1", "ap_hit", "ap_50", "aupr_pixels"):
            assert {"value", "low", "high"} <= set(part[name])
        rates = ["0.125", "0.25", "0.5", "1", "2", "4", "8", "16", "32"]
        assert list(part["froc"]["sensitivity"]) == rates
        assert {"value", "low", "high"} <= set(part["froc"]["mean"])
    micro = result["classes"][MA]
    assert (micro["lesions"], micro["found"], micro["hits"]) == (3, 2, 1)
    assert {"count_error", "count_bias", "present_auc"} <= set(micro)
    assert result["optic_disc_centre"]["share"]["value"] == 1.0
    assert result["photographs"] == 3


def test_whether_pixels_are_of_maps_or_of_boxes_is_printed(evaluate, fake, tmp_path):
    _, out, _ = evaluate()
    assert "AUPR pixels" not in out
    assert content(tmp_path, "metrics.json")["rule"]["pixel_score"] == "box"
    fake.has_masks = True
    _, out, _ = evaluate("--masks", tmp_path / "masks", "--overwrite")
    assert "AUPR pixels: the score of a pixel is its segmentation score" in out
    assert content(tmp_path, "metrics.json")["rule"]["pixel_score"] == "map"


@pytest.mark.plots
def test_the_same_photographs_give_the_same_bytes(evaluate, tmp_path):
    evaluate()
    first = {name: (tmp_path / "out" / name).read_bytes() for name in FILES if name != "run.json"}
    evaluate("--overwrite", "--workers", "1")
    for name, data in first.items():
        assert (tmp_path / "out" / name).read_bytes() == data


def test_every_box_is_in_the_table(evaluate, tmp_path):
    evaluate()
    table = rows(tmp_path, "predictions.csv")
    assert len(table) == sum(map(len, FOUND.values()))
    by_box = {(row["image"], row["kind"], row["score"][:4]): row for row in table}
    hit = by_box["a.png", MA, "0.90"]
    assert (hit["taken"], hit["hit"], hit["x0"], hit["y1"]) == ("true", "true", "10.00", "20.00")
    assert by_box["a.png", MA, "0.60"]["hit"] == "false"
    below = by_box["b.png", MA, "0.30"]
    assert (below["taken"], below["hit"]) == ("false", "true")
    assert by_box["b.png", "irma", "0.90"]["hit"] == ""


def test_photographs_have_their_counts(evaluate, tmp_path):
    evaluate()
    a, b, c = rows(tmp_path, "photographs.csv")
    assert [a[f"{MA}_{name}"] for name in ("lesions", "found", "hits")] == ["2", "2", "1"]
    assert a["disc_distance"] == "0.250"
    assert (b["disc_distance"], b["status"], c[f"{MA}_best_score"]) == ("", "read", "")


def test_the_run_says_what_it_was_made_with(evaluate, tmp_path):
    evaluate()
    result = content(tmp_path, "run.json")
    assert result["command"] == "evaluate lesions"
    used = {"task": "detection", "name": "made-up", "sha256": "d" * 64, "bundle_sha256": None}
    assert result["models"] == [used]
    assert result["counts"] == {"photographs": 3, "read": 3, "no_field": 0, "refused": 0}
    assert result["thresholds"][MA] == 0.5
    assert result["too_small"] == {MA: ["c.png"]}
    assert result["not_annotated"] == ["irma"]
    assert result["versions"]["faster-coco-eval"]
    assert len(result["annotations_sha256"]) == 64


def test_photographs_that_cannot_be_read_end_with_3_and_are_named(evaluate, tmp_path):
    (tmp_path / "JPEGImages" / "a.png").unlink()
    code, out, err = evaluate()
    assert code == 3
    assert "a.png: does not exist; check the path" in err
    assert out.startswith("microaneurysm (3): precision undefined")
    (lacking,) = content(tmp_path, "run.json")["not_read"]
    assert (lacking["image"], lacking["code"]) == ("a.png", "not_found")
    assert rows(tmp_path, "photographs.csv")[0]["disc_distance"] == "not found"


def test_a_look_at_a_test_split_comes_with_its_row(evaluate, tmp_path):
    (tmp_path / "test.txt").write_text("a\nb\n")
    _, _, err = evaluate("--names", tmp_path / "test.txt", "--workers", "1")
    assert "docs/test-looks.csv" in err
    (row,) = [each for each in csv.reader(io.StringIO(err)) if len(each) == 6]
    _, bundle, command_line, split, n, figures = row
    assert (bundle, split, n) == ("d" * 64, "test", "2")
    assert command_line.startswith("fundoscope evaluate lesions --images ")
    assert "--names" in command_line
    assert "--workers" not in command_line
    assert "microaneurysm precision 0.5000 recall 0.3333" in figures
    assert "optic disc centre 1.0000" in figures


def test_centres_alone(evaluate, tmp_path):
    (tmp_path / "discs.csv").write_text("split,image,od_x,od_y\ntest,a,2680,1430\ntrain,b,1,1\n")
    code, out, err = evaluate("--centres", tmp_path / "discs.csv", annotations=False)
    assert code == 0
    assert out.splitlines()[0].startswith(
        "optic disc: centre within half a disc diameter on 1 of 2 photographs, 0.500"
    )
    assert "1 photographs are left out" in err
    result = content(tmp_path, "metrics.json")
    assert (result["classes"], result["overall"]) == ({}, None)
    assert not (tmp_path / "out" / "froc.png").exists()


@pytest.mark.plots
def test_plots_of_an_earlier_run_do_not_stay(evaluate, tmp_path):
    evaluate()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    (tmp_path / "discs.csv").write_text("image,od_x,od_y\na,2680,1430\n")
    options = ("--centres", tmp_path / "discs.csv", "--overwrite")
    assert evaluate(*options, annotations=False)[0] == 0
    assert not (tmp_path / "out" / "froc.png").exists()
    assert (tmp_path / "out" / "mine.txt").exists()


def test_results_are_not_replaced_unasked(evaluate):
    assert evaluate()[0] == 0
    code, _, err = evaluate()
    assert code == 2
    assert "--overwrite" in err


def test_nothing_to_compare_with(evaluate):
    code, _, err = evaluate(annotations=False)
    assert code == 2
    assert "--annotations" in err


def test_without_the_extra_it_says_what_to_install(evaluate, monkeypatch):
    monkeypatch.setattr(command, "EVALUATE_LESIONS", ("evaluate", ("a_module_that_nobody_has",)))
    code, _, err = evaluate()
    assert code == 2
    assert 'pip install "fundoscope[evaluate]"' in err


def test_the_sheet_shows_found_missed_and_false(evaluate, tmp_path):
    evaluate()
    with Image.open(tmp_path / "out" / "worst.jpg") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    for colour in (worst.HIT, worst.MISSED, worst.FALSE):
        near = np.abs(pixels - np.array(colour)).max(axis=2) < 60
        # Beside the legend, somewhere in the panels.
        assert near[60:].any()


@pytest.mark.plots
def test_plots_can_be_opened(evaluate, tmp_path):
    evaluate()
    for name in ("froc.png", "precision_recall.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 500
            assert np.asarray(picture.convert("L")).std() > 5


def test_a_set_on_which_nothing_can_be_seen(evaluate, tmp_path, monkeypatch):
    monkeypatch.setattr(
        detections,
        "detect",
        lambda *_: detections.Detections("no_field", (120, 80), reason="r", remedy="s"),
    )
    code, out, _ = evaluate()
    assert code == 3
    assert "recall 0.000" in out
    assert (tmp_path / "out" / "worst.jpg").stat().st_size > 0
