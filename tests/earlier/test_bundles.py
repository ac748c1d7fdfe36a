"""Bundles of 0.1 read a photograph as 0.1 did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fundoscope.models import bundle as bundles
from fundoscope.reader import Reader

PHOTOGRAPH = Path("eyes") / "JPEGImages" / "eye0.jpg"
PROBABILITY, PIXELS = 1e-4, 0.1
"""By how much another processor may move a result."""


@pytest.mark.parametrize("detector", ["boxes", "masks"])
def test_a_photograph_is_read_as_before(
    detector: str, earlier: Path, expected: dict[str, Any]
) -> None:
    reader = Reader(earlier / "grader-bundle", earlier / f"{detector}-bundle")
    reading = reader.read(earlier / PHOTOGRAPH)
    before = expected[detector]
    assert reading.grade.icdr == before["grade"]["icdr"]
    assert reading.grade.probabilities == pytest.approx(
        before["grade"]["probabilities"], abs=PROBABILITY
    )
    disc, disc_before = reading.anatomy.disc, before["anatomy"]["disc"]
    assert disc is not None
    assert disc.found
    assert disc.box == pytest.approx(disc_before["box"], abs=PIXELS)
    assert disc.score == pytest.approx(disc_before["score"], abs=PROBABILITY)
    assert len(reading.lesions) == len(before["lesions"])


def test_a_bundle_states_what_it_was_made_of(earlier: Path) -> None:
    grader = bundles.load_grader(earlier / "grader-bundle").manifest
    assert (grader.name, grader.head, grader.input_size) == ("grader of 0.1", "softmax", (12, 12))
    for kind, head in (("boxes", "boxes"), ("masks", "mask")):
        manifest = bundles.load_detector(earlier / f"{kind}-bundle").manifest
        assert (manifest.name, manifest.head) == (f"{kind} of 0.1", head)
        assert manifest.classes == ("neovascularisation", "optic_disc")
