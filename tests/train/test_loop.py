from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from fundoscope.errors import OutputError
from fundoscope.train import loop

SEED = 3


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
        return ((network(x) - y) ** 2).mean()

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
        "count": 20,
        "stages": (loop.Stage(32, 2), loop.Stage(64, 3, frozen=1)),
        "optimiser": loop.Optimiser(batch=4, rate=0.02, ema=0.9),
        "seed": SEED,
        "checkpoint_every": 2,
    }
    return loop.Plan(**{**settings, **changes})


def run(folder, task, *, resume=True, reports=None):
    folder.mkdir(exist_ok=True)
    show = reports.append if reports is not None else None
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    loop.train(network(), task, plan(), fabric, folder, resume=resume, show=show)


def content(folder, name):
    return torch.load(folder / name, weights_only=True)


def figures(folder):
    lines = [json.loads(text) for text in (folder / loop.METRICS).read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("training_seconds", "loss")} for line in lines
    ]


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
def test_a_killed_run_goes_on_to_the_bit_equal_result(tmp_path, kill_at):
    run(tmp_path / "whole", Line())
    with pytest.raises(KilledError):
        run(tmp_path / "killed", Line(kill_at=kill_at))
    torch.rand(17)  # another process has another global generator
    run(tmp_path / "killed", Line())
    for name in (loop.CHECKPOINT, loop.BEST):
        assert_equal(content(tmp_path / "whole", name), content(tmp_path / "killed", name))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")


def test_it_learns_and_reports(tmp_path):
    reports = []
    run(tmp_path, Line(), reports=reports)
    errors = [line["error"] for line in figures(tmp_path)]
    assert errors[-1] < errors[0]
    assert [line["size"] for line in figures(tmp_path)] == [32, 32, 64, 64, 64]
    assert [line["nothing"] for line in figures(tmp_path)] == [None] * 5
    assert [r.step for r in reports] == list(range(1, 26))
    assert reports[-1].seconds_left == 0
    assert all(r.photographs_a_second > 0 for r in reports)


def test_the_best_epoch_is_kept(tmp_path):
    run(tmp_path, Line())
    scores = [line["score"] for line in figures(tmp_path)]
    assert content(tmp_path, loop.BEST)["epoch"] == int(np.argmax(scores))


def test_without_resume_it_starts_anew(tmp_path):
    run(tmp_path, Line())
    task = Line()
    run(tmp_path, task, resume=False)
    assert task.batches == plan().steps
    finished = Line()
    run(tmp_path, finished)
    assert finished.batches == 0


def test_an_epoch_shows_every_photograph_once():
    p = plan()
    for epoch in range(2):
        steps = range(epoch * p.steps_an_epoch, (epoch + 1) * p.steps_an_epoch)
        shown = np.concatenate([p.positions(step) for step in steps])
        assert sorted(shown) == list(range(20))
    assert p.positions(0).tolist() != p.positions(p.steps_an_epoch).tolist()


def test_the_rate_rises_then_falls_to_its_end():
    p = plan(optimiser=loop.Optimiser(batch=4, rate=1.0, warm_up=0.2))
    rates = [p.rate(step) for step in range(p.steps)]
    peak = int(np.argmax(rates))
    assert peak in (4, 5)
    assert max(rates) == pytest.approx(1.0)
    assert all(a < b for a, b in pairwise(rates[:5]))
    assert all(a > b for a, b in pairwise(rates[5:]))
    assert rates[-1] == pytest.approx(loop.FINAL_RATE, abs=0.02)


def test_sizes_follow_the_stages():
    p = plan()
    assert [p.size(epoch) for epoch in range(p.epochs)] == [32, 32, 64, 64, 64]


def test_a_batch_larger_than_the_set_is_one_step():
    p = plan(count=3)
    assert p.steps_an_epoch == 1
    assert sorted(p.positions(0)) == [0, 1, 2]


def test_streams_and_steps_have_their_own_randomness():
    draws = {
        (stream, step): loop.generator_for(1, stream, step).initial_seed()
        for stream in range(3)
        for step in range(50)
    }
    assert len(set(draws.values())) == len(draws)


def test_what_cannot_be_written_is_told_and_the_old_file_stays(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"old")
    (tmp_path / "checkpoint.pt.partial").mkdir()
    with pytest.raises(OutputError, match=r"checkpoint\.pt: cannot be written"):
        loop._write(tmp_path / "checkpoint.pt", b"new")
    assert (tmp_path / "checkpoint.pt").read_bytes() == b"old"
