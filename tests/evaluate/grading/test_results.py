from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.class_folders import from_class_folders
from fundoscope.errors import OutputError, UsageError
from fundoscope.evaluate import folder
from fundoscope.evaluate.folder import Provenance
from fundoscope.evaluate.grading import results
from fundoscope.evaluate.grading.evaluation import evaluate
from fundoscope.evaluate.grading.figures import NAMES
from fundoscope.evaluate.grading.results import FILES, metrics, write
from fundoscope.reading import ModelUsed

pytestmark = pytest.mark.usefixtures("few_plots")

ROWS = [
    ("x/a-says0.jpg", 0, "p1", "one"),
    ("x/b-says1.jpg", 0, "p1", "one"),
    ("x/c-says2.jpg", 2, "p2", "one"),
    ("x/d-says4.jpg", 3, "p3", "two"),
    ("x/e-says0.jpg", 0, "p4", "two"),
    ("x/f-dark.jpg", 2, "p5", "two"),
    ("x/g-broken.jpg", 0, "p6", "two"),
]
COLUMNS = ("image", "grade", "patient", "status")


@pytest.fixture
def evaluation(manifest_of, named_reader):
    manifest = manifest_of(ROWS, COLUMNS)
    return evaluate(manifest, manifest.rows, named_reader(), by=["status"])


def provenance(**more):
    return Provenance(
        **{
            "arguments": {"labels": "labels.csv", "split": None},
            "models": (ModelUsed("grading", "by-name", "a" * 64),),
            "versions": {"fundoscope": "0"},
            "started": "2026-01-01T00:00:00+00:00",
            "finished": "2026-01-01T00:00:01+00:00",
            **more,
        }
    )


def written(evaluation, out, **more):
    folder.check(out, FILES, overwrite=False)
    write(evaluation, provenance(**more), out)
    return json.loads((out / "metrics.json").read_bytes())


@pytest.mark.plots
def test_every_file_is_there_and_no_other(evaluation, tmp_path):
    out = tmp_path / "deep" / "out"
    written(evaluation, out)
    assert {file.name for file in out.iterdir()} == set(FILES)


def test_metrics_have_the_keys_that_others_rely_on(evaluation, tmp_path):
    result = written(evaluation, tmp_path / "out")
    assert result["n"] == 7
    for summary in (result, result["graded"], result["by"]["status"]["one"]):
        for name in NAMES:
            assert {"value", "low", "high"} <= set(summary[name])
        assert set(summary["recall"]) == set("01234")
    assert set(result["mean"]["status"]) == {"quadratic_kappa", "referable_auc"}
    assert set(result["by"]["status"]) == {"one", "two"}
    assert result["accuracy"]["value"] == pytest.approx(3 / 7)
    assert result["graded"]["n"] == 5
    assert result["graded_share"]["value"] == pytest.approx(5 / 7)
    assert result["recall"]["4"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "there is no photograph of grade 4",
    }
    assert result["intervals"]["clusters"] == {"patient": 6}
    assert result["calibration"]["n"] == 5


@pytest.mark.plots
def test_metrics_repeat_to_the_byte(evaluation, manifest_of, named_reader, tmp_path):
    manifest = manifest_of(ROWS, COLUMNS)
    again = evaluate(manifest, manifest.rows, named_reader(), by=["status"], workers=3)
    written(evaluation, tmp_path / "one")
    written(again, tmp_path / "two")
    for name in ("metrics.json", "predictions.csv", "confusion.png", "roc.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_predictions_hold_every_column_and_every_row(evaluation, tmp_path):
    written(evaluation, tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [row[0].removeprefix("x/") for row in ROWS]
    # The table's own column "status" keeps its cells under another name.
    assert [row["label_status"] for row in rows] == [row[3] for row in ROWS]
    first, dark, broken = rows[0], rows[5], rows[6]
    assert (first["icdr"], first["p0"], first["referable"]) == ("0", "0.900000", "false")
    assert first["reason"] == ""
    assert (dark["icdr"], dark["p0"], dark["expected"], dark["referable"]) == ("", "", "", "true")
    assert dark["status"] == "not_graded"
    assert dark["reason"].startswith("too_dark: ")
    assert broken["status"] == "refused"
    assert broken["reason"] == "truncated: is cut off"
    probabilities = [sum(float(row[f"p{g}"]) for g in range(5)) for row in rows if row["p0"]]
    assert probabilities == pytest.approx([1.0] * 5)


def test_confusion_table(evaluation, tmp_path):
    written(evaluation, tmp_path / "out")
    with (tmp_path / "out" / "confusion.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["label", "0", "1", "2", "3", "4", "not_graded"]
    assert rows[1] == ["0", "2", "1", "0", "0", "0", "1"]
    assert rows[3] == ["2", "0", "0", "1", "0", "0", "1"]


def test_the_run_says_what_it_was_made_with(evaluation, tmp_path):
    written(evaluation, tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_bytes())
    used = {"task": "grading", "name": "by-name", "sha256": "a" * 64, "bundle_sha256": None}
    assert run["models"] == [used]
    assert run["thresholds"] == {"referable": 0.4}
    assert run["counts"] == {"photographs": 7, "read": 5, "not_graded": 1, "refused": 1}
    assert [row["image"] for row in run["refused"]] == ["g-broken.jpg"]
    assert [row["code"] for row in run["not_graded"]] == ["too_dark"]


def test_times_and_machines_stay_out_of_the_metrics(evaluation):
    text = json.dumps(metrics(evaluation))
    assert "2026" not in text
    assert "NaN" not in text


@pytest.mark.plots
def test_pictures_can_be_opened(evaluation, tmp_path):
    written(evaluation, tmp_path / "out")
    for name in ("confusion.png", "roc.png", "reliability.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 500
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.plots
def test_pictures_of_an_evaluation_that_graded_nothing(manifest_of, named_reader, tmp_path):
    manifest = manifest_of([("a-dark.jpg", 0)])
    nothing = evaluate(manifest, manifest.rows, named_reader())
    result = written(nothing, tmp_path / "out")
    assert result["referable_auc"]["value"] is None
    assert result["calibration"]["expected_calibration_error"] is None
    assert (tmp_path / "out" / "roc.png").stat().st_size > 0


def test_an_earlier_evaluation_is_replaced_only_when_asked(evaluation, tmp_path):
    out = tmp_path / "out"
    written(evaluation, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="earlier run"):
        folder.check(out, FILES, overwrite=False)
    folder.check(out, FILES, overwrite=True)
    write(evaluation, provenance(arguments={"labels": "again.csv"}), out)
    assert "again.csv" in (out / "run.json").read_text()
    assert (out / "notes.txt").read_text() == "mine"


def test_the_folder_is_a_file(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="not a folder"):
        folder.check(tmp_path / "out", FILES, overwrite=True)


def test_the_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        folder.check(tmp_path / "file" / "out", FILES, overwrite=False)


@pytest.mark.plots
def test_a_full_disk_changes_nothing(evaluation, tmp_path):
    resource = pytest.importorskip("resource")
    out = tmp_path / "out"
    written(evaluation, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A bound on the size of files fails like a disk that is full: in the middle of a file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit[1]))
    try:
        with pytest.raises(OutputError, match="out: cannot be written"):
            write(evaluation, provenance(arguments={"labels": "again.csv"}), out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_file_name_that_is_no_text(named_reader, tmp_path):
    for grade in "02":
        (tmp_path / "eyes" / grade).mkdir(parents=True)
        try:
            (tmp_path / "eyes" / grade / os.fsdecode(b"\xff-broken.jpg")).touch()
        except OSError:
            pytest.skip("this file system wants text for names")
    manifest = from_class_folders(tmp_path / "eyes")
    evaluation = evaluate(manifest, manifest.rows, named_reader(), resamples=10)
    written(evaluation, tmp_path / "out")
    assert "\\udcff-broken.jpg" in (tmp_path / "out" / "predictions.csv").read_text()
    run = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert run["refused"][0]["image"] == "\\udcff-broken.jpg (No. 1)"


def test_paths_are_written_on_request(evaluation, tmp_path):
    provenance = Provenance({}, (), {}, "", "")
    write(evaluation, provenance, tmp_path / "out", paths=True)
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [row[0] for row in ROWS]
    run = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert [row["image"] for row in run["refused"]] == ["x/g-broken.jpg"]


@pytest.mark.plots
def test_a_library_that_fails_leaves_nothing_behind(evaluation, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr(results.plots, "draw_roc", fail)
    with pytest.raises(RuntimeError):
        written(evaluation, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
