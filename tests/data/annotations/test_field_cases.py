"""Files as other tools write them, reported from the field, with what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.machine import is_machine_made, machine_boxes
from fundoscope.data.annotations.masks.pixels import read_mask
from fundoscope.errors import OutputError, TableError

WIDTH, HEIGHT = 128, 96
SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"


def voc(folder: Path, *objects: str) -> Path:
    folder.mkdir(exist_ok=True)
    text = f"<annotation><filename>a.jpg</filename>{SIZE}{''.join(objects)}</annotation>"
    (folder / "a.xml").write_text(text)
    return folder


def voc_box(name: str, inside: str = "") -> str:
    corners = "<xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>40</ymax>"
    return f"<object><name>{name}</name>{inside}<bndbox>{corners}</bndbox></object>"


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 40, 10)).save(path)


def only(annotations: AnnotationSet) -> tuple[Annotation, ...]:
    (photo,) = annotations.photos
    return photo.annotations


@pytest.mark.parametrize(
    ("word", "difficult", "told"),
    [
        ("1", True, False),
        ("true", True, False),
        ("Yes", True, False),
        ("0", False, False),
        ("False", False, False),
        ("0.0", False, False),
        ("Unspecified", False, True),
        ("2", False, True),
    ],
)
def test_words_of_difficult(tmp_path: Path, word: str, difficult: bool, told: bool) -> None:
    read = formats.read(voc(tmp_path / "v", voc_box("MA", f"<difficult>{word}</difficult>")))
    assert only(read)[0].difficult is difficult
    assert any(word in warning for warning in read.warnings) is told


def test_a_turned_box_of_rolabelimg_is_an_outline(tmp_path: Path) -> None:
    turned = (
        "<object><type>robndbox</type><name>EX</name><robndbox><cx>60</cx><cy>40</cy><w>20</w>"
        f"<h>10</h><angle>{np.pi / 2}</angle></robndbox></object>"
    )
    exudate, microaneurysm = only(formats.read(voc(tmp_path / "v", turned, voc_box("MA"))))
    assert exudate.box == pytest.approx((55, 30, 65, 50))
    assert len(exudate.outlines[0]) == 4
    assert microaneurysm.box == (10, 20, 30, 40)


def test_a_turn_in_the_attributes_turns_the_box(tmp_path: Path) -> None:
    turn = (
        "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>"
    )
    (item,) = only(formats.read(voc(tmp_path / "v", voc_box("EX", turn))))
    assert item.box == pytest.approx((10, 20, 30, 40))
    assert len(item.outlines) == 1
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "EX"}],
        "annotations": [
            {
                "image_id": 1,
                "category_id": 1,
                "bbox": [10, 20, 40, 20],
                "segmentation": [],
                "attributes": {"rotation": 90.0},
            }
        ],
    }
    (item,) = only(formats.read(stored(tmp_path / "a.json", document)))
    assert item.box == pytest.approx((20, 10, 40, 50))


def stored(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("with_xml", [True, False])
@pytest.mark.parametrize("with_instances", [True, False])
def test_masks_of_voc(tmp_path: Path, with_xml: bool, with_instances: bool) -> None:
    root = tmp_path / "v"
    if with_xml:
        root.mkdir()
        voc(root / "Annotations", voc_box("MA"))
    classes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    classes[50:60, 10:20] = classes[50:60, 20:24] = (51, 221, 255)
    classes[20:40, 10:30] = (250, 50, 83)
    classes[0:2, 0:2] = (1, 2, 3)
    instances = classes.copy()
    instances[50:60, 20:24] = (9, 9, 9)
    pictures = {"SegmentationClass": classes}
    if with_instances:
        pictures["SegmentationObject"] = instances
    for name, pixels in pictures.items():
        (root / name).mkdir(parents=True)
        Image.fromarray(pixels).save(root / name / "a.png")
    (root / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nMA:250,50,83::\nEX:51,221,255::\n"
    )
    read = formats.read(root)
    boxes = sorted((item.kind, item.box) for item in only(read))
    exudates = [(10, 50, 20, 60), (20, 50, 24, 60)] if with_instances else [(10, 50, 24, 60)]
    assert boxes == [
        *(("hard_exudate", box) for box in exudates),
        ("microaneurysm", (10, 20, 30, 40)),
    ]
    assert any("does not list" in warning for warning in read.warnings)


def test_masks_of_voc_without_their_colours_are_told(tmp_path: Path) -> None:
    root = voc(tmp_path / "v", voc_box("MA"))
    (root / "SegmentationClass").mkdir()
    Image.new("L", (WIDTH, HEIGHT)).save(root / "SegmentationClass" / "a.png")
    read = formats.read(root, form="voc")
    assert len(only(read)) == 1
    assert any("labelmap.txt" in warning for warning in read.warnings)


def work(number: int, author: int, x: float = 10, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": 10, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["MA"]}
    region = {
        "id": f"r{number}{x}",
        "type": "rectanglelabels",
        "original_width": 100,
        "original_height": 100,
        "value": value,
    }
    return {"id": number, "completed_by": author, "result": [region], **more}


def task(*works: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "data": {"image": "/data/upload/1/0f6142fb-a.jpg"}, "annotations": [*works]}


def test_a_task_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    twice = [task(work(10, 3), work(11, 3, 50)), task(work(10, 3), work(11, 3, 50))]
    read = formats.read(stored(tmp_path / "a.json", twice))
    assert sorted(item.box[0] for item in only(read)) == [10, 50]
    assert any(warning.startswith("2 annotations occur more") for warning in read.warnings)


def test_the_latest_state_of_an_annotation_counts(tmp_path: Path) -> None:
    new, old = (work(10, 3, x, updated_at=f"2026-01-0{x}T00:00:00Z") for x in (7, 5))
    read = formats.read(stored(tmp_path / "a.json", [task(new), task(old)]))
    assert [item.box[0] for item in only(read)] == [7]


def test_a_storage_of_label_studio_is_recognised(tmp_path: Path) -> None:
    for number in (10, 11):
        works = [work(each, each, each) for each in range(10, number + 1)]
        stored(tmp_path / f"{number}.json", task(*works))
    assert formats.detect(tmp_path) == "labelstudio"
    read = formats.read(tmp_path)
    assert [item.box[0] for item in only(read)] == [10, 11]
    assert any("annotations of 2 people" in warning for warning in read.warnings)


@pytest.mark.parametrize("form", ["coco", "voc", "cvat"])
def test_two_annotators_are_told(tmp_path: Path, form: str) -> None:
    items = tuple(
        Annotation(kind="haemorrhage", box=(1.0, 1.0, 9.0, 9.0), author=author)
        for author in ("a", "b")
    )
    photo = AnnotatedPhoto(image="a.jpg", width=20, height=20, annotations=items)
    formats.write(AnnotationSet(photos=(photo,)), tmp_path / "out", form)
    assert (
        "1 photograph has annotations of 2 people; all are kept (each lesion may occur twice)"
        in formats.read(tmp_path / "out").warnings
    )


def test_objects_that_are_there_twice_are_told(tmp_path: Path) -> None:
    root = voc(tmp_path / "v", voc_box("MA"), voc_box("MA"))
    made = formats.convert(root, tmp_path / "a.json", "coco")
    assert any("1 objects occur twice" in warning for warning in made.annotations.warnings)


def test_a_flat_polygon_of_coco(tmp_path: Path) -> None:
    annotation = {"image_id": 1, "category_id": 1, "bbox": [10, 20, 5, 6]}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "MA"}],
        "annotations": [
            {**annotation, "segmentation": [10, 20, 15, 20, 15, 26], "difficult": 1},
            {**annotation, "segmentation": [[]]},
        ],
    }
    read = formats.read(stored(tmp_path / "a.json", document))
    flat, empty = only(read)
    assert flat.outlines == (((10.0, 20.0), (15.0, 20.0), (15.0, 26.0)),)
    assert flat.difficult
    assert empty.outlines == ()
    assert any("without inner brackets" in warning for warning in read.warnings)
    document["annotations"] = [{**annotation, "segmentation": [1, [2, 3]]}]  # type: ignore[list-item]
    with pytest.raises(TableError, match="mixes numbers and lists"):
        formats.read(stored(tmp_path / "a.json", document))


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 0.5 0.5 1.0000000000000002 0.5", (0, 24, 128, 72)),
        ("0 0.5 0.5002812148481438 0.5 1.0004374453193348", (32, 0.006, 96, 96)),
        ("0 1.05 0.5 0.2 0.5", (121.6, 24, 128, 72)),
        ("0 -0.01 0.5 0.1 0.5", (0, 24, 5.12, 72)),
        ("0 0.5 0.5 1.05 0.25 1.0 0.75", (64, 24, 128, 72)),
    ],
)
def test_yolo_a_little_beyond_the_edge(tmp_path: Path, line: str, box: tuple[float, ...]) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(line)
    (tmp_path / "classes.txt").write_text("MA\n")
    read = formats.read(tmp_path)
    assert only(read)[0].box == pytest.approx(box, abs=1e-4)
    assert any("1 objects reached beyond" in warning for warning in read.warnings)


def test_yolo_as_cvat_writes_it(tmp_path: Path) -> None:
    picture(tmp_path / "obj_train_data" / "a.jpg")
    (tmp_path / "obj_train_data" / "a.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    (tmp_path / "obj.names").write_text("MA\nHE\n")
    (tmp_path / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n"
    )
    (tmp_path / "train.txt").write_text("data/obj_train_data/a.jpg\n")
    read = formats.read(tmp_path)
    assert [(item.kind, item.box) for item in only(read)] == [("haemorrhage", (48, 36, 80, 60))]
    assert read.splits == {"train": ("obj_train_data/a.jpg",)}


def test_a_blank_list_of_yolo(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (tmp_path / "data.yaml").write_text("names: [MA]\ntrain: train.txt\n")
    (tmp_path / "train.txt").write_text(" \n/\n.\n")
    assert len(only(formats.read(tmp_path))) == 1


@pytest.mark.parametrize("blur", ["jpeg", "soft"])
def test_a_mask_with_noise_has_its_objects_only(tmp_path: Path, blur: str) -> None:
    pixels = np.zeros((96, 128), np.uint8)
    pixels[20:40, 30:55] = pixels[70:76, 90:99] = 255
    path = tmp_path / "a_EX.png"
    if blur == "jpeg":
        Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=75)
        with Image.open(tmp_path / "a.jpg") as image:
            image.save(path)
        (tmp_path / "a.jpg").unlink()
    else:
        pixels[19, 30:55], pixels[40, 30:55] = 100, 200
        Image.fromarray(pixels).save(path)
    read = formats.read(tmp_path, form="masks")
    assert len(only(read)) == 2
    assert any("values between" in warning for warning in read.warnings)


@pytest.mark.parametrize("values", [(1, 1), (1, 2), (60, 255), (255, 255)])
def test_numbers_of_objects_are_no_noise(tmp_path: Path, values: tuple[int, int]) -> None:
    pixels = np.zeros((96, 128), np.uint8)
    pixels[20:40, 30:55], pixels[44:50, 50:60] = values
    Image.fromarray(pixels).save(tmp_path / "a_EX.png")
    mask = read_mask(tmp_path / "a_EX.png")
    assert not mask.soft
    assert mask.pixels.sum() == 20 * 25 + 6 * 10


@pytest.mark.parametrize(
    ("stated", "words"),
    [((96, 128), "one of them is turned"), ((64, 48), "another size"), ((128, 96), None)],
)
def test_sizes_that_contradict_the_photograph(
    tmp_path: Path, stated: tuple[int, int], words: str | None
) -> None:
    picture(tmp_path / "photos" / "a.jpg")
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": stated[0], "height": stated[1]}],
        "categories": [{"id": 1, "name": "MA"}],
        "annotations": [],
    }
    source = stored(tmp_path / "a.json", document)
    made = formats.convert(source, tmp_path / "y", "yolo", images=tmp_path / "photos")
    said = " ".join(made.annotations.warnings)
    assert ("another size" in said) == (words is not None)
    assert (words or "") in said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", '{"shapes": [], "imagePath": "a.jpg"}', "LabelMe.*labelme2coco"),
        ("a.json", '{"_via_img_metadata": {}}', "VGG Image Annotator.*COCO format"),
        ("a.json", '{"a.jpg1": {"filename": "a.jpg", "regions": []}}', "VGG Image Annotator"),
        ("a.json", '{"objects": [], "size": {}, "tags": []}', "Supervisely.*Export to COCO"),
        (
            "a.json",
            '[{"image": "a", "annotations": [{"label": "x", "coordinates": {}}]}]',
            "CreateML",
        ),
        ("a.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n", "table of boxes"),
    ],
)
def test_layouts_of_other_tools_have_a_true_remedy(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(TableError, match=words):
            formats.read(path)


def test_a_folder_ann_of_supervisely(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.jpg.json").write_text('{"objects": [], "size": {}}')
    with pytest.raises(TableError, match="Supervisely"):
        formats.read(tmp_path)


@pytest.mark.parametrize("form", ["voc", "cvat", "labelstudio"])
def test_xml_that_could_not_be_read_back_is_not_written(tmp_path: Path, form: str) -> None:
    item = Annotation(kind="\x1b[2Jx", box=(1.0, 1.0, 9.0, 9.0))
    photo = AnnotatedPhoto(image="a.jpg", width=20, height=20, annotations=(item,))
    with pytest.raises(OutputError, match="XML cannot hold"):
        formats.write(AnnotationSet(photos=(photo,)), tmp_path / "out", form)
    assert not list(tmp_path.rglob("*.xml"))


def test_names_in_messages_are_escaped_and_short(tmp_path: Path) -> None:
    name = "\x1b]0;PWNED\x07" + "x" * 1_000_000
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": name}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}],
    }
    (warning,) = formats.read(stored(tmp_path / "a.json", document)).warnings
    assert warning.isprintable()
    assert len(warning) < 250


@pytest.mark.parametrize("name", ["../../x", "a/b", "\x00", "x" * 300, ".hidden"])
def test_a_split_is_no_path(tmp_path: Path, name: str) -> None:
    table = "image,width,height,kind,mask,source,splits\n" + f"a.png,9,9,,,,{name}\n"
    (tmp_path / "masks.csv").write_text(table)
    with pytest.raises(TableError, match="split called"):
        formats.read(tmp_path, form="masks")


@pytest.mark.parametrize("form", ["voc", "coco", "cvat", "labelstudio", "yolo"])
def test_machine_boxes_are_known_in_each_format(tmp_path: Path, form: str) -> None:
    proposed = Annotation(
        kind="haemorrhage", box=(1.0, 1.0, 9.0, 9.0), score=0.5, author="detector-x"
    )
    drawn = Annotation(kind="haemorrhage", box=(3.0, 1.0, 9.0, 9.0))
    photo = AnnotatedPhoto(image="a.jpg", width=20, height=20, annotations=(proposed, drawn))
    picture(tmp_path / "images" / "a.jpg", (20, 20))
    formats.write(AnnotationSet(photos=(photo,)), tmp_path / "out", form)
    read = formats.read(tmp_path / "out", images=tmp_path / "images")
    name = "a detector without a name" if form == "yolo" else "detector-x"
    assert machine_boxes(read.photos) == {name: 1}


def test_boxes_that_a_person_verified_are_not_the_machine_s() -> None:
    item = Annotation(kind="haemorrhage", box=(1.0, 1.0, 9.0, 9.0), author="detector-x")
    assert is_machine_made(item)
    assert not is_machine_made(
        Annotation(
            kind=item.kind, box=item.box, author="detector-x", attributes={"verified": "yes"}
        )
    )
