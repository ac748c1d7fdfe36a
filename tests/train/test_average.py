"""An average of runs is a run: it can be exported, and says of which runs it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from fundoscope.cli.main import app
from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train import average
from fundoscope.train.grading import export
from fundoscope.train.grading import training as grader
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop


@pytest.fixture
def run(config, tmp_path):
    grader.train(config, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def other(run, tmp_path):
    """A run whose weights are all larger by one."""
    folder = shutil.copytree(run, tmp_path / "other")
    best = loop.read_checkpoint(folder / loop.BEST)
    best["network"] = {
        key: value + 1 if value.is_floating_point() else value
        for key, value in best["network"].items()
    }
    torch.save(best, folder / loop.BEST)
    return folder


def weights_of(folder):
    return loop.read_checkpoint(folder / loop.BEST)["network"]


def test_weights_are_mixed_by_their_shares(run, other, tmp_path):
    average.average([(run, 0.25), (other, 0.75)], tmp_path / "both", size=32)
    found, first = weights_of(tmp_path / "both"), weights_of(run)
    for key, value in first.items():
        expected = value + 0.75 if value.is_floating_point() else value
        assert torch.allclose(found[key], expected, atol=1e-5), key
    assert loop.read_checkpoint(tmp_path / "both" / loop.BEST)["size"] == 32
    assert runs.averaged(tmp_path / "both") == {run.name: 0.25, "other": 0.75}
    assert runs.averaged(run) is None


def test_its_bundle_says_of_what_it_is_made(run, tmp_path):
    twin = shutil.copytree(run, tmp_path / "twin")
    result = CliRunner().invoke(
        app, ["train", "average", str(run), str(twin), "--out", str(tmp_path / "both")]
    )
    assert result.exit_code == 0, result.output
    export.export(tmp_path / "both", tmp_path / "bundle")
    manifest = bundles.load(tmp_path / "bundle").manifest
    assert manifest.trained_on.averaged == {run.name: 0.5, "twin": 0.5}
    seconds = runs.metrics(run)[-1]["training_seconds"]
    assert manifest.trained_on.minutes == pytest.approx(2 * seconds / 60, abs=0.06)
    assert "average of the weights of the runs" in (tmp_path / "bundle" / "card.md").read_text()


def test_a_grader_is_averaged_with_the_bundle_that_it_started_from(run, other, tmp_path):
    export.export(run, tmp_path / "bundle")
    average.average([(tmp_path / "bundle", 0.25), (other, 0.75)], tmp_path / "both")
    before = loop.read_checkpoint(run / loop.BEST)["network"]
    after = loop.read_checkpoint(tmp_path / "both" / loop.BEST)["network"]
    assert before.keys() == after.keys()
    for key, value in before.items():
        if value.is_floating_point():
            torch.testing.assert_close(after[key], value + 0.75, rtol=1e-5, atol=1e-5)
    assert runs.averaged(tmp_path / "both") == {
        bundles.load(tmp_path / "bundle").manifest.name: 0.25,
        "other": 0.75,
    }


def test_parts_that_learnt_from_other_photographs_are_named(run, other, tmp_path):
    """Those of validation, on which the average is evaluated, may be among them."""
    words = ["train", "average", str(other), str(run), "--out"]
    result = CliRunner().invoke(app, [*words, str(tmp_path / "same")])
    assert (result.exit_code, result.stderr) == (0, "")
    stored = json.loads((other / runs.CONFIG).read_text())
    (other / runs.CONFIG).write_text(json.dumps(stored | {"manifest_sha256": "1" * 64}))
    result = CliRunner().invoke(app, [*words, str(tmp_path / "both")])
    assert result.exit_code == 0
    assert "other was trained on other data than" in result.stderr
    export.export(run, tmp_path / "bundle")
    assert average.on_other_photographs([tmp_path / "bundle", other, run]) == ["other"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((1.0,), "too few for an average; name two or more"),
        ((0.5, 0.6), r"--share: sums to 1\.1; give shares that sum to 1"),
        ((0.5, 0.5), "called run: cannot be told apart"),
    ],
)
def test_runs_and_shares_that_make_no_average_are_reported(tmp_path, shares, message):
    parts = [(tmp_path / str(place) / "run", share) for place, share in enumerate(shares)]
    with pytest.raises(UsageError, match=message):
        average.average(parts, tmp_path / "both")


def test_runs_of_other_shapes_are_reported(run, other, tmp_path):
    best = loop.read_checkpoint(other / loop.BEST)
    key = next(key for key, value in best["network"].items() if value.ndim > 1)
    best["network"][key] = best["network"][key][:-1]
    torch.save(best, other / loop.BEST)
    with pytest.raises(UsageError, match="has weights of other shapes than"):
        average.average([(other, 0.5), (run, 0.5)], tmp_path / "both")


def test_a_size_that_the_network_does_not_take_is_reported(run, other, tmp_path):
    for folder in (run, other):
        stored = json.loads((folder / runs.CONFIG).read_text())
        stored["config"]["network"]["name"] = "sequential"
        (folder / runs.CONFIG).write_text(json.dumps(stored))
    with pytest.raises(UsageError, match="sequential: does not take pictures of 80x80"):
        average.average([(run, 0.5), (other, 0.5)], tmp_path / "both", size=80)
    assert not (tmp_path / "both").exists()


def test_a_run_whose_first_line_is_not_there_yet_has_taken_no_time(run, other, tmp_path):
    (other / loop.METRICS).unlink()
    average.average([(other, 0.5), (run, 0.5)], tmp_path / "both")
    seconds = runs.metrics(run)[-1]["training_seconds"]
    assert runs.metrics(tmp_path / "both")[0]["training_seconds"] == seconds


def test_a_run_is_not_overwritten(run, other, tmp_path):
    with pytest.raises(UsageError, match="holds a run"):
        average.average([(run, 0.5), (other, 0.5)], other)


def test_runs_of_other_heads_are_told_apart(run, other, tmp_path):
    stored = json.loads((other / runs.CONFIG).read_text())
    stored["config"]["head"] = "corn" if stored["config"]["head"] != "corn" else "softmax"
    (other / runs.CONFIG).write_text(json.dumps(stored))
    with pytest.raises(UsageError, match="has head = "):
        average.average([(run, 0.5), (other, 0.5)], tmp_path / "both")


def test_a_bundle_that_reads_otherwise_is_refused(run, other, tmp_path):
    export.export(run, tmp_path / "bundle")
    bundle = bundles.load(tmp_path / "bundle")
    parts = [(tmp_path / "bundle", 0.25), (other, 0.75)]

    def rewrite(settings, **changes):
        trained_on = replace(bundle.manifest.trained_on, configuration=settings)
        manifest = replace(bundle.manifest, trained_on=trained_on, **changes)
        bundles.write(tmp_path / "bundle", manifest, bundle.model, "")

    stated = bundle.manifest.trained_on.configuration
    for settings, changes, message in (
        ({}, {"head": "corn"}, "has head = corn, and "),
        ({}, {"input": "squash"}, r"has data\.input = squash, and "),
        ({"normalise": "samplewise"}, {}, "has normalise = samplewise, and "),
        ({"network": {"name": "sequential"}}, {}, r"has network\.name = sequential, and "),
    ):
        rewrite({**stated, **settings}, **changes)
        with pytest.raises(UsageError, match=message):
            average.average(parts, tmp_path / "both")
    rewrite({})  # it states nothing that could differ
    average.average(parts, tmp_path / "both")


def test_a_run_without_an_epoch_and_a_wrong_number_of_shares_are_reported(run, other, tmp_path):
    (other / loop.BEST).unlink()
    with pytest.raises(UsageError, match="no finished epoch"):
        average.average([(run, 0.5), (other, 0.5)], tmp_path / "both")
    arguments = ["train", "average", str(run), str(other), "--share", "1", "--out", "x"]
    assert isinstance(CliRunner().invoke(app, arguments).exception, UsageError)
