from __future__ import annotations

import pytest

from fundoscope.errors import TableError
from fundoscope.evaluate.lesions import centres
from fundoscope.evaluate.lesions.centres import Disc


@pytest.fixture
def table(tmp_path):
    def write(text, wanted=(), known=()):
        (tmp_path / "discs.csv").write_text(text)
        return centres.read(tmp_path / "discs.csv", wanted, known)

    return write


TWO_SPLITS = (
    "split,image,od_x,od_y\ntest,IDRiD_001,100,200\ntrain,IDRiD_001,300,400\ntrain,IDRiD_002,5,6\n"
)


def test_a_name_of_two_splits_is_of_neither(table):
    """IDRiD's 516: train and test both have an IDRiD_001, and they are different eyes."""
    table_read = table(TWO_SPLITS)
    assert (table_read["IDRiD_001_test"].x, table_read["IDRiD_001_test"].y) == (100, 200)
    assert table_read["IDRiD_001_train"].x == 300
    assert "IDRiD_001" not in table_read
    assert table_read["IDRiD_002"].y == 6
    with pytest.raises(TableError, match="IDRiD_001_test and IDRiD_001_train, or give a table of"):
        table(TWO_SPLITS, wanted={"IDRiD_001"}, known={"IDRiD_001", "IDRiD_002"})


def test_beside_the_photograph_of_the_other_split_a_name_is_clear(table):
    both = {"IDRiD_001", "IDRiD_001_test"}
    table_read = table(TWO_SPLITS, wanted=both, known=both)
    assert table_read["IDRiD_001"] == table_read["IDRiD_001_train"]


def test_a_row_that_is_repeated_is_refused(table):
    with pytest.raises(TableError, match="line 3, column image: has a a second time"):
        table("image,od_x,od_y\na,1,2\na,3,4\n")


def test_a_name_of_one_split_alone_needs_no_ending(table):
    assert set(table("split,image,od_x,od_y\ntest,a.jpg,1,2\n")) == {"a", "a_test"}


def test_centres_are_scaled_to_the_photograph(table):
    disc = table("image,od_x,od_y\na,2144,1000\n")["a"]
    small = disc.on(768)
    assert small.x == pytest.approx(384)
    assert small.half_diameter == pytest.approx(260 * 768 / 4288)
    # 46 px of the small photograph are just inside half a disc diameter.
    assert small.distance((384 + 36, small.y - 10, 384 + 56, small.y + 10)) < 1
    assert small.distance((384 + 37, small.y - 10, 384 + 57, small.y + 10)) > 1


def test_a_table_may_say_how_wide_its_photographs_are(table):
    disc = table("image,od_x,od_y,width_orig\na,100,50,1072\nb,1,1,\n")
    assert disc["a"] == Disc(100, 50, 65, 1072)
    assert disc["b"].width == 4288


def test_a_photograph_whose_disc_is_not_seen_is_left_out(table):
    assert set(table("image,od_x,od_y\na,,\nb,1,2\n")) == {"b"}


@pytest.mark.parametrize(
    ("cells", "column"),
    [("a,x,2,1", "od_x"), ("a,1,inf,1", "od_y"), ("a,1,2,0", "width_orig"), ("a,1,,9", "od_y")],
)
def test_a_cell_that_is_no_place_is_named(table, cells, column):
    with pytest.raises(TableError, match=f"line 2, column {column}"):
        table(f"image,od_x,od_y,width_orig\n{cells}\n")


def test_the_disc_of_a_box():
    disc = centres.of_box((100, 200, 140, 220), 800)
    assert (disc.x, disc.y, disc.half_diameter) == (120, 210, 15)
    assert disc.distance((100, 200, 140, 220)) == 0
    assert disc.distance((115, 200, 155, 220)) == 1
