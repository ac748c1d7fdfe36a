"""``fundoscope annotate``: boxes that an annotator corrects, and what he corrected stays."""

from __future__ import annotations

import os
import signal
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.kinds import KINDS
from fundoscope.reading import Reading

Save = Callable[..., Path]
Command = Callable[..., Any]
BOXES = [
    ("haemorrhage", (60.0, 40.0, 70.0, 51.0), 0.9123),
    ("haemorrhage", (80.0, 60.0, 90.0, 70.0), 0.75),
    ("optic_disc", (90.0, 50.0, 110.0, 70.0), 0.99),
]
"""Those of ``tests/conftest.py`` to whole pixels."""


def read(folder: Path, form: str = "voc", images: Path | None = None) -> dict[str, list[Any]]:
    """The boxes of annotations, by photograph."""
    found = formats.read(folder, form=form, images=images)
    return {
        photo.image: [(item.kind, item.box, item.score) for item in photo.annotations]
        for photo in found.photos
    }


def test_boxes_as_voc(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photo = save_eye(photos / "a_lesions.jpg")
    save_eye(photos / "left" / "b_lesions.png")
    said = fundoscope("annotate", photos, "--out", out)
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert lines[0] == (
        f"{photo}: 2 haemorrhages, no hard exudates found; optic disc;"
        " not assessed: microaneurysms (photograph too small)"
    )
    assert "2 photographs: 2 annotated, 0 had annotations already, 0 failed" in lines
    assert "boxes: 4 haemorrhages, 2 optic discs" in lines
    assert any(line.startswith("not assessed: image quality; microaneurysms") for line in lines)
    assert f"annotations: {out}" in lines
    assert lines[-1].endswith("correct them before training on them")
    assert read(out, images=photos) == {"a_lesions.jpg": BOXES, "left/b_lesions.png": BOXES}
    (found,) = {item.author for photo in read_voc(out).photos for item in photo.annotations}
    assert found == "fake-detector-1"


@pytest.mark.parametrize("form", ["coco", "cvat", "labelstudio", "yolo"])
def test_boxes_in_every_other_format(
    tmp_path: Path, save_eye: Save, fundoscope: Command, form: str
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    save_eye(photos / "b_lesions.jpg")
    save_eye(photos / "a_lesions.jpg", shade=9)
    said = fundoscope("annotate", photos, "--out", out, "--format", form)
    assert said.code == 0, said.err
    assert read(out, form, photos) == {"a_lesions.jpg": BOXES, "b_lesions.jpg": BOXES}
    offered = formats.read(out, form=form, images=photos).kinds
    assert set(offered) == set(KINDS)
    losses = [line for line in said.out.splitlines() if line.startswith("not kept")]
    assert losses == (["not kept: author (6)", "not kept: size (2)"] if form == "yolo" else [])
    again = fundoscope("annotate", photos, "--out", out, "--format", form)
    assert again.code == 2
    assert "holds annotations already" in again.err
    assert fundoscope("annotate", photos, "--out", out, "--format", form, "--overwrite").code == 0


def test_what_somebody_corrected_is_not_lost(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    first = save_eye(photos / "a_lesions.jpg")
    fundoscope("annotate", photos, "--out", out)
    corrected = out / "Annotations" / "a_lesions.xml"
    corrected.write_text(corrected.read_text().replace("haemorrhage", "microaneurysm"))
    before = corrected.read_bytes()
    save_eye(photos / "b_lesions.jpg")
    said = fundoscope("annotate", photos, "--out", out)
    assert said.code == 0
    assert f"{first}: has annotations already; they were kept" in said.out.splitlines()
    assert "2 photographs: 1 annotated, 1 had annotations already, 0 failed" in said.out
    assert corrected.read_bytes() == before
    assert (out / "Annotations" / "b_lesions.xml").is_file()
    assert fundoscope("annotate", photos, "--out", out, "--overwrite").code == 0
    assert corrected.read_bytes() != before


def test_beside_the_photographs(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    save_eye(tmp_path / "a_lesions.jpg")
    save_eye(tmp_path / "left" / "a_lesions.png")
    said = fundoscope("annotate", tmp_path, "--beside")
    assert said.code == 0
    assert "annotations: beside the photographs" in said.out
    for file in (tmp_path / "a_lesions.xml", tmp_path / "left" / "a_lesions.xml"):
        (image,) = read(file)
        assert (file.parent / image).is_file()
    again = fundoscope("annotate", tmp_path, "--beside")
    assert "0 annotated, 2 had annotations already" in again.out


def test_without_the_disc(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photo, out = save_eye(tmp_path / "a_lesions.jpg"), tmp_path / "out"
    said = fundoscope("annotate", photo, "--out", out, "--no-disc", "--detector", "mine")
    assert "optic disc" not in said.out
    assert read(out) == {"a_lesions.jpg": BOXES[:2]}


def test_what_cannot_be_looked_at_is_named(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    save_eye(photos / "a_lesions.jpg")
    (photos / "b.jpg").write_bytes(b"")
    save_eye(photos / "c_noeye.jpg")
    save_eye(photos / "d_g1.jpg")  # nothing was assessed on it
    save_eye(photos / "e\x07_lesions.jpg")
    save_eye(photos / "f_poor.jpg")
    save_eye(photos / "g_overexposed.jpg")
    said = fundoscope("annotate", photos, "--out", out)
    assert said.code == 3
    assert said.complaints == [
        f"{photos}/b.jpg: is empty (0 bytes); copy it again from the camera",
        f"{photos}/c_noeye.jpg: shows no field of view of a retina; give a photograph of the"
        " retina",
        f"{photos}/d_g1.jpg: is too small for the lesions that this detector finds;"
        " give the original photograph",
        f"{photos}/e\\x07_lesions.jpg: has a character in its name that annotations cannot hold;"
        " rename it",
        f"{photos}/f_poor.jpg: is out of focus; retake it: focus on the vessels and hold still",
        f"{photos}/g_overexposed.jpg: is overexposed, so that lesions cannot be seen on it;"
        " retake it with less flash",
    ]
    assert [path.name for path in out.rglob("*.xml")] == ["a_lesions.xml"]


@pytest.mark.parametrize("form", ["voc", "coco"])
def test_where_nothing_can_be_looked_at_nothing_is_written(
    tmp_path: Path, save_eye: Save, fundoscope: Command, form: str
) -> None:
    photo, out = save_eye(tmp_path / "noeye.jpg"), tmp_path / "out"
    assert fundoscope("annotate", photo, "--out", out, "--format", form).code == 3
    assert not out.exists()


def test_a_lesion_at_the_rim_stays_on_the_photograph(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    import fundoscope.reader as readers
    from fundoscope.reading import Lesion

    class Rim(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            photo, reading = super().examine(source)
            boxes = ((-3.0, -0.4, 2.2, 4.0), (158.0, 119.6, 170.0, 121.0), (5.1, 5.1, 5.2, 5.2))
            return photo, replace(
                reading, lesions=tuple(Lesion("haemorrhage", box, 1.0) for box in boxes)
            )

    monkeypatch.setattr("fundoscope.reader.Reader", Rim)
    photo, out = save_eye(tmp_path / "a_lesions.jpg"), tmp_path / "out"
    fundoscope("annotate", photo, "--out", out, "--no-disc")
    assert [box for _, box, _ in read(out)["a_lesions.jpg"]] == [
        (0.0, 0.0, 2.0, 4.0),
        (158.0, 119.0, 160.0, 120.0),
        (5.0, 5.0, 6.0, 6.0),
    ]


def test_photographs_that_would_share_a_file_are_refused_before_work(
    tmp_path: Path, save_eye: Save, fundoscope: Command, made_readers: list[Any]
) -> None:
    save_eye(tmp_path / "a.jpg")
    save_eye(tmp_path / "a.png")
    said = fundoscope("annotate", tmp_path, "--out", tmp_path / "out")
    assert said.code == 2
    assert "a.jpg and a.png: would share one file of annotations" in said.err
    assert made_readers == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "--out: is missing"),
        (("--beside", "--out", "x"), "--beside: cannot be combined with --out"),
        (("--beside", "--format", "coco"), "--beside: works with --format voc only"),
    ],
)
def test_misuse(
    tmp_path: Path, save_eye: Save, fundoscope: Command, options: tuple[str, ...], complaint: str
) -> None:
    said = fundoscope("annotate", save_eye(tmp_path / "a.jpg"), *options)
    assert said.code == 2
    assert said.err.startswith(complaint)


def test_archives_are_refused_in_words(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    save_eye(tmp_path / "a.jpg")
    with zipfile.ZipFile(tmp_path / "eyes.zip", "w") as archive:
        archive.write(tmp_path / "a.jpg", "a.jpg")
    said = fundoscope("annotate", tmp_path / "eyes.zip", "--out", tmp_path / "out")
    assert said.code == 2
    assert "unpack or download the photographs" in said.err
    assert not (tmp_path / "out").exists()


def test_out_is_a_folder(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photo = save_eye(tmp_path / "a.jpg")
    assert "is not a folder" in fundoscope("annotate", photo, "--out", photo).err


def test_the_layout_of_voc_around_the_photographs(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    photos = tmp_path / "JPEGImages"
    save_eye(photos / "a_lesions.jpg")
    assert fundoscope("annotate", photos, "--out", tmp_path).code == 0
    assert fundoscope("annotate", photos, "--out", photos).code == 0
    assert list(read(tmp_path)) == ["a_lesions.jpg"]


def test_files_and_tables_are_taken_once_and_named_from_their_common_folder(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "one" / "a_lesions.jpg")
    save_eye(tmp_path / "two" / "b_lesions.jpg")
    table = tmp_path / "eyes.csv"
    table.write_text("image\none/a_lesions.jpg\none/a_lesions.jpg\ntwo/b_lesions.jpg\n")
    out = tmp_path / "out"
    said = fundoscope("annotate", table, tmp_path / "two", "--out", out)
    assert "2 photographs: 2 annotated" in said.out
    assert list(read(out)) == ["one/a_lesions.jpg", "two/b_lesions.jpg"]


def test_a_table_may_name_photographs_in_the_folder_above(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    """Their boxes used to be written beside the folder of annotations, and even outside of DIR."""
    save_eye(tmp_path / "photos" / "a_lesions.jpg")
    save_eye(tmp_path / "labels" / "b_lesions.jpg")
    table, out = tmp_path / "labels" / "eyes.csv", tmp_path / "deep" / "out"
    table.write_text("image\n../photos/a_lesions.jpg\nb_lesions.jpg\n../labels/b_lesions.jpg\n")
    said = fundoscope("annotate", table, "--out", out)
    assert said.code == 0
    assert "2 photographs: 2 annotated" in said.out
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.xml"))
    assert written == ["Annotations/labels/b_lesions.xml", "Annotations/photos/a_lesions.xml"]


def test_ctrl_c_keeps_what_was_finished(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fundoscope.reader as readers

    class Interrupting(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> tuple[Any, Reading]:
            if source.name == "0_lesions.jpg":
                os.kill(os.getpid(), signal.SIGINT)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Interrupting)
    for index in range(9):
        save_eye(tmp_path / "in" / f"{index}_lesions.jpg")
    said = fundoscope("annotate", tmp_path / "in", "--out", tmp_path / "out", "--workers", 1)
    written = len(list((tmp_path / "out").rglob("*.xml")))
    assert said.code == 130
    assert 0 < written < 9
    assert f"interrupted: {written} of 9 photographs were done" in said.complaints


def test_a_fault_of_ours(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fundoscope.reader as readers

    class Faulty(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            raise ZeroDivisionError("oops")

    monkeypatch.setattr("fundoscope.reader.Reader", Faulty)
    said = fundoscope("annotate", save_eye(tmp_path / "a.jpg"), "--out", tmp_path / "out")
    assert said.code == 1
    assert "ZeroDivisionError: oops" in said.err


def test_labelimg_shows_the_boxes_and_what_it_writes_comes_back(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    """As a person does it: open, draw one more, take one away, save."""
    labelimg = pytest.importorskip("libs.pascal_voc_io", reason="labelImg is not installed")
    save_eye(tmp_path / "a_lesions.jpg")
    fundoscope("annotate", tmp_path, "--beside")
    file = tmp_path / "a_lesions.xml"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = labelimg.PascalVocReader(str(file)).get_shapes()
        writer = labelimg.PascalVocWriter(tmp_path.name, "a_lesions.jpg", (120, 160, 3))
        for name, points, _, _, _ in shapes[1:]:
            (xmin, ymin), (xmax, ymax) = points[0], points[2]
            writer.add_bnd_box(xmin, ymin, xmax, ymax, name, 0)
        writer.add_bnd_box(11, 21, 13, 24, "MA", 0)
        writer.save(str(file))
    (boxes,) = read(file).values()
    assert boxes == [
        *((kind, box, None) for kind, box, _ in BOXES[1:]),
        ("microaneurysm", (10.0, 20.0, 13.0, 24.0), None),
    ]
