from __future__ import annotations

import json

import msgspec
import pytest
import torch

from fundoscope.errors import OutputError, UsageError
from fundoscope.train.detection import config as detector_configs
from fundoscope.train.grading import config as configs
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop

SHA = "f" * 64


def open_run(config, folder, sha256=SHA, *, resume=True):
    of_detector = isinstance(config, detector_configs.DetectorConfig)
    (detector_configs if of_detector else configs).open_run(config, sha256, folder, resume=resume)


def test_a_run_says_what_it_is_made_of(config, tmp_path):
    open_run(config, tmp_path / "deep" / "run")
    assert configs.of_run(tmp_path / "deep" / "run") == (config, SHA)
    surroundings = json.loads((tmp_path / "deep" / "run" / runs.RUN).read_text())
    assert set(surroundings["packages"]) == set(runs.PACKAGES)
    assert runs.versions(tmp_path / "deep" / "run") == surroundings["packages"]
    assert runs.metrics(tmp_path / "deep" / "run") == []


@pytest.mark.parametrize("what", ["seed", "manifest"])
def test_a_run_is_not_continued_with_something_else(config, tmp_path, what):
    open_run(config, tmp_path)
    (tmp_path / loop.CHECKPOINT).write_bytes(b"kept")
    other = msgspec.structs.replace(config, seed=2) if what == "seed" else config
    sha256 = "0" * 64 if what == "manifest" else SHA
    with pytest.raises(UsageError, match="another configuration or manifest"):
        open_run(other, tmp_path, sha256)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == b"kept"
    open_run(other, tmp_path, sha256, resume=False)
    assert configs.of_run(tmp_path) == (other, sha256)
    assert not (tmp_path / loop.CHECKPOINT).exists()


def test_the_same_run_goes_on(config, tmp_path):
    open_run(config, tmp_path)
    (tmp_path / loop.CHECKPOINT).write_bytes(b"kept")
    open_run(config, tmp_path)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == b"kept"


def test_a_kill_while_it_is_opened_leaves_no_half_run(config, tmp_path, monkeypatch):
    write = loop.write_whole

    def kill(path, content):
        if path.name == runs.CONFIG:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_whole", kill)
        with pytest.raises(KeyboardInterrupt):
            open_run(config, tmp_path)
    assert not (tmp_path / runs.CONFIG).exists()
    open_run(config, tmp_path)
    assert runs.versions(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"config": {}}'])
def test_a_folder_that_is_not_a_run_is_reported(tmp_path, text):
    if text is not None:
        (tmp_path / runs.CONFIG).write_text(text)
    with pytest.raises(UsageError):
        configs.of_run(tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --out"):
        open_run(config, tmp_path / "file" / "run")


def test_a_run_that_never_came_to_a_step_keeps_nobody_out(config, tmp_path):
    open_run(config, tmp_path)
    other = msgspec.structs.replace(config, seed=2)
    open_run(other, tmp_path)
    assert configs.of_run(tmp_path) == (other, SHA)


@pytest.mark.parametrize(
    ("name", "read"), [(loop.METRICS, runs.metrics), (runs.RUN, runs.versions)]
)
def test_a_damaged_file_of_a_run_is_one_clear_line(tmp_path, name, read):
    (tmp_path / name).write_text('{"epoch": 0')
    with pytest.raises(
        UsageError, match=r": is damaged .*; (restore it|delete that line), or"
    ) as e:
        read(tmp_path)
    assert name in str(e.value)


def test_a_best_network_that_is_none_is_reported(tmp_path):
    with pytest.raises(UsageError, match="has no finished epoch yet"):
        runs.best(tmp_path)
    for content in ({"network": {}}, [1, 2], torch.zeros(3)):
        torch.save(content, tmp_path / loop.BEST)
        with pytest.raises(UsageError, match=r"best\.pt: is damaged"):
            runs.best(tmp_path)


def test_an_average_is_not_trained_over(config, tmp_path):
    open_run(config, tmp_path)
    path = tmp_path / runs.RUN
    path.write_text(json.dumps({**json.loads(path.read_text()), runs.AVERAGED: {"a": 0.5}}))
    (tmp_path / loop.BEST).write_bytes(b"kept")
    with pytest.raises(UsageError, match="holds an average of runs"):
        open_run(config, tmp_path)
    assert (tmp_path / loop.BEST).read_bytes() == b"kept"


def test_a_run_of_a_detector_is_known_as_one(config, detector_config, tmp_path):
    open_run(detector_config, tmp_path / "lesions")
    open_run(config, tmp_path / "grades")
    assert runs.stored(tmp_path / "lesions").task == runs.DETECTION
    assert runs.stored(tmp_path / "grades").task == runs.GRADING
    assert detector_configs.of_run(tmp_path / "lesions") == (detector_config, SHA)
    for read, other in (
        (detector_configs.of_run, "grades"),
        (configs.of_run, "lesions"),
    ):
        with pytest.raises(UsageError, match="is not a run of a"):
            read(tmp_path / other)
    (tmp_path / "grades" / loop.BEST).write_bytes(b"kept")
    with pytest.raises(UsageError, match="another configuration"):
        open_run(detector_config, tmp_path / "grades")
    with pytest.raises(UsageError, match="is not a run"):
        runs.stored(tmp_path)


def test_the_task_of_a_run_of_version_0_1_is_known_by_its_settings(
    config, detector_config, tmp_path
):
    for chosen, task in ((config, runs.GRADING), (detector_config, runs.DETECTION)):
        folder = tmp_path / task
        open_run(chosen, folder)
        path = folder / runs.CONFIG
        content = json.loads(path.read_text())
        assert content.pop("task") == task
        path.write_text(json.dumps(content))
        assert runs.stored(folder).task == task
        (folder / loop.BEST).write_bytes(b"kept")
        open_run(chosen, folder)  # the same run
        assert (folder / loop.BEST).read_bytes() == b"kept"


@pytest.mark.parametrize(
    "changes", [{"threads": 3}, {"precision": "bf16-mixed"}, {"devices": 2}, {"threads": 2}]
)
def test_a_run_is_resumed_on_other_hardware_and_says_so(config, tmp_path, changes):
    open_run(config, tmp_path)
    (tmp_path / loop.CHECKPOINT).write_bytes(b"kept")
    began = json.loads((tmp_path / runs.RUN).read_text())
    other = msgspec.structs.replace(config, **changes)
    for _ in range(2):  # the second time nothing has changed
        open_run(other, tmp_path)
    assert (tmp_path / loop.CHECKPOINT).read_bytes() == b"kept"
    assert configs.of_run(tmp_path) == (config, SHA)
    content = json.loads((tmp_path / runs.RUN).read_text())
    (resumed,) = content.pop(runs.RESUMED)
    assert content == began
    asked = {key: getattr(other, key) for key in ("threads", "devices", "precision")}
    assert asked.items() <= resumed.items()
    assert resumed["packages"] == began["packages"]
    open_run(config, tmp_path)  # and back
    assert len(runs.surroundings(tmp_path)[runs.RESUMED]) == 2


def test_the_same_hardware_is_not_recorded_again(config, tmp_path):
    open_run(config, tmp_path)
    open_run(config, tmp_path)
    assert runs.RESUMED not in runs.surroundings(tmp_path)
