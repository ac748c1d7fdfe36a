"""The photographs of Label Studio's tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
)
from fundoscope.data.annotations.labelstudio.read import read_label_studio
from fundoscope.errors import TableError

from .exports import HEIGHT, WIDTH, exported, read, region, task


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("a.jpg", "a.jpg"),
        ("/data/upload/12/0a1b2c3d-a_b.jpg", "a_b.jpg"),
        ("/data/upload/0a1b2c3d-a.jpg", "a.jpg"),
        ("/data/upload/12/abc-a.jpg", "abc-a.jpg"),
        ("/data/local-files/?d=eyes/set%201/%E7%9C%BC.jpg", "眼.jpg"),
        ("/data/local-files/?d=eyes\\set\\a.jpg", "a.jpg"),
        ("s3://bucket/eyes/a.jpg", "a.jpg"),
        ("https://host/x/a%20b.jpg?token=1&d2=x", "a b.jpg"),
        ("C:\\eyes\\a.jpg", "a.jpg"),
        ("../../etc/a.jpg", "a.jpg"),
    ],
)
def test_addresses_become_names(address: str, name: str, tmp_path: Path) -> None:
    assert read(tmp_path, task(region(), image=address)).photos[0].image == name


def test_two_files_of_one_name_keep_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    addresses = ("s3://b/eyes/1/a.jpg", "s3://b/eyes/2/a.jpg", "s3://b/eyes/c.jpg")
    found = read(tmp_path, *(task(region(), image=address) for address in addresses))
    assert [photo.image for photo in found.photos] == ["1/a.jpg", "2/a.jpg", "c.jpg"]


def test_photographs_tell_the_whole_name_and_the_size_of_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "photos" / "set").mkdir(parents=True)
    Image.new("RGB", (31, 17)).save(tmp_path / "photos" / "set" / "a.jpg")
    path = exported(tmp_path, task(image="/data/upload/1/0a1b2c3d-a.jpg"))
    (photo,) = read_label_studio(path, images=tmp_path / "photos").photos
    assert (photo.image, photo.width, photo.height) == ("set/a.jpg", 31, 17)
    with pytest.raises(TableError, match="does not state the size of its photograph"):
        read_label_studio(path)


def test_the_photograph_may_stand_in_another_field(tmp_path: Path) -> None:
    data = {"eye": "left", "fundus": "x/a.PNG"}
    assert read(tmp_path, task(region()) | {"data": data}).photos[0].image == "a.PNG"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text": "nothing"}, "does not name a photograph"),
        ({"left": "a.jpg", "right": "b.jpg"}, "names several photographs"),
        ({"image": "data:image/png;base64,AAAA"}, "embeds its photograph"),
        ({"image": "http://[broken/a.jpg"}, "invalid address"),
        ({"image": "/"}, "not a name of a photograph"),
        ({"image": ["a.jpg", "b.jpg"]}, "does not name a photograph"),
    ],
)
def test_a_task_whose_photograph_is_not_clear(
    data: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match="task 2") as caught:
        read(tmp_path, task(region()), task(region()) | {"data": data})
    assert words in str(caught.value)


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)
