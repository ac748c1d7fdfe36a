"""A detector's record gives its figures, and names no photograph."""

from __future__ import annotations

import gzip
import json

import pytest

from fundoscope import checksums
from fundoscope.errors import UsageError
from fundoscope.evaluate import folder as folders
from fundoscope.evaluate.lesions import results as written
from fundoscope.evaluate.lesions import truth
from fundoscope.evaluate.lesions.evaluation import evaluate
from fundoscope.evaluate.record import boxes, figures
from fundoscope.reading import ModelUsed

MA, EX = "microaneurysm", "hard_exudate"
LESIONS = {
    "miller": [(MA, (10, 10, 20, 20)), (MA, (40, 10, 50, 20))],
    "smith": [(MA, (10, 10, 20, 20)), (EX, (30, 30, 44, 40))],
    "jones": [(EX, (30, 30, 44, 40))],
}
FOUND = {
    "miller": [(MA, (10, 10, 20, 20), 0.9), (MA, (70, 70, 80, 80), 0.6)],
    "smith": [(MA, (11, 10, 21, 20), 0.3), (EX, (30, 30, 44, 40), 0.7)],
    "jones": None,
}


@pytest.fixture
def results(eyes, seen_as, tmp_path, monkeypatch):
    root = eyes(LESIONS)
    known = truth.gather(root / "JPEGImages", root)
    evaluation = evaluate(known, seen_as(FOUND), {MA: 0.5, EX: 0.5}, resamples=30)
    used = (ModelUsed("detection", "finder", "b" * 64),)
    how = folders.Provenance({"names": "test.txt"}, used, {}, "2026-11-29", "later")
    monkeypatch.setattr(written.plots, "draw_froc", lambda *_: None)
    monkeypatch.setattr(written.plots, "draw_precision_recall", lambda *_: None)
    monkeypatch.setattr(written.worst, "draw", lambda *_: None)
    written.write(evaluation, how, tmp_path / "results")
    return tmp_path / "results"


def boxes_of(record):
    return gzip.decompress((record / boxes.PACKED).read_bytes()).decode()


def test_a_record_gives_its_figures_and_names_nobody(results, tmp_path):
    record = tmp_path / "record"
    boxes.write(results, record)
    computed = boxes.computed(record)
    assert set(computed["classes"]) == {MA, EX}
    stored = boxes.narrowed(figures.stored(record), computed)
    assert figures.differences(stored, computed, exact=1e-6) == []
    plain = [path for path in record.iterdir() if path.suffix != ".gz"]
    text = "".join(path.read_text() for path in plain) + boxes_of(record)
    for word in (*LESIONS, "30.0", ".png"):
        assert word not in text
    assert checksums.verify(record).faults == ()
    assert json.loads((record / "run.json").read_text())["not_read"][0]["code"] == "too_dark"


def test_photographs_of_one_name_have_no_record(results, tmp_path):
    path = results / "photographs.csv"
    path.write_text(path.read_text().replace("smith.png", "other/miller.png"))
    with pytest.raises(UsageError, match="have the same file name"):
        boxes.write(results, tmp_path / "record")
    assert not list((tmp_path / "record").iterdir())


def test_a_changed_hit_is_noticed(results, tmp_path):
    boxes.write(results, tmp_path / "record")
    lines = boxes_of(tmp_path / "record").splitlines()
    lines[1] = lines[1].replace("true,true", "true,false")
    packed = gzip.compress("\n".join([*lines, ""]).encode())
    (tmp_path / "record" / boxes.PACKED).write_bytes(packed)
    computed = boxes.computed(tmp_path / "record")
    stored = boxes.narrowed(figures.stored(tmp_path / "record"), computed)
    assert any("ap_hit" in each for each in figures.differences(stored, computed, exact=1e-6))


def test_results_of_a_grader(results, tmp_path):
    run = json.loads((results / "run.json").read_text()) | {"command": "evaluate grading"}
    (results / "run.json").write_text(json.dumps(run))
    with pytest.raises(UsageError, match="has results of evaluate grading"):
        boxes.write(results, tmp_path / "record")
