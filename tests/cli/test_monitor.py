"""Runs against a reference: what is beyond its limits, and which camera is new."""

from __future__ import annotations

import csv
import json
import os
import re

import numpy as np
import pytest

from fundoscope.cli.main import run

COLUMNS = (
    "image", "patient", "status", "code", "icdr", "referable", "referable_probability", "width",
    "height", "sha256", "familiar", "abstained", "quality_reasons", "same_as",
)  # fmt: skip
MODEL = {"task": "grading", "name": "grader", "sha256": "a" * 64}


@pytest.fixture
def write(tmp_path):
    """Writes a run as ``fundoscope read`` does; a patient has ``each`` photographs, if given."""

    def write(name, day, n=100, sick=0.2, size=(800, 600), dark=0.02, **other):
        generator = np.random.default_rng(day)
        folder = tmp_path / name
        folder.mkdir()
        rows = []
        for i in range(n):
            grade, ungraded = int(generator.random() < sick) * 2, generator.random() < dark
            score = f"{generator.beta(8, 2) if grade else generator.beta(2, 8):.6f}"
            cells = {"image": f"Miller-{i}.jpg", "width": str(size[0]), "height": str(size[1])}
            cells |= {"sha256": f"{i:064x}", "familiar": "true", "abstained": "false"}
            cells |= {"patient": f"Miller-{i // each}"} if (each := other.get("each")) else {}
            if ungraded:
                cells |= {"status": "not_graded", "code": "not_gradable"}
                cells |= {"quality_reasons": "too_dark; out_of_focus"}
            else:
                referable = str(grade == 2).lower()
                cells |= {"status": "read", "icdr": str(grade), "referable": referable}
                cells |= {"referable_probability": score}
            rows.append([(cells | other.get("cells", {})).get(name, "") for name in COLUMNS])
        with (folder / "readings.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        document = {"version": "fundoscope.run/1", "command": other.get("command", "read")}
        document |= {"started": f"2026-11-{day:02}T08:00:00+00:00"}
        document |= {"models": [other.get("model", MODEL)]}
        (folder / "run.json").write_text(json.dumps(document))
        return folder

    return write


@pytest.fixture
def call(capsys, tmp_path):
    def call(*words):
        code = run(["monitor", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def watched(path):
    return json.loads(path.read_bytes())


def test_nothing_has_changed(call, write, tmp_path):
    runs = [write(f"d{day}", day) for day in (3, 1, 2)]
    code, out, err = call(*runs, "--against", write("ref", 20, n=400), "--out", tmp_path / "m.json")
    assert (code, err) == (0, "")
    assert out.startswith("Nothing lies beyond its limits.\n")
    found = watched(tmp_path / "m.json")
    assert [period["name"] for period in found["periods"]] == ["d1", "d2", "d3"]
    assert found["changed"] is False
    assert {chart["name"] for chart in found["charts"]} >= {"grade 0", "without a grade",
        "too dark", "unfamiliar", "abstained from", "called referable"}  # fmt: skip
    assert not re.search(r"\bNaN\b", (tmp_path / "m.json").read_text())


def test_a_new_camera_is_named_with_its_day(call, write, tmp_path):
    reference = write("ref", 20, n=300)
    old = [write(f"d{day}", day) for day in (1, 2)]
    new = write("d3", 3, size=(4288, 2848), sick=0.6)
    out = tmp_path / "m.html"
    code, said, _ = call(*old, new, "--against", reference, "--out", out)
    assert code == 0
    first = said.splitlines()[0]
    assert first.startswith("d3: 100 % of 100 photographs have sizes")
    assert "4288 x 2848 (100). Another camera" in first
    assert "called referable" in first
    assert "grade 2: " in said
    html = out.read_text()
    assert "Miller" not in html
    assert html.count("<img ") == html.count('<img alt="') > 8
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert len(html) < 5_000_000


def test_dark_photographs_and_unfamiliar_ones(call, write, tmp_path):
    reference = write("ref", 20, n=300)
    dark = write("d1", 1, dark=0.5)
    strange = write("d2", 2, cells={"familiar": "false"})
    _, said, _ = call(dark, strange, "--against", reference, "--out", tmp_path / "m.md")
    assert re.search(r"^too dark: 0\.\d+ of 100 in d1", said, re.M)
    assert re.search(r"^unfamiliar: 1\.000 of 100 in d2", said, re.M)
    assert "Control chart" in (tmp_path / "m.md").read_text()


def test_days_and_months_are_put_together(call, write, tmp_path):
    runs = [write(f"d{day}", day) for day in (1, 2, 9)]
    reference = write("ref", 20, n=300)
    for every, names in (("month", ["2026-11"]), ("week", ["2026-W44", "2026-W45", "2026-W46"])):
        out = tmp_path / f"{every}.json"
        call(*runs, "--against", reference, "--every", every, "--out", out)
        assert [p["name"] for p in watched(out)["periods"]] == names


def test_another_grader_is_named(call, write, tmp_path):
    new = write("d1", 1, model=MODEL | {"name": "new", "sha256": "b" * 64})
    _, said, _ = call(new, "--against", write("ref", 20), "--out", tmp_path / "m.json")
    assert "d1: graded by new, the reference by grader" in said


def test_a_grader_that_was_calibrated_again_is_named(call, write, tmp_path):
    """Its name and its network are those of before; thresholds and probabilities are not."""
    reference = write("ref", 20, model=MODEL | {"bundle_sha256": "c" * 64})
    same = write("d1", 1, model=MODEL | {"bundle_sha256": "c" * 64})
    again = write("d2", 2, model=MODEL | {"bundle_sha256": "d" * 64})
    out = tmp_path / "m.json"
    _, said, _ = call(same, again, "--against", reference, "--out", out)
    assert "d2: grader has another bundle.json than in the reference" in said
    assert "d1: " not in said
    assert watched(out)["periods"][1]["bundles"] == ["d" * 64]
    silent = write("d3", 3)
    assert "bundle.json" not in call(silent, "--against", reference, "--out", tmp_path / "n.md")[1]


def test_a_period_of_few_photographs_has_no_limits(call, write, tmp_path):
    out = tmp_path / "m.md"
    call(write("d1", 1, n=4), "--against", write("ref", 20), "--out", out)
    assert "too few patients" in out.read_text()
    equal = write("d2", 2, cells={"same_as": "first.jpg"})
    assert "holds no photograph" in call(equal, "--against", equal, "--out", out, "--overwrite")[2]


@pytest.mark.parametrize("size", [{"n": 8}, {"n": 16, "each": 2}])
def test_periods_without_limits_do_not_count_as_unchanged(call, write, tmp_path, size):
    """Seven runs of eight patients, every photograph refused: nothing can be said of any."""
    runs = [write(f"d{day}", day, dark=1.0, **size) for day in range(1, 8)]
    reference, out, page = write("ref", 20, n=100), tmp_path / "m.json", tmp_path / "m.md"
    code, said, _ = call(*runs, "--against", reference, "--out", out, "--out", page)
    assert code == 0
    assert said.startswith("7 of 7 periods are too small to judge (fewer than 10 patients)")
    assert watched(out)["changed"] is None
    assert watched(out)["too_small"] == [f"d{day}" for day in range(1, 8)]
    assert "7 of 7 periods are too small to judge" in page.read_text()
    assert "othing lies beyond its limits" not in said + page.read_text()


def test_a_small_period_beside_a_large_one_is_named(call, write, tmp_path):
    runs = [write("d1", 1), write("d2", 2, n=4)]
    out = tmp_path / "m.json"
    _, said, _ = call(*runs, "--against", write("ref", 20, n=400), "--out", out)
    assert said.startswith("Nothing lies beyond its limits in the other periods.\n1 of 2 ")
    assert watched(out)["changed"] is False


def test_a_reference_of_few_patients_is_refused(call, write, tmp_path):
    small = write("ref", 20, n=18, each=2)
    code, _, err = call(write("d1", 1, dark=1.0), "--against", small, "--out", tmp_path / "m.json")
    assert code == 2
    assert "holds 18 photographs of 9 patients, fewer than 10" in err


def test_runs_of_the_same_folder_name_are_told_apart(call, write, tmp_path):
    """A clinic names the folder of each day "week"; the new camera is in the earlier one."""
    for clinic in ("a", "b"):
        (tmp_path / clinic).mkdir()
    runs = [write("a/week", 1, size=(4288, 2848)), write("b/week", 2)]
    out = tmp_path / "m.json"
    _, said, _ = call(*runs, "--against", write("ref", 20, n=300), "--out", out)
    assert said.startswith("week: 100 % of 100 photographs have sizes")
    assert [period["name"] for period in watched(out)["periods"]] == ["week", "week (2)"]


def test_a_camera_that_comes_slowly_is_seen(call, write, tmp_path):
    """A few photographs of a new camera each week lie within the limits, but not eight weeks'."""
    reference, runs = write("ref", 30, n=300), []
    for week in range(1, 9):
        run_folder = write(f"w{week}", week, n=60)
        table = run_folder / "readings.csv"
        table.write_text(table.read_text().replace("800,600", "4288,2848", 2))
        runs.append(run_folder)
    out = tmp_path / "m.json"
    _, said, _ = call(*runs, "--against", reference, "--out", out)
    drift = "sizes that the reference does not have: the last 8 periods up to w8 together"
    assert said.startswith(drift)
    assert watched(out)["changed"] is True


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--out", "m.pdf"), "end it in .html, .md or .json"),
        (("--out", "m.json", "--every", "hour"), "give run, day, week, month"),
        (("d1", "--out", "m.json"), "is given twice"),
    ],
)
def test_misuse(call, write, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    write("d1", 1)
    code, _, err = call("d1", "--against", "d1", *words)
    assert code == 2
    assert complaint in err


def test_folders_that_hold_something_else(call, write, tmp_path):
    good, out = write("ref", 20), tmp_path / "m.json"
    assert "does not hold a run" in call(tmp_path, "--against", good, "--out", out)[2]
    other = write("other", 1, command="evaluate lesions")
    assert (
        "holds results of fundoscope evaluate lesions"
        in call(good, "--against", other, "--out", out)[2]
    )
    small = write("small", 2, n=5)
    assert "fewer than 10" in call(good, "--against", small, "--out", out)[2]
    damaged = write("damaged", 3, cells={"icdr": "mild", "status": "read"})
    assert "icdr is 'mild'" in call(good, "--against", damaged, "--out", out)[2]
    wrong = write("wrong", 4, cells={"referable_probability": "7", "icdr": "1"})
    assert "referable_probability is '7'" in call(good, "--against", wrong, "--out", out)[2]


def test_an_evaluation_is_a_reference_without_sizes(call, write, tmp_path):
    folder = write("ref", 20, n=200, command="evaluate grading")
    lines = (folder / "readings.csv").read_text().splitlines()
    (folder / "predictions.csv").write_text("\n".join(lines).replace("sha256", "hash") + "\n")
    out = tmp_path / "m.md"
    assert call(write("d1", 1), "--against", folder, "--out", out)[0] == 0
    assert "does not say the size of its photographs" in out.read_text()


@pytest.mark.parametrize("ending", ["json", "md", "html"])
def test_folders_whose_names_are_not_utf_8(call, write, tmp_path, ending):
    reference = write("ref", 20, n=200)
    folder = write(os.fsdecode(b"M\xfcnchen"), 1)
    out = tmp_path / f"m.{ending}"
    code, _, err = call(folder, "--against", reference, "--out", out)
    assert code == 0, err
    assert r"M\udcfcnchen" in out.read_text().replace("\\\\", "\\")


def test_a_bundle_keeps_its_reference(call, write, tmp_path, capsys):
    import shutil

    from fundoscope.models import bundle as bundles

    bundle = tmp_path / "bundle"
    shutil.copytree(bundles.shipped(bundles.GRADING), bundle)
    manifest = bundles.load(bundle).manifest
    model = MODEL | {"name": manifest.name, "sha256": manifest.model_sha256}
    good = write("ref", 20, n=200, model=model, each=2)
    out, later = tmp_path / "m.json", write("d1", 1, model=model)
    assert "is a bundle without a reference" in call(later, "--against", bundle, "--out", out)[2]
    assert run(["bundle", "reference", str(bundle), "--from", str(later.parent / "ref")]) == 0
    assert "Miller" not in (bundle / "reference.json").read_text()
    assert call(later, "--against", bundle, "--out", out)[0] == 0
    assert watched(out)["reference"]["photographs"] == 200
    assert watched(out)["reference"]["name"] == "reference"
    (bundle / "reference.json").write_text("{")
    assert "is damaged" in call(good, "--against", bundle, "--out", out, "--overwrite")[2]
    other = write("other", 2)
    assert run(["bundle", "reference", str(bundle), "--from", str(other), "--overwrite"]) == 2
    assert "was read by grader, not by" in capsys.readouterr().err
    earlier = write("earlier", 3, model=model | {"bundle_sha256": "c" * 64})
    assert run(["bundle", "reference", str(bundle), "--from", str(earlier), "--overwrite"]) == 2
    assert "before it was calibrated again" in capsys.readouterr().err
    given = {"bundle_sha256": bundles.manifest_sha256(bundle)}
    now = write("now", 4, n=200, model=model | given)
    assert run(["bundle", "reference", str(bundle), "--from", str(now), "--overwrite"]) == 0


def test_a_run_twice_under_two_names(call, write, tmp_path):
    run_ = write("d1", 1)
    again = tmp_path / "d1" / ".." / "d1"
    code, _, err = call(run_, again, "--against", write("ref", 20), "--out", tmp_path / "m.json")
    assert code == 2
    assert "is given twice" in err


def test_a_probability_without_a_grade_is_no_failure(call, write, tmp_path):
    run_ = write("d1", 1, command="evaluate grading", dark=0.0)
    (run_ / "readings.csv").rename(run_ / "predictions.csv")
    with (run_ / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (run_ / "predictions.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*COLUMNS, "source"])
        table.writeheader()
        # Two clinics whose patients have the same numbers.
        table.writerows(
            row | {"icdr": "", "patient": str(i // 2), "source": "ab"[i % 2]}
            for i, row in enumerate(rows)
        )
    call(run_, "--against", run_, "--out", tmp_path / "m.json")
    made = {chart["name"]: chart for chart in watched(tmp_path / "m.json")["charts"]}
    assert made["without a grade"]["centre"] == 0.0
    assert "read" not in made
    assert made["distance of the scores from the reference"]["points"][0]["n"] == 100
    # The limit is that of 100 patients, not of 50.
    assert made["distance of the scores from the reference"]["points"][0]["high"] < 0.26
