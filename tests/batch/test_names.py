"""Eye and patient from the names of photographs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fundoscope.batch.inputs import Input
from fundoscope.batch.names import Doubts, Named, chosen, completed, eye_of, parse
from fundoscope.errors import UsageError


@pytest.mark.parametrize(
    ("name", "eye", "patient"),
    [
        ("59_left.jpeg", "left", "59"),
        ("10_right.jpg", "right", "10"),
        ("Patient088_L.jpg", "left", "Patient088"),
        ("Patient245_R.jpg", "right", "Patient245"),
        ("265_l1.jpg", "left", "265"),
        ("266_r2.jpg", "right", "266"),
        ("smith_OD_2021-03-04.png", "right", "smith"),
        ("smith_OS.png", "left", "smith"),
        ("0042-OD-1.tif", "right", "0042"),
        ("OD_0042.tif", "right", "0042"),
        ("os.0042.tif", "left", "0042"),
        ("0123L.jpg", "left", "0123"),
        ("0123R2.jpg", "right", "0123"),
        ("P 17 right eye.jpg", "right", "P_17"),
        ("a/b/12_Left.JPG", "left", "12"),
        ("C:\\clinic\\12_left.jpg", "left", "12"),
        ("20210304_17_OD.jpg", "right", "20210304_17"),
        # The eye is clear, the patient is not.
        ("20210304_OD.jpg", "right", ""),
        ("2021-03-04_OD.jpg", "right", ""),
        ("2021-3-4 OS 2.jpg", "left", ""),
        ("04.03.2021_OD.jpg", "right", ""),
        ("IMG_2021_03_04_L_1.jpg", "left", ""),
        ("17_2021-03-04_OD.jpg", "right", "17_2021_03_04"),
        ("IMG_OD.jpg", "right", ""),
        ("fundus_left.jpg", "left", ""),
        ("left.jpg", "left", ""),
        # A surname or an initial is no eye.
        ("Nguyen_Le_2.jpg", "", ""),
        ("L. Smith 1.jpg", "", ""),
        ("R_12_OS.jpg", "left", "R_12"),
        ("Patient088_L_2.jpg", "left", "Patient088"),
        ("L_001.jpg", "left", "001"),
        ("12_L_R.jpg", "", ""),
        ("12_R_L.jpg", "", ""),
        # Neither is.
        ("IMG_0001.jpg", "", ""),
        ("IDRiD_001.jpg", "", ""),
        ("000c1434d8d7.png", "", ""),
        ("20051020_44338_0100_PP.tif", "", ""),
        ("12_left_vs_right.jpg", "", ""),
        ("OD_OS_17.jpg", "", ""),
        ("gold.jpg", "", ""),
        ("leftover_3.jpg", "", ""),
        ("righteous.jpg", "", ""),
        (".jpg", "", ""),
        ("___.jpg", "", ""),
    ],
)
def test_names(name: str, eye: str, patient: str) -> None:
    assert parse(name) == Named(eye, patient)


def test_two_patients_never_become_one() -> None:
    """The whole rest of a name counts where the eye comes first."""
    assert parse("OD_smith_john.jpg") != parse("OD_smith_jane.jpg")


def test_equal_names_in_several_folders_are_noticed() -> None:
    places = ("A/12_left.jpg", "B/12_left.jpg", "A/13_left.jpg", "A/13_right.jpg")
    doubts = Doubts()
    photographs = (Input(place, Path(place)) for place in places)
    named = list(completed(photographs, ("eye", "patient"), doubts))
    assert [each.patient for each in named] == ["12", "12", "13", "13"]
    assert doubts.joined == {"12"}


@pytest.mark.parametrize(
    ("words", "side"),
    [
        (("right", "Right eye", "RIGHT  EYE", "O.D.", "oculus dexter", "右", "右眼"), "right"),
        (("left", " left eye ", "OS", "O. S.", "Oculus Sinister", "左", "左眼"), "left"),
        (("", "both", "OU", "unknown", "nasal"), None),
    ],
)
def test_the_words_of_tables_for_an_eye(words: tuple[str, ...], side: str | None) -> None:
    assert {eye_of(word) for word in words} == {side}


def test_words_of_a_table_that_say_neither_eye_are_counted() -> None:
    cells = ("OU", "both", "OU", "right eye", "")
    doubts = Doubts()
    list(completed((Input(eye, Path("a.jpg"), eye=eye) for eye in cells), (), doubts))
    assert doubts.unknown_eyes == {"OU": 2, "both": 1}


def test_cells_of_a_table_are_kept_and_only_what_was_asked_for_is_taken() -> None:
    given = Input("x", Path("59_left.jpg"), patient="seven", from_table=True)
    bare = Input("y", Path("60_right.jpg"))
    kept, taken = completed([given, bare], ("eye", "patient"))
    assert (kept.patient, kept.eye) == ("seven", "left")
    assert (taken.patient, taken.eye) == ("60", "right")
    (eye_only,) = completed([bare], ("eye",))
    assert (eye_only.patient, eye_only.eye) == ("", "right")


def test_a_patient_has_a_name_that_utf_8_can_hold() -> None:
    """A disk of the nineties has names in Latin-1; tables and JSON are UTF-8."""
    (named,) = completed([Input("x", Path(os.fsdecode(b"M\xfcller_OD.jpg")))], ("patient",))
    assert named.patient == "M\\udcfcller"


def test_choices() -> None:
    assert chosen("eye, Patient") == ("eye", "patient")
    for wrong in ("", "eyes", "eye;patient", "eye,"):
        with pytest.raises(UsageError, match="names"):
            chosen(wrong)
