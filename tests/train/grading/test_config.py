from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.errors import UsageError
from fundoscope.train.detection import checks as detector_checks
from fundoscope.train.grading import config as configs
from fundoscope.train.grading.training import largest

WHOLE = """
seed = 1
[data]
manifest = "a.csv"
{data}
[optimiser]
{optimiser}
[network]
{network}
[jitter]
{jitter}
[[stages]]
size = 32
epochs = 1
{stage}
"""
PARTS = ("top", "data", "optimiser", "network", "jitter", "stage")


def written(tmp_path, part="top", line=""):
    lines = dict.fromkeys(PARTS, "") | {part: line}
    path = tmp_path / "c.toml"
    text = WHOLE.format(**lines)
    key = line.partition("=")[0].strip()
    if part == "stage" and key in ("size", "epochs"):
        text = "\n".join(x for x in text.splitlines() if not x.startswith(f"{key} =") or x == line)
    if part == "top" and line:
        text = "\n".join(x for x in text.splitlines() if not x.startswith(f"{key} ="))
        text = f"{line}\n{text}"
    path.write_text(text)
    return path


def test_a_whole_one(tmp_path):
    config = configs.read_config(written(tmp_path))
    assert config.data.manifest == "a.csv"
    assert config.data.wanted.height == 320
    assert (largest(config).height, largest(config).width) == (32, 32)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("top", 'head = "softmin"'),
        ("top", 'normalise = "zscore"'),
        ("top", 'best_by = "loss"'),
        ("top", 'precision = "8"'),
        ("top", "devices = 0"),
        ("top", "threads = -1"),
        ("top", "patience = -1"),
        ("top", "seed = -1"),
        ("top", "checkpoint_every = 0"),
        ("top", "label_smoothing = 0.5"),
        ("top", "expected = -0.1"),
        ("top", "expected = nan"),
        ("top", 'class_weights = "even"'),
        ("top", "class_weights = [1, 2]"),
        ("data", 'input = "stretch"'),
        ("data", "crop_size = 0"),
        ("data", "crop_size = [200, 300]"),
        ("data", "sample = -3"),
        ("data", "only_aspect = 0.0"),
        ("data", "only_aspect = -1.5"),
        ("data", "only_aspect = nan"),
        ("optimiser", 'name = "adagrad"'),
        ("optimiser", 'schedule = "steps"'),
        ("optimiser", "batch = 1"),
        ("optimiser", "rate = 0.0"),
        ("optimiser", "rate = -1e-3"),
        ("optimiser", "rate = nan"),
        ("optimiser", "rate = inf"),
        ("optimiser", "momentum = 1.0"),
        ("optimiser", "weight_decay = -0.1"),
        ("optimiser", "warm_up = 1.5"),
        ("optimiser", "clip = -1.0"),
        ("optimiser", "ema = 1.0"),
        ("network", "dropout = 1.0"),
        ("network", "dropout = -0.1"),
        ("jitter", "rotation = 270"),
        ("jitter", "scale = 1.0"),
        ("jitter", "blur_factor = 0.5"),
        ("jitter", "jpeg = 2.0"),
        ("jitter", "jpeg_quality = 0"),
        ("jitter", "jpeg_quality = 100"),
        ("jitter", "fill = 300"),
        ("stage", "size = 0"),
        ("stage", "epochs = 0"),
        ("stage", "size = [32, 48]"),
        ("stage", "frozen = -1"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_its_name(tmp_path, part, line):
    key = line.partition(" =")[0]
    with pytest.raises(UsageError, match=key if part != "stage" else "stages") as caught:
        configs.read_config(written(tmp_path, part, line))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("part", PARTS)
def test_an_unknown_key_is_refused_in_every_section(tmp_path, part):
    with pytest.raises(UsageError, match=r"is not a configuration of a grader .*speeed"):
        configs.read_config(written(tmp_path, part, "speeed = 3"))


@pytest.mark.parametrize(
    "text", ["", "[data", 'seed = "one"', "\xff", 'stages = 3\n[data]\nmanifest="a"']
)
def test_a_file_that_is_not_a_configuration_is_reported(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="is not a configuration"):
        configs.read_config(path)


def test_no_stage_and_no_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('stages = []\n[data]\nmanifest = "a.csv"\n')
    with pytest.raises(UsageError, match="has no stage"):
        configs.read_config(path)
    with pytest.raises(UsageError, match="cannot be read"):
        configs.read_config(tmp_path / "none.toml")


def test_fewer_epochs_freeze_as_many_parts(tmp_path):
    stages = (configs.Stage(32, 6, frozen=2), configs.Stage(48, 6, frozen=3))
    chosen = configs.with_epochs(changed(tmp_path, stages=stages), 2)
    assert [(stage.epochs, stage.frozen) for stage in chosen.stages] == [(1, 2), (1, 3)]


def changed(tmp_path, **changes):
    return configs.replaced(configs.read_config(written(tmp_path)), **changes)


def test_the_plain_students_network_takes_no_mixed_shapes(tmp_path):
    config = changed(tmp_path, network={"name": "sequential"}, data={"input": "native"})
    with pytest.raises(UsageError, match="sequential takes one shape; take sequential-spp"):
        configs.check(config, "c")
    configs.check(changed(tmp_path, network={"name": "sequential-spp"}), "c")


def test_several_devices_share_a_batch_evenly(tmp_path):
    with pytest.raises(UsageError, match="write a multiple of 5"):
        configs.check(changed(tmp_path, devices=5), "c")
    configs.check(changed(tmp_path, devices=2), "c")
    frozen = changed(tmp_path, devices=2, stages=(configs.Stage(32, 1, frozen=1),))
    with pytest.raises(UsageError, match="leave frozen out"):
        configs.check(frozen, "c")


def test_nothing_given_changes_nothing(tmp_path):
    config = configs.read_config(written(tmp_path))
    assert changed(tmp_path, threads=None, data={"cache": None}, network={"init": None}) == config
    assert changed(tmp_path, threads=3, network={"init": "none"}).network.init == "none"


@pytest.mark.parametrize(("pretrained", "init"), [(True, "imagenet"), (False, "none")])
def test_cards_of_version_0_1_said_pretrained(pretrained, init):
    settings = {
        "data": {"manifest": "a.csv", "crop_size": 320},
        "network": {"name": "efficientnet_lite0", "pretrained": pretrained},
        "stages": [{"size": 224, "epochs": 2}],
    }
    config = configs.from_builtins(settings)
    assert config.network.init == init
    assert settings["network"]["pretrained"] is pretrained
    with pytest.raises(UsageError, match="the stored configuration"):
        configs.from_builtins(settings | {"head": 3})


def test_the_shipped_bundles_card_is_a_configuration():
    import msgspec

    from fundoscope.models import bundle

    stored = msgspec.to_builtins(bundle.load(bundle.shipped()).manifest.trained_on.configuration)
    # In place of the weights that it went on from stands the configuration of their run.
    earlier = 0
    while isinstance(init := stored["network"]["init"], dict):
        network = {**stored["network"], "init": "best.pt"}
        assert configs.from_builtins({**stored, "network": network}).stages
        stored, earlier = init, earlier + 1
    assert configs.from_builtins(stored).network.init == "imagenet"
    assert earlier == 4


FOLDER = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_are_whole(path):
    text = path.read_text()
    if "[[run]]" in text or ("keras" in text and "[[stages]]" not in text):
        pytest.skip("not one of training")
    if path.stem.startswith("detector"):
        assert detector_checks.read_config(path).data.annotations.startswith("../")
        return
    assert configs.read_config(path).data.manifest.startswith("../")


def test_what_is_kin_to_a_source_is_left_out_with_it(tmp_path):
    lines = (
        'also = ["further/equalised.csv", "other.csv"]',
        "shown = { eyepacs = 2.0, equalised = 0.5, aptos = 0.4 }",
    )
    config = configs.read_config(written(tmp_path, "data", "\n".join(lines)))
    of_eyepacs = configs.without(config, "eyepacs").data
    assert of_eyepacs.without == ("eyepacs",)
    assert of_eyepacs.also == ("other.csv",)
    assert of_eyepacs.shown == {"aptos": 0.4}
    of_aptos = configs.without(config, "aptos").data
    assert of_aptos.also == config.data.also
    assert of_aptos.shown == {"eyepacs": 2.0, "equalised": 0.5}


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("seed = 3", "seed = -3"),
        ("size = 48", "size = 0"),
        ("epochs = 2", "epochs = 0"),
        ("crop_size = 96", "crop_size = [96, 80]"),
        ("batch = 16", "batch = 1"),
        ("rate = 1e-3", "rate = -1"),
        ('name = "adamw"', 'name = "lion"'),
        ("eyepacs = 0.5", "eyepacs = 500"),
        ("dropout = 0.2", "dropout = 1.5"),
        ('class_weights = "none"', 'class_weights = "some"'),
        ("blur = 0.1", "blur = 2"),
    ],
)
def test_a_value_out_of_range_names_key_and_line(tmp_path, line, bad):
    text = RANGES.replace(line, bad)
    number = text.splitlines().index(bad) + 1
    path = tmp_path / "my.toml"
    path.write_text(RANGES)
    configs.read_config(path)
    path.write_text(text)
    key = bad.partition(" =")[0]
    with pytest.raises(UsageError, match=rf"^my\.toml, line {number}, \S*\b{key} = .*: is n"):
        configs.read_config(path)


RANGES = """seed = 3
class_weights = "none"

[data]
manifest = "labels.csv"
crop_size = 96

[data.shown]
eyepacs = 0.5

[network]
dropout = 0.2

[optimiser]
name = "adamw"
batch = 16
rate = 1e-3

[jitter]
blur = 0.1

[[stages]]
size = 96
epochs = 1

[[stages]]
size = 48
epochs = 2
"""
