"""Training a detector as a whole: its files, resuming after a kill, its errors."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.boxes import head as box_head
from fundoscope.train.detection.views import healthy
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Listeners


@pytest.fixture
def run(detector_config, tmp_path):
    detector.train(detector_config, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_leaves_all_that_is_needed_and_a_kill_changes_nothing(run, detector_config, tmp_path):
    assert configs.of_run(run)[0] == detector_config
    assert runs.stored(run).task == runs.DETECTION
    described = json.loads((run / detector.DETECTOR).read_text())
    assert described["kinds"] == ["haemorrhage", "hard_exudate", "optic_disc"]
    assert len(described["anchors"]) == 5
    lines = runs.metrics(run)
    assert [line["epoch"] for line in lines] == [0, 1]
    assert set(lines[0]["average_precision"]) == set(described["kinds"])
    assert set(lines[0]["at_threshold"]["haemorrhage"]) == {"threshold", "precision", "recall"}
    assert set(box_head.LOSSES) < set(lines[0]["training"])
    with Image.open(run / "validation-001.jpg") as sheet:
        assert sheet.width > 4 * 64

    def kill(report):
        if report.step == 3:
            raise KeyboardInterrupt

    other = tmp_path / "other"
    with pytest.raises(KeyboardInterrupt):
        detector.train(detector_config, other, listeners=Listeners(step=kill))
    detector.train(detector_config, other)
    for name in (loop.CHECKPOINT, loop.BEST):
        ours, theirs = (torch.load(f / name, weights_only=True) for f in (run, other))
        for part in {"network", "average"} & ours.keys():
            assert all(torch.equal(v, theirs[part][key]) for key, v in ours[part].items())
    without_time = [
        [{k: v for k, v in line.items() if k != "training_seconds"} for line in runs.metrics(f)]
        for f in (run, other)
    ]
    assert without_time[0] == without_time[1]


def test_listeners_are_called(detector_config, tmp_path):
    reported = {"pictures": [], "data": [], "network": [], "steps": [], "epochs": []}
    listeners = Listeners(
        lambda *n: reported["pictures"].append(n),
        reported["data"].append,
        lambda *n: reported["network"].append(n),
        reported["steps"].append,
        reported["epochs"].append,
    )
    once = configs.replaced(detector_config, epochs=1)
    detector.train(once, tmp_path / "run", listeners=listeners)
    assert reported["pictures"][-1] == (11, 11)
    (result,) = reported["data"]
    assert (len(result.train), len(result.val), result.unseen) == (8, 3, ())
    assert reported["network"][0][0] == "efficientnet_lite0"
    assert [report.step for report in reported["steps"]] == [1, 2]
    assert [line["epoch"] for line in reported["epochs"]] == [0]


def test_a_set_of_other_kinds_trains_without_a_change_of_code(
    detector_config, save_lesions, tmp_path
):
    """Validation shows no laser scar: the best epoch is chosen by what it shows."""
    photos = {f"nv{i}": {"neovascularisation": 2} for i in range(5)}
    photos["nv1"] = {"neovascularisation": 1, "laser_scar": 2}
    root = save_lesions(photos, {"train": ["nv0", "nv1", "nv2"], "val": ["nv3", "nv4"]}, "nv")
    chosen = configs.replaced(configs.on_other_data(detector_config, root), epochs=1)
    result = []
    detector.train(chosen, tmp_path / "run", listeners=Listeners(data=result.append))
    assert result[0].kinds == ("neovascularisation", "laser_scar")
    assert result[0].unseen == ("laser_scar",)
    (line,) = runs.metrics(tmp_path / "run")
    assert line["average_precision"]["laser_scar"] is None
    assert line["score"] == line["average_precision"]["neovascularisation"]


def test_a_run_of_an_earlier_version_is_resumed(detector_config, tmp_path):
    """It states fewer settings, and lists where ours are tuples."""
    once = configs.replaced(detector_config, epochs=1)
    sha256 = detector.read_data(once).sha256
    configs.open_run(once, sha256, tmp_path / "run", resume=True)
    stored = json.loads((tmp_path / "run" / runs.CONFIG).read_text())
    for key in ("manifest", "validation"):
        del stored["config"]["data"][key]
    (tmp_path / "run" / runs.CONFIG).write_text(json.dumps(stored))
    (tmp_path / "run" / loop.METRICS).write_text("")
    configs.open_run(once, sha256, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / loop.METRICS).exists()
    with pytest.raises(UsageError, match="another configuration"):
        configs.open_run(configs.replaced(once, seed=9), sha256, tmp_path / "run", resume=True)


def test_a_run_starts_from_the_weights_of_another(run, detector_config, tmp_path):
    still = msgspec.structs.replace(detector_config.optimiser, rate=1e-12)
    chosen = configs.replaced(
        detector_config, epochs=1, start=str(run / loop.BEST), optimiser=still
    )
    detector.train(chosen, tmp_path / "second")
    ours, theirs = (
        torch.load(folder / loop.BEST, weights_only=True)["network"]
        for folder in (run, tmp_path / "second")
    )
    assert torch.allclose(
        ours["rpn.head.cls_logits.weight"], theirs["rpn.head.cls_logits.weight"], atol=1e-6
    )
    other = configs.replaced(chosen, shape=msgspec.structs.replace(chosen.shape, hidden=8))
    with pytest.raises(UsageError, match="holds no weights of this network and class list"):
        detector.train(other, tmp_path / "third")


def test_a_rate_beyond_all_bounds_is_one_clear_error(detector_config, tmp_path):
    wild = msgspec.structs.replace(
        detector_config.optimiser, name="sgd", rate=1e30, clip=0.0, warm_up=0.0
    )
    with pytest.raises(FundoscopeError, match=r"lower optimiser\.rate"):
        detector.train(configs.replaced(detector_config, optimiser=wild), tmp_path / "run")
    kept = loop.read_checkpoint(tmp_path / "run" / loop.CHECKPOINT)["network"]
    assert all(value.isfinite().all() for value in kept.values())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_is_reported(error):
    with pytest.raises(FundoscopeError, match=r"lower optimiser\.batch or data\.tile"):  # noqa: SIM117
        with detector.memory_explained():
            raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="a defect"), detector.memory_explained():
        raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"backbone": {"name": "mystery"}}, "mystery"),
        ({"backbone": {"init": "nonsense"}}, "nonsense: is not a file"),
        ({"anchors": ((((8.0, 8.0),),))}, "anchors: are of 1 levels"),
        ({"data": {"kinds": ("irma",)}}, "has no box of irma"),
        (
            {"start": "nowhere/best.pt"},
            "start = nowhere/best.pt: is neither best.pt of a run nor a bundle",
        ),
    ],
)
def test_errors_are_reported_before_there_is_a_run(detector_config, tmp_path, changes, why):
    with pytest.raises(UsageError, match=why):
        detector.train(configs.replaced(detector_config, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit_into_memory_are_rejected(detector_config, tmp_path, monkeypatch):
    monkeypatch.setattr("fundoscope.train.run.memory.available", lambda: 10**6)
    with pytest.raises(UsageError, match="million weights"):
        detector.train(detector_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_anchors_may_be_named(detector_config):
    named = tuple(((side, side),) for side in (8.0, 12.0, 20.0, 32.0, 64.0))
    assert detector.read_data(configs.replaced(detector_config, anchors=named)).anchors == named


class Oracle(torch.nn.Module):
    """Finds the bright yellow of exudates on every tile, in two boxes of different score."""

    def forward(self, tiles):
        from scipy import ndimage

        result = []
        for tile in (tiles * 128 + 127).permute(0, 2, 3, 1).numpy():
            labelled, _ = ndimage.label((tile[..., 1] > 205) & (tile[..., 2] < 140))
            boxes = [
                (cols.start, rows.start, cols.stop, rows.stop)
                for rows, cols in ndimage.find_objects(labelled)
            ]
            result.append(
                {
                    "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                    "labels": torch.full((len(boxes),), 2),
                    "scores": torch.linspace(0.9, 0.8, len(boxes)),
                }
            )
        return result


def test_a_network_that_finds_lesions_is_evaluated_so(detector_config, tmp_path):
    data = detector.read_data(detector_config)
    task = detector.task_of(detector_config, data, torch.device("cpu"), tmp_path, None)
    figures = task.evaluate(Oracle(), 64, 0)
    assert figures["average_precision"]["hard_exudate"] > 0.9
    assert figures["average_precision"]["haemorrhage"] == 0
    assert figures["score"] == pytest.approx(figures["average_precision"]["hard_exudate"] / 2)
    assert figures["at_threshold"]["hard_exudate"]["recall"] > 0.9
    assert figures["at_threshold"]["haemorrhage"]["threshold"] > 1


def test_landmarks_alone_are_evaluated_separately(detector_config, tmp_path):
    chosen = configs.replaced(detector_config, data={"kinds": ("optic_disc",)})
    data = detector.read_data(chosen)
    task = detector.task_of(chosen, data, torch.device("cpu"), tmp_path, None)

    class Nothing(torch.nn.Module):
        def forward(self, tiles):
            empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()}
            return [{**empty, "scores": torch.zeros(0)} for _ in tiles]

    assert task.evaluate(Nothing(), 64, 0)["score"] == 0
    assert np.isnan(task.evaluate(Nothing(), 64, 0)["at_threshold"]["optic_disc"]["precision"])


def test_only_the_best_box_of_a_landmark_counts_in_an_epochs_figures(detector_config, tmp_path):
    data = detector.read_data(detector_config)
    task = detector.task_of(detector_config, data, torch.device("cpu"), None, None)
    label = data.kinds.index("optic_disc") + 1
    found = []
    for score, photograph in zip((0.9, 0.5, 0.4), data.val, strict=True):
        disc = photograph.boxes[photograph.labels == label]
        boxes = np.concatenate((disc, disc + 1000))
        scores = np.array((score, score - 0.05))
        found.append(DetectedBoxes(np.zeros(2, int), boxes, np.full(2, label), scores))
    assert task._figures(found, 0)["average_precision"]["optic_disc"] == 1


def test_healthy_eyes_and_partly_annotated_ones_join_a_training(
    detector_config, labels, save_lesions, tmp_path
):
    photos = {f"scar{i}": {"laser_scar": 3, "haemorrhage": 2} for i in range(4)}
    names = list(photos)
    scars = save_lesions(photos, {"train": names[:3], "val": names[3:]}, "scars")
    config = msgspec.structs.replace(
        detector_config,
        epochs=1,
        healthy=configs.Healthy((str(labels),), share=0.3, validation=2),
        partial=(configs.Partial(str(scars), ("laser_scar",), share=0.3),),
    )
    reported = []
    detector.train(config, tmp_path / "run", listeners=Listeners(data=reported.append))
    (data,) = reported
    assert data.kinds == ("haemorrhage", "hard_exudate", "optic_disc", "laser_scar")
    assert {view.unassessed for view in data.train} == {(4,)}
    assert [{view.unassessed for view in views} for views in data.partial] == [{(1, 2, 3)}]
    assert not any(view.background for view in data.partial[0])
    assert all(view.background for view in (*data.train, *data.healthy))
    assert {view.unassessed for view in data.healthy} == {(3,)}
    assert all(set(view.labels.tolist()) == {4} for view in data.partial[0])
    counted = data.photographs(config)
    assert counted["scars"] == 3
    assert data.annotated == len(data.train) + 3
    assert sum(counted.values()) == data.annotated + len(data.healthy)
    (line,) = runs.metrics(tmp_path / "run")
    lesions = {"haemorrhage", "hard_exudate", "laser_scar"}
    assert set(line["healthy_share"]) == set(line["healthy_recall"]) == lesions


def test_healthy_eyes_that_cannot_be_used_are_said_and_some_must_be_left(
    detector_config, labels, tmp_path
):
    config = msgspec.structs.replace(
        detector_config, healthy=configs.Healthy((str(labels),), share=0.3, validation=2)
    )
    (first, *others), _ = healthy.choose(config.healthy, ("haemorrhage",), config.seed)
    first.path.write_text("no picture")
    data = detector.read_data(config)
    assert len(data.healthy) == len(others)
    assert [photo.image for photo in data.left_out] == [first.path.name]
    for photo in others:
        photo.path.write_text("no picture")
    with pytest.raises(UsageError, match=r"labels\.csv: has no healthy eye of the split train"):
        detector.read_data(config)
    without = msgspec.structs.replace(config, healthy=configs.Healthy(share=0.3))
    with pytest.raises(UsageError, match=r"healthy\.share: has no healthy eye"):
        detector.read_data(without)
