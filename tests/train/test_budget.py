"""A schedule that ends in time."""

from __future__ import annotations

import dataclasses
import json
import time

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.errors import UsageError
from fundoscope.train import budget, paces
from fundoscope.train.budget import Budget
from fundoscope.train.detection import config as detector_configs
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig, Draw, LesionData
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import Data, GraderConfig
from fundoscope.train.paces import Pace
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.plan import Plan, Stage

STEPS = 100
GRADER = GraderConfig(Data("labels.csv"), (Stage(192, 3), Stage(256, 3), Stage(320, 3)))
PACES = (Pace(0.1, 5.0), Pace(0.2, 10.0), Pace(0.3, 15.0))
"""Epochs of 15, 30 and 45 seconds."""
DETECTOR = DetectorConfig(LesionData("voc"), epochs=20, draw=Draw(tiles=400))
TILES = Pace(0.5, 10.0)
"""An epoch of 60 seconds."""


def fitted(seconds):
    return budget.fit_grader(GRADER, PACES, budget.Epoch(STEPS, 1600), seconds)


def costs(config, steps=STEPS):
    return sum(
        stage.epochs * (steps * pace.step + pace.closing)
        for stage, pace in zip(config.stages, PACES, strict=False)
    )


@given(
    st.lists(st.tuples(st.integers(1, 20), st.floats(0.01, 1000)), min_size=1, max_size=4),
    st.floats(1, 100),
)
def test_epochs_fill_the_time_and_do_not_exceed_it(stages, more):
    epochs, each = zip(*stages, strict=True)
    seconds = sum(each) * more
    result = budget.scaled(epochs, each, seconds)
    taken = sum(n * cost for n, cost in zip(result, each, strict=True))
    assert min(result) >= 1
    assert taken <= seconds * (1 + 1e-9)
    assert seconds - taken < min(each) * (1 + 1e-9) + 1e-9 * seconds


def test_stages_keep_their_proportions():
    assert budget.scaled((3, 3, 3), (15, 30, 45), 900) == (10, 10, 10)
    assert budget.scaled((2, 4), (10, 10), 600) == (20, 40)


def test_what_is_left_goes_to_the_largest_size():
    assert budget.scaled((3, 3, 3), (15, 30, 45), 949) == (10, 10, 11)


def test_a_grader_has_as_many_epochs_as_fit():
    chosen = fitted(900)
    assert [stage.epochs for stage in chosen.stages] == [10, 10, 10]
    assert [stage.size for stage in chosen.stages] == [192, 256, 320]
    assert chosen.data == GRADER.data
    assert chosen.checkpoint_every == 200  # a minute of the slowest steps


def test_where_one_epoch_of_each_does_not_fit_the_last_stages_are_left_out():
    assert [(s.size, s.epochs) for s in fitted(80).stages] == [(192, 1), (256, 2)]
    assert [(s.size, s.epochs) for s in fitted(44).stages] == [(192, 2)]


def test_where_not_one_epoch_fits_photographs_are_left_out():
    chosen = fitted(8)
    assert [(s.size, s.epochs) for s in chosen.stages] == [(192, 1)]
    assert chosen.data.sample == 480  # thirty steps of sixteen


def test_further_tables_are_never_left_out_and_their_steps_come_first():
    """A quarter of what an epoch shows is of ``data.also``: 25 of its hundred steps."""
    epoch = budget.Epoch(STEPS, 1200, share=0.75)
    chosen = budget.fit_grader(GRADER, PACES, epoch, 8)
    assert chosen.data.sample == 80  # thirty steps fit, five of them of the table's own
    with pytest.raises(UsageError, match="--minutes"):
        budget.fit_grader(GRADER, PACES, epoch, 7.4)


def test_what_an_epoch_shows_of_the_table_itself():
    plan = Plan(np.zeros(8, np.int64), GRADER.stages, GRADER.optimiser, 1, 1)
    assert budget._share(plan, 6) == 0.75
    times = np.array([0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0])
    assert budget._share(dataclasses.replace(plan, times=times), 6) == 0.75


def test_the_pace_is_that_of_the_threads_that_train(config, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        paces, "_pace", lambda *_: seen.append(torch.get_num_threads()) or Pace(1.0, 1.0)
    )
    torch.set_num_threads(2)
    one = configs.replaced(config, threads=1)
    budget.settle_grader(one, tmp_path / "run", Budget(60, time.monotonic()))
    assert seen == [1, 1]


def test_where_nothing_fits_it_is_said():
    with pytest.raises(UsageError, match=r"--minutes: is too short for one step.*; give 1 more"):
        fitted(5)
    with pytest.raises(UsageError, match="give 2 more"):
        fitted(-100)
    with pytest.raises(UsageError, match="--minutes"):
        budget.fit_detector(DETECTOR, TILES, 10.2)


@pytest.mark.parametrize(
    ("seconds", "epochs", "tiles"), [(605, 10, 400), (60, 1, 400), (59, 1, 392), (11, 1, 8)]
)
def test_a_detector_has_as_many_epochs_as_fit_or_fewer_tiles(seconds, epochs, tiles):
    chosen = budget.fit_detector(DETECTOR, TILES, seconds)
    assert (chosen.epochs, chosen.draw.tiles) == (epochs, tiles)
    assert chosen.checkpoint_every == 120


@given(st.floats(6, 10_000))
def test_a_grader_never_takes_longer_than_it_may(seconds):
    chosen = fitted(seconds)
    steps = chosen.data.sample // GRADER.optimiser.batch if chosen.data.sample else STEPS
    assert costs(chosen, steps) <= seconds * (1 + 1e-9)


def test_time_is_left_for_the_export_and_for_a_slower_hour():
    now = time.monotonic()
    assert Budget(1, now).left() == pytest.approx((60 - 12) * 0.92, abs=1)
    assert Budget(600, now).left() == pytest.approx((36_000 - 120) * 0.92, abs=1)
    assert Budget(1, now - 90).left() < 0


def test_several_devices_are_refused(config, detector_config, tmp_path):
    two = configs.replaced(config, devices=2)
    with pytest.raises(UsageError, match="does not work on 2 devices"):
        budget.settle_grader(two, tmp_path / "run", Budget(5, time.monotonic()))
    pair = detector_configs.replaced(detector_config, devices=2)
    with pytest.raises(UsageError, match="does not work on 2 devices"):
        budget.settle_detector(pair, tmp_path / "run", Budget(5, time.monotonic()))


def test_a_run_that_was_begun_keeps_its_schedule(config, tmp_path, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setattr(paces, "of_grader", lambda *_: (Pace(1.0, 1.0), Pace(1.0, 1.0)))
    monkeypatch.setattr(Budget, "left", lambda _: 26.0)
    first = budget.settle_grader(config, run, Budget(1, time.monotonic()))
    assert not first.kept
    # Epochs of three seconds.
    assert sum(stage.epochs for stage in first.config.stages) == 8
    grader.train(first.config, run)
    again = budget.settle_grader(config, run, Budget(60, time.monotonic()))
    assert (again.kept, again.config, again.paces) == (True, first.config, first.paces)
    grader.train(again.config, run)  # nothing is left to do, and nothing is rejected
    assert len(runs.metrics(run)) == 8
    # Another day's processor: the schedule stays, with the threads of today.
    more = configs.replaced(config, threads=2)
    today = budget.settle_grader(more, run, Budget(60, time.monotonic()))
    assert today.kept
    assert today.config == configs.replaced(first.config, threads=2)
    # A version that had fewer settings wrote it.
    stored = json.loads((run / budget.BUDGET).read_text())
    for settings in (stored["asked"], stored["chosen"]):
        del settings["maps"]
    (run / budget.BUDGET).write_text(json.dumps(stored))
    assert budget.settle_grader(config, run, Budget(60, time.monotonic())).config == first.config


def test_a_folder_with_another_run_is_refused(config, tmp_path, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setattr(paces, "of_grader", lambda *_: (Pace(0.1, 0.1),) * 2)
    one = configs.replaced(config, stages=(Stage(32, 1),))
    grader.train(one, run)
    message = "holds a run that was started in another way; choose another --out"
    with pytest.raises(UsageError, match=message):
        budget.settle_grader(config, run, Budget(1, time.monotonic()))
    assert budget.settle_grader(config, run, Budget(1, time.monotonic()), resume=False)
    with pytest.raises(UsageError, match=message):
        budget.settle_grader(configs.replaced(config, seed=9), run, Budget(1, time.monotonic()))


def test_a_grader_is_measured_and_fits(config, tmp_path):
    run = tmp_path / "run"
    settled = budget.settle_grader(config, run, Budget(60, time.monotonic()))
    assert len(settled.paces) == 2
    assert all(pace.step > 0 and pace.closing >= 0 for pace in settled.paces)
    assert [file.name for file in run.iterdir()] == [budget.BUDGET]
    stored = json.loads((run / budget.BUDGET).read_text())
    assert stored["asked"] == json.loads(msgspec.json.encode(config))
    assert settled.config.stages[0].epochs > 2


def test_a_detector_is_measured_and_fits(detector_config, tmp_path):
    run = tmp_path / "run"
    settled = budget.settle_detector(detector_config, run, Budget(60, time.monotonic()))
    assert settled.paces[0].step > 0
    assert settled.config.epochs >= 1
    short = detector_configs.replaced(settled.config, epochs=1)
    (run / loop.METRICS).write_text("")
    assert budget.settle_detector(detector_config, run, Budget(60, time.monotonic())).kept
    assert short.data == detector_config.data


def test_healthy_eyes_are_counted_once_in_the_pace_of_a_detector(
    detector_config, labels, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(paces, "_pace", lambda *given: seen.append(given) or Pace(1.0, 1.0))
    healthy = detector_configs.Healthy((str(labels),), validation=2)
    config = msgspec.structs.replace(detector_config, healthy=healthy)
    data = detector.read_data(config)
    data = dataclasses.replace(data, healthy_val=data.healthy_val * 3)
    paces.of_detector(config, data, tmp_path / "run")
    ((_, (few, whole), times, *_),) = seen
    assert (len(few.val), len(few.healthy)) == (1, 1)
    assert len(whole.healthy) == 3 * len(set(data.healthy_val))
    assert times == (len(whole.val) + len(whole.healthy)) / 2


@pytest.mark.parametrize(("usual", "rare"), [(0, 2), (3, 1)])
def test_the_short_evaluation_of_a_grader_has_both_sides_of_grade_2(usual, rare):
    grades = np.full(1000, usual)
    grades[5] = rare  # no evenly spaced photograph is this one
    places = paces._some(grades)
    assert len(set(places.tolist())) == paces.EVALUATED
    assert 5 in places
    half = np.arange(1000) % 5
    assert 0.5 < np.mean(half[paces._some(half)] >= 2) < 0.7
    assert paces._some(grades[:7]).tolist() == list(range(7))
    assert len(paces._some(np.zeros(100, np.int64))) == paces.EVALUATED
