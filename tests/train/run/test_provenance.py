"""What a bundle says of how it was made: enough to make it again, and nothing of the machine."""

from __future__ import annotations

import json

import msgspec
import pytest

from fundoscope.models import bundle as bundles
from fundoscope.train.detection import config as detector_configs
from fundoscope.train.grading import config as configs
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, provenance

SHA = "0" * 64


def described(config):
    return provenance.described(msgspec.to_builtins(config))


def in_all(run, config):
    return provenance.minutes_in_all(run, msgspec.to_builtins(config))


def a_run(folder, config, seconds=()):
    of_detector = isinstance(config, detector_configs.DetectorConfig)
    (detector_configs if of_detector else configs).open_run(config, SHA, folder, resume=True)
    (folder / loop.BEST).write_bytes(b"")
    lines = [json.dumps({"epoch": i, "training_seconds": s}) for i, s in enumerate(seconds)]
    (folder / loop.METRICS).write_text("".join(line + "\n" for line in lines))
    return folder / loop.BEST


@pytest.mark.parametrize("init", ["imagenet", "hub", "none"])
def test_a_word_stays_a_word(config, init):
    said = described(configs.replaced(config, network={"init": init}))
    assert said["network"]["init"] == init


def test_paths_become_names(config, tmp_path):
    also = (str(tmp_path / "more.csv"),)
    chosen = configs.replaced(
        config,
        network={"init": str(tmp_path / "weights.pth")},
        data={"also": also},
        maps=configs.Maps(boxes=str(tmp_path / "boxes.jsonl")),
    )
    said = described(chosen)
    assert said["maps"]["boxes"] == "boxes.jsonl"
    assert said["network"]["init"] == "weights.pth"
    assert said["data"]["also"] == ["more.csv"]
    assert str(tmp_path) not in json.dumps(said)


def test_paths_of_further_sets_of_a_detector_become_names(detector_config, tmp_path):
    chosen = msgspec.structs.replace(
        detector_config,
        healthy=detector_configs.Healthy(
            tables=(str(tmp_path / "all.csv"),), mined=str(tmp_path / "mined.jsonl")
        ),
        partial=(
            detector_configs.Partial(str(tmp_path / "voc"), ("microaneurysm",), 0.1),
            detector_configs.Partial(
                "b", ("laser_scar",), 0.1, *(str(tmp_path / name) for name in ("i", "t", "v"))
            ),
        ),
    )
    said = described(chosen)
    assert said["healthy"]["tables"] == ["all.csv"]
    assert said["healthy"]["mined"] == "mined.jsonl"
    assert [each["annotations"] for each in said["partial"]] == ["voc", "b"]
    assert [said["partial"][1][key] for key in ("images", "train", "val")] == ["i", "t", "v"]
    assert str(tmp_path) not in json.dumps(said)


def test_in_place_of_an_earlier_run_stands_its_configuration(config, tmp_path):
    first = a_run(tmp_path / "first", configs.replaced(config, seed=7))
    second = a_run(tmp_path / "second", configs.replaced(config, network={"init": str(first)}))
    third = configs.replaced(config, network={"init": str(second)})
    said = described(third)
    assert said["network"]["init"]["network"]["init"]["seed"] == 7
    assert str(tmp_path) not in json.dumps(said)


def test_a_best_network_away_from_its_run_is_a_file(config, detector_config, tmp_path):
    path = tmp_path / loop.BEST
    said = described(configs.replaced(config, network={"init": str(path)}))
    assert said["network"]["init"] == loop.BEST
    said = described(detector_configs.replaced(detector_config, start=str(path)))
    assert said["start"] == loop.BEST


def test_weights_out_of_a_pack_have_the_name_that_they_stand_for(config, tmp_path):
    weights = tmp_path / "efficientnet_lite0.pth"
    weights.with_name(weights.name + provenance.ORIGIN).write_text("imagenet\n")
    said = described(configs.replaced(config, network={"init": str(weights)}))
    assert said["network"]["init"] == "imagenet"


def test_minutes_of_an_average_count_each_run_once(detector_config, tmp_path):
    """Its minutes are those of its parts; only what came before all of them is added."""
    first = a_run(tmp_path / "first", detector_config, seconds=(60,))
    second = detector_configs.replaced(detector_config, start=str(first))
    third = detector_configs.replaced(
        second, start=str(a_run(tmp_path / "second", second, seconds=(120,)))
    )
    a_run(tmp_path / "both", third, seconds=(120 + 240,))
    run = tmp_path / "both" / runs.RUN
    stored = json.loads(run.read_text()) | {runs.AVERAGED: {"second": 0.5, "third": 0.5}}
    run.write_text(json.dumps(stored))
    assert in_all(tmp_path / "both", third) == 7.0
    run.write_text(
        json.dumps(stored | {runs.AVERAGED: {"first": 0.2, "second": 0.3, "third": 0.5}})
    )
    assert in_all(tmp_path / "both", third) == 6.0


def test_minutes_of_a_detector_count_the_runs_before(detector_config, tmp_path):
    first = a_run(tmp_path / "first", detector_config, seconds=(30, 60))
    later = detector_configs.replaced(detector_config, start=str(first))
    a_run(tmp_path / "later", later, seconds=(120,))
    assert provenance.minutes(tmp_path / "later") == 2.0
    assert in_all(tmp_path / "later", later) == 3.0
    (tmp_path / "first" / runs.CONFIG).unlink()
    assert in_all(tmp_path / "later", later) == 2.0
    (tmp_path / "later" / loop.METRICS).unlink()
    assert in_all(tmp_path / "later", later) is None


def started_from(config, weights):
    return configs.replaced(config, network={"init": str(weights)})


@pytest.mark.parametrize("weights", [loop.BEST, loop.CHECKPOINT])
def test_minutes_of_a_grader_count_the_runs_before(config, tmp_path, weights):
    a_run(tmp_path / "first", config, seconds=(60,))
    second = started_from(config, tmp_path / "first" / weights)
    a_run(tmp_path / "second", second, seconds=(120,))
    third = started_from(config, tmp_path / "second" / weights)
    a_run(tmp_path / "third", third, seconds=(240,))
    assert in_all(tmp_path / "third", third) == 7.0


def test_minutes_of_a_grader_count_those_of_the_bundle_before(config, tmp_path):
    """A part of an average is counted already."""
    bundle = bundles.shipped(bundles.GRADING)
    before = bundles.load(bundle).manifest
    later = started_from(config, bundle)
    a_run(tmp_path / "later", later, seconds=(120,))
    assert in_all(tmp_path / "later", later) == round(before.trained_on.minutes + 2.0, 1)
    run = tmp_path / "later" / runs.RUN
    shares = {runs.AVERAGED: {before.name: 0.5, "other": 0.5}}
    run.write_text(json.dumps(json.loads(run.read_text()) | shares))
    assert in_all(tmp_path / "later", later) == 2.0


def test_minutes_of_a_backbone_count_where_nothing_else_is_given(config, detector_config, tmp_path):
    grader = a_run(tmp_path / "grader", config, seconds=(60,))
    first = detector_configs.replaced(detector_config, backbone={"init": str(grader)})
    start = a_run(tmp_path / "first", first, seconds=(120,))
    assert in_all(tmp_path / "first", first) == 3.0
    second = detector_configs.replaced(first, start=str(start))
    a_run(tmp_path / "second", second, seconds=(60,))
    assert in_all(tmp_path / "second", second) == 4.0
