"""Training as a whole: what a run leaves, that a kill changes nothing, and what is refused."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import torch

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import heads
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import NetworkChoice
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Stage


@pytest.fixture
def run(config, tmp_path):
    grader.train(config, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_leaves_all_that_is_needed(run, config):
    assert configs.of_run(run)[0] == config
    lines = runs.metrics(run)
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert [line["size"] for line in lines] == [32, 32, 48, 48]
    assert set(lines[0]["by_source"]) == {"a", "b"}
    for line in lines:
        assert line["loss"] > 0
        assert line["validation_loss"] > 0
        assert 0 <= line["training"]["accuracy"] <= 1
        assert -1 <= line["training"]["kappa"] <= 1
    stored = np.load(run / "validation-003.npz")
    assert stored["logits"].shape == (4, 4)
    assert stored["labels"].tolist() == [0, 3, 1, 4]


def test_a_killed_run_gives_the_same_network(run, config, tmp_path):
    def kill(report):
        if report.step == 5:
            raise KeyboardInterrupt

    other = tmp_path / "other"
    with pytest.raises(KeyboardInterrupt):
        grader.train(config, other, listeners=Listeners(step=kill))
    grader.train(config, other)
    for name in (loop.CHECKPOINT, loop.BEST):
        ours, theirs = (torch.load(f / name, weights_only=True) for f in (run, other))
        for part in {"network", "average"} & ours.keys():
            for key, value in ours[part].items():
                assert torch.equal(value, theirs[part][key])
    without_time = [
        [{k: v for k, v in line.items() if k != "training_seconds"} for line in runs.metrics(f)]
        for f in (run, other)
    ]
    assert without_time[0] == without_time[1]


def test_a_run_is_not_continued_with_other_settings(run, config):
    with pytest.raises(UsageError, match="another configuration"):
        grader.train(msgspec.structs.replace(config, seed=2), run)


def test_who_watches_is_told(config, tmp_path):
    told = {"pictures": [], "left out": [], "network": [], "steps": [], "epochs": []}
    (tmp_path / "1.png").write_bytes(b"no picture")
    listeners = Listeners(
        lambda *n: told["pictures"].append(n),
        lambda pictures: told["left out"].append(pictures.left_out),
        lambda *n: told["network"].append(n),
        told["steps"].append,
        told["epochs"].append,
    )
    grader.train(
        configs.replaced(config, stages=(Stage(32, 2),)), tmp_path / "run", listeners=listeners
    )
    assert told["pictures"][-1] == (12, 12)
    assert [photograph.image for photograph in told["left out"][0]] == ["1.png"]
    assert told["network"] == [("sequential-spp", 125_060)]
    assert [report.step for report in told["steps"]] == [1, 2]
    assert [line["epoch"] for line in told["epochs"]] == [0, 1]


@pytest.mark.parametrize("head", heads.OUTPUTS)
@pytest.mark.parametrize("mode", ["imagenet", "rescale", "samplewise"])
def test_every_head_and_normalisation_learns(config, tmp_path, head, mode):
    chosen = configs.replaced(
        config, head=head, normalise=mode, stages=(Stage(32, 1),), expected=0.1,
        class_weights="balanced",
    )  # fmt: skip
    grader.train(chosen, tmp_path / "run")
    (line,) = runs.metrics(tmp_path / "run")
    assert np.isfinite(line["loss"])
    stored = np.load(tmp_path / "run" / "validation-000.npz")
    assert stored["logits"].shape == (4, heads.OUTPUTS[head])


@pytest.mark.parametrize(
    ("name", "outputs"), [("timm/resnet10t", 4), ("torchvision/mobilenet_v3_small", 4)]
)
def test_networks_of_others_can_be_trained(config, tmp_path, name, outputs):
    chosen = configs.replaced(
        config, network={"name": name}, stages=(Stage(32, 1),), checkpoint_every=100
    )
    grader.train(chosen, tmp_path / "run")
    assert np.load(tmp_path / "run" / "validation-000.npz")["logits"].shape == (4, outputs)


@pytest.mark.parametrize(
    ("network", "stages", "why"),
    [
        ("sequential", (Stage(32, 1), Stage(48, 1)), "sequential at 48x48: does not take pictures"),
        ("sequential-spp", (Stage(16, 1),), "an input of 16x16: is smaller than"),
        ("timm/vit_tiny_patch16_224", (Stage(32, 1),), "does not take pictures of 32x32"),
        ("sequential-spp", (Stage(32, 1, frozen=1),), "groups of blocks"),
        ("mystery", (Stage(32, 1),), "is not known"),
    ],
)
def test_what_cannot_be_trained_is_told(config, tmp_path, network, stages, why):
    with pytest.raises(UsageError, match=why):
        grader.train(
            configs.replaced(config, network={"name": network}, stages=stages), tmp_path / "run"
        )


def test_weights_that_do_not_fit_into_memory_are_told_before_anything(
    config, tmp_path, monkeypatch
):
    monkeypatch.setattr("fundoscope.train.run.memory.available", lambda: 10**6)
    with pytest.raises(UsageError, match="sequential-spp at 48x48: has 0 million weights"):
        grader.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()


def test_outputs_that_are_no_numbers_are_one_clear_error(config, tmp_path, monkeypatch):
    monkeypatch.setattr(grader, "predict", lambda *_: np.full((4, 4), np.nan, np.float32))
    with pytest.raises(FundoscopeError, match="epoch 1: the network's outputs are not finite"):
        grader.train(config, tmp_path / "run")


def test_a_rate_beyond_all_bounds_is_one_clear_error(config, tmp_path):
    wild = msgspec.structs.replace(config.optimiser, name="sgd", rate=1e30, clip=0.0, warm_up=0.0)
    chosen = configs.replaced(config, optimiser=wild, head="regression")
    with pytest.raises(FundoscopeError, match=r"lower optimiser\.rate"):
        grader.train(chosen, tmp_path / "run")
    kept = loop.read_checkpoint(tmp_path / "run" / loop.CHECKPOINT)["network"]
    assert all(value.isfinite().all() for value in kept.values())


def test_a_run_starts_from_another_runs_best(run, config, tmp_path):
    chosen = configs.replaced(
        config, network={"init": str(run / loop.BEST)}, stages=(Stage(32, 1),), head="corn"
    )
    grader.train(chosen, tmp_path / "second")
    assert configs.of_run(tmp_path / "second")[0].network == NetworkChoice(
        "sequential-spp", init=str(run / loop.BEST)
    )


def test_mixed_shapes_are_trained_on_in_batches_of_one(config, tmp_path, save_eye, monkeypatch):
    lines = ["image,grade,split"]
    for i in range(16):
        wide = i % 2
        save_eye(tmp_path / f"m{i}.png", shade=i, width=240 if wide else 160, height=160)
        lines.append(f"m{i}.png,{(i // 2) % 5},{'val' if i > 11 else 'train'}")
    (tmp_path / "mixed.csv").write_text("\n".join(lines) + "\n")
    seen = []
    batch = grader.GradingTask.batch

    def look(self, *args):
        made = batch(self, *args)
        seen.append(tuple(made[0].shape))
        return made

    monkeypatch.setattr(grader.GradingTask, "batch", look)
    chosen = configs.replaced(
        config,
        data={"manifest": str(tmp_path / "mixed.csv"), "input": "native", "crop_size": (40, 60)},
        stages=(Stage((32, 48), 1),),
        optimiser=msgspec.structs.replace(config.optimiser, batch=2),
    )
    grader.train(chosen, tmp_path / "run")
    assert {shape[2:] for shape in seen} == {(40, 40), (32, 48)}
    assert all(shape[:2] == (2, 3) for shape in seen)
    assert len(seen) == 6


def test_the_figures_of_an_epoch():
    labels = np.array([0, 1, 2, 3, 4, 0, 2, 4])
    outputs = np.where(np.arange(4) < labels[:, None], 6.0, -6.0).astype(np.float32)
    result = grader.measure(outputs, labels, ["a", "b"] * 4)
    assert result["kappa"] == result["accuracy"] == result["auc"] == 1
    assert result["mean_kappa"] == result["mean_auc"] == 1
    assert result["kappa_rounded"] == 1
    assert json.dumps(result)


def test_the_sigmoid_is_judged_as_it_is_rounded():
    """Grades above 1 can never be right, however it is calibrated."""
    labels = np.array([0, 0, 1, 1, 2, 3, 4, 4])
    outputs = np.array([[-3.0], [-1.0], [2.0], [1.0], [5.0], [9.0], [20.0], [3.0]], np.float32)
    result = grader.measure(outputs, labels, ["a"] * 8, "sigmoid")
    assert result["accuracy"] == 0.5
    assert result["correction"] is None
