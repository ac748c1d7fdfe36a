"""A detector's configuration: invalid values are rejected by name."""

from __future__ import annotations

import msgspec
import pytest

from fundoscope.errors import UsageError
from fundoscope.train.detection import checks
from fundoscope.train.detection import config as configs
from fundoscope.train.run import settings

LEAST = 'epochs = 1\n[data]\nannotations = "voc"\n'


def read(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return checks.read_config(path)


def test_little_has_to_be_said(tmp_path):
    config = read(tmp_path, LEAST)
    assert config.data.tile == 512
    assert config.anchors == 2
    assert configs.from_builtins(msgspec.to_builtins(config)) == config
    assert configs.from_builtins(msgspec.json.decode(msgspec.json.encode(config))) == config


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("epochs = 1", "not a configuration of a detector .*data.*train config detector"),
        (LEAST + 'colour = "red"', "unknown field `colour`"),
        ("epochs = [", "is not a configuration of a detector"),
        ("epochs = 0\n" + LEAST[11:], "epochs = 0: is not valid; write 1 or more"),
        (LEAST + "radius = 3", r"data\.radius = 3\.0: is not valid; write 32 to 10000"),
        (LEAST + "tile = 16", r"data\.tile = 16: is not valid; write 32 or more"),
        (LEAST + "tile = [512, 8]", r"data\.tile = \(512, 8\): is not valid"),
        (LEAST + "overlap = 512", r"data\.overlap = 512: .* write less than a tile, 512"),
        (LEAST + 'kinds = ["MA"]', r"data\.kinds = MA: is not valid; write microaneurysm"),
        (LEAST + 'kinds = ["qqq"]', r"data\.kinds = qqq: .* write some of microaneurysm, haem"),
        (LEAST + 'kinds = ["irma", "irma"]', r"data\.kinds = irma: .* write each kind once"),
        (LEAST + 'val = "v.txt"\nvalidation = 3', r"data\.validation = 3: .* leave it out"),
        ("anchors = 0\n" + LEAST, "anchors = 0: is not valid; write 1 to 100"),
        (
            "anchors = [[[8, 8]], []]\n" + LEAST,
            "anchors = .* write a list of .* of the same length",
        ),
        ("anchors = [[[8, 0]]]\n" + LEAST, "anchors = .*: is not valid"),
        ("anchors = []\n" + LEAST, "anchors = .*: is not valid"),
        ("precision = 'half'\n" + LEAST, "precision = half: is not valid; write one of auto"),
        (LEAST + "[draw]\nanywhere = 1.5", r"draw\.anywhere = 1\.5: is not valid; write 0 to 1"),
        (LEAST + "[shape]\nfar = 0.6", r"shape\.far = 0\.6: .* no more than shape\.near"),
        (LEAST + "[optimiser]\nrate = 0.0", r"optimiser\.rate = 0\.0: .* a positive number"),
        (LEAST + "[optimiser]\nname = 'lion'", r"optimiser\.name = lion"),
        ("devices = 3\n" + LEAST, r"optimiser\.batch = 4: is not valid; write a multiple of 3"),
        (LEAST + "[recolour]\nblur = 2", r"recolour\.blur = 2\.0: is not valid; write 0 to 1"),
        ("patience = -1\n" + LEAST, "patience = -1: is not valid; write 0 or more"),
    ],
)
def test_invalid_values_are_rejected(tmp_path, text, why):
    with pytest.raises(UsageError, match=why) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_every_bound_is_of_a_key_that_is_there(tmp_path):
    config = read(tmp_path, LEAST)
    assert all(
        low <= settings.value_of(config, key) <= high for key, (low, high) in checks.BOUNDS.items()
    )


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"mine\.toml"):
        checks.read_config(path)


def test_stored_settings_of_something_else():
    with pytest.raises(UsageError, match="is not a detector's"):
        configs.from_builtins({"stages": []})


def test_on_other_data_nothing_names_the_old_photographs(tmp_path):
    text = LEAST + 'train = "t.txt"\nval = "v.txt"\nimages = "i"\nleft_out = ["x"]\nradius = 100'
    text += '\n[healthy]\ntables = ["all.csv"]\nmined = "m.jsonl"\nshare = 0.3\n[[partial]]\n'
    text += 'annotations = "scars"\nkinds = ["laser_scar"]\nshare = 0.1'
    config = configs.on_other_data(read(tmp_path, text), tmp_path / "other")
    data = config.data
    assert data.annotations == str(tmp_path / "other")
    assert (data.train, data.val, data.images, data.left_out) == ("", "", "", ())
    assert data.radius == 100
    assert (config.healthy, config.partial) == (configs.Healthy(), ())
    assert configs.replaced(config, data={"cache": None}, epochs=None) == config
    assert configs.replaced(config, backbone={"init": "none"}).backbone.init == "none"


@pytest.mark.parametrize("name", ["detector.toml", "students/detector.toml"])
def test_configurations_of_the_repository_can_be_read(name, request):
    path = request.config.rootpath / "configs" / name
    if not path.is_file():
        pytest.skip("not in this checkout")
    assert checks.read_config(path).epochs > 0


def test_a_value_out_of_range_names_the_line(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(f"{LEAST}\n[draw]\ntiles = 0\n")
    number = path.read_text().splitlines().index("tiles = 0") + 1
    with pytest.raises(UsageError, match=rf"^my\.toml, line {number}, draw\.tiles = 0: is not"):
        checks.read_config(path)
