"""IDRiD: its three parts in small trees of their layout, and the real names of files and masks."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.importers import idrid
from fundoscope.errors import TableError

Plant = Callable[..., Path]
Draw = Callable[..., None]
SHARED = Path(__file__).parents[4] / "shared" / "data"
TRAINING, TESTING = "a. Training Set", "b. Testing Set"
GRADING = "B. Disease Grading"
LOCALIZATION = "C. Localization"
SEGMENTATION = "A. Segmentation"
DISC = f"{LOCALIZATION}/2. Groundtruths/1. Optic Disc Center Location"
FOVEA = f"{LOCALIZATION}/2. Groundtruths/2. Fovea Center Location"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))


def plant_grading(folder: Path, draw: Draw) -> None:
    for part, word, grade in ((TRAINING, "Training", 3), (TESTING, "Testing", 1)):
        draw(folder / GRADING / "1. Original Images" / part / "IDRiD_001.jpg")
        write(
            folder
            / GRADING
            / "2. Groundtruths"
            / f"{part[0]}. IDRiD_Disease Grading_{word} Labels.csv",
            "Image name,Retinopathy grade,Risk of macular edema ,,,\n"
            f"IDRiD_001,{grade},2,,,\n,,,,,\n",
        )


def plant_localization(folder: Path, draw: Draw) -> None:
    for part, word, x in ((TRAINING, "Training", 3), (TESTING, "Testing", 5)):
        draw(folder / LOCALIZATION / "1. Original Images" / part / "IDRiD_001.jpg")
        table = "Image No,X- Coordinate,Y - Coordinate,,\nIDRiD_001,{},{},,\n,,,,\n"
        disc = f"{part[0]}. IDRiD_OD_Center_{word} Set_Markups.csv"
        write(folder / DISC / disc, table.format(x, 2))
        fovea = f"IDRiD_Fovea_Center_{word} Set_Markups.csv"
        write(folder / FOVEA / fovea, table.format(x + 4, 6))


def test_grading(tmp_path: Path, draw: Draw) -> None:
    plant_grading(tmp_path, draw)
    imported = idrid.read(tmp_path)
    assert imported.annotations is None
    assert imported.table is not None
    assert imported.table.columns == ("image", "grade", "split", "source", "dme")
    assert [(row.image, row.grade, row.split, row.other["dme"]) for row in imported.table.rows] == [
        (f"{GRADING}/1. Original Images/{TRAINING}/IDRiD_001.jpg", 3, "train", "2"),
        (f"{GRADING}/1. Original Images/{TESTING}/IDRiD_001.jpg", 1, "test", "2"),
    ]
    again = idrid.read(tmp_path / GRADING).table
    assert again is not None
    assert [row.grade for row in again.rows] == [3, 1]


def test_localisation_alone_and_beside_the_grades(tmp_path: Path, draw: Draw) -> None:
    plant_localization(tmp_path, draw)
    alone = idrid.read(tmp_path)
    assert alone.table is None
    assert alone.annotations is not None
    image = f"{LOCALIZATION}/1. Original Images/{TRAINING}/IDRiD_001.jpg"
    photo = next(photo for photo in alone.annotations.photos if photo.image == image)
    assert (photo.width, photo.height) == (12, 8)
    assert [(item.kind, item.box) for item in photo.annotations] == [
        ("optic_disc", (3, 2, 4, 3)),
        ("fovea", (7, 6, 8, 7)),
    ]
    assert set(alone.annotations.splits) == {"train", "test"}
    plant_grading(tmp_path, draw)
    table = idrid.read(tmp_path).table
    assert table is not None
    assert [[row.other[c] for c in table.columns[-4:]] for row in table.rows] == [
        ["3", "2", "7", "6"],
        ["5", "2", "9", "6"],
    ]
    assert table.columns[-4:] == ("optic_disc_x", "optic_disc_y", "fovea_x", "fovea_y")


def test_segmentation(tmp_path: Path, draw: Draw) -> None:
    for part, name in ((TRAINING, "IDRiD_01"), (TESTING, "IDRiD_55")):
        base = tmp_path / SEGMENTATION
        draw(base / "1. Original Images" / part / f"{name}.jpg")
        truth = base / "2. All Segmentation Groundtruths" / part
        draw(truth / "1. Microaneurysms" / f"{name}_MA.tif", (1, 1, 3, 3), (8, 2, 9, 3))
        draw(truth / "5. Optic Disc" / f"{name}_OD.tif", (5, 5, 8, 8))
    assert idrid.read(tmp_path).notes == ()
    imported = idrid.read(tmp_path).annotations
    assert imported is not None
    photo = imported.photos[0]
    assert photo.image == f"{SEGMENTATION}/1. Original Images/{TRAINING}/IDRiD_01.jpg"
    assert sorted((item.kind, item.box) for item in photo.annotations) == [
        ("microaneurysm", (1.0, 1.0, 3.0, 3.0)),
        ("microaneurysm", (8.0, 2.0, 9.0, 3.0)),
        ("optic_disc", (5.0, 5.0, 8.0, 8.0)),
    ]
    assert {split: len(images) for split, images in imported.splits.items()} == {
        "train": 1,
        "test": 1,
    }
    plant_localization(tmp_path, draw)
    (note,) = idrid.read(tmp_path).notes
    assert note.startswith("on 2 photographs of C. Localization only the centres")


@pytest.mark.parametrize(
    ("table", "reported"),
    [
        ("Image No,X- Coordinate\nIDRiD_001,3\n", "has no columns of coordinates"),
        ("Image No,X- Coordinate,Y - Coordinate\nIDRiD_001,3,?\n", "line 2, column Y - Coordinate"),
    ],
)
def test_a_wrong_table_of_centres(tmp_path: Path, draw: Draw, table: str, reported: str) -> None:
    plant_localization(tmp_path, draw)
    write(tmp_path / DISC / "a. IDRiD_OD_Center_Training Set_Markups.csv", table)
    with pytest.raises(TableError) as caught:
        idrid.read(tmp_path)
    assert reported in str(caught.value)


def test_photographs_that_were_not_unpacked(tmp_path: Path, draw: Draw) -> None:
    plant_grading(tmp_path, draw)
    (tmp_path / GRADING / "1. Original Images").rename(tmp_path / "elsewhere")
    with pytest.raises(TableError, match="has no folder of photographs of split train"):
        idrid.read(tmp_path)


def test_a_table_that_was_renamed(tmp_path: Path, draw: Draw) -> None:
    plant_grading(tmp_path, draw)
    truth = tmp_path / GRADING / "2. Groundtruths"
    next(truth.glob("a.*")).rename(truth / "IDRiD_Disease Grading_Labels.csv")
    with pytest.raises(TableError, match="is neither of training nor of testing"):
        idrid.read(tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="the real data are not here")
def test_real_grades_and_centres(tmp_path: Path) -> None:
    with (SHARED / "lesions/idrid_516/idrid_516.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for split, part, word in (("train", TRAINING, "Training"), ("test", TESTING, "Testing")):
        images = tmp_path / GRADING / "1. Original Images" / part
        images.mkdir(parents=True)
        of_split = [row for row in rows if row["split"] == split]
        lines = []
        for row in of_split:
            suffix = "_test" if split == "test" else ""
            real = SHARED / "grading/idrid" / f"{row['image']}{suffix}.jpg"
            if real.exists():
                (images / f"{row['image']}.jpg").symlink_to(real)
            lines.append(f"{row['image']},{row['dr_grade']},{row['macular_oedema_risk']},,,\n")
        header = "Image name,Retinopathy grade,Risk of macular edema ,,,\n"
        name = f"{part[0]}. IDRiD_Disease Grading_{word} Labels.csv"
        write(tmp_path / GRADING / "2. Groundtruths" / name, header + "".join(lines) + ",,,,,\n")
    table = idrid.read(tmp_path).table
    assert table is not None
    assert len(table.rows) == 516
    truth = {(row["split"], row["image"]): int(row["dr_grade"]) for row in rows}
    ours = {(row.split, Path(row.image).stem): row.grade for row in table.rows}
    assert ours == truth


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the real data are not here")
def test_real_masks(tmp_path: Path) -> None:
    """A few photographs, their masks in the official folders: the boxes of objects.csv."""
    names = ("IDRiD_01", "IDRiD_81")
    lesions = SHARED / "lesions" / "idrid"
    folders = {
        "MA": "1. Microaneurysms",
        "HE": "2. Haemorrhages",
        "EX": "3. Hard Exudates",
        "SE": "4. Soft Exudates",
        "OD": "5. Optic Disc",
    }
    for name, part in zip(names, (TRAINING, TESTING), strict=True):
        images = tmp_path / SEGMENTATION / "1. Original Images" / part
        images.mkdir(parents=True)
        (images / f"{name}.jpg").symlink_to(lesions / "JPEGImages" / f"{name}.jpg")
        for code, folder in folders.items():
            mask = lesions / "masks" / f"{name}_{code}.png"
            if mask.exists():
                base = tmp_path / SEGMENTATION / "2. All Segmentation Groundtruths" / part
                (base / folder).mkdir(parents=True)
                (base / folder / mask.name).symlink_to(mask)
    imported = idrid.read(tmp_path).annotations
    assert imported is not None
    with (lesions / "objects.csv").open(encoding="utf-8") as file:
        truth = Counter(
            (row["image"], row["class"], *(int(row[c]) for c in ("xmin", "ymin", "xmax", "ymax")))
            for row in csv.DictReader(file)
            if row["image"] in names
        )
    ours = Counter(
        (Path(photo.image).stem, item.kind, x0 + 1, y0 + 1, x1, y1)
        for photo in imported.photos
        for item in photo.annotations
        for x0, y0, x1, y1 in [item.box]
    )
    assert ours == truth
