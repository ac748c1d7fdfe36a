"""One reason in the terminal, in tables and in JSON, whatever the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fundoscope.photo import field, reasons
from fundoscope.photo.decode import from_array
from fundoscope.reading import (
    NO_FIELD_REASONS,
    FieldOfView,
    Grade,
    PhotoFacts,
    Quality,
    Reading,
)
from fundoscope.report.wording import why_not_graded

BLANK = Reading(
    PhotoFacts("a.jpg", "0" * 64, 9, 9), FieldOfView(False), Quality(), Grade(), (), (), (), "test"
)


@pytest.mark.parametrize("reason", NO_FIELD_REASONS)
def test_the_terminal_says_what_json_says(reason: str) -> None:
    cause = why_not_graded(replace(BLANK, field=FieldOfView(False, reason=reason)))
    assert cause is not None
    assert reason in reasons.NO_FIELD
    assert reasons.sentence(reason) == f"not graded: the photograph {cause.reason}; {cause.remedy}"


def test_a_grey_photograph_says_so_once() -> None:
    y, x = np.mgrid[:300, :400]
    level = np.where(np.hypot(x - 200, y - 150) < 140, 90 + 30 * np.sin(x / 9), 0)
    photo = from_array(np.repeat(level[..., None], 3, axis=2).astype(np.uint8))
    found = field.find(photo)
    assert found.reason == "no_colour"
    assert not photo.warnings
    assert not field.warnings(photo, found)
    assert "only colour photographs are graded" in reasons.sentence(found.reason)
