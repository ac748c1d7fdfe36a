"""A record gives the figures of its evaluation, and names nobody."""

from __future__ import annotations

import csv
import json

import pytest

from fundoscope import checksums
from fundoscope.cli.main import run
from fundoscope.data import manifest as tables
from fundoscope.errors import UsageError
from fundoscope.evaluate import folder as folders
from fundoscope.evaluate.grading import results as written
from fundoscope.evaluate.grading.evaluation import evaluate
from fundoscope.evaluate.record import anonymous, figures

COLUMNS = ("image", "grade", "patient", "source", "camera", "gradable", "note")
ROWS = [
    *(
        (f"eyes/{i:02}-says{(i + (i % 4 == 0)) % 5}.jpg", i % 5, f"Miller {i // 2}", "ab"[i % 2],
         "xy"[i % 3 > 0], "" if i % 2 else str(int(i % 8 > 0)), "rides a bicycle")
        for i in range(40)
    ),
    ("eyes/40-dark.jpg", 2, "Smith", "a", "x", "0", ""),
]  # fmt: skip
SOURCES = ("a",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    (folder / "eyes").mkdir()
    for row in ROWS:
        (folder / row[0]).touch()
    return folder


@pytest.fixture(scope="module")
def labels(folder):
    return tables.read(folder / "labels.csv")


@pytest.fixture(scope="module")
def results(labels, named_reader, folder):
    reader = named_reader()
    evaluation = evaluate(
        labels, labels.rows, reader, by=("source", "camera"), trained_on=SOURCES, resamples=99
    )
    how = folders.Provenance({"labels": "labels.csv"}, reader.models, {}, "2026-11-29", "later")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "_draw", lambda *_: None)  # plots take most of the time
        written.write(evaluation, how, folder / "results")
    return folder / "results"


@pytest.fixture
def record(results, labels, tmp_path):
    figures.write(results, tmp_path / "record", labels, ("a",), SOURCES)
    return tmp_path / "record"


def test_the_figures_are_those_of_the_evaluation(results, record):
    before, after = figures.stored(results), figures.stored(record)
    for name in ("accuracy", "quadratic_kappa", "referable_auc", "recall", "graded", "certainty"):
        if name == "certainty":
            before[name].pop("by"), after[name].pop("by")
        assert figures.differences(before[name], after[name]) == [], name
    for column in ("source", "camera"):
        assert figures.differences(before["by"][column], after["by"][column]) == []
    assert after["by"]["source"]["a"]["sources"] == {"took_part": 21, "new": 0, "not_known": 0}
    assert after["by"]["source"]["b"]["sources"]["new"] == 20
    assert set(after["by"]["could_be_graded"]) == {"no", "yes"}


def test_nobody_is_named(record):
    text = "".join(path.read_text() for path in record.iterdir())
    for name in ("Miller", "Smith", "says", "bicycle", "dark.jpg"):
        assert name not in text
    assert checksums.verify(record).faults == ()


def test_labels_of_other_sources_are_left_out(record, labels):
    with (record / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["source"]: bool(row["grade"]) for row in rows} == {"a": True, "b": False}
    assert figures.differences(figures.stored(record), figures.computed(record, labels)) == []
    alone = figures.computed(record)
    assert alone["n"] == 21
    stored = figures.stored(record)["by"]["source"]["a"]
    assert figures.differences(stored, alone["by"]["source"]["a"]) == []


def test_a_changed_prediction_is_noticed(record, labels):
    path = record / "predictions.csv"
    before = path.read_text()
    path.write_text(before.replace("0.900000", "0.100000", 1))
    assert figures.differences(figures.stored(record), figures.computed(record, labels))
    path.write_text(before.replace("0.900000", "", 1))
    with pytest.raises(UsageError, match="some of p0 to p4 are empty"):
        figures.computed(record, labels)


def test_a_record_without_any_label_says_so(results, labels, tmp_path):
    figures.write(results, tmp_path / "none", labels, (), SOURCES)
    with pytest.raises(UsageError, match="holds no labels; give the label table"):
        figures.computed(tmp_path / "none")


def test_another_label_table(results, manifest_of, tmp_path):
    other = manifest_of([row[:2] for row in ROWS[:5]])
    with pytest.raises(UsageError, match="has another label table"):
        figures.write(results, tmp_path / "r", other, (), SOURCES)


def test_a_key_does_not_depend_on_the_folder():
    assert anonymous.key("a", "x/y/eye.jpg") == anonymous.key("a", "eye.jpg (No. 3)")
    assert anonymous.key("a", "eye.jpg") != anonymous.key("b", "eye.jpg")


def test_a_record_is_a_result_folder(results, labels, capsys, tmp_path):
    figures.write(results, tmp_path / "all", labels, ("a", "b"), SOURCES)
    out = tmp_path / "page.md"
    assert run(["evaluate", "report", str(tmp_path / "all"), "--out", str(out)]) == 0
    assert "by-name" in out.read_text()


def test_a_record_says_what_the_grader_was_trained_on(record):
    assert json.loads((record / "run.json").read_text())["trained_on"] == ["a"]


def test_photographs_of_one_name_have_no_record():
    rows = [tables.Row("a/eye.jpg (No. 1)", 1, source="s"), tables.Row("b/eye.jpg", 2, source="s")]
    with pytest.raises(UsageError, match=r"a/eye\.jpg \(No\. 1\) and b/eye\.jpg: have the same"):
        list(anonymous.rows_of(rows, ("s",)))
    rows[1] = tables.Row("b/eye.jpg", 2, source="t")
    assert len(list(anonymous.rows_of(rows, ("s",)))) == 3


@pytest.mark.parametrize(
    ("source", "image", "ambiguous"),
    [("b", "other/01-says1.jpg", True), ("b", "other/new.jpg", False)],
)
def test_labels_of_another_photograph_of_the_same_name_are_not_taken(
    record, manifest_of, source, image, ambiguous
):
    rows = [*((row[0], row[1], row[3]) for row in ROWS), (image, 4, source)]
    labels = manifest_of(rows, ("image", "grade", "source"))
    if ambiguous:
        with pytest.raises(UsageError, match="have the same file name"):
            anonymous.read(record, labels)
    else:
        assert len(anonymous.read(record, labels).rows) == len(ROWS)
