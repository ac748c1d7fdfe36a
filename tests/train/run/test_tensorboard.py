from __future__ import annotations

import json

import pytest

from fundoscope.train.run import tensorboard
from fundoscope.train.run.listeners import Listeners

EPOCHS = 3


def line_of(epoch, kappa=0.5):
    return {
        "epoch": epoch,
        "rate": 0.001,
        "loss": 1.0 / (epoch + 1),
        "training": {"accuracy": 0.6, "kappa": 0.4},
        "training_seconds": 10.0 * (epoch + 1),
        "score": kappa,
        "kappa": kappa,
        "accuracy": 0.7,
        "auc": 0.8,
        "mean_auc": None,
        "validation_loss": 0.9,
    }


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    return tmp_path


def end_epoch(run, epoch, **changes):
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line_of(epoch, **changes)) + "\n")


def read(run):
    """Every scalar that TensorBoard finds, as (epoch, value) by name."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = reader.EventAccumulator(str(run / tensorboard.FOLDER)).Reload()
    return {
        name: [(event.step, pytest.approx(event.value)) for event in result.Scalars(name)]
        for name in result.Tags()["scalars"]
    }


@pytest.fixture
def installed():
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("installed")
def test_every_epoch_stands_there_once_also_after_a_resume(run):
    for epoch in range(EPOCHS):
        end_epoch(run, epoch)
        # Each is another process's: a killed one shows its last epoch again.
        for _ in range(2):
            tensorboard.recording(Listeners(), run).epoch(line_of(epoch))
    result = read(run)
    assert result["loss/training"] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert result["kappa/training"] == [(1, 0.4), (2, 0.4), (3, 0.4)]
    assert result["loss/validation"] == [(1, 0.9), (2, 0.9), (3, 0.9)]
    assert len(list((run / tensorboard.FOLDER).iterdir())) == 1


@pytest.mark.usefixtures("installed")
def test_an_epoch_that_a_killed_run_did_not_show_comes_with_the_next(run):
    end_epoch(run, 0)
    end_epoch(run, 1)
    tensorboard.recording(Listeners(), run).epoch(line_of(1))
    assert [step for step, _ in read(run)["rate"]] == [1, 2]


@pytest.mark.usefixtures("installed")
def test_what_is_undefined_is_left_out(run):
    end_epoch(run, 0)
    end_epoch(run, 1, kappa=None)
    tensorboard.write(run)
    result = read(run)
    assert "AUC/mean of sources" not in result
    assert [step for step, _ in result["kappa/validation"]] == [1]
    assert [step for step, _ in result["AUC/validation"]] == [1, 2]


@pytest.mark.usefixtures("installed")
def test_whoever_watches_is_still_reported(run):
    end_epoch(run, 0)
    reported = []
    tensorboard.recording(Listeners(epoch=reported.append), run).epoch(line_of(0))
    assert reported == [line_of(0)]


def test_without_tensorboard_nothing_is_written(run, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    listeners = Listeners(epoch=lambda line: None)
    assert tensorboard.recording(listeners, run) is listeners
    assert not (run / tensorboard.FOLDER).exists()


@pytest.mark.usefixtures("installed")
def test_a_detector_shows_each_kind(run):
    parts = ("loss_objectness", "loss_box_reg", "loss_of_a_new_head")
    line = {
        "epoch": 0,
        "rate": 0.001,
        "loss": 1.5,
        "training": dict.fromkeys(parts, 0.25),
        "training_seconds": 10.0,
        "score": 0.5,
        "average_precision": {"microaneurysm": 0.5, "irma": None},
    }
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    reported = []
    tensorboard.recording(Listeners(epoch=reported.append), run).epoch(line)
    result = read(run)
    assert result["average precision/microaneurysm"] == [(1, 0.5)]
    assert result["loss/second stage, boxes"] == [(1, 0.25)]
    assert result["loss/of a new head"] == [(1, 0.25)]
    assert "average precision/irma" not in result
    assert reported == [line]
