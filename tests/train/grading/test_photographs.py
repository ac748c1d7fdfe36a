from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import TableError, UsageError
from fundoscope.train.grading import photographs
from fundoscope.train.grading.config import Data


def table(*rows, folder=None):
    return Manifest(Path("labels.csv"), ("image", "grade", "split"), rows, "0", folder)


def rows(train=(0, 1, 2, 3, 4), val=(0, 4), **fields):
    """One photograph a grade and split."""
    return [
        Row(f"{split}{i}-{grade}.png", grade, split=split, **fields)
        for split, grades in (("train", train), ("val", val))
        for i, grade in enumerate(grades)
    ]


DATA = Data("labels.csv")


def choose(*args, **settings):
    return photographs.choose(table(*args), Data("labels.csv", **settings), seed=1)


def test_train_and_validation_are_taken_in_order():
    other = [Row("t.png", 0, split="test"), Row("x.png", 1, split="excluded"), Row("n.png", 1)]
    assert choose(*other, *rows()) == tuple(rows())


@pytest.mark.parametrize(("split", "kept"), [("train", "val"), ("val", "train")])
def test_an_empty_split_is_reported(split, kept):
    with pytest.raises(UsageError, match=f"has no row of split {split}"):
        choose(*(row for row in rows() if row.split == kept))


@pytest.mark.parametrize(
    ("grades", "missing"), [((0, 1, 3, 4), "2"), ((1, 2, 3), "0, 4"), ((2,), "0, 1, 3, 4")]
)
def test_a_grade_that_training_lacks_is_named(grades, missing):
    with pytest.raises(UsageError, match=f"split train: has no photograph of grade {missing};"):
        choose(*rows(train=grades))


@pytest.mark.parametrize(
    ("val", "words"), [((0,), "0 of its 1"), ((0, 1, 1), "0 of its 3"), ((2, 4), "2 of its 2")]
)
def test_a_validation_that_cannot_evaluate_is_reported(val, words):
    message = f"split val: needs gradable photographs of .*; {words} are of grade 2 to 4"
    with pytest.raises(UsageError, match=message):
        choose(*rows(val=val))


def test_what_nobody_could_grade_chooses_no_operating_point():
    sick = Row("v.png", 4, split="val", gradable=False)
    with pytest.raises(UsageError, match="0 of its 1 are of grade 2 to 4"):
        choose(*rows(val=(0,)), sick)


def test_groups_on_both_sides_are_reported():
    with pytest.raises(TableError, match="one patient or group in several splits"):
        choose(*rows(group="twins"))


@pytest.mark.parametrize(
    ("size", "lying", "aspect"),
    [((300, 200), False, 1.5), ((300, 200), True, 2 / 3), ((90, 90), False, 1)],
)
def test_the_aspect_is_that_of_the_photograph_as_it_is_shown(tmp_path, size, lying, aspect):
    exif = Image.Exif()
    if lying:
        exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", size).save(tmp_path / "a.jpg", exif=exif)
    assert photographs.aspect(tmp_path / "a.jpg") == pytest.approx(aspect)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff"])
def test_what_cannot_be_opened_has_no_aspect(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert photographs.aspect(tmp_path / "a.jpg") is None
    assert photographs.aspect(tmp_path / "none.jpg") is None


def test_only_one_aspect(tmp_path):
    chosen = rows(train=(0, 1, 2, 3, 4) * 2, val=(0, 0, 4, 4))
    shapes = {}
    for i, row in enumerate(chosen):
        shapes[row.image] = (304, 200) if i % 2 else (200, 200)
        Image.new("RGB", shapes[row.image]).save(tmp_path / row.image)
    data = Data("labels.csv", only_aspect=1.5)
    left = photographs.choose(table(*chosen, folder=tmp_path), data, seed=1)
    assert [row.image for row in left] == [n for n, shape in shapes.items() if shape[0] == 304]
    with pytest.raises(UsageError, match="has no photograph of grade"):
        photographs.choose(table(*chosen, folder=tmp_path), Data("l", only_aspect=3.0), seed=1)


MANY = rows(train=(0,) * 60 + (1,) * 25 + (2,) * 10 + (3,) * 4 + (4,), val=(0, 0, 4))


def test_the_draw_is_a_function_of_the_seed():
    first = photographs.choose(table(*MANY), Data("l", sample=20), seed=1)
    assert first == photographs.choose(table(*MANY), Data("l", sample=20), seed=1)
    assert first != photographs.choose(table(*MANY), Data("l", sample=20), seed=2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [5, 20, 50, 99])
def test_a_draw_holds_every_grade_in_its_proportion_and_all_of_validation(seed, count):
    drawn = photographs.choose(table(*MANY), Data("l", sample=count), seed=seed)
    training = Counter(row.grade for row in drawn if row.split == "train")
    assert sum(training.values()) == count
    assert set(training) == set(range(5))
    assert sum(row.split == "val" for row in drawn) == 3
    for grade, whole in Counter(row.grade for row in MANY if row.split == "train").items():
        assert abs(training[grade] - whole * count / 100) <= 2
    places = [MANY.index(row) for row in drawn]
    assert places == sorted(places)


@pytest.mark.parametrize("count", [0, 100, 1000])
def test_a_draw_of_all(count):
    assert photographs.choose(table(*MANY), Data("l", sample=count), seed=1) == tuple(MANY)


def test_a_draw_too_small_for_five_grades_is_reported():
    with pytest.raises(UsageError, match="has no photograph of grade"):
        choose(*MANY, sample=3)


def test_class_folders_are_a_table(save_eye, tmp_path):
    for split, grades in (("train", range(5)), ("validation", (0, 3)), ("test", (1,))):
        for grade in grades:
            save_eye(tmp_path / split / str(grade) / f"{split}.png")
    result = photographs.read(tmp_path)
    assert len(photographs.choose(result, DATA, seed=1)) == 7
    with pytest.raises(TableError):
        photographs.read(tmp_path / "none.csv")


def test_a_missing_photograph_is_reported(labels, tmp_path):
    (tmp_path / "3.png").unlink()
    with pytest.raises(TableError, match=r"the file 3\.png does not exist"):
        photographs.read(labels)


SOURCES = [
    *rows(source="here"),
    *(Row(f"{row.image}.2", row.grade, split=row.split, source="there") for row in rows()),
]


def test_a_source_that_is_left_out_takes_no_part():
    assert {row.source for row in choose(*SOURCES, without=("here",))} == {"there"}
    with pytest.raises(UsageError, match=r"data.without: her: .* write one of here, there"):
        choose(*SOURCES, without=("her",))


def test_photographs_of_an_unmarked_source_count_as_ungradable():
    chosen = choose(*SOURCES, unmarked=("here",))
    assert {(row.source, row.gradable) for row in chosen} == {("here", False), ("there", None)}
    with pytest.raises(UsageError, match=r"data.unmarked: her: .* write one of here, there"):
        choose(*SOURCES, unmarked=("her",))


def test_how_often_a_source_is_shown():
    data = Data("labels.csv", shown={"there": 0.5})
    assert photographs.times(SOURCES, data).tolist() == [1.0] * 7 + [0.5] * 7
    assert photographs.times(SOURCES, DATA) is None
    with pytest.raises(UsageError, match=r"data.shown: elsewhere: is not a source"):
        photographs.times(SOURCES, Data("labels.csv", shown={"elsewhere": 2.0}))


@pytest.fixture
def further(tmp_path):
    """Writes a label table whose photographs are there."""

    def write(lines, header="image,grade,split,source"):
        (tmp_path / "1.png").touch()
        path = tmp_path / "further.csv"
        path.write_text("\n".join((header, *lines)) + "\n")
        return path

    return write


def test_further_tables_are_trained_on_alone(further):
    path = further(["1.png,1,,", "1.png,2,train,near", "1.png,3,val,", "1.png,4,test,"])
    (more,) = photographs.read_also(Data("labels.csv", also=(str(path),)), table())
    assert [(row.grade, row.split, row.source) for row in more.rows] == [
        (1, "train", "further"),
        (2, "train", "near"),
    ]


def test_a_further_table_with_nothing_to_train_on_is_reported(further):
    path = further(["1.png,1,test,"])
    with pytest.raises(UsageError, match=r"further.csv: has no row to train on"):
        photographs.read_also(Data("labels.csv", also=(str(path),)), table())


def test_further_tables_make_it_another_run(further):
    path = further(["1.png,1,,"])
    also = photographs.read_also(Data("labels.csv", also=(str(path),)), table())
    result = {photographs.sha256(table(), tables) for tables in ((), also, (*also, *also))}
    assert len(result) == 3
    assert photographs.sha256(table(), ()) == "0"


HELD_OUT = Row("own/2.png", 1, split="val", patient="p", group="g", source="eyepacs")


@pytest.mark.parametrize(
    ("line", "header", "held_out", "leaks"),
    [
        ("1.png,1,p,", "image,grade,patient,source", HELD_OUT, False),
        ("1.png,1,p,eyepacs", "image,grade,patient,source", HELD_OUT, True),
        ("1.png,1,p,grey", "image,grade,patient,source", HELD_OUT, True),
        ("1.png,1,g,eyepacs", "image,grade,group,source", HELD_OUT, True),
        ("1.png,1,g,idrid", "image,grade,group,source", HELD_OUT, False),
        ("1.png,1,other,eyepacs", "image,grade,patient,source", HELD_OUT, False),
        ("1.png,1,p", "image,grade,patient", Row("2.png", 1, split="test", patient="p"), True),
        ("1.png,1,p", "image,grade,patient", Row("2.png", 1, split="train", patient="p"), False),
        ("1.png,1,p", "image,grade,patient", Row("2.png", 1, split="excluded", patient="p"), False),
        ("1.png,1", "image,grade", Row("1.png", 1, split="val"), True),
    ],
)
def test_a_further_table_holds_nothing_that_is_held_out(
    further, tmp_path, line, header, held_out, leaks
):
    (tmp_path / "further").symlink_to(tmp_path)
    data = Data("labels.csv", also=(str(further([line], header)),))
    main = table(held_out, folder=tmp_path / "further")
    if leaks:
        with pytest.raises(UsageError, match=r"further.csv: trains on .* \(1.png; 1 photographs"):
            photographs.read_also(data, main)
    else:
        assert len(photographs.read_also(data, main)) == 1


def test_rows_that_a_further_table_does_not_train_on_may_be_held_out(further, tmp_path):
    (tmp_path / "2.png").touch()
    path = further(["1.png,1,val,", "2.png,1,train,"])
    main = table(Row("1.png", 1, split="val"), folder=tmp_path)
    (more,) = photographs.read_also(Data("labels.csv", also=(str(path),)), main)
    assert [row.image for row in more.rows] == ["2.png"]


def test_an_equalised_copy_belongs_to_its_source(further, tmp_path):
    path = further(["1.png,1,p"], "image,grade,patient").rename(tmp_path / "equalised.csv")
    with pytest.raises(UsageError, match=r"equalised\.csv: trains on"):
        photographs.read_also(Data("labels.csv", also=(str(path),)), table(HELD_OUT))
