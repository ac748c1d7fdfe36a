from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re

import pytest

from fundoscope import reader
from fundoscope.cli.evaluate import grading as command
from fundoscope.cli.evaluate import reporting
from fundoscope.cli.main import run

pytestmark = pytest.mark.usefixtures("few_plots")

ROWS = [
    ("a-says0.jpg", 0, "test", "x"),
    ("b-says1.jpg", 1, "test", "x"),
    ("c-says2.jpg", 2, "test", "y"),
    ("d-says1.jpg", 0, "test", "y"),
    ("e-says4.jpg", 4, "train", "y"),
]
COLUMNS = ("image", "grade", "split", "source")


@pytest.fixture(autouse=True)
def by_name(monkeypatch, named_reader):
    """The command reads by file name."""
    monkeypatch.setattr(reader, "Reader", named_reader)


@pytest.fixture
def evaluate(tmp_path, capsys):
    def call(labels, *options):
        code = run(
            ["evaluate", "grading", str(labels), "--out", str(tmp_path / "out"), *map(str, options)]
        )
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_one_line_with_intervals_and_the_files(evaluate, table_of, tmp_path):
    code, out, err = evaluate(table_of(ROWS, COLUMNS), "--split", "train")
    assert code == 0
    assert err == ""
    assert out.count("\n") == 3
    assert out.startswith("accuracy 1.000, quadratic kappa undefined")
    assert "least certain 20% referred to a reader: accuracy on the others 1.000" in out
    assert out.endswith("prediction sets (plausible grades): not fitted for this grader\n")
    assert "n 1" in out
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["n"] == 1


def test_by_and_mean_have_a_line_each(evaluate, table_of):
    code, out, _ = evaluate(table_of(ROWS, COLUMNS), "--by", "source", "--workers", "2")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("accuracy 0.800 (")
    assert lines[1].startswith("source=x: accuracy 1.000 (1.000 to 1.000)")
    assert lines[2].startswith("source=y: accuracy 0.667")
    assert lines[3].startswith("mean over source: quadratic kappa ")
    assert "95 % intervals by photograph" in lines[0]


def test_each_score_says_whether_its_source_took_part_in_training(evaluate, table_of, tmp_path):
    rows = [*ROWS, ("f-says0.jpg", 0, "val", "")]
    _, out, _ = evaluate(table_of(rows, COLUMNS), "--by", "source", "--by", "split")
    assert "source=x: accuracy" in out
    assert re.search("^source=x: .*; source took part in training$", out, re.M)
    assert re.search("^source=y: .*; source new to the grader$", out, re.M)
    assert re.search(r"^source=\(blank\): accuracy [^;]*$", out, re.M)
    mixed = "source of 2 of 4 photographs took part in training, of 0 not known"
    assert re.search(f"^split=test: .*; {mixed}$", out, re.M)
    result = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert result["sources"] == {"took_part": 2, "new": 3, "not_known": 1}
    assert result["by"]["source"]["y"]["sources"] == {"took_part": 0, "new": 3, "not_known": 0}


def test_a_look_at_the_test_split_comes_with_its_row(evaluate, table_of):
    _, _, err = evaluate(table_of(ROWS, COLUMNS), "--split", "test", "--where", "source=y")
    assert "docs/test-looks.csv" in err
    (row,) = list(csv.reader(io.StringIO(err.splitlines()[1])))
    _, bundle, command_line, split, n, figures = row
    assert bundle == "a" * 64
    assert command_line.startswith("fundoscope evaluate grading ")
    assert command_line.endswith("--split test --where source=y")
    assert (split, n) == ("test", "2")
    assert "accuracy 0.5000" in figures


def test_a_look_without_a_split_names_the_splits_that_were_read(evaluate, table_of):
    rows = [*ROWS, ("f-says0.jpg", 0, "val", "y"), ("g-says0.jpg", 0, "excluded", "y")]
    code, out, err = evaluate(table_of(rows, COLUMNS), "--where", "source=y")
    assert code == 0
    assert "n 4" in out
    (row,) = list(csv.reader(io.StringIO(err.splitlines()[1])))
    assert row[2].endswith("--where source=y")
    assert row[3:5] == ["test+train+val", "4"]


def test_class_folders(evaluate, tmp_path):
    for name in ("0/a-says0.jpg", "3/b-says3.jpg"):
        (tmp_path / "eyes" / name).parent.mkdir(parents=True)
        (tmp_path / "eyes" / name).touch()
    code, out, _ = evaluate(tmp_path / "eyes")
    assert code == 0
    assert out.startswith("accuracy 1.000")


def test_names_that_are_not_utf_8_cost_no_result(evaluate, tmp_path):
    folder = tmp_path / os.fsdecode(b"M\xfcnchen") / "3"
    folder.mkdir(parents=True)
    for name in (b"M\xfcller-says3.jpg", b"Schr\xf6der-broken.jpg"):
        (folder / os.fsdecode(name)).touch()
    code, _, err = evaluate(folder.parent)
    assert code == 3
    assert r"Schr\udcf6der-broken.jpg: is cut off" in err
    assert r"M\udcfcller-says3.jpg" in (tmp_path / "out" / "predictions.csv").read_text()
    assert r"M\\udcfcnchen" in (tmp_path / "out" / "run.json").read_text()


def test_photographs_without_a_grade_are_named_and_the_rest_is_read(evaluate, table_of, tmp_path):
    rows = [*ROWS, ("f-broken.jpg", 0, "train", ""), ("g-dark.jpg", 0, "train", "")]
    code, out, err = evaluate(table_of(rows, COLUMNS))
    assert code == 3
    assert "n 7" in out
    assert "f-broken.jpg: is cut off; copy it again" in err
    assert "g-dark.jpg: is too dark" in err
    assert (tmp_path / "out" / "predictions.csv").exists()


def test_of_many_without_a_grade_the_rest_is_named_in_the_run(evaluate, table_of):
    rows = [("a-says0.jpg", 0), *((f"{i}-dark.jpg", 0) for i in range(30))]
    code, _, err = evaluate(table_of(rows))
    assert code == 3
    assert err.count("too dark") == reporting.NAMED_AT_MOST
    assert "and 10 more" in err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--split", "tset"], "has no row where split is tset"),
        (["--where", "camera=1"], "has no column 'camera'"),
        (["--by", "camera"], "has no column 'camera'"),
    ],
)
def test_misuse_is_one_line(evaluate, table_of, options, complaint):
    code, out, err = evaluate(table_of(ROWS, COLUMNS), *options)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["image,grade\na.jpg,7\n", "image,grade,grade\na,1,1\n", ""])
def test_a_wrong_table(evaluate, tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    code, _, err = evaluate(tmp_path / "labels.csv")
    assert code == 2
    assert err.startswith("labels.csv")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_earlier_evaluation_stays(evaluate, table_of, tmp_path):
    labels = table_of(ROWS, COLUMNS)
    evaluate(labels)
    before = (tmp_path / "out" / "metrics.json").read_bytes()
    code, _, err = evaluate(labels, "--where", "source=x")
    assert code == 2
    assert "--overwrite" in err
    assert (tmp_path / "out" / "metrics.json").read_bytes() == before
    assert evaluate(labels, "--where", "source=x", "--overwrite")[0] == 0
    assert (tmp_path / "out" / "metrics.json").read_bytes() != before


def test_without_the_extra_it_says_what_to_install(evaluate, table_of, monkeypatch):
    monkeypatch.setattr(command, "EVALUATE_GRADING", ("evaluate", ("a_module_that_nobody_has",)))
    code, _, err = evaluate(table_of(ROWS, COLUMNS))
    assert code == 2
    assert 'pip install "fundoscope[evaluate]"' in err


def test_the_run_knows_the_command(evaluate, table_of, tmp_path):
    evaluate(table_of(ROWS, COLUMNS), "--by", "source")
    result = json.loads((tmp_path / "out" / "run.json").read_text())
    assert result["arguments"]["by"] == ["source"]
    assert result["versions"]["numpy"]
    assert result["versions"]["scikit-learn"]
    assert result["started"] <= result["finished"]


def test_no_cell_breaks_a_line_or_reaches_the_terminal(evaluate, table_of):
    rows = [(*row[:3], "Canon\nCR-2 \x1b[31m") for row in ROWS]
    code, out, _ = evaluate(table_of(rows, COLUMNS), "--by", "source")
    assert code == 0
    assert "\x1b" not in out
    assert r"source=Canon\nCR-2 \x1b[31m: accuracy" in out


def test_a_grader_that_was_fitted_to_the_same_table_cannot_be_tested_on_it(
    evaluate, table_of, named_reader, monkeypatch
):
    table = table_of(ROWS, COLUMNS)
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    monkeypatch.setattr(named_reader, "fitted_to", sha256)
    assert "were fitted to this label table" in evaluate(table, "--split", "train")[2]
    monkeypatch.setattr(named_reader, "fitted_to", "0" * 64)
    assert "were fitted" not in evaluate(table, "--split", "train", "--overwrite")[2]
