"""Text of files, as messages and results show it."""

from __future__ import annotations

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from fundoscope import quoting

LATIN = os.fsdecode(b"M\xfcller.jpg")
"""A file name as Python knows it whose bytes are not UTF-8."""
names = st.binary(min_size=1, max_size=200).map(os.fsdecode)


@given(names)
def test_any_name_fits_on_one_line_of_a_terminal(name):
    line = quoting.shown(name)
    assert line.isprintable()
    assert len(line) <= quoting.SHOWN
    line.encode()


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert quoting.shortened("patient" + 500 * "-" + ".jpg", 20) == "patient-- … ----.jpg"


@given(names)
def test_any_name_can_be_written_as_json(name):
    content = {name: [name, (name,)], "count": 3}
    written = json.loads(quoting.as_json(content))
    assert written["count"] == 3
    assert set(written) == {quoting.encodable(name), "count"}


def test_text_in_other_scripts_is_not_changed():
    assert json.loads(quoting.as_json(["Müller", "眼底"])) == ["Müller", "眼底"]


def test_bytes_that_are_no_text_are_shown_as_escapes():
    assert quoting.encodable(LATIN) == r"M\udcfcller.jpg"
    assert quoting.printable(LATIN) == r"M\udcfcller.jpg"


def test_paths_of_windows_and_linux_lose_their_folders():
    assert quoting.bare(r"C:\Miller\eye.jpg") == "eye.jpg"
    assert quoting.bare("/home/Miller/eye.jpg/") == "eye.jpg"
    assert quoting.bare("eye.jpg") == "eye.jpg"
    assert quoting.bare("/") == "/"


def test_a_number_of_too_many_digits_is_described():
    assert quoting.quoted(10**5000) == "a number of thousands of digits"
    assert quoting.quoted(12) == "12"
    assert quoting.quoted("MA\n") == r"'MA\n'"
