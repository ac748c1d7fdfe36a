"""Examples of bodies, for OpenAPI. No patient is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fundoscope.quality import Quality
from fundoscope.reader import SOFTWARE
from fundoscope.reading import (
    FieldOfView,
    Grade,
    Lesion,
    ModelUsed,
    NextStep,
    PhotoFacts,
    Reading,
    Referable,
)
from fundoscope.serve.answers import (
    GivenBox,
    GivenCorrection,
    GivenReview,
    GivenSearch,
    HealthAnswer,
    ReadingAnswer,
    ReviewAnswer,
    SessionAnswer,
)
from fundoscope.serve.store import tokens
from fundoscope.serve.store.reviews import ReviewedBox
from fundoscope.serve.store.tables import READ, WAITING
from fundoscope.serve.store.worklist import Item, Worklist

ID: Final = "8f2f4a52-4b0c-4f0e-9d3c-0d8f7a3f9a10"
SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TIME: Final = "2026-03-02T09:30:00.000000+00:00"
ACCEPTED: Final = ReadingAnswer(
    id=ID,
    status=WAITING,
    created=TIME,
    finished=None,
    uploaded_by="camera-1",
    photograph=SHA256,
    size=692_414,
    eye="right",
    patient=None,
    name=None,
    same_as=None,
    withheld=False,
    reading=None,
    refusal=None,
    review=None,
    reviews=(),
    draft=None,
    first_grade=None,
)
READING: Final = replace(
    ACCEPTED,
    status=READ,
    finished=TIME,
    reading=Reading(
        photo=PhotoFacts(None, SHA256, 4288, 2848),
        field=FieldOfView(True, (2144.0, 1424.0), 1400.0, 1.0),
        quality=Quality(),
        grade=Grade(
            2, (0.05, 0.15, 0.7, 0.08, 0.02), 1.87, Referable(0.8, True, 0.4), (1, 2), 0.9, False
        ),
        lesions=(Lesion("microaneurysm", (1200.0, 900.0, 1218.0, 917.0), 0.81),),
        models=(ModelUsed("grading", "grader-1", SHA256),),
        warnings=(),
        software=SOFTWARE,
        next_step=NextStep("refer", "referable", "the eye is referable"),
    ),
)
GIVEN_REVIEW: Final = GivenReview(
    grade=2,
    comment="exudates temporal of the fovea",
    confidence=4,
    changed_mind=False,
    boxes=[GivenBox("microaneurysm", 1200.0, 900.0, 1218.0, 917.0)],
)
GIVEN_SEARCH: Final = GivenSearch(needs_reader=True)
GIVEN_CORRECTION: Final = GivenCorrection(patient=None, eye="left")
REVIEW: Final = ReviewAnswer(
    id="1b5f0c8e-3d4c-4a7e-8d86-0f5a5f0b8c21",
    reader="a.smith",
    saved=TIME,
    draft=False,
    grade=2,
    ungradable=False,
    comment="exudates temporal of the fovea",
    confidence=4,
    changed_mind=False,
    boxes=(ReviewedBox("microaneurysm", 1200.0, 900.0, 1218.0, 917.0),),
)
REVIEWED: Final = replace(READING, review=REVIEW, reviews=(REVIEW,))
SESSION: Final = SessionAnswer("a.smith", tokens.ROLES, True, False, 256 * 2**20, 4, SOFTWARE)
WORKLIST: Final = Worklist(
    1,
    (
        Item(
            id=ID,
            created=TIME,
            status=READ,
            eye="right",
            patient=None,
            name=None,
            same_as=None,
            withheld=False,
            grade=2,
            certainty=0.7,
            referable=True,
            needs_reader=False,
            ungradable=False,
            next_step="refer",
            reviewed=False,
            draft=False,
        ),
    ),
)
EXAMPLES: Final[dict[str, object]] = {
    "accepted": ACCEPTED,
    "reading": READING,
    "given_review": GIVEN_REVIEW,
    "given_correction": GIVEN_CORRECTION,
    "given_search": GIVEN_SEARCH,
    "reviewed": REVIEWED,
    "session": SESSION,
    "worklist": WORKLIST,
    "ok": HealthAnswer("ok"),
}
"""All examples by the names that routes give them."""
