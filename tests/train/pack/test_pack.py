"""Packs: what is in them, and that training from one is training from the photographs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from fundoscope.cli import main
from fundoscope.errors import OutputError, UsageError
from fundoscope.grading.inputs import CROP, SQUASH, Input
from fundoscope.train import paces
from fundoscope.train.budget import Budget
from fundoscope.train.detection import config as detector_configs
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import Draw
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import packed_crops, photographs, pictures
from fundoscope.train.grading import training as grader
from fundoscope.train.networks import weights
from fundoscope.train.paces import Pace
from fundoscope.train.pack import contents, pack, unpack
from fundoscope.train.run import loop, provenance
from fundoscope.train.run.plan import Stage

SIDE = 48


def described(config):
    return provenance.described(msgspec.to_builtins(config))


@pytest.fixture
def with_test_split(labels):
    """The table with two photographs of a test split; one of them is no photograph at all."""
    lines = labels.read_text().splitlines()
    Image.new("RGB", (8, 8)).save(labels.parent / "secret.png")
    lines += ["secret.png,1,test,a,1", "12.png,3,excluded,b,1"]
    labels.write_text("\n".join(lines) + "\n")
    return labels


@pytest.fixture
def packed(config, with_test_split, tmp_path):
    """A pack of a grader."""
    path = tmp_path / "packs" / "grader.zip"
    pack.write_grader(config, path)
    return path


@pytest.fixture
def lesion_pack(detector_config, tmp_path):
    """A pack of a detector, with masks."""
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("eye00_EX", "eye00_MA", "eye09", "eye99_EX"):
        Image.new("1", (240, 180)).save(masks / f"{name}.png")
    path = tmp_path / "detector.zip"
    pack.write_detector(detector_config, path, masks=masks)
    return path


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_a_pack_holds_train_and_validation_and_never_a_test_photograph(packed, tmp_path, config):
    crops = [name for name in names(packed) if name.endswith(packed_crops.SUFFIX)]
    assert len(crops) == 12
    assert sorted(set(names(packed)) - set(crops)) == [
        "labels.csv", "labels.csv.packed-from", "pack.json",
    ]  # fmt: skip
    table = photographs.read(unpack.grader(config, packed).data.manifest)
    assert {row.split for row in table.rows} == {"train", "val"}
    assert "secret.png" not in {row.other["photograph"] for row in table.rows}
    before = photographs.read(config.data.manifest)
    kept = {row.image: row for row in before.rows if row.split in ("train", "val")}
    for row in table.rows:
        was = kept[row.other["photograph"]]
        assert (row.grade, row.source, row.gradable, row.split) == (
            was.grade, was.source, was.gradable, was.split,
        )  # fmt: skip


def test_training_sees_the_same_crops_up_to_what_webp_loses(packed, config):
    ours = unpack.grader(config, packed)
    there, here = (photographs.read(each.data.manifest) for each in (config, ours))
    assert here.sha256 == there.sha256
    cache = Path(config.data.cache)
    before = pictures.load(
        there, photographs.choose(there, config.data, 1), config.data.wanted, cache
    )
    after = pictures.load(here, photographs.choose(here, ours.data, 1), ours.data.wanted, cache)
    assert [row.grade for row in before.rows] == [row.grade for row in after.rows]
    differences = [
        np.abs(a.astype(int) - b.astype(int)).mean()
        for a, b in zip(before.pixels, after.pixels, strict=True)
    ]
    assert max(differences) < 6


def test_the_same_data_makes_the_same_file(packed, config, tmp_path):
    pack.write_grader(config, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_further_tables_are_packed_too(config, labels, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    rows = ["image,grade", *(f"../{i}.png,{i % 5}" for i in (1, 2, 4))]
    (other / "labels.csv").write_text("\n".join(rows) + "\n")
    both = configs.replaced(config, data={"also": (str(other / "labels.csv"),)})
    packed = pack.write_grader(both, tmp_path / "p.zip")
    assert (packed.train, packed.val) == (11, 4)
    ours = unpack.grader(both, tmp_path / "p.zip")
    assert len(ours.data.also) == 1
    tables = [photographs.read(each.data.manifest) for each in (ours, both)]
    also, before = (
        photographs.read_also(each.data, table)
        for each, table in zip((ours, both), tables, strict=True)
    )
    assert [row.grade for row in also[0].rows] == [1, 2, 4]
    assert also[0].rows[0].source == "labels"
    hashes = [
        photographs.sha256(table, more) for table, more in zip(tables, (also, before), strict=True)
    ]
    assert hashes[0] == hashes[1]


def test_a_sample_is_drawn_from_the_pack_not_packed(config, tmp_path):
    some = configs.replaced(config, data={"sample": 6})
    assert pack.write_grader(some, tmp_path / "p.zip").train == 8


def test_sources_are_unmarked_by_the_training_not_by_the_pack(config, labels, tmp_path):
    labels.write_text(labels.read_text().replace("3.png,3,val,b", "3.png,0,val,b"))
    of_a = configs.replaced(config, data={"unmarked": ("a",)})
    pack.write_grader(of_a, tmp_path / "p.zip")
    ours = unpack.grader(config, tmp_path / "p.zip")
    table = photographs.read(ours.data.manifest)
    assert {row.gradable for row in table.rows} == {True}
    marked = photographs.choose(table, unpack.grader(of_a, tmp_path / "p.zip").data, 1)
    assert {row.source for row in marked if not row.gradable} == {"a"}


def test_the_weights_to_start_from_travel_in_half_precision(config, tmp_path):
    stages = (Stage(32, 1),)
    lite = configs.replaced(
        config, network={"name": "efficientnet_lite0", "init": "imagenet"}, stages=stages
    )
    pack.write_grader(lite, tmp_path / "p.zip")
    ours = unpack.grader(lite, tmp_path / "p.zip")
    assert Path(ours.network.init).name == "efficientnet_lite0.pth"
    assert Path(ours.network.init).stat().st_size < 8e6
    assert described(ours)["network"]["init"] == "imagenet"
    here, there = (grader.network_of(lite, init=each.network.init) for each in (ours, lite))
    stored = there.state_dict()
    for key, value in here.state_dict().items():
        if not key.startswith("classifier.") and value.is_floating_point():
            assert np.allclose(value, stored[key], rtol=1e-3, atol=1e-6)
    other = configs.replaced(lite, network={"name": "efficientnet_lite1"})
    with pytest.raises(UsageError, match="are not those of efficientnet_lite1"):
        unpack.grader(other, tmp_path / "p.zip")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"crop_size": 64}, "are smaller than data.crop_size = 64"),
        ({"only_aspect": 1.0}, "holds square crops"),
        ({"input": SQUASH}, "holds square crops"),
    ],
)
def test_what_a_pack_does_not_hold_is_refused(packed, config, data, message):
    with pytest.raises(UsageError, match=message):
        unpack.grader(configs.replaced(config, data=data), packed)


def test_what_cannot_be_packed_is_refused(config, tmp_path):
    for data in ({"input": SQUASH}, {"only_aspect": 1.0}):
        with pytest.raises(UsageError, match="holds square crops"):
            pack.write_grader(configs.replaced(config, data=data), tmp_path / "p.zip")


def test_a_pack_that_is_too_large_is_not_written(config, detector_config, tmp_path):
    with pytest.raises(UsageError, match=r"a file of 0\.001 MiB: has no room for 0\.0 MiB that"):
        pack.write_grader(config, tmp_path / "p.zip", limit=0.001)
    with pytest.raises(UsageError, match="leave photographs out"):
        pack.write_detector(detector_config, tmp_path / "p.zip", limit=0.001)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture
def in_parts(config, tmp_path):
    """A pack of a grader in three files or more, each of at most 12,000 bytes."""
    path = tmp_path / "parts" / "grader.zip"
    done = pack.write_grader(config, path, quality=95, limit=12000 / 2**20)
    return path, [pack.part(path, number + 1) for number in range(len(done.mebibytes))]


def test_what_does_not_fit_goes_into_further_files(in_parts, config, tmp_path):
    path, files = in_parts
    assert len(files) >= 3
    assert files[1].name == "grader-2.zip"
    assert all(file.stat().st_size <= 12000 for file in files)
    pack.write_grader(config, tmp_path / "whole.zip", quality=95)
    whole, ours = (unpack.grader(config, each) for each in (tmp_path / "whole.zip", path))
    before, after = (
        pictures.load(
            photographs.read(each.data.manifest),
            photographs.read(each.data.manifest).rows,
            each.data.wanted,
            Path(each.data.cache),
        )
        for each in (whole, ours)
    )
    assert before.rows == after.rows
    for one, other in zip(before.pixels, after.pixels, strict=True):
        assert np.array_equal(one, other)


def test_parts_that_are_missing_damaged_or_of_another_pack_are_reported(in_parts, config, tmp_path):
    path, files = in_parts
    content = files[1].read_bytes()
    files[1].unlink()
    with pytest.raises(UsageError, match=r"is part 1 of \d+, and grader-2\.zip is missing"):
        unpack.grader(config, path)
    files[1].write_bytes(content[:100])
    with pytest.raises(UsageError, match=r"grader-2\.zip: is damaged"):
        unpack.grader(config, path)
    pack.write_grader(config, tmp_path / "o" / "grader.zip", quality=90, limit=12000 / 2**20)
    files[1].write_bytes((tmp_path / "o" / "grader-2.zip").read_bytes())
    with pytest.raises(UsageError, match=r"grader-2\.zip: does not belong to grader\.zip"):
        unpack.grader(config, path)
    assert not list(Path(config.data.cache).glob("pack-*"))
    files[1].write_bytes(content)
    assert unpack.grader(config, path)


def test_a_file_that_is_there_is_replaced_when_asked(packed, config):
    with pytest.raises(OutputError, match="exists already"):
        pack.write_grader(config, packed)
    pack.write_grader(config, packed, quality=20, overwrite=True)
    assert unpack.is_pack(packed)


def test_where_nothing_can_be_written(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        pack.write_grader(config, tmp_path / "file" / "p.zip")
    pack.write_grader(config, tmp_path / "p.zip")
    blocked = configs.replaced(config, data={"cache": str(tmp_path / "file")})
    with pytest.raises(OutputError, match="cannot be written"):
        unpack.grader(blocked, tmp_path / "p.zip")


def test_what_is_no_pack(labels, tmp_path, config, packed):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    for path in (labels, tmp_path, tmp_path / "other.zip", tmp_path / "none"):
        assert not unpack.is_pack(path)
    assert unpack.is_pack(packed)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"pack.json": b"{}"}, "is damaged"),
        ({"pack.json": b'{"task": "grader", "version": 3}'}, "is damaged"),
        ({"pack.json": b'{"task": "grader", "version": 3, "x": 1}'}, "is damaged"),
        ({"pack.json": b'{"task": "detector", "version": 3}'}, "is a pack of a detector"),
        (
            {"pack.json": b'{"task": "grader", "network": "x", "version": 2}'},
            "is a pack of a grader, version 2; name a pack of a grader, version 3",
        ),
        (
            {"pack.json": b'{"task": "grader", "network": "x", "version": 9}'},
            "is a pack of a grader, version 9",
        ),
        ({"pack.json": b"{}", "../out.txt": b"!"}, "holds the name"),
        ({"pack.json": b"{}", "/out.txt": b"!"}, "holds the name"),
    ],
)
def test_packs_that_are_wrong_are_refused(entries, message, config, tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(UsageError, match=message):
        unpack.grader(config, path)
    assert not (tmp_path / "out.txt").exists()


def test_a_pack_that_unpacks_to_too_much_is_refused(packed, config, monkeypatch):
    monkeypatch.setattr(unpack.limits, "MAX_PACK_BYTES", 100)
    with pytest.raises(UsageError, match="has more than 100 bytes unpacked"):
        unpack.grader(config, packed)


def test_a_pack_that_is_cut_in_a_file_is_refused(packed, config):
    content = bytearray(packed.read_bytes())
    place = content.index(b"RIFF") + 40
    content[place] ^= 0xFF
    packed.write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        unpack.grader(config, packed)
    assert not list(Path(config.data.cache).glob("pack-*"))


def test_a_crop_has_about_as_many_pixels_as_its_photograph(tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.jpg"
    Image.new("RGB", (32, 24)).save(small)
    Image.new("RGB", (64, 64)).save(large)
    ramp = np.broadcast_to(np.arange(48, dtype=np.uint8)[:, None, None] * 5, (48, 48, 3))
    assert packed_crops.no_larger(ramp, large) is ramp
    less = packed_crops.no_larger(ramp, small)
    assert less.shape == (36, 36, 3)
    path = tmp_path / f"1{packed_crops.SUFFIX}"
    path.write_bytes(packed_crops.encode(less, 95))
    again = packed_crops.read(path, Input(CROP, 48, 48)).astype(int)
    assert again.shape == (48, 48, 3)
    assert np.abs(again - ramp).max() < 8


def test_a_pack_serves_networks_that_start_from_elsewhere(config, tmp_path):
    stages = (Stage(32, 1),)
    lites = [
        configs.replaced(config, network={"name": name, "init": "imagenet"}, stages=stages)
        for name in ("efficientnet_lite0", "efficientnet_lite1")
    ]
    path = tmp_path / "p.zip"
    pack.write_grader(config, path, others=[*lites, lites[0]])
    begun = [unpack.grader(each, path).network.init for each in lites]
    assert [Path(file).name for file in begun] == [f"{each.network.name}.pth" for each in lites]
    for ours, lite in zip(begun, lites, strict=True):
        here, there = (grader.network_of(lite, init=init) for init in (ours, "imagenet"))
        assert torch.allclose(here.conv_stem.weight, there.conv_stem.weight, atol=1e-3)
    assert sum(name.endswith(".pth") for name in names(path)) == 2


def test_crops_are_made_smaller_and_enlarged(tmp_path):
    random = np.random.default_rng(1)
    pixels = np.repeat(np.repeat(random.integers(0, 256, (6, 6, 3), np.uint8), 8, 0), 8, 1)
    path = tmp_path / f"1{packed_crops.SUFFIX}"
    path.write_bytes(packed_crops.encode(pixels, 90))
    assert packed_crops.is_crop(path)
    assert not packed_crops.is_crop(tmp_path / "1.webp")
    small = packed_crops.read(path, Input(CROP, 24, 24))
    assert small.shape == (24, 24, 3)
    assert packed_crops.read(path, Input(CROP, 64, 64)).shape == (64, 64, 3)
    assert "a squash of 48x48 is wanted" in packed_crops.read(path, Input(SQUASH, 48, 48))
    path.write_bytes(b"RIFF")
    assert packed_crops.read(path, Input(CROP, 24, 24)).startswith("is damaged")


def test_a_detector_sees_the_very_same_photographs(lesion_pack, detector_config, tmp_path):
    ours = unpack.detector(detector_config, lesion_pack)
    here, there = detector.read_data(ours), detector.read_data(detector_config)
    assert (here.sha256, here.kinds, here.anchors) == (there.sha256, there.kinds, there.anchors)
    for side in ("train", "val"):
        for a, b in zip(getattr(here, side), getattr(there, side), strict=True):
            assert a.name == b.name
            assert np.array_equal(a.pixels, b.pixels)
            assert np.array_equal(a.boxes, b.boxes)
    masks = [name for name in names(lesion_pack) if name.startswith("masks/")]
    assert masks == ["masks/eye00_EX.png", "masks/eye00_MA.png", "masks/eye09.png"]


def test_a_detector_goes_on_from_a_run_in_its_pack(detector_config, tmp_path):
    lite = detector_configs.replaced(detector_config, epochs=1)
    detector.train(lite, tmp_path / "run")
    further = detector_configs.replaced(lite, start=str(tmp_path / "run" / loop.BEST))
    pack.write_detector(further, tmp_path / "p.zip")
    ours = unpack.detector(further, tmp_path / "p.zip")
    assert ours.start.endswith(contents.EARLIER_BEST)
    assert ours.backbone.init == weights.NONE
    stored, halved = (loop.read_checkpoint(Path(each.start))["network"] for each in (further, ours))
    assert stored.keys() == halved.keys()
    detector.train(ours, tmp_path / "second")
    # The bundle says of the run before what it would say without the pack.
    said = described(ours)["start"]
    assert said == described(further)["start"]
    assert said["epochs"] == 1
    assert provenance.minutes_in_all(tmp_path / "second", msgspec.to_builtins(ours)) is not None
    anew = unpack.detector(lite, tmp_path / "p.zip")
    assert (anew.start, anew.backbone.init) == ("", lite.backbone.init)


def test_a_grader_goes_on_from_a_run_in_its_pack(config, tmp_path):
    grader.train(configs.replaced(config, stages=(Stage(32, 1),)), tmp_path / "run")
    further = configs.replaced(config, network={"init": str(tmp_path / "run" / loop.BEST)})
    pack.write_grader(further, tmp_path / "p.zip")
    ours = unpack.grader(further, tmp_path / "p.zip")
    here, there = (grader.network_of(each, init=each.network.init) for each in (ours, further))
    stored = there.state_dict()
    for key, value in here.state_dict().items():  # its last layer, too
        assert np.allclose(value, stored[key], rtol=1e-3, atol=1e-4), key
    assert described(ours)["network"] == described(further)["network"]


def test_weights_of_a_file_travel_whole(config, tmp_path):
    network = grader.network_of(config, init=weights.NONE)
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    chosen = configs.replaced(config, network={"init": str(tmp_path / "mine.pth")})
    pack.write_grader(chosen, tmp_path / "p.zip")
    ours = unpack.grader(chosen, tmp_path / "p.zip")
    result = grader.network_of(ours, init=ours.network.init).state_dict()
    for key, value in network.state_dict().items():
        assert np.allclose(value, result[key], rtol=1e-3, atol=1e-4), key
    assert described(ours)["network"]["init"] == "mine.pth"
    # Another start than the one that was packed is not replaced by it.
    other = configs.replaced(chosen, network={"init": "imagenet"})
    assert unpack.grader(other, tmp_path / "p.zip").network.init == "imagenet"


def test_only_the_further_tables_that_are_asked_for_are_trained_on(config, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text("image,grade\n1.png,1\n")
    both = configs.replaced(config, data={"also": (str(more),)})
    pack.write_grader(both, tmp_path / "p.zip")
    assert unpack.grader(config, tmp_path / "p.zip").data.also == ()
    assert len(unpack.grader(both, tmp_path / "p.zip").data.also) == 1
    other = configs.replaced(config, data={"also": ("elsewhere/other.csv",)})
    with pytest.raises(UsageError, match=r"lacks the table other of data\.also; pack again"):
        unpack.grader(other, tmp_path / "p.zip")
    (tmp_path / "twin").mkdir()
    twin = tmp_path / "twin" / "more.csv"
    twin.write_text("image,grade\n../1.png,1\n")
    two = configs.replaced(config, data={"also": (str(more), str(twin))})
    with pytest.raises(UsageError, match="names two tables of one name"):
        pack.write_grader(two, tmp_path / "q.zip")


def test_what_cannot_be_gone_on_from_and_masks_that_are_not_there(
    config, detector_config, tmp_path
):
    nothing = configs.replaced(config, network={"init": str(tmp_path / loop.BEST)})
    with pytest.raises(UsageError, match="is not a best network of a run"):
        pack.write_grader(nothing, tmp_path / "p.zip")
    with pytest.raises(UsageError, match=r"--masks .*: is not a folder"):
        pack.write_detector(detector_config, tmp_path / "p.zip", masks=tmp_path / "none")


def test_a_detectors_further_sets_are_refused(detector_config, tmp_path):
    healthy = detector_configs.Healthy(tables=("all.csv",), share=0.3)
    partial = detector_configs.Partial("voc", ("laser_scar",), 0.1)
    for changes in ({"healthy": healthy}, {"partial": (partial,)}):
        config = msgspec.structs.replace(detector_config, **changes)
        with pytest.raises(UsageError, match="photographs of \\[data\\] only"):
            pack.write_detector(config, tmp_path / "p.zip")
        assert not (tmp_path / "p.zip").exists()


def test_a_detector_of_vgg16_brings_no_weights(detector_config, tmp_path):
    vgg = detector_configs.replaced(detector_config, backbone={"name": "vgg16", "init": "hub"})
    with pytest.raises(UsageError, match="cannot be packed with its weights"):
        pack.write_detector(vgg, tmp_path / "p.zip")


def test_the_commands(config, save_config, tmp_path, capsys, monkeypatch):
    toml, out = save_config(config), tmp_path / "grader.zip"
    assert main.run(["train", "pack", "grader", str(toml), "--out", str(out)]) == 0
    assert f"{out}: 8 photographs to train on, 4 to validate on, 0.0 MiB" in capsys.readouterr().out
    monkeypatch.setattr(paces, "of_grader", lambda *_: (Pace(1.0, 1.0),) * 2)
    monkeypatch.setattr(Budget, "left", lambda _: 6.0)
    run = tmp_path / "run"
    command = ["train", "grader", str(toml), "--data", str(out), "--out", str(run)]
    command += ["--threads", "1", "--minutes"]
    assert main.run([*command, "5"]) == 0
    reported = capsys.readouterr().out
    assert "seconds per step and at the end of an epoch, for each stage: 1.000 + 1.0" in reported
    assert "5 minutes allow epochs: 1 at 32 px, 1 at 48 px" in reported
    assert (run / loop.BEST).is_file()
    assert main.run([*command, "0.1"]) == 0
    reported = capsys.readouterr().out
    assert "the run in the folder has epochs: 1 at 32 px, 1 at 48 px" in reported


def test_the_command_of_a_detector(detector_config, tmp_path, capsys, monkeypatch):
    settings = msgspec.to_builtins(
        detector_configs.replaced(detector_config, draw=Draw(tiles=2), epochs=1)
    )
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [
        f"{k} = {msgspec.json.encode(v).decode()}" for k, v in settings.items() if k not in tables
    ]
    for name, table in tables.items():
        lines += [
            f"[{name}]",
            *(f"{k} = {msgspec.json.encode(v).decode()}" for k, v in table.items()),
        ]
    toml, out = tmp_path / "d.toml", tmp_path / "d.zip"
    toml.write_text("\n".join(lines) + "\n")
    assert main.run(["train", "pack", "detector", str(toml), "--out", str(out)]) == 0
    assert "8 photographs to train on, 3 to validate on" in capsys.readouterr().out
    monkeypatch.setattr(paces, "of_detector", lambda *_: Pace(1.0, 1.0))
    monkeypatch.setattr(Budget, "left", lambda _: 2.5)
    run = tmp_path / "run"
    command = ["train", "detector", str(toml), "--data", str(out), "--out", str(run)]
    assert main.run([*command, "--threads", "1", "--minutes", "5"]) == 0
    assert "5 minutes allow epochs: 1 of 2 tiles" in capsys.readouterr().out
    assert (run / loop.BEST).is_file()
