"""Two evaluations by the command line, then their comparison."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from fundoscope import reader
from fundoscope.cli.main import run
from fundoscope.data import manifest
from fundoscope.evaluate.compare.results import FILES
from fundoscope.evaluate.grading import results
from fundoscope.evaluate.grading.figures import COLUMNS
from fundoscope.evaluate.intervals import ONE_CLUSTER
from fundoscope.evaluate.lesions import detections, plots, worst
from fundoscope.lesions import detector as detectors
from fundoscope.reading import ModelUsed

LABELS = ("image", "grade", "patient", "split", "source", "status")
MA, EX, OD = "microaneurysm", "hard_exudate", "optic_disc"
EYES = {
    f"e{i}": [
        (MA, (10, 10, 20, 20)),
        (MA, (40, 10, 50, 20)),
        (EX, (70, 50, 84, 60)),
        (OD, (50, 20, 90, 60)),
    ]
    for i in range(12)
}


def comparison(folder):
    return json.loads((folder / "compare.json").read_bytes())


def part(result, name):
    (only,) = [each for each in result["parts"] if each["of"] == name]
    return only


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """They take most of the time, and nothing is read from them."""
    monkeypatch.setattr(results, "_draw", lambda *_: None)
    monkeypatch.setattr(worst, "draw", lambda *_: None)
    for name in ("draw_froc", "draw_precision_recall"):
        monkeypatch.setattr(plots, name, lambda *_: None)


@pytest.fixture
def call(capsys):
    def call(*words):
        code = run(["evaluate", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


class TestGraders:
    """The old grader reads the name of a file; the new one errs where it says so."""

    @pytest.fixture
    def rows(self):
        rng = np.random.default_rng(5)
        made = []
        for i in range(80):
            grade = i % 5
            said = grade if rng.random() < 0.6 else (grade + 1) % 5
            name = f"{i:02d}-says{said}.jpg" if i % 20 else f"{i:02d}-dark.jpg"
            made.append(
                (name, grade, f"p{i // 2}", "val" if i < 70 else "test", "ab"[i // 2 % 2], "x")
            )
        return made

    @pytest.fixture
    def labels(self, table_of, rows):
        return table_of(rows, LABELS)

    @pytest.fixture(autouse=True)
    def graders(self, monkeypatch, named_reader, rows):
        truth = {row[0]: row[1] for row in rows}

        class Named(named_reader):
            """The grader ``perfect`` knows every grade of a photograph that it can read."""

            def read(self, source):
                if self.grader is not None and self.grader.name == "perfect":
                    source = source.with_name(f"x-says{truth[source.name]}.jpg")
                    source.touch()
                return super().read(source)

        monkeypatch.setattr(reader, "Reader", Named)

    @pytest.fixture
    def folders(self, call, labels, tmp_path):
        for name in ("usual", "perfect"):
            out = tmp_path / name
            call("grading", labels, "--out", out, "--grader", name, "--split", "val")
        return tmp_path / "usual", tmp_path / "perfect"

    def test_the_whole_command(self, call, folders, tmp_path):
        code, out, err = call("compare", *folders, "--out", tmp_path / "out", "--by", "source")
        assert (code, err) == (0, "")
        assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)
        first = out.splitlines()[0]
        assert first.startswith("all (70): accuracy 0.")
        assert "→ 1.000, difference +0." in first
        assert first.endswith("excludes 0")
        assert any(
            line.startswith("mean over source: quadratic kappa ") for line in out.split("\n")
        )

    def test_old_and_new_have_the_figures_of_their_own_evaluations(self, call, folders, tmp_path):
        call("compare", *folders, "--out", tmp_path / "out", "--by", "source")
        result = comparison(tmp_path / "out")
        for side, folder in zip(("old", "new"), folders, strict=True):
            own = json.loads((folder / "metrics.json").read_bytes())
            whole = part(result, "all")
            assert whole["photographs"] == own["n"] == 70
            assert set(whole["figures"]) == set(COLUMNS)
            for name in ("accuracy", "quadratic_kappa", "referable_auc", "referable_sensitivity"):
                assert whole["figures"][name][side] == pytest.approx(own[name])
        assert result["intervals"]["clusters"] == {"patient": 35}

    def test_rows_of_one_photograph_are_drawn_together_as_in_its_evaluation(
        self, call, rows, table_of, tmp_path
    ):
        names = [(name, grade) for name, grade, *_ in rows[:20]]
        table = table_of([row for row in names for _ in range(3)], LABELS[:2])
        assert call("grading", table, "--out", tmp_path / "many")[0] == 3
        call("compare", tmp_path / "many", tmp_path / "many", "--out", tmp_path / "c")
        result = comparison(tmp_path / "c")
        assert result["intervals"]["clusters"] == {"photograph": 20}
        own = json.loads((tmp_path / "many" / "metrics.json").read_bytes())
        assert part(result, "all")["figures"]["accuracy"]["old"] == own["accuracy"]

    def test_a_value_and_the_mean(self, call, folders, tmp_path):
        call("compare", *folders, "--out", tmp_path / "out", "--by", "source", "--by", "status")
        result = comparison(tmp_path / "out")
        kappas = [
            part(result, f"source={value}")["figures"]["quadratic_kappa"]["difference"]["value"]
            for value in "ab"
        ]
        mean = part(result, "mean over source")
        assert set(mean["figures"]) == {"quadratic_kappa", "referable_auc"}
        assert mean["figures"]["quadratic_kappa"]["difference"]["value"] == pytest.approx(
            np.mean(kappas)
        )
        # The label table's own column, although the predictions have one of that name.
        assert part(result, "status=x")["photographs"] == 70

    def test_a_source_of_one_patient_leaves_the_mean_without_an_interval(
        self, call, table_of, rows, tmp_path
    ):
        labels = table_of([(*row[:4], "ab"[row[2] == "p1"], *row[5:]) for row in rows], LABELS)
        for name in ("usual", "perfect"):
            call("grading", labels, "--out", tmp_path / name, "--grader", name)
        folders = (tmp_path / "usual", tmp_path / "perfect")
        call("compare", *folders, "--out", tmp_path / "out", "--by", "source")
        mean = part(comparison(tmp_path / "out"), "mean over source")["figures"]["quadratic_kappa"]
        assert mean["difference"]["value"] is not None
        assert mean["difference"]["low"] is None
        assert mean["difference"]["reason"] == ONE_CLUSTER

    def test_those_that_both_graded_stand_apart(self, call, folders, tmp_path):
        call("compare", *folders, "--out", tmp_path / "out")
        result = comparison(tmp_path / "out")
        graded = part(result, "graded by both")
        assert graded["photographs"] == 66  # four of the old grader's are dark
        assert graded["figures"]["graded_share"]["old"]["value"] == 1.0
        assert part(result, "all")["figures"]["graded_share"]["old"]["value"] < 1.0

    def test_the_table_is_markdown_with_bold_where_zero_is_left_out(self, call, folders, tmp_path):
        call("compare", *folders, "--out", tmp_path / "out", "--by", "source")
        head, empty, *table = (tmp_path / "out" / "compare.md").read_text().splitlines()
        assert head.startswith("Old: `by-name` (`aaaaaaaa…`); new: `by-name`")
        assert "by patient" in head
        assert not empty
        assert {line.count("|") for line in table} == {7}
        assert table[2].startswith("| all | 70 | accuracy | 0.")
        assert table[3].startswith("|  |  | quadratic kappa |")
        assert "| **+0." in table[2]

    def test_the_same_folder_twice(self, call, folders, tmp_path):
        _, out, _ = call("compare", folders[0], folders[0], "--out", tmp_path / "out")
        assert "excludes 0" not in out
        result = part(comparison(tmp_path / "out"), "all")["figures"]["accuracy"]
        assert result["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}

    def test_results_of_0_1_without_sets_are_compared(self, call, folders, tmp_path):
        table = folders[0] / "predictions.csv"
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [name for name in rows[0] if name not in ("grade_set", "abstained")]
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        assert call("compare", *folders, "--out", tmp_path / "out")[0] == 0

    def test_the_same_folders_give_the_same_bytes(self, call, folders, tmp_path):
        for name in ("one", "two"):
            call("compare", *folders, "--out", tmp_path / name)
        for name in FILES:
            first, second = ((tmp_path / out / name).read_bytes() for out in ("one", "two"))
            assert first == second

    def test_another_split_is_refused_by_name(self, call, folders, labels, tmp_path):
        call("grading", labels, "--out", tmp_path / "other", "--split", "test")
        code, out, err = call("compare", folders[0], tmp_path / "other", "--out", tmp_path / "out")
        assert (code, out) == (2, "")
        assert f"{tmp_path / 'other'}: was made from other photographs than {folders[0]}" in err
        assert "split test, not val" in err
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_other_rows_of_the_split_are_refused_by_name(self, call, folders, labels, tmp_path):
        options = ("--split", "val", "--where", "source=a")
        call("grading", labels, "--out", tmp_path / "other", *options)
        _, _, err = call("compare", folders[0], tmp_path / "other", "--out", tmp_path / "out")
        assert "where source=a, not any; 36 rows, not 70" in err

    def test_the_same_rows_may_be_asked_for_in_other_words(self, call, folders, labels, tmp_path):
        call("grading", labels, "--out", tmp_path / "other", "--where", "split=val")
        other, out = tmp_path / "other", tmp_path / "out"
        assert call("compare", folders[0], other, "--out", out)[0] == 0

    def test_another_table_is_refused_by_name(self, call, folders, rows, table_of, tmp_path):
        labels = table_of([(*row[:4], "c", row[5]) for row in rows], LABELS)
        call("grading", labels, "--out", tmp_path / "other", "--split", "val")
        code, _, err = call("compare", folders[0], tmp_path / "other", "--out", tmp_path / "out")
        assert code == 2
        assert "was made from another label table than" in err
        assert manifest.read(labels).sha256[:12] in err

    def test_other_eyes_of_the_same_file_names_are_refused(self, call, table_of, tmp_path):
        rows = [
            (f"{split}/{i}-says{i % 5}.jpg", i % 5, f"{split}{i}", split, "a", "x")
            for split in ("val", "test")
            for i in range(10)
        ]
        for name, columns in (("with", LABELS), ("paths", ("image", "grade", "x", "split"))):
            labels = table_of([row[: len(columns)] for row in rows], columns)
            paths = ["--paths"] * (name == "paths")
            for split in ("val", "test"):
                out = tmp_path / name / split
                call("grading", labels, "--out", out, "--split", split, *paths)
            two = (tmp_path / name / "val", tmp_path / name / "test")
            code, _, err = call("compare", *two, "--out", tmp_path / "out")
            assert code == 2
            assert "was made from other photographs than" in err
            assert "split test, not val" in err
            assert "the first that differs: 0-says0.jpg (grade 0, split test" in err

    def test_rows_in_another_order_are_refused(self, call, folders, tmp_path):
        predictions = folders[1] / "predictions.csv"
        head, first, second, *rest = predictions.read_text().splitlines()
        predictions.write_text("\n".join([head, second, first, *rest]) + "\n")
        _, _, err = call("compare", *folders, "--out", tmp_path / "out")
        assert "the first that differs: 01-says" in err

    def test_an_unknown_column(self, call, folders, tmp_path):
        code, _, err = call("compare", *folders, "--out", tmp_path / "out", "--by", "camera")
        assert code == 2
        assert "has no column 'camera'" in err

    def test_a_comparison_is_not_replaced_unasked(self, call, folders, tmp_path):
        options = ("--out", tmp_path / "out")
        assert call("compare", *folders, *options)[0] == 0
        code, _, err = call("compare", *folders, *options)
        assert code == 2
        assert "--overwrite" in err
        assert call("compare", *folders, *options, "--overwrite")[0] == 0

    @pytest.mark.parametrize(
        ("damage", "complaint"),
        [
            (lambda folder: (folder / "run.json").unlink(), "run.json: No such file"),
            (lambda folder: (folder / "run.json").write_text("{}"), "run.json: "),
            (lambda folder: (folder / "predictions.csv").unlink(), "predictions.csv: does not"),
            (lambda folder: write_cell(folder, "icdr", "7"), "icdr is '7'"),
            (lambda folder: write_cell(folder, "p3", "much"), "could not convert"),
            (lambda folder: drop_column(folder, "referable"), "has no column referable"),
            (lambda folder: of_command(folder, "read"), "holds results of fundoscope read"),
        ],
    )
    def test_a_damaged_folder_is_one_line(self, call, folders, tmp_path, damage, complaint):
        damage(folders[0])
        code, out, err = call("compare", *folders, "--out", tmp_path / "out")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert complaint in err


def write_cell(folder, column, text):
    def change(rows):
        rows[2][rows[0].index(column)] = text

    _edit(folder / "predictions.csv", change)


def drop_column(folder, column):
    def change(rows):
        place = rows[0].index(column)
        for row in rows:
            del row[place]

    _edit(folder / "predictions.csv", change)


def _edit(path, change):
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def of_command(folder, command):
    result = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({**result, "command": command}))


class TestDetectors:
    """``usual`` misses and invents; ``perfect`` finds all."""

    @pytest.fixture(autouse=True)
    def detector(self, monkeypatch, seen_as):
        perfect = {stem: [(kind, box, 0.9) for kind, box in there] for stem, there in EYES.items()}
        usual = {
            stem: [(MA, (10, 10, 20, 20), 0.9), (MA, (90, 60, 99, 70), 0.4 + i / 20)]
            for i, stem in enumerate(EYES)
        }
        looks = {
            "perfect": seen_as(perfect, (MA, EX, OD)),
            "usual": seen_as(usual, (MA, EX, OD)),
            "blind": seen_as({stem: [] for stem in EYES}, (MA, EX, OD)),
        }

        def load(path):
            return SimpleNamespace(
                name=path.name,
                manifest=SimpleNamespace(thresholds=dict.fromkeys((MA, EX, OD), 0.5)),
                used=ModelUsed("detection", path.name, "d" * 64),
                has_masks=False,
            )

        monkeypatch.setattr(detectors, "load", load)
        monkeypatch.setattr(detections, "detect", lambda loaded, path: looks[loaded.name](path))

    @pytest.fixture
    def evaluated(self, call, eyes, tmp_path):
        root = eyes(EYES)

        def evaluated(name, *options):
            words = ("--images", root / "JPEGImages", "--annotations", root, "--detector", name)
            call("lesions", *words, "--out", tmp_path / name, *options)
            return tmp_path / name

        return evaluated

    def test_old_and_new_have_the_figures_of_their_own_evaluations(self, call, evaluated, tmp_path):
        folders = evaluated("usual"), evaluated("perfect")
        code, out, _ = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 0
        result = comparison(tmp_path / "out")
        names = [MA, EX, OD, "all lesions"]
        assert sorted(each["of"] for each in result["parts"]) == sorted(names)
        assert part(result, "all lesions")["lesions"] == 36
        for side, folder in zip(("old", "new"), folders, strict=True):
            own = json.loads((folder / "metrics.json").read_bytes())
            for name, its in {**own["classes"], "all lesions": own["overall"]}.items():
                for figure, change in part(result, name)["figures"].items():
                    assert change[side] == its[figure], (side, name, figure)
        assert "microaneurysm (24): precision 0." in out
        recall = part(result, MA)["figures"]["recall"]
        assert recall["difference"]["value"] == 0.5
        assert recall["excludes_zero"] is True
        # Nothing was found of exudates: the old one has no precision there, and so no difference.
        assert part(result, EX)["figures"]["precision"]["difference"]["value"] is None

    def test_one_that_found_nothing(self, call, evaluated, tmp_path):
        folders = evaluated("blind"), evaluated("usual")
        code, out, _ = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 0
        assert "precision undefined → 0.5" in out
        assert "recall 0.000 → 0.500" in out

    def test_discs_alone_have_no_row_of_lesions(self, call, eyes, tmp_path):
        eyes({stem: there[3:] for stem, there in EYES.items()})
        for name in ("usual", "perfect"):
            words = ("--images", tmp_path / "JPEGImages", "--annotations", tmp_path)
            call("lesions", *words, "--detector", name, "--out", tmp_path / name)
        call("compare", tmp_path / "usual", tmp_path / "perfect", "--out", tmp_path / "out")
        assert [each["of"] for each in comparison(tmp_path / "out")["parts"]] == [OD]

    def test_other_photographs_are_refused_by_name(self, call, evaluated, tmp_path):
        (tmp_path / "some.txt").write_text("e1\ne2\n")
        folders = evaluated("usual"), evaluated("perfect", "--names", tmp_path / "some.txt")
        code, _, err = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 2
        assert "was made from another set of annotations than" in err
        assert "some.txt, not any" in err

    def test_a_damaged_table(self, call, evaluated, tmp_path):
        folders = evaluated("usual"), evaluated("perfect")
        write_cell(folders[1], "score", "much")
        code, _, err = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 2
        assert "was changed after the evaluation wrote it" in err
        drop_column(folders[1], "hit")
        assert "has no column hit" in call("compare", *folders, "--out", tmp_path / "out")[2]
        (folders[1] / "photographs.csv").unlink()
        assert "photographs.csv: No such" in call("compare", *folders, "--out", tmp_path / "out")[2]

    def test_columns_mean_nothing(self, call, evaluated, tmp_path):
        folders = evaluated("usual"), evaluated("perfect")
        code, _, err = call("compare", *folders, "--out", tmp_path / "out", "--by", "source")
        assert code == 2
        assert "is only for graders" in err

    def test_discs_by_a_table_alone_cannot_be_compared(self, call, eyes, tmp_path):
        eyes(EYES)
        (tmp_path / "discs.csv").write_text("image,od_x,od_y\ne1,2680,1430\n")
        for name in ("usual", "perfect"):
            words = ("--images", tmp_path / "JPEGImages", "--centres", tmp_path / "discs.csv")
            call("lesions", *words, "--detector", name, "--out", tmp_path / name)
        folders = tmp_path / "usual", tmp_path / "perfect"
        code, _, err = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 2
        assert "holds no annotated lesions" in err

    def test_a_grader_and_a_detector(self, call, evaluated, table_of, monkeypatch, named_reader,
                                     tmp_path):  # fmt: skip
        monkeypatch.setattr(reader, "Reader", named_reader)
        call("grading", table_of([("a-says1.jpg", 1)]), "--out", tmp_path / "graded")
        folders = evaluated("usual"), tmp_path / "graded"
        code, _, err = call("compare", *folders, "--out", tmp_path / "out")
        assert code == 2
        assert "hold results of evaluate lesions and of evaluate grading" in err
