"""What can be given is given, the rest says why not: never NaN, never an interval from nothing."""

from __future__ import annotations

import csv
import json
import re

import pytest

from fundoscope import reader
from fundoscope.cli.main import run

pytestmark = pytest.mark.usefixtures("few_plots")
PARTS = ("image", "grade", "patient", "source")


@pytest.fixture(autouse=True)
def by_name(monkeypatch, named_reader):
    monkeypatch.setattr(reader, "Reader", named_reader)


@pytest.fixture
def call(tmp_path, capsys):
    def call(*words):
        code = run(["evaluate", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def no_constant(name):
    raise AssertionError(f"{name} in JSON")


def figures(document, at=""):
    """Every figure of metrics.json with its place."""
    if isinstance(document, dict):
        if "value" in document:
            yield at, document
        else:
            for name, entry in document.items():
                yield from figures(entry, f"{at}/{name}")


def checked(folder):
    """The figures of a result folder, after checking that each says why it is incomplete."""
    document = json.loads((folder / "metrics.json").read_text(), parse_constant=no_constant)
    for at, figure in figures(document):
        if figure["value"] is None:
            assert (figure["low"], figure["high"]) == (None, None), at
        assert (figure["low"] is None) == (figure["high"] is None), at
        assert figure["low"] is not None or len(figure.get("reason") or "") > 5, at
    return document


def words_of(folder, call, tmp_path):
    """The report on a result folder."""
    out = tmp_path / "page.md"
    assert call("report", folder, "--out", out)[0] == 0
    text = out.read_text()
    assert not re.search(r"\b(nan|NaN|None)\b", text)
    return text


@pytest.mark.parametrize("grade", [0, 3])
def test_one_class_only(call, table_of, tmp_path, grade):
    rows = [(f"{i}-says{(grade + (i == 2)) % 5}.jpg", grade, f"p{i}", "x") for i in range(6)]
    code, out, _ = call("grading", table_of(rows, PARTS), "--out", tmp_path / "o", "--by", "source")
    assert code == 0
    assert "referable AUC undefined (there is no photograph of grade" in out
    document = checked(tmp_path / "o")
    assert document["accuracy"]["value"] == pytest.approx(5 / 6)
    assert document["referable_auc"]["value"] is None
    text = words_of(tmp_path / "o", call, tmp_path)
    assert "no curves, because no photograph is" in text


def test_three_rows_of_one_patient_have_no_interval(call, table_of, tmp_path):
    rows = [(f"{i}-says{i}.jpg", i, "p", "x") for i in (0, 2, 3)]
    code, out, _ = call("grading", table_of(rows, PARTS), "--out", tmp_path / "o")
    assert code == 0
    document = checked(tmp_path / "o")
    assert document["accuracy"]["low"] is None
    assert "single cluster" in document["accuracy"]["reason"]
    assert "accuracy 1.000," in out
    assert "no interval: a single cluster" in words_of(tmp_path / "o", call, tmp_path)


def test_three_rows_without_patients(call, table_of, tmp_path):
    rows = [(f"{i}-says{i}.jpg", i) for i in (0, 2, 3)]
    assert call("grading", table_of(rows), "--out", tmp_path / "o")[0] == 0
    assert checked(tmp_path / "o")["intervals"]["clusters"] == {"photograph": 3}
    assert "no figures per patient: there is no column patient" in words_of(
        tmp_path / "o", call, tmp_path
    )


def test_no_photograph_could_be_read(call, table_of, tmp_path):
    rows = [(f"{i}-torn.jpg", i, f"p{i}", "x") for i in range(4)]
    code, _, err = call("grading", table_of(rows, PARTS), "--out", tmp_path / "o")
    assert code == 3
    assert "0-torn.jpg: is cut off; copy it again" in err
    document = checked(tmp_path / "o")
    assert document["graded_share"]["value"] == 0.0
    assert document["graded"]["accuracy"]["value"] is None
    assert document["certainty"]["sets"]["set_coverage"]["value"] is None
    words_of(tmp_path / "o", call, tmp_path)


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        (("mild", "2"), "line 2, column grade"),
        (("", "2"), "line 2, column grade"),
        (("7", "2"), "line 2, column grade"),
        (("2.5", "2"), "line 2, column grade"),
    ],
)
def test_grades_that_are_no_grades(call, table_of, tmp_path, cells, complaint):
    rows = [(f"{i}-says2.jpg", cell) for i, cell in enumerate(cells)]
    code, _, err = call("grading", table_of(rows), "--out", tmp_path / "o")
    assert code == 2
    assert complaint in err
    assert err.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_table_without_grades(call, table_of, tmp_path):
    code, _, err = call("grading", table_of([("a-says1.jpg", "x")], ("image", "note")),
                        "--out", tmp_path / "o")  # fmt: skip
    assert code == 2
    assert "grade" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("other", "code"), [("train/e0.jpg", 2), ("train/e1.jpg", 3)])
def test_a_name_that_another_split_has_too_matches_nothing(call, table_of, tmp_path, other, code):
    labels = table_of(
        [(other, 0, "train"), ("test/e0.jpg", 0, "test"), ("test/e2.jpg", 2, "test")],
        ("image", "grade", "split"),
    )
    table = tmp_path / "p.csv"
    table.write_text("image,grade\ne0.jpg,0\n")
    given = ("--predictions", table, "--split", "test", "--out", tmp_path / "o")
    result, _, err = call("grading", labels, *given)
    assert result == code
    assert ("none of its 1 predictions is for one of the 2 photographs" in err) == (code == 2)


def test_predictions_that_match_some_labels(call, table_of, tmp_path):
    labels = table_of([(f"{i}-says{i % 5}.jpg", i % 5, f"p{i}", "x") for i in range(10)], PARTS)
    table = tmp_path / "other.csv"
    with table.open("w", newline="") as file:
        rows = [(f"{i}-says{i % 5}.jpg", "" if i == 3 else i % 5) for i in range(6)]
        csv.writer(file).writerows([("image", "grade"), *rows, ("unknown.jpg", 1)])
    code, _, err = call("grading", labels, "--predictions", table, "--out", tmp_path / "o")
    assert code == 3
    assert "5 of 10 photographs have a prediction, 1 predictions have no label" in err
    document = checked(tmp_path / "o")
    assert document["graded"]["accuracy"]["value"] == 1.0
    assert document["accuracy"]["value"] == 0.5
    assert document["sources"] == {"took_part": 0, "new": 0, "not_known": 10}
    text = words_of(tmp_path / "o", call, tmp_path)
    assert "no calibration, because it gives no probability" in text


def test_a_prediction_for_no_photograph_is_refused(call, table_of, tmp_path):
    """It was given to every photograph without a prediction."""
    labels = table_of([(f"{i}-says0.jpg", 4, f"p{i}", "x") for i in range(10)], PARTS)
    table = tmp_path / "other.csv"
    table.write_text("image,grade\n0-says0.jpg,4\n,4\n")
    code, _, err = call("grading", labels, "--predictions", table, "--out", tmp_path / "o")
    assert code == 2
    assert "other.csv, line 3, column image: does not name a photograph" in err


def test_a_label_beside_probabilities_is_not_a_prediction(call, table_of, tmp_path):
    labels = table_of([(f"{i}.jpg", i % 5, f"p{i}", "x") for i in range(10)], PARTS)
    table = tmp_path / "other.csv"
    rows = [(f"{i}.jpg", i % 5, 1, 0, 0, 0, 0) for i in range(10)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "grade", "p0", "p1", "p2", "p3", "p4"), *rows])
    code, _, err = call("grading", labels, "--predictions", table, "--out", tmp_path / "o")
    assert code == 0
    assert "the column grade of other.csv is taken for the label" in err
    assert checked(tmp_path / "o")["accuracy"]["value"] == 0.2


def test_rows_that_name_one_photograph_share_its_prediction(call, table_of, tmp_path):
    rows = [("x/0.jpg", 0, "", "x"), ("x/0.jpg", 0, "", "x"), ("x/./0.jpg", 0, "", "x")]
    labels = table_of([*rows, ("x/1.jpg", 2, "", "x")], PARTS)
    table = tmp_path / "other.csv"
    table.write_text("image,grade\n0.jpg,0\n1.jpg,2\n")
    code, _, err = call("grading", labels, "--predictions", table, "--out", tmp_path / "o")
    assert code == 0
    assert "4 of 4 photographs have a prediction, 0 predictions have no label" in err
    document = checked(tmp_path / "o")
    assert document["accuracy"]["value"] == 1.0
    assert document["intervals"]["clusters"] == {"photograph": 2}


def test_a_second_reader_as_pandas_writes_grades(call, table_of, tmp_path):
    seconds = ("2.0", "", "1.0")
    rows = [(f"{i}-says2.jpg", 2, f"p{i}", "x", cell) for i, cell in enumerate(seconds)]
    labels = table_of(rows, (*PARTS, "second"))
    options = ("--second-grade", "second", "--out", tmp_path / "o")
    assert call("grading", labels, *options)[0] == 0
    assert checked(tmp_path / "o")["readers"]["n"] == 2
    labels.write_text(labels.read_text().replace("1.0", "1.5"))
    code, _, err = call("grading", labels, *options, "--overwrite")
    assert code == 2
    assert "labels.csv, line 4, column second: is '1.5', not a grade" in err


def test_a_grader_without_calibration_has_no_sets(call, table_of, tmp_path):
    rows = [(f"{i}-says{i % 5}.jpg", i % 5, f"p{i}", "x") for i in range(10)]
    code, out, _ = call("grading", table_of(rows, PARTS), "--out", tmp_path / "o")
    assert code == 0
    assert "prediction sets (plausible grades): not fitted for this grader" in out
    reason = checked(tmp_path / "o")["certainty"]["sets"]["set_coverage"]["reason"]
    assert reason.startswith("the bundle has no fitted sets")
    assert "not given: the bundle has no fitted sets" in words_of(tmp_path / "o", call, tmp_path)


def test_all_labels_the_same_in_a_second_reader(call, table_of, tmp_path):
    rows = [(f"{i}-says2.jpg", 2, f"p{i}", "x", 2) for i in range(4)]
    labels = table_of(rows, (*PARTS, "second"))
    code, out, _ = call("grading", labels, "--second-grade", "second", "--out", tmp_path / "o")
    assert code == 0
    assert "undefined (all grades of a pair are the same)" in out
    checked(tmp_path / "o")
