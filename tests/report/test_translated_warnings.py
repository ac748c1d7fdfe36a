"""Every warning that a reading can have is translated."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import numpy as np
import pytest

from fundoscope.lesions import discs, laterality
from fundoscope.lesions.summary import OVEREXPOSED_WARNING
from fundoscope.photo import advice, decode, field, jpeg, reasons
from fundoscope.quality import QUALITY_REASONS
from fundoscope.reading import FieldOfView, Laterality
from fundoscope.report.languages import language
from fundoscope.report.languages.warnings import translated


def _of_field() -> Iterator[str]:
    """The warnings of a squeezed, borderless, long picture and of one that is cut off."""
    long = decode.from_array(np.full((200, 500, 3), 120, np.uint8))
    yield from field.warnings(long, FieldOfView(True, (250.0, 100.0), 300.0, 1.2))
    cut = np.zeros((300, 300, 3), np.uint8)
    cut[:150] = 120
    yield from field.warnings(decode.from_array(cut), FieldOfView(True, (150.0, 150.0), 150.0, 1.0))


def _of_quality() -> Iterator[str]:
    for count in (0, 1, 2, 3):
        for codes in itertools.permutations(QUALITY_REASONS, count):
            yield advice.sentence(codes, forced=False)
            yield advice.sentence(codes, forced=True)


SENTENCES = [
    *_of_field(),
    *_of_quality(),
    *map(reasons.sentence, reasons.NO_FIELD),
    discs.TURNED,
    *laterality.warnings(Laterality("left", "given", contradiction=True)),
    *laterality.warnings(Laterality("right", "given", contradiction=True)),
    OVEREXPOSED_WARNING,
    jpeg.INCOMPLETE,
    "not graded: the field of view is too small (radius 90 pixels, at least 112 needed); give the"
    " original photograph",
    "the photograph's transparency was ignored",
    "16-bit values were converted to 8 bits by their 0.1 % and 99.9 % percentiles",
    "16-bit colours were reduced to their upper 8 bits",
    "16-bit colours, of which 12 bits are in use, were reduced to their upper 8 bits",
]


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"[\d.]*\d", text))


def test_in_english_a_warning_stays_as_it_is() -> None:
    for sentence in SENTENCES:
        assert translated(sentence, language()) == sentence


def test_no_english_is_left_in_chinese() -> None:
    chinese = language("zh")
    for sentence in SENTENCES:
        shown = translated(sentence, chinese)
        assert not re.search("[A-Za-z]", shown), shown
        assert _numbers(shown) == _numbers(sentence)


def test_the_fault_of_a_file_is_quoted() -> None:
    sentence = jpeg.FAULTY.format("Corrupt JPEG data: 3 extraneous bytes")
    shown = translated(sentence, language("zh"))
    assert "Corrupt JPEG data: 3 extraneous bytes" in shown
    assert "看图软件" in shown


@pytest.mark.parametrize("sentence", ["", "a warning of a later version", "the picture shows only"])
def test_other_sentences_stay_in_english(sentence: str) -> None:
    assert translated(sentence, language("zh")) == sentence
