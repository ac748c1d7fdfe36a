"""The page of a report, and what other programs' predictions become."""

from __future__ import annotations

import csv
import json
import os
import re

import numpy as np
import pytest

from fundoscope import reader
from fundoscope.cli.main import run
from fundoscope.evaluate.compare.mcnemar import mcnemar
from fundoscope.evaluate.report import prevalence, subgroups

pytestmark = pytest.mark.usefixtures("few_plots")

LABELS = ("image", "grade", "patient", "eye", "source", "second")
ROWS = [
    (f"{i:02}-says{(i + (i % 7 == 0)) % 5}.jpg", i % 5, f"p{i // 2}", "RL"[i % 2], "ab"[i % 3 > 0],
     str((i + (i % 11 == 0)) % 5))
    for i in range(40)
]  # fmt: skip


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


@pytest.fixture
def labels(table_of):
    return table_of(ROWS, LABELS)


def predictions(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def metrics(folder):
    return json.loads((folder / "metrics.json").read_bytes())


def test_the_page_answers_and_needs_nothing_else(call, labels, tmp_path):
    call("grading", labels, "--out", tmp_path / "ours", "--by", "source")
    grades = predictions(tmp_path / "other.csv", ("image", "grade"), [r[:2] for r in ROWS])
    call("grading", labels, "--out", tmp_path / "other", "--predictions", grades)
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    folders = (tmp_path / "ours", tmp_path / "other")
    code, _, err = call("report", *folders, "--out", page, "--out", text)
    assert (code, err) == (0, "")
    html = page.read_text()
    assert '<html lang="en">' in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert html.count("<img ") == html.count('<img alt="') > 4
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)
    assert len(html) < 5_000_000
    titles = re.findall(r"<h2 [^>]*>([^<]*)</h2>", html)
    for title in ("Figures", "Curves", "Comparisons", "Subgroups", "Per eye and per patient"):
        assert title in titles
    assert "McNemar p" in text.read_text()
    assert call("report", *folders, "--out", page)[0] != 0  # not replaced unasked


def test_a_folder_whose_name_is_not_utf_8(call, labels, tmp_path):
    ours = tmp_path / os.fsdecode(b"M\xfcnchen")
    call("grading", labels, "--out", ours)
    pages = [tmp_path / "page.html", tmp_path / "page.md"]
    code, _, err = call("report", ours, *(word for page in pages for word in ("--out", page)))
    assert (code, err) == (0, "")
    assert all(r"M\udcfcnchen" in page.read_text().replace("\\\\", "\\") for page in pages)


def test_one_class_and_three_rows_say_why_not(call, table_of, tmp_path):
    call("grading", table_of([(f"{i}-says0.jpg", 0) for i in range(3)]), "--out", tmp_path / "o")
    text = tmp_path / "page.md"
    assert call("report", tmp_path / "o", "--out", text)[0] == 0
    written = text.read_text()
    assert "no photograph is referable (grade 2 to 4)" in written
    assert "there is no column patient" in written
    assert not re.search(r"\bnan\b", written, re.IGNORECASE)


def test_photographs_that_cannot_be_read_are_named(call, labels, tmp_path):
    call("grading", labels, "--out", tmp_path / "o")
    text = tmp_path / "page.md"
    assert call("report", tmp_path / "o", "--out", text, "--photographs", tmp_path)[0] == 0
    assert "cannot be read here" in text.read_text()
    assert "this needs 100" in text.read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--out", "page.pdf"), "end it in .html or .md"),
        (("--out", "page.md", "--photographs", "none"), "is not a folder"),
        (("--out", "page.md", "--by", "camera"), "is empty or missing"),
    ],
)
def test_misuse_of_the_report(call, labels, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    call("grading", labels, "--out", "o")
    code, _, err = call("report", "o", *words)
    assert code == 2
    assert complaint in err
    assert call("report", "o", "o", "--out", "page.md")[2].count("is given twice") == 1


def test_a_second_reader(call, labels, tmp_path):
    from sklearn.metrics import cohen_kappa_score

    code, out, _ = call("grading", labels, "--out", tmp_path / "o", "--second-grade", "second")
    assert code == 0
    assert "photographs with two readers" in out
    first, second = [row[1] for row in ROWS], [int(row[5]) for row in ROWS]
    expected = cohen_kappa_score(first, second, weights="quadratic")
    found = metrics(tmp_path / "o")["readers"]["first_and_second"]["value"]
    assert found == pytest.approx(expected, abs=1e-9)
    assert call("grading", labels, "--out", tmp_path / "p", "--second-grade", "eye")[0] == 2


class TestPredictions:
    def test_a_score_alone_has_no_grades(self, call, labels, tmp_path):
        rows = [(row[0], row[1] / 4) for row in ROWS[:38]]
        table = predictions(tmp_path / "s.csv", ("image", "referable_score"), rows)
        code, _, err = call("grading", labels, "--predictions", table, "--out", tmp_path / "o")
        assert code == 3
        assert "38 of 40 photographs have a prediction" in err
        result = metrics(tmp_path / "o")
        assert result["quadratic_kappa"]["reason"] == "the predictions hold no grades"
        assert result["graded"]["referable_auc"]["value"] == 1.0
        assert result["any_auc"]["value"] is None

    def test_probabilities_give_what_a_bundle_gives(self, call, labels, tmp_path):
        call("grading", labels, "--out", tmp_path / "a")
        table = tmp_path / "a" / "predictions.csv"
        words = ("--predictions", table, "--threshold", 0.4, "--out", tmp_path / "b")
        assert call("grading", labels, *words)[0] == 0
        ours, theirs = metrics(tmp_path / "a"), metrics(tmp_path / "b")
        for name in ("accuracy", "quadratic_kappa", "any_auc", "referable_sensitivity"):
            assert ours[name] == pytest.approx(theirs[name])

    def test_a_grade_alone_is_referable_from_two_on_whatever_the_threshold(
        self, call, labels, tmp_path
    ):
        table = predictions(
            tmp_path / "s.csv", ("image", "grade"), [(name, grade) for name, grade, *_ in ROWS]
        )
        words = ("--predictions", table, "--out", tmp_path / "o")
        code, _, err = call("grading", labels, *words, "--threshold", 0.8)
        assert code == 2
        assert "--threshold 0.8: is of a probability, and s.csv has grades alone" in err
        # Rows without a probability in a table that has some.
        header = ("image", "icdr", "referable_probability")
        predictions(table, header, [(n, g, "1" if i == 2 else "") for i, (n, g, *_) in
                                    enumerate(ROWS)])  # fmt: skip
        assert call("grading", labels, *words, "--threshold", 0.8)[0] == 0
        assert metrics(tmp_path / "o")["referable_sensitivity"]["value"] == 1.0
        why = metrics(tmp_path / "o")["certainty"]["handed_to_a_reader"]["gain"]["reason"]
        assert why == "no photograph was graded with probabilities"

    @pytest.mark.parametrize(
        ("header", "row", "complaint"),
        [
            (("image", "grade"), ("x.jpg", "1"), "none of its 1 predictions is for one of the 40"),
            (("image", "grade"), (ROWS[0][0], "mild"), "not a grade"),
            (("image", "referable_score"), (ROWS[0][0], "3"), "not a probability"),
            (("image", "p0", "p1", "p2", "p3", "p4"), (ROWS[0][0], *"00000"), "sum to 0.000"),
            (("image", "note"), (ROWS[0][0], "a"), "holds no predictions"),
        ],
    )
    def test_faulty_tables(self, call, labels, tmp_path, header, row, complaint):
        table = predictions(tmp_path / "s.csv", header, [row])
        words = ("--predictions", table, "--out", tmp_path / "o")
        code, _, err = call("grading", labels, *words)
        assert code == 2
        assert complaint in err

    def test_a_photograph_twice(self, call, labels, tmp_path):
        table = predictions(tmp_path / "s.csv", ("image", "grade"), [(ROWS[0][0], 1)] * 2)
        words = ("--predictions", table, "--out", tmp_path / "o")
        assert "a second time" in call("grading", labels, *words)[2]

    def test_options_that_contradict(self, call, labels, tmp_path):
        words = ("--out", tmp_path / "o", "--threshold", 0.3)
        assert "is for --predictions" in call("grading", labels, *words)[2]
        words = ("--out", tmp_path / "o", "--predictions", labels, "--grader", tmp_path)
        assert "does not go with --predictions" in call("grading", labels, *words)[2]


def test_mcnemar_counts_where_only_one_is_right():
    old = np.array([True] * 10 + [False] * 5)
    new = np.array([True] * 9 + [False] + [True] * 4 + [False])
    result = mcnemar(old, new)
    assert (result.old_only, result.new_only, result.p) == (1, 4, pytest.approx(0.375))
    assert mcnemar(old, old).p == 1.0


def test_holm_is_that_of_the_paper():
    assert subgroups.holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])


def test_prevalence_by_bayes():
    of = prevalence.expected(0.9, 0.8, 0.1)
    assert of.ppv == pytest.approx(90 / 270)
    assert of.npv == pytest.approx(720 / 730)
    assert of.missed == pytest.approx(10)
    assert prevalence.expected(0.0, 1.0, 0.1).ppv is None


def test_a_column_that_only_looks_renamed_is_not_taken_for_another(call, table_of, tmp_path):
    rows = [(*row[:2], "ab"[i % 2], "cd"[i < 10]) for i, row in enumerate(ROWS)]
    table = table_of(rows, ("image", "grade", "camera", "label_camera"))
    call("grading", table, "--out", tmp_path / "o")
    assert call("report", tmp_path / "o", "--by", "camera", "--out", tmp_path / "p.md")[0] == 0
    text = (tmp_path / "p.md").read_text()
    assert "| a | 20 |" in text
    assert "| c | 30 |" not in text


def test_a_table_may_have_the_columns_of_earlier_results(call, labels, tmp_path):
    """Results are label tables, so they may be evaluated again and again."""
    for number, table in enumerate((labels, *(tmp_path / f"t{n}.csv" for n in range(3)))):
        out = tmp_path / f"o{number}"
        assert call("grading", table, "--out", out)[0] == 0
        (tmp_path / f"t{number}.csv").write_bytes((out / "predictions.csv").read_bytes())
        assert call("compare", out, out, "--out", tmp_path / f"c{number}")[0] == 0


def test_a_folder_or_file_twice_under_two_names(call, labels, tmp_path):
    out = tmp_path / "o"
    call("grading", labels, "--out", out)
    (tmp_path / "link").symlink_to(out)
    page = tmp_path / "p.md"
    code, _, err = call("report", out, tmp_path / "link", "--out", page)
    assert (code, "is given twice" in err) == (2, True)
    code, _, err = call("report", out, "--out", page, "--out", out / ".." / "p.md")
    assert (code, "is given twice" in err, page.exists()) == (2, True, False)
