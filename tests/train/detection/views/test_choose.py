"""Which photographs a detector is trained on: names, splits, eyes, faults and classes."""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
import shutil

import msgspec
import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.coco.write import write_coco
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.errors import FundoscopeError, TableError, UsageError
from fundoscope.train.detection.config import LesionData
from fundoscope.train.detection.views import choose as choosing
from fundoscope.train.detection.views import hold_out

SOME = {"haemorrhage": 2, "hard_exudate": 3}


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setattr(hold_out, "TRIES", 100)


@pytest.fixture
def eyes(save_lesions):
    """Seven photographs without a split."""
    return save_lesions({f"e{i}": dict(SOME) for i in range(7)})


@pytest.fixture
def choose(eyes, tmp_path):
    def choose(root=eyes, **settings):
        lists = {
            key: str(write(tmp_path / f"{key}.txt", settings.pop(key)))
            for key in ("train", "val")
            if key in settings
        }
        data = LesionData(str(root), cache=str(tmp_path / "cache"), **lists, **settings)
        return choosing.choose(data, 1)

    return choose


def write(path, names):
    path.write_text("\n".join(names) + "\n")
    return path


def sides(chosen):
    return tuple([photo.image[:-4] for photo in side] for side in (chosen.train, chosen.val))


def test_lists_of_names_the_validation_is_taken_out_of_the_training(choose):
    chosen = choose(train=["e3", "e1", "e0.png", "e2"], val=["e2"])
    assert sides(chosen) == (["e3", "e1", "e0"], ["e2"])
    assert chosen.kinds == ("haemorrhage", "hard_exudate")
    assert chosen.images.name == voc_layout.PHOTOS
    assert (chosen.unseen, chosen.held_out) == ((), False)


def test_where_nothing_names_them_a_sixth_is_held_out(choose):
    chosen = choose()
    train, val = sides(chosen)
    assert (len(train), len(val), chosen.held_out) == (6, 1, True)
    assert sides(choose()) == (train, val)
    assert len(choose(validation=3).val) == 3
    assert {*sides(choose(train=["e0", "e1", "e2"], validation=1))[0]} < {"e0", "e1", "e2"}


def test_the_annotations_own_splits(choose, eyes):
    folder = eyes / voc_layout.SETS
    folder.mkdir(parents=True)
    write(folder / "train.txt", ["e0", "e1"])
    write(folder / "val.txt", ["e2"])
    write(folder / "test.txt", ["e6"])
    assert sides(choose()) == (["e0", "e1"], ["e2"])
    assert len(choose(validation=1).train) == 1
    assert sides(choose(val=["e1", "e5"])) == (["e0"], ["e1", "e5"])
    write(folder / "val.txt", ["e2", "e1"])
    with pytest.raises(TableError, match=r"in training and in validation: e1\.png"):
        choose()
    (folder / "train.txt").unlink()
    assert sides(choose())[0] == ["e0", "e3", "e4", "e5"]  # never the test's
    write(folder / "trainval.txt", ["e0", "e2"])
    assert sides(choose()) == (["e0"], ["e1", "e2"]) or sides(choose()) == (["e0"], ["e2", "e1"])


def test_a_manifest_with_splits_and_patients(choose, tmp_path):
    manifest = tmp_path / "photos.csv"
    write(manifest, ["image,split,patient", "e0.png,train,p", "e1,train,q", "e2,val,r",
                     "e3,excluded,r", "gone,test,", "e4,test,"])  # fmt: skip
    assert sides(choose(manifest=str(manifest))) == (["e0", "e1"], ["e2"])
    write(manifest, ["image,split,patient", "e0.png,train,p", "e1,train,q", "e2,val,p"])
    with pytest.raises(UsageError, match=r"show the same eye: e0\.png and e2\.png"):
        choose(manifest=str(manifest))
    write(manifest, ["Image,Split,Patient", "e0.png,train,p", "e1,train,q", "e2,val,p"])
    with pytest.raises(UsageError, match=r"show the same eye: e0\.png and e2\.png"):
        choose(manifest=str(manifest))
    write(manifest, ["image,split,patient_id", "e0.png,train,p", "e1,train,q", "e2,val,p"])
    with pytest.raises(TableError, match="column 'patient_id': is not used"):
        choose(manifest=str(manifest))
    write(manifest, ["image,split", "e0.png,train", "e9,train", "e2,val"])
    with pytest.raises(TableError, match=r"not annotated in .*: e9"):
        choose(manifest=str(manifest))
    assert sides(choose(manifest=str(manifest), left_out=("e9",))) == (["e0"], ["e2"])


def test_eyes_of_a_manifest_stay_together_when_held_out(choose, tmp_path):
    manifest = tmp_path / "groups.csv"
    write(manifest, ["image,group", "e0,a", "e1,a", "e2,b", "e3,b", "e4,c", "e5,c", "unknown,c"])
    for wanted in (2, 3):
        val = sides(choose(manifest=str(manifest), validation=wanted))[1]
        pairs = [{"e0", "e1"}, {"e2", "e3"}, {"e4", "e5"}]
        assert all(len(pair & set(val)) != 1 for pair in pairs)


def test_one_photograph_under_two_names_is_on_one_side(choose, eyes):
    copy = eyes / voc_layout.PHOTOS / "copy.png"
    pixels = np.asarray(Image.open(eyes / voc_layout.PHOTOS / "e0.png"))
    Image.fromarray(pixels).resize((480, 360)).resize((240, 180)).save(copy)
    text = (eyes / "Annotations" / "e0.xml").read_text().replace("e0.png", "copy.png")
    (eyes / "Annotations" / "copy.xml").write_text(text)
    with pytest.raises(UsageError, match=r"show the same eye: e0\.png and copy\.png"):
        choose(train=["e0", "e1"], val=["copy", "e2"])
    assert sides(choose(train=["e0", "e1"], val=["copy", "e2"], left_out=("copy",)))[1] == ["e2"]
    val = sides(choose(validation=4))[1]
    assert ("e0" in val) == ("copy" in val)


def spoil(root, name, old, new):
    path = root / "Annotations" / f"{name}.xml"
    path.write_text(path.read_text().replace(old, new, 1))


def test_faults_are_refused_by_name_unless_left_out(choose, eyes):
    spoil(eyes, "e1", "<width>240", "<width>250")
    spoil(eyes, "e4", "<xmax>", "<xmax>9")
    (eyes / voc_layout.PHOTOS / "e5.png").unlink()
    with pytest.raises(UsageError) as caught:
        choose()
    message = str(caught.value)
    assert "has faults on 3 photographs: e1.png (its annotations say 250 x 180" in message
    assert "e4.png (object 1: the box" in message
    assert "e5" in message
    assert "--leave-out FILE" in message
    chosen = choose(left_out=("e1", "e4.png", "e5"))
    assert {*functools.reduce(operator.iadd, sides(chosen), [])} == {"e0", "e2", "e3", "e6"}
    assert sides(choose(train=["e0", "e2"], val=["e3"])) == (["e0", "e2"], ["e3"])


def test_unknown_classes_are_refused_with_a_hint_unless_others_are_asked_for(choose, eyes):
    spoil(eyes, "e2", "<name>haemorrhage", "<name>haemorage_big")
    with pytest.raises(UsageError, match=r"e2\.png: 'haemorage_big' is an unknown class .*nearest"):
        choose()
    assert choose(kinds=("hard_exudate",)).kinds == ("hard_exudate",)
    with pytest.raises(UsageError, match="has no box of irma on its training photographs"):
        choose(kinds=("hard_exudate", "irma"))


def test_the_class_list_comes_from_the_training_photographs(choose, save_lesions):
    photos = {"a": {"neovascularisation": 2, "optic_disc": 1}, "b": {}, "c": {"optic_disc": 1},
              "d": {"neovascularisation": 1, "haemorrhage": 1}}  # fmt: skip
    root = save_lesions(photos, folder="others")
    chosen = choose(root, train=["a", "b"], val=["d"])
    assert chosen.kinds == ("neovascularisation", "optic_disc")
    assert chosen.unseen == ("optic_disc",)
    with pytest.raises(UsageError, match="no box of neovascularisation on its validation"):
        choose(root, train=["a", "b"], val=["c"])
    with pytest.raises(UsageError, match="has no box of anything on its training"):
        choose(root, train=["b"], val=["a"])


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"train": ["e0", "nobody"], "val": ["e1"]}, TableError, "train.txt: has names .*: nobody"),
        ({"train": ["e0"], "val": ["e0"]}, UsageError, "has no training photograph"),
        ({"train": ["e0"], "val": ["e1"], "left_out": ("e00",)}, TableError, "left_out: .*: e00"),
        ({"validation": 7}, UsageError, "validation = 7: cannot be held out of 7"),
        ({"images": "nowhere"}, TableError, "nowhere: is not a folder"),
    ],
)
def test_invalid_settings_are_rejected(choose, settings, error, why):
    with pytest.raises(error, match=why):
        choose(**settings)


def test_a_listed_photograph_without_annotations_may_be_left_out(choose):
    assert sides(choose(train=["e0", "bare"], val=["e1"], left_out=("bare",)))[0] == ["e0"]


def test_other_formats(choose, eyes, tmp_path):
    file = tmp_path / "boxes.json"
    write_coco(formats.read(eyes), file)
    chosen = choose(file, images=str(eyes / voc_layout.PHOTOS), train=["e0"], val=["e1"])
    assert sides(chosen) == (["e0"], ["e1"])
    for photo in (eyes / voc_layout.PHOTOS).iterdir():
        shutil.copy(photo, tmp_path)
    assert choose(file, train=["e0"], val=["e1"]).images == tmp_path
    assert choose(eyes / "Annotations", train=["e0"], val=["e1"]).images == eyes / voc_layout.PHOTOS


def test_photographs_that_a_file_names_by_another_path(choose, eyes, tmp_path):
    file = tmp_path / "boxes.json"
    write_coco(formats.read(eyes), file)
    file.write_text(file.read_text().replace('"e', '"/elsewhere/photos/e'))
    chosen = choose(file, images=str(eyes / voc_layout.PHOTOS), train=["e0"], val=["e1"])
    assert chosen.train[0].image == "e0.png"


def test_what_the_reader_had_to_decide_is_passed_on(choose, eyes):
    assert choose().warnings == ()
    (eyes / voc_layout.PHOTOS / "bare.png").write_bytes(
        (eyes / voc_layout.PHOTOS / "e0.png").read_bytes()
    )
    assert "have no annotation file" in choose().warnings[0]


def test_errors_are_one_line(choose, eyes):
    spoil(eyes, "e1", "<annotation", "<annot")
    with pytest.raises(FundoscopeError) as caught:
        choose()
    assert "\n" not in str(caught.value)
    assert msgspec.structs.asdict(LesionData("x"))["validation"] == 0


def test_boxes_that_nobody_confirmed_are_named_and_refused(choose, eyes, tmp_path):
    annotated = formats.read(eyes)
    photos = tuple(_proposed(photo) for photo in annotated.photos)
    boxes = sum(len(photo.annotations) for photo in photos)
    made = tmp_path / "made.json"
    write_coco(dataclasses.replace(annotated, photos=photos), made)
    said = rf"{boxes} of {boxes} boxes were made by a detector .*\(detector-x: {boxes}\)"
    images = str(choosing.photographs(LesionData(str(eyes))))
    with pytest.raises(UsageError, match=said):
        choose(made, images=images)
    chosen = choose(made, images=images, machine_boxes=True)
    assert any(re.search(said, warning) for warning in chosen.warnings)


def _proposed(photo):
    return dataclasses.replace(
        photo,
        annotations=tuple(
            dataclasses.replace(item, score=0.5, author="detector-x") for item in photo.annotations
        ),
    )
