"""The bench that leaves every source out once, on drawn eyes of two sources."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.train.grading import config as configs

SCRIPT = Path(__file__).parents[2] / "bench" / "leave_one_source_out.py"
SOURCES = ("alpha", "messidor2")
SIDE = 200
"""Pixels: the radius of the disc is then larger than the least that a bundle grades."""


@pytest.fixture(scope="module")
def bench():
    if not SCRIPT.is_file():
        pytest.skip("the benches are not part of this copy")
    spec = importlib.util.spec_from_file_location("leave_one_source_out", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, recipe_text):
    """A configuration, and its table: ten photographs of each source to train on, four and four."""
    folder = tmp_path_factory.mktemp("recipe")
    rng = np.random.default_rng(11)
    lines = ["image,grade,split,source"]
    for source in SOURCES:
        for i in range(18):
            split = "train" if i < 10 else "val" if i < 14 else "test"
            name, grade = f"{source}-{i}.png", i % 5
            Image.fromarray(draw_eye(grade, rng)).save(folder / name)
            lines.append(f"{name},{grade},{split},{source}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    path = folder / "recipe.toml"
    text = recipe_text.format(table=folder / "labels.csv", cache=folder / "cache", epochs=1)
    path.write_text(text)
    return path


def draw_eye(grade, rng):
    """A reddish disc, the darker the higher the grade, ``uint8 (SIDE, SIDE, 3)``."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    inside = np.hypot(x, y) < SIDE * 0.45
    pixels = np.zeros((SIDE, SIDE, 3))
    pixels[inside] = np.array((180, 90, 40)) - 10 * grade
    pixels[inside] += rng.normal(0, 4, (int(inside.sum()), 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def call(bench, recipe, out, *options):
    """Run the bench; gives its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fundoscope.photo.retina.plausible", lambda *_: True)
        patch.setattr("fundoscope.evaluate.grading.results._draw", lambda *_: None)
        words = [str(SCRIPT), str(recipe), "--out", str(out), "--workers", "1", *options]
        patch.setattr(sys, "argv", words)
        bench.main()
    return json.loads((out / "leave-one-out.json").read_text())


@pytest.fixture(scope="module")
def finished(bench, recipe, tmp_path_factory):
    """The folder of a bench that has run: trained, exported and read without each source."""
    out = tmp_path_factory.mktemp("finished")
    call(bench, recipe, out)
    return out


@pytest.fixture
def leave_out(bench, recipe, finished, tmp_path):
    """Runs the bench in a copy of the finished folder."""
    folder = shutil.copytree(finished, tmp_path / "out")
    again = SimpleNamespace(folder=folder)
    again.call = lambda *options: call(bench, recipe, folder, *options)
    return again


@pytest.fixture
def trained(bench, monkeypatch):
    """The run folders in which training is called for, in order."""
    folders, train = [], bench.grader.train

    def counted(config, folder, **options):
        folders.append(folder.name)
        train(config, folder, **options)

    monkeypatch.setattr(bench.grader, "train", counted)
    return folders


@pytest.fixture
def never_read(bench, monkeypatch):
    def never(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(bench.command_line, "run", never)


def test_each_source_is_read_by_a_grader_that_never_saw_it(finished):
    result = json.loads((finished / "leave-one-out.json").read_text())
    assert list(result["sources"]) == list(SOURCES)
    for source, its in result["sources"].items():
        (other,) = set(SOURCES) - {source}
        assert its["trained_on"] == {other: 10}
        assert other in its["validation"]
        assert source not in its["validation"]
        assert {"value", "low", "high"} <= set(its["referable_auc"])
    reads = {source: (its["read"], its["n"]) for source, its in result["sources"].items()}
    # Messidor-2 on all its rows, the other on its test.
    assert reads == {"alpha": ("test", 4), "messidor2": ("all", 18)}


def test_figures_are_those_of_the_evaluations_and_the_mean_is_theirs(finished):
    result = json.loads((finished / "leave-one-out.json").read_text())
    for source, its in result["sources"].items():
        folder = finished / source / f"evaluation-{its['read']}"
        own = json.loads((folder / "metrics.json").read_text())
        assert its["referable_auc"]["value"] == pytest.approx(own["referable_auc"]["value"])
        assert its["referable_auc"]["low"] == pytest.approx(own["referable_auc"]["low"])
    aucs = [its["referable_auc"]["value"] for its in result["sources"].values()]
    assert result["mean"]["referable_auc"]["value"] == pytest.approx(np.mean(aucs))


def test_what_is_done_is_not_done_again(leave_out, finished, trained, never_read, capsys):
    before = json.loads((finished / "leave-one-out.json").read_text())
    assert leave_out.call() == before
    assert trained == []
    reported = capsys.readouterr().out
    assert "| messidor2 | all its rows | 18 |" in reported
    assert "| mean of 2 of 2 | | | **" in reported
    rows = [line for line in reported.splitlines() if "(without " in line]
    assert len(rows) == 2
    assert ",all,18,referable_auc " in rows[1]


def test_some_of_the_sources(leave_out, never_read):
    result = leave_out.call("--source", "alpha")
    assert (list(result["sources"]), result["left_out"], result["of"]) == (["alpha"], 1, 2)


def test_killed_while_reading_it_only_reads(leave_out, trained, bench, monkeypatch):
    shutil.rmtree(leave_out.folder / "alpha" / "evaluation-test")
    with monkeypatch.context() as patch:
        patch.setattr(bench.command_line, "run", lambda words: 130)
        with pytest.raises(SystemExit) as ended:
            leave_out.call("--source", "alpha")
    assert ended.value.code == 130
    assert leave_out.call("--source", "alpha")["sources"]["alpha"]["n"] == 4
    assert trained == []


def test_killed_before_the_export_the_training_goes_on(leave_out, trained):
    shutil.rmtree(leave_out.folder / "alpha" / "bundle")
    metrics = leave_out.folder / "alpha" / "metrics.jsonl"
    before = metrics.read_text()
    leave_out.call("--source", "alpha")
    assert trained == []  # all its epochs were there
    assert metrics.read_text() == before
    shutil.rmtree(leave_out.folder / "alpha" / "bundle")
    metrics.write_text("")
    leave_out.call("--source", "alpha")
    assert trained == ["alpha"]


def test_a_training_of_another_machine_is_taken(leave_out, trained):
    run = leave_out.folder / "alpha"
    shutil.rmtree(run / "bundle")
    (run / "checkpoint.pt").unlink()  # it does not travel
    assert leave_out.call("--source", "alpha")["sources"]["alpha"]["n"] == 4
    assert trained == []


def test_results_of_another_bundle_are_read_again(leave_out):
    run = leave_out.folder / "alpha" / "evaluation-test" / "run.json"
    now = json.loads(run.read_text())["models"][0]["sha256"]
    run.write_text(run.read_text().replace(now, "0" * 64))
    leave_out.call("--source", "alpha")
    assert now in run.read_text()


def test_trying_it_reads_validation_and_is_no_look(leave_out, capsys):
    result = leave_out.call("--split", "val", "--source", "messidor2")
    assert (result["sources"]["messidor2"]["read"], result["sources"]["messidor2"]["n"]) == (
        "val",
        4,
    )
    assert "(without " not in capsys.readouterr().out


def test_another_configuration_is_refused(leave_out, bench, recipe, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(recipe.read_text().replace("batch = 4", "batch = 5"))
    with pytest.raises(UsageError, match="another configuration"):
        call(bench, other, leave_out.folder, "--source", "alpha")


def test_an_unknown_source_is_refused_before_any_work(leave_out, trained):
    with pytest.raises(UsageError, match="gamma: is not a source of the table"):
        leave_out.call("--source", "alpha", "--source", "gamma")
    assert trained == []


def test_a_bundle_that_saw_the_source_is_refused(leave_out, bench):
    run = leave_out.folder / "alpha"
    with pytest.raises(FundoscopeError, match="was trained on messidor2"):
        bench.train(configs.of_run(run)[0], run, "messidor2")


def test_a_start_from_another_grader_is_refused(bench, recipe):
    config = configs.replaced(configs.read_config(recipe), network={"init": "runs/grader/best.pt"})
    with pytest.raises(UsageError, match="may have been trained on the source"):
        bench.require_fresh(config)


def test_the_recipe_of_the_repository_can_be_left_out_of(bench):
    config = configs.read_config(SCRIPT.parents[1] / "configs" / "leave-one-out.toml")
    bench.require_fresh(config)
    assert {stage.size for stage in config.stages} == {224}
