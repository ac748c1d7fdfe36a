"""The command with the detector that ships, on a drawn eye whose lesions are known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from fundoscope import phantom
from fundoscope.cli.main import run
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.voc import layout
from fundoscope.data.annotations.voc.write import write_voc
from fundoscope.lesions import detector as detectors
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, field

pytestmark = pytest.mark.usefixtures("few_plots")


def test_the_shipped_detector_is_measured_by_its_own_boxes(tmp_path: Path) -> None:
    pixels, truth = phantom.draw(PhantomSpec(seed=3, width=1000, height=800, grade=3))
    photographs = tmp_path / "voc" / layout.PHOTOS
    photographs.mkdir(parents=True)
    Image.fromarray(pixels).save(photographs / "eye.png")
    boxes = tuple(Annotation(kind=each.kind, box=each.box) for each in truth.lesions)
    photo = AnnotatedPhoto(image="eye.png", width=1000, height=800, annotations=boxes)
    write_voc(AnnotationSet(photos=(photo,)), tmp_path / "voc")
    command = [
        "--annotations",
        tmp_path / "voc",
        "--images",
        photographs,
        "--out",
        tmp_path / "out",
    ]
    assert run(["evaluate", "lesions", *map(str, command)]) == 0
    with (tmp_path / "out" / "predictions.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "haemorrhage"]
    loaded = detectors.load()
    eye = decode.decode_file(photographs / "eye.png", min_side=loaded.decode_side)
    found = [
        each
        for each in detectors.candidates(loaded, eye, field.find(eye))
        if each.kind == "haemorrhage"
    ]
    best = max(rows, key=lambda row: float(row["score"]))
    corners = [float(best[name]) for name in ("x0", "y0", "x1", "y1")]
    assert float(best["score"]) == pytest.approx(found[0].score, abs=0.01)
    assert corners == pytest.approx(found[0].box, abs=0.6)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    haemorrhages = metrics["classes"]["haemorrhage"]
    assert haemorrhages["lesions"] == sum(each.kind == "haemorrhage" for each in truth.lesions)
    assert haemorrhages["recall"]["value"] > 0.8
