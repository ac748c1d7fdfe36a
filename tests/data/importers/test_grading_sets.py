"""The sets that grade photographs: small trees of their layout, and real files where they are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.importers import aptos, class_folders, deepdrid, eyepacs, messidor2
from fundoscope.data.importers.registry import MODULES, reader, summary
from fundoscope.data.importers.source import Imported
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import TableError, UsageError

Plant = Callable[..., Path]
GRADING = Path(__file__).parents[4] / "shared" / "data" / "grading"
COLUMNS = ("image", "grade", "patient", "eye", "split")


def cells(imported: Imported, *columns: str) -> list[tuple[str, ...]]:
    assert imported.table is not None
    return [tuple(row.text(name) for name in columns or COLUMNS) for row in imported.table.rows]


def test_aptos(plant: Plant) -> None:
    folder = plant(
        "train_images/000c1434d8d7.png", "train_images/0024cdab0c1e.png", "test_images/x.png"
    )
    (folder / "train.csv").write_text("id_code,diagnosis\n000c1434d8d7,2\n0024cdab0c1e,1\n")
    (folder / "test.csv").write_text("id_code\nx\n")
    (folder / "sample_submission.csv").write_text("id_code,diagnosis\nx,0\n")
    imported = aptos.read(folder)
    assert cells(imported, "image", "grade", "split", "source") == [
        ("train_images/000c1434d8d7.png", "2", "", "aptos"),
        ("train_images/0024cdab0c1e.png", "1", "", "aptos"),
    ]
    assert imported.notes == ("1 photographs have no label",)


def test_aptos_as_others_divided_it(plant: Plant) -> None:
    folder = plant("train_images/train_images/a.png", "val_images/b.png", "test_images/c.png")
    for name, photo in (("train_1", "a"), ("valid", "b"), ("test", "c")):
        (folder / f"{name}.csv").write_text(f"id_code,diagnosis\n{photo},4\n")
    assert cells(aptos.read(folder), "image", "split") == [
        ("test_images/c.png", "test"),
        ("train_images/train_images/a.png", "train"),
        ("val_images/b.png", "val"),
    ]


def test_eyepacs(plant: Plant) -> None:
    folder = plant("train/10_left.jpeg", "train/10_right.jpeg")
    (folder / "trainLabels.csv").write_text("image,level\n10_left,0\n10_right,4\n13_left,0\n")
    imported = eyepacs.read(folder)
    assert cells(imported) == [
        ("train/10_left.jpeg", "0", "10", "left", ""),
        ("train/10_right.jpeg", "4", "10", "right", ""),
    ]
    assert "1 labels were left out" in imported.notes[0]


def test_eyepacs_with_the_solution_of_its_test(plant: Plant) -> None:
    folder = plant("train/10_left.jpeg", "test/1_left.jpeg")
    (folder / "trainLabels.csv").write_text("image,level\n10_left,0\n")
    (folder / "trainLabels_cropped.csv").write_text("image,level\n10_left,0\n")
    (folder / "retinopathy_solution.csv").write_text("image,level,Usage\n1_left,3,Public\n")
    assert cells(eyepacs.read(folder), "image", "split") == [
        ("train/10_left.jpeg", "train"),
        ("test/1_left.jpeg", "test"),
    ]


def test_messidor2(plant: Plant) -> None:
    folder = plant("IMAGES/20051020_43808_0100_PP.png", "IMAGES/IM0001.JPG", "IMAGES/IM0002.JPG")
    (folder / "messidor_data.csv").write_text(
        "image_id,adjudicated_dr_grade,adjudicated_dme,adjudicated_gradable\n"
        "20051020_43808_0100_PP.png,0,0,1\nIM0001.jpg,2.0,1.0,1\nIM0002.jpg,,,0\n"
    )
    (folder / "messidor-2.csv").write_text("left;right\nIM0001.JPG;IM0002.JPG\n")
    imported = messidor2.read(folder)
    assert cells(imported, "image", "grade", "patient", "eye", "dme", "gradable") == [
        ("IMAGES/20051020_43808_0100_PP.png", "0", "", "", "0", "1"),
        ("IMAGES/IM0001.JPG", "2", "IM0001", "left", "1", "1"),
    ]
    assert imported.notes == ("1 photographs were left out: they were not graded",)


def test_deepdrid(plant: Plant) -> None:
    regular = "regular_fundus_images/regular-fundus"
    wide = "ultra-widefield_images/ultra-widefield-validation"
    folder = plant(
        f"{regular}-training/Images/1/1_l1.jpg",
        f"{regular}-validation/Images/265/265_l1.jpg",
        f"{regular}-validation/Images/265/265_r1.jpg",
        f"{regular}-validation/Images/164/164_l3.jpg",
        f"{wide}/Images/34/34_r1.jpg",
    )
    header = (
        "patient_id,image_id,image_path,Overall quality,left_eye_DR_Level,right_eye_DR_Level,"
        "patient_DR_Level,Clarity,Field definition,Artifact\n"
    )
    (folder / f"{regular}-training/regular-fundus-training.csv").write_text(
        header + "1,1_l1,\\regular-fundus-training\\1\\1_l1.jpg,1,5,,5,10,10,0\n"
    )
    (folder / f"{regular}-training/regular-fundus-source-training.csv").write_text("a,b\n1,2\n")
    (folder / f"{regular}-validation/regular-fundus-validation.csv").write_text(
        header
        + "265,265_l1,\\regular-fundus-validation\\265\\265_l1.jpg,0,3,,4,4,8,10\n"
        + "265,265_r1,\\regular-fundus-validation\\265\\265_r1.jpg,1,,4.0,4,6,8,6\n"
        + "164,164_l3,\\regular-fundus-validation\\164\\164_l3.jpg,1,,0,0,8,10,1\n"
    )
    (folder / f"{wide}/ultra-widefield-validation.csv").write_text(
        "patient_id,image_id,image_path,DR_level,position\n"
        "34,34_r1,ultra-widefield-validation\\34\\34_r1.jpg,0,right_eye\n"
    )
    imported = deepdrid.read(folder)
    assert cells(imported, *COLUMNS[1:], "camera", "gradable", "artifact") == [
        ("3", "265", "left", "val", "regular", "0", "10"),
        ("4", "265", "right", "val", "regular", "1", "6"),
        ("0", "164", "", "val", "regular", "1", "1"),
        ("0", "34", "right", "val", "ultra-widefield", "", ""),
    ]
    assert imported.notes == ("1 photographs were left out: they were not graded",)


def test_class_folders(plant: Plant) -> None:
    imported = class_folders.read(plant("train/0/a.jpg", "test/4/b.jpg"))
    assert cells(imported, "image", "split") == [
        ("test/4/b.jpg", "test"),
        ("train/0/a.jpg", "train"),
    ]


@pytest.mark.parametrize("source", [name for name in MODULES if name != "class-folders"])
def test_a_folder_of_something_else(plant: Plant, source: str) -> None:
    folder = plant("photos/a.jpg", "notes.txt")
    with pytest.raises(TableError, match=r"has no files of|has no label table"):
        reader(source)(folder)
    with pytest.raises(TableError):
        reader(source)(folder / "none")


@pytest.mark.parametrize("source", MODULES)
def test_each_source_says_how_its_layout_is_known(source: str) -> None:
    said = " ".join((MODULES[source].__doc__ or "").split())
    assert "checked on real files" in said or "rom documentation" in said
    assert summary(source).endswith((".", ":"))


def test_an_unknown_source() -> None:
    with pytest.raises(UsageError, match="name one of: class-folders, table, aptos"):
        reader("imagenet")


@pytest.fixture(scope="module")
def real() -> Manifest:
    if not GRADING.exists():
        pytest.skip("the real data are not here")
    from fundoscope.data import manifest

    return manifest.read(GRADING / "grading.csv")


def link(rows: list[Row], folder: Path) -> None:
    """The photographs of some rows, by links, in a folder of a source's own name."""
    folder.mkdir(parents=True)
    for row in rows:
        (folder / Path(row.image).name).symlink_to(GRADING / row.image)


def write_table(path: Path, header: str, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"{header}\n")
        csv.writer(file).writerows([Path(row.image).stem, row.grade] for row in rows)


def graded(rows: tuple[Row, ...] | list[Row], *columns: str) -> list[tuple[str, ...]]:
    return [(Path(r.image).name, *(r.text(name) for name in ("grade", *columns))) for r in rows]


@pytest.mark.parametrize(
    ("source", "folder", "table", "header"),
    [
        ("aptos", "train_images", "train.csv", "id_code,diagnosis"),
        ("eyepacs", "train", "trainLabels.csv", "image,level"),
        ("messidor2", "IMAGES", "messidor_data.csv", "image_id,adjudicated_dr_grade"),
    ],
)
def test_real_names_of_files(
    tmp_path: Path, real: Manifest, source: str, folder: str, table: str, header: str
) -> None:
    rows = [row for row in real.rows if row.image.startswith(f"{source}/")]
    link(rows, tmp_path / folder)
    write_table(tmp_path / table, header, rows)
    imported = reader(source)(tmp_path)
    assert imported.table is not None
    assert graded(imported.table.rows) == graded(rows)
    assert imported.notes == ()
    if source == "eyepacs":
        ours = [(f"eyepacs_{row.patient}", row.eye) for row in imported.table.rows]
        assert ours == [(row.patient, row.eye) for row in rows]
