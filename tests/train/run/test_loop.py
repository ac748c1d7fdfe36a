from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from fundoscope.errors import FundoscopeError, OutputError, UsageError
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import Plan, Stage

SEED = 3
ADAMW = Optimiser(batch=4, rate=0.02, ema=0.9)


class KilledError(Exception):
    """Stands for a process that ends at any moment."""


class Line:
    """Fits y = 2 x with noise in the inputs and drop-out, so that randomness matters."""

    def __init__(self, kill_at=None):
        self.kill_at, self.batches = kill_at, 0
        self.x = torch.linspace(-1, 1, 20)[:, None]
        self.seen = []

    def batch(self, positions, size, generator):
        if self.batches == self.kill_at:
            raise KilledError
        self.batches += 1
        self.seen.append((size, positions.tolist()))
        x = self.x[torch.from_numpy(positions)]
        return x + 0.1 * torch.randn(x.shape, generator=generator), 2 * x

    def loss(self, network, batch):
        x, y = batch
        return ((network(x) - y) ** 2).mean(), np.array([len(x), int((x > 0).sum())])

    def summarise(self, counts):
        return {"shown": int(counts[0]), "positive": int(counts[1])}

    def set_training(self, network, frozen):
        network.train()
        network.module[0].requires_grad_(frozen == 0)

    def evaluate(self, network, size, epoch):
        error = float(((network(self.x) - 2 * self.x) ** 2).mean())
        return {"score": -error, "error": error, "nothing": math.nan}


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(1, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
    )


def plan(**changes):
    settings = {
        "shapes": np.zeros(20, np.int64),
        "stages": (Stage(32, 2), Stage(64, 3, frozen=1)),
        "optimiser": ADAMW,
        "seed": SEED,
        "checkpoint_every": 2,
    }
    return Plan(**{**settings, **changes})


def run(folder, task, *, resume=True, listeners=None, made=None, **changes):
    folder.mkdir(exist_ok=True)
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    made = made or network()
    loop.train(made, task, plan(**changes), fabric, folder, resume=resume, listeners=listeners)
    return made


def content(folder, name):
    return torch.load(folder / name, weights_only=True)


def figures(folder):
    lines = [json.loads(text) for text in (folder / loop.METRICS).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "training_seconds"} for line in lines]


def assert_equal(ours, theirs):
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs)
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours.keys() - {"seconds"}:
            assert_equal(ours[key], theirs[key])
    else:
        assert ours == theirs


@pytest.mark.parametrize("kill_at", [1, 4, 7, 13, 22])
@pytest.mark.parametrize("name", ["rmsprop", "sgd", "adamw"])
def test_a_killed_run_goes_on_to_the_bit_equal_result(tmp_path, kill_at, name):
    optimiser = Optimiser(name=name, batch=4, rate=0.02, momentum=0.5, ema=0.9 * (name != "sgd"))
    run(tmp_path / "whole", Line(), optimiser=optimiser)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", Line(kill_at=kill_at), optimiser=optimiser)
    torch.rand(17)  # another process has another global generator
    run(tmp_path / "killed", Line(), optimiser=optimiser)
    for name in (loop.CHECKPOINT, loop.BEST):
        assert_equal(content(tmp_path / "whole", name), content(tmp_path / "killed", name))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")


@pytest.mark.parametrize("kill_at", [1, 7, 13])
def test_batches_that_are_made_ahead_change_nothing(tmp_path, monkeypatch, kill_at):
    run(tmp_path / "whole", Line())
    monkeypatch.setattr(loop, "_ahead", lambda _: True)
    with pytest.raises(KilledError):
        run(tmp_path / "killed", Line(kill_at=kill_at))
    torch.rand(17)
    run(tmp_path / "killed", Line())
    for name in (loop.CHECKPOINT, loop.BEST):
        assert_equal(content(tmp_path / "whole", name), content(tmp_path / "killed", name))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")


def test_a_run_that_ends_early_lets_go_of_the_batch_made_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_ahead", lambda _: True)
    task = Scores(5, 1, 2, 3, 4)
    run(tmp_path, task, patience=2)
    assert len(figures(tmp_path)) == 3
    assert task.batches == 3 * 5 + 1
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


@pytest.mark.parametrize("line", ["", "{", "[]", "3", "{}", '{"epoch": "none"}', '{"epoch": null}'])
def test_a_damaged_file_of_figures_is_told_before_an_epoch_is_trained(tmp_path, line):
    run(tmp_path, Line(), stages=(Stage(32, 2),))
    path = tmp_path / loop.METRICS
    path.write_text(path.read_text() + line + "\n")
    task = Line()
    with pytest.raises(UsageError, match=r"metrics\.jsonl, line 3: is damaged \(") as caught:
        run(tmp_path, task)
    assert "delete that line" in str(caught.value)
    assert task.batches == 0
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:2]) + "\n")
    run(tmp_path, task)
    assert len(figures(tmp_path)) == 5


def test_bytes_that_are_no_text_are_told_of_their_line(tmp_path):
    path = tmp_path / loop.METRICS
    path.write_bytes(b'{"epoch": 0}\n\xff\xfe\n')
    with pytest.raises(UsageError, match="line 2: is damaged"):
        loop.read_metrics(path)


def test_it_learns_and_reports(tmp_path):
    reports = []
    lines = []
    run(tmp_path, Line(), listeners=Listeners(step=reports.append, epoch=lines.append))
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3, 4]
    errors = [line["error"] for line in figures(tmp_path)]
    assert errors[-1] < errors[0]
    assert [line["size"] for line in figures(tmp_path)] == [32, 32, 64, 64, 64]
    assert [line["nothing"] for line in figures(tmp_path)] == [None] * 5
    assert all(line["training"]["shown"] == 20 for line in figures(tmp_path))
    assert [r.step for r in reports] == list(range(1, 26))
    assert reports[-1].seconds_left == 0
    assert all(r.photographs_a_second > 0 for r in reports)


def test_the_best_epoch_is_kept(tmp_path):
    run(tmp_path, Line())
    scores = [line["score"] for line in figures(tmp_path)]
    assert content(tmp_path, loop.BEST)["epoch"] == int(np.argmax(scores))


def test_without_resume_it_starts_again(tmp_path):
    run(tmp_path, Line())
    task = Line()
    run(tmp_path, task, resume=False)
    assert task.batches == plan().steps
    finished = Line()
    run(tmp_path, finished)
    assert finished.batches == 0


class Scores(Line):
    """Epochs are as good as they are told to be."""

    def __init__(self, *scores):
        super().__init__()
        self.scores = scores

    def evaluate(self, network, size, epoch):
        return {"score": self.scores[epoch]}


@pytest.mark.parametrize(
    ("scores", "epochs", "best"),
    [((5, 1, 2, 3, 4), 3, 0), ((1, 2, 1, 1, 9), 4, 1), ((1, 2, 3, 4, 5), 5, 4)],
)
def test_early_stopping(tmp_path, scores, epochs, best):
    run(tmp_path, Scores(*scores), patience=2)
    assert len(figures(tmp_path)) == epochs
    assert content(tmp_path, loop.BEST)["epoch"] == best
    again = Line()
    run(tmp_path, again, patience=2)
    assert again.batches == (0 if epochs < 5 else again.batches)


def test_a_score_that_is_no_number_is_worse_than_any(tmp_path):
    run(tmp_path, Scores(math.nan, -5.0, math.nan, -6.0, -4.0))
    assert content(tmp_path, loop.BEST)["epoch"] == 4


def test_without_an_average_the_weights_themselves_are_kept(tmp_path):
    optimiser = Optimiser(batch=4, rate=0.02, ema=0.0)
    made = run(tmp_path, Line(), stages=(Stage(32, 1),), optimiser=optimiser)
    kept = content(tmp_path, loop.BEST)["network"]
    assert_equal(kept, made.state_dict())


def test_with_an_average_they_lag_behind(tmp_path):
    made = run(tmp_path, Line(), stages=(Stage(32, 1),))
    kept = content(tmp_path, loop.BEST)["network"]
    assert not torch.equal(kept["0.weight"], made.state_dict()["0.weight"])
    assert int(kept["1.num_batches_tracked"]) == 5


class Broken(Line):
    """The loss, its gradient or the weights stop to be numbers at a step."""

    def __init__(self, step, how):
        super().__init__()
        self.step, self.how = step, how

    def loss(self, network, batch):
        loss, counts = super().loss(network, batch)
        if self.batches < self.step:
            return loss, counts
        if self.how == "loss":
            return loss * math.nan, counts
        first = next(network.parameters())
        # The root of nothing: its value is 0, and its slope is not finite.
        return loss + (first - first.detach()).abs().sum().sqrt(), counts


@pytest.mark.parametrize(
    ("how", "clip", "step", "why"),
    [
        ("loss", 2.0, 9, "step 9: the loss is nan"),
        ("gradient", 2.0, 9, "step 9: the gradient's norm is nan"),
        ("gradient", 0.0, 9, "step 10: the loss is nan"),
        ("gradient", 0.0, 8, "step 8: the weights are not finite"),
        ("gradient", 0.0, 10, "step 10: the weights are not finite"),
    ],
)
def test_what_is_no_number_ends_the_run_and_the_good_check_point_stays(
    tmp_path, how, clip, step, why
):
    optimiser = Optimiser(batch=4, rate=0.02, ema=0.9, clip=clip)
    with pytest.raises(FundoscopeError, match=why) as caught:
        run(tmp_path, Broken(step, how), optimiser=optimiser)
    assert "lower optimiser.rate" in str(caught.value)
    kept = content(tmp_path, loop.CHECKPOINT)
    assert 6 <= kept["step"] < step
    for part in ("network", "average"):
        assert all(value.isfinite().all() for value in kept[part].values())
    run(tmp_path, Line(), optimiser=optimiser)
    assert len(figures(tmp_path)) == 5


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:300] + bytes(255 - b for b in data[300:340]) + data[340:]


@pytest.mark.parametrize(
    "damage", [cut, flipped, lambda _: b"", lambda _: b"no check-point", lambda d: d[10:]]
)
def test_a_damaged_check_point_is_reported(tmp_path, damage):
    run(tmp_path, Line(), stages=(Stage(32, 1),))
    path = tmp_path / loop.CHECKPOINT
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match="is damaged; start the run again with --no-resume"):
        run(tmp_path, Line())


@pytest.mark.parametrize("size", [7, 8])
def test_a_check_point_of_something_else_is_reported(tmp_path, size):
    run(tmp_path, Line(), stages=(Stage(32, 1),))
    stored = content(tmp_path, loop.CHECKPOINT)
    if size == 8:
        del stored["epoch"]
        torch.save(stored, tmp_path / loop.CHECKPOINT)
    other = torch.nn.Sequential(torch.nn.Linear(1, size), torch.nn.Linear(size, 1))
    with pytest.raises(UsageError, match="is not a check-point of this network"):
        run(tmp_path, Line(), made=other)
    if size == 8:
        with pytest.raises(UsageError, match="this network and version of fundoscope"):
            run(tmp_path, Line())


def test_a_full_disk_ends_the_run_and_the_check_point_stays(tmp_path, monkeypatch):
    with pytest.raises(KilledError):
        run(tmp_path, Line(kill_at=8))
    before = (tmp_path / loop.CHECKPOINT).read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OutputError, match=r"No space left on device\); free some space"):
            run(tmp_path, Line())
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == before
    run(tmp_path, Line())
    assert len(figures(tmp_path)) == 5


def test_what_cannot_be_written_is_told_and_the_old_file_stays(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"old")
    (tmp_path / "checkpoint.pt.partial").mkdir()
    with pytest.raises(OutputError, match=r"checkpoint\.pt: cannot be written"):
        loop.write_whole(tmp_path / "checkpoint.pt", b"new")
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"old"
