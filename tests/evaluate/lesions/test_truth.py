from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.coco.write import write_coco
from fundoscope.errors import TableError, UsageError
from fundoscope.evaluate.lesions import truth

EYES = {
    "a": [
        ("microaneurysm", (10, 10, 20, 20)),
        ("optic_disc", (50, 20, 90, 60)),
        ("optic_disc", (50, 20, 55, 25)),
    ],
    "b": [("hard_exudate", (30, 30, 44, 40))],
    "c": [],
}


@pytest.fixture
def gather(eyes):
    def call(lesions=EYES, absent=(), splits=None, **options):
        root = eyes(lesions, absent, splits)
        names = options.pop("names", None)
        if names is not None:
            (root / names[0]).write_text(names[1])
            options["names"] = root / names[0]
        return truth.gather(root / "JPEGImages", options.pop("annotations", root), **options)

    return call


def test_every_photograph_that_somebody_looked_at(gather):
    result = gather()
    assert [each.image for each in result.photographs] == ["a.png", "b.png", "c.png"]
    assert result.kinds == ("microaneurysm", "hard_exudate", "optic_disc")
    assert result.photographs[0].of_kind("microaneurysm").tolist() == [[10, 10, 20, 20]]
    assert result.photographs[2].of_kind("microaneurysm").shape == (0, 4)
    assert result.photographs[0].masks is None
    assert not result.test


def test_the_disc_is_the_largest_box_else_that_of_the_table(gather, tmp_path):
    (tmp_path / "discs.csv").write_text("image,od_x,od_y\na,1,1\nb,2144,1424\n")
    one, two, three = gather(table=tmp_path / "discs.csv").photographs
    assert (one.disc.x, one.disc.y, one.disc.half_diameter) == (70, 40, 20)
    assert two.disc.on(120).x == 60
    assert three.disc is None


def test_names_choose_and_order(gather):
    result = gather(names=("some.txt", "# two of them\nb\n\n a.png \n"))
    assert [each.image for each in result.photographs] == ["b.png", "a.png"]
    # What is annotated elsewhere in the set can be measured here: as nothing that is there.
    assert result.kinds == ("microaneurysm", "hard_exudate", "optic_disc")


@pytest.mark.parametrize(
    ("text", "said"), [("a\nx\ny\n", "not in the set: x, y"), ("# none\n", "names no photograph")]
)
def test_names_of_nothing(gather, text, said):
    with pytest.raises(UsageError, match=said):
        gather(names=("some.txt", text))


def test_a_name_that_two_photographs_have_is_refused(gather, tmp_path):
    gather()
    for folder in ("old", "new"):
        (tmp_path / "JPEGImages" / folder).mkdir()
        picture = tmp_path / "JPEGImages" / folder / "a.png"
        picture.write_bytes((tmp_path / "JPEGImages" / "a.png").read_bytes())
    (tmp_path / "discs.csv").write_text("image,od_x,od_y\na,1072,712\n")

    def images(text):
        (tmp_path / "some.txt").write_text(text)
        paths = {"names": tmp_path / "some.txt", "table": tmp_path / "discs.csv"}
        return [
            each.image for each in truth.gather(tmp_path / "JPEGImages", None, **paths).photographs
        ]

    with pytest.raises(UsageError, match=r"in the set several times: a; "):
        images("a\n")
    assert images("old/a\nnew/a.png\n") == ["old/a.png", "new/a.png"]
    assert images("a.png\n") == ["a.png"]


def test_many_unknown_names_are_not_all_named(gather):
    with pytest.raises(UsageError, match="n4 and 3 more"):
        gather(names=("some.txt", "\n".join(f"n{i}" for i in range(8))))


def test_names_that_are_no_text(gather, tmp_path):
    gather()
    with pytest.raises(UsageError, match="cannot be read"):
        truth.gather(tmp_path / "JPEGImages", tmp_path, names=tmp_path / "none.txt")


def test_a_test_split_is_known_by_the_names_or_the_annotations(gather):
    assert gather(names=("test.txt", "a\n")).test


def test_a_test_split_of_the_annotations(gather):
    assert gather(splits={"test": ("c.png",), "train": ("a.png", "b.png")}).test


def test_masks_are_those_of_the_photograph(gather, tmp_path):
    result = gather(masks=tmp_path / "masks")
    assert set(result.photographs[0].masks) == {"microaneurysm", "optic_disc"}
    assert result.photographs[2].masks is None
    assert any("c.png" in note for note in result.notes)


def test_a_photograph_of_another_size_than_annotated_is_refused_at_once(gather, tmp_path):
    gather()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "JPEGImages" / "b.png")
    with pytest.raises(TableError, match=r"60 x 40 .* 120 x 80"):
        truth.gather(tmp_path / "JPEGImages", tmp_path)


def test_a_mask_that_cannot_be_read_is_refused_at_once(gather, tmp_path):
    gather()
    (tmp_path / "masks" / "a_microaneurysm.png").write_bytes(b"nothing")
    with pytest.raises(TableError, match="not an image"):
        truth.gather(tmp_path / "JPEGImages", tmp_path, masks=tmp_path / "masks")


def test_one_missing_photograph_is_no_fault_all_missing_are(gather):
    assert len(gather(absent=("a",)).photographs) == 3


def test_all_photographs_missing(gather):
    with pytest.raises(UsageError, match="none of the photographs"):
        gather(absent=tuple("abc"))


def test_nothing_to_compare_with(tmp_path):
    with pytest.raises(UsageError, match="no annotations to compare with"):
        truth.gather(tmp_path, None)
    with pytest.raises(UsageError, match="no annotations to compare with"):
        truth.gather(tmp_path, None, masks=tmp_path, table=tmp_path)


def test_centres_alone(gather, tmp_path):
    gather()
    (tmp_path / "discs.csv").write_text("image,od_x,od_y\na,1072,712\nother,1,1\n")
    result = truth.gather(tmp_path / "JPEGImages", None, table=tmp_path / "discs.csv")
    assert [each.image for each in result.photographs] == ["a.png"]
    assert result.kinds == ()
    assert result.notes == ("2 photographs are left out: the table does not give their optic disc",)


def test_centres_of_none_of_the_photographs(gather, tmp_path):
    gather()
    (tmp_path / "discs.csv").write_text("image,od_x,od_y\nother,1,1\n")
    with pytest.raises(UsageError, match="no photograph"):
        truth.gather(tmp_path / "JPEGImages", None, table=tmp_path / "discs.csv")


def annotated(tmp_path, *photos):
    """Writes photographs and a COCO file of their annotations; gives both."""
    images = tmp_path / "photographs"
    images.mkdir()
    described = []
    for name, items in photos:
        Image.new("RGB", (120, 80)).save(images / name)
        described.append(AnnotatedPhoto(image=name, width=120, height=80, annotations=tuple(items)))
    kinds = tuple(dict.fromkeys(item.kind for _, items in photos for item in items))
    write_coco(AnnotationSet(photos=tuple(described), kinds=kinds), tmp_path / "a.json")
    return images, tmp_path / "a.json"


def test_boxes_that_only_a_detector_saw_are_no_truth(tmp_path):
    seen = Annotation(kind="microaneurysm", box=(1, 1, 9, 9), score=0.9, author="detector-x")
    drawn = Annotation(kind="microaneurysm", box=(20, 20, 30, 30))
    paths = annotated(tmp_path, ("a.png", [seen, drawn]), ("b.png", [drawn]))
    with pytest.raises(UsageError) as caught:
        truth.gather(*paths)
    assert "1 of 3 boxes were made by a detector and confirmed by nobody" in str(caught.value)
    assert "add --machine-boxes" in str(caught.value)
    checked = truth.gather(*paths, machine_boxes=True)
    assert any("confirmed by nobody" in note for note in checked.notes)
    (tmp_path / "some.txt").write_text("b\n")
    assert truth.gather(*paths, names=tmp_path / "some.txt").notes == ()


def test_a_point_is_the_centre_of_a_disc_and_no_box(tmp_path):
    point = {"point": "centre"}
    disc = Annotation(kind="optic_disc", box=(30, 40, 31, 41), attributes=point)
    fovea = Annotation(kind="fovea", box=(70, 40, 71, 41), attributes=point)
    lesion = Annotation(kind="microaneurysm", box=(1, 1, 9, 9))
    (tmp_path / "alone").mkdir()
    alone = truth.gather(*annotated(tmp_path / "alone", ("a.png", [disc, fovea])))
    assert alone.kinds == ()
    assert alone.photographs[0].boxes == {}
    found = alone.photographs[0].disc
    assert (found.x, found.y, found.width) == (30.5, 40.5, 120)
    assert found.half_diameter == pytest.approx(260 * 120 / 4288)
    # Nobody looked for lesions on the first: a true one there must not count as false.
    mixed = truth.gather(
        *annotated(tmp_path, ("a.png", [disc, fovea]), ("b.png", [lesion]), ("c.png", []))
    )
    assert [each.image for each in mixed.photographs] == ["b.png", "c.png"]
    assert mixed.kinds == ("microaneurysm",)
    assert mixed.notes[0].startswith("1 photographs are left out: only points are marked")


def test_centres_of_another_split_are_not_taken(gather, tmp_path):
    gather()
    (tmp_path / "discs.csv").write_text("split,image,od_x,od_y\ntrain,b,1,1\ntest,b,9,9\n")
    for of_what in (None, tmp_path):
        with pytest.raises(TableError, match="has b in several splits"):
            truth.gather(tmp_path / "JPEGImages", of_what, table=tmp_path / "discs.csv")
    # The disc of a is drawn: its name in the table does not matter.
    (tmp_path / "discs.csv").write_text("split,image,od_x,od_y\ntrain,a,1,1\ntest,a,9,9\n")
    truth.gather(tmp_path / "JPEGImages", tmp_path, table=tmp_path / "discs.csv")


def test_a_box_changes_the_digest(eyes):
    root = eyes({"a": [("microaneurysm", (10, 10, 20, 20))]})
    one = truth.gather(root / "JPEGImages", root).sha256
    assert truth.gather(root / "JPEGImages", root).sha256 == one
    xml = root / "Annotations" / "a.xml"
    xml.write_text(xml.read_text().replace("<xmax>20<", "<xmax>21<"))
    assert truth.gather(root / "JPEGImages", root).sha256 != one
