"""Every reason why a photograph cannot be graded comes with advice."""

from __future__ import annotations

from fundoscope.photo import advice
from fundoscope.quality import QUALITY_REASONS


def test_every_reason_has_advice() -> None:
    assert set(advice.ADVICE) == set(QUALITY_REASONS)


def test_advice_follows_the_clearest_reason() -> None:
    wrong, remedy = advice.why(("too_bright", "reflections"))
    assert wrong == "is too bright and has reflections"
    assert remedy == "retake it: use less flash"
    assert advice.why(None) == ("is too poor", "retake it: check focus, light and lens")
