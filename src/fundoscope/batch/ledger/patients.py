"""From eyes to patients: the worse eye decides, and an ungraded photograph counts as positive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.names import eye_of
from fundoscope.batch.outcome import READ, REFUSED
from fundoscope.report.wording import grade_in_words

COLUMNS: Final = (
    "patient", "icdr", "grade", "worse_eye", "referable", "referable_probability", "because",
    "eyes_read", "eyes_not_read", "photographs", "read", "not_graded", "refused", "look_at",
)  # fmt: skip
"""The columns of ``patients.csv``."""

BY_GRADE: Final = "a photograph is referable"
BY_GAP: Final = "a photograph could not be graded"
UNREAD: Final = "not all photographs of the patient were read in this run"
"""It was stopped, or reads a part of the photographs."""
NONE: Final = "all photographs were graded, none is referable"
BOTH: Final = "both"
"""Both eyes have the highest grade."""
ONE_EYE: Final = "none is referable, and it is not known that both eyes were read"


@dataclass(slots=True)
class Patient:
    """The results of one patient so far.

    Attributes:
        name: of the patient, as in the table.
        icdr: the highest grade, 0 to 4; ``None`` before the first one.
        worse_eye: the eye with that grade: ``left`` or ``right`` where the table's word is known;
            ``both`` if both have it.
        probability: the highest probability of being referable.
        positive: whether a photograph is referable.
        read: the number of graded photographs.
        not_graded: the number of photographs that could be read but not graded.
        refused: the number of photographs that could not be read.
        unread: the number of photographs that the run has not read, or leaves to another part.
        eyes: whether each eye has a graded photograph.
        reasons: why a person should look at graded photographs.
    """

    name: str
    icdr: int | None = None
    worse_eye: str = ""
    probability: float | None = None
    positive: bool = False
    read: int = 0
    not_graded: int = 0
    refused: int = 0
    unread: int = 0
    eyes: dict[str, bool] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def add(self, facts: Facts) -> None:
        """Add one photograph of this patient."""
        graded, eye = facts.status == READ, eye_of(facts.eye) or facts.eye
        if eye:
            self.eyes[eye] = self.eyes.get(eye, False) or graded
        if not graded:
            self.refused += facts.status == REFUSED
            self.not_graded += facts.status != REFUSED
            return
        self.read += 1
        self.positive |= facts.positive
        self.reasons += [reason for reason in facts.attention if reason not in self.reasons]
        if facts.icdr is not None and (self.icdr is None or facts.icdr > self.icdr):
            self.icdr, self.worse_eye = facts.icdr, eye
        elif facts.icdr == self.icdr and eye and self.worse_eye and eye != self.worse_eye:
            self.worse_eye = BOTH
        if facts.probability is not None:
            self.probability = max(self.probability or 0.0, facts.probability)

    def add_unread(self, eye: str) -> None:
        """Add a photograph of this patient that the run has not read."""
        self.unread += 1
        if eye:
            self.eyes.setdefault(eye_of(eye) or eye, False)

    @property
    def referable(self) -> bool:
        """Whether the patient should see a doctor: a photograph is positive, or has no grade."""
        return self.positive or self.read < self.photographs + self.unread

    @property
    def photographs(self) -> int:
        """The number of photographs of this patient in the tables."""
        return self.read + self.not_graded + self.refused

    def row(self) -> dict[str, str]:
        """Text cells by column."""
        none = NONE if {"left", "right"} <= self.eyes.keys() else ONE_EYE
        gap = BY_GAP if self.read < self.photographs else UNREAD
        because = BY_GRADE if self.positive else gap if self.referable else none
        return {
            "patient": self.name,
            "icdr": "" if self.icdr is None else str(self.icdr),
            "grade": "" if self.icdr is None else grade_in_words(self.icdr),
            "worse_eye": self.worse_eye,
            "referable": "true" if self.referable else "false",
            "referable_probability": "" if self.probability is None else f"{self.probability:.6f}",
            "because": because,
            "eyes_read": _eyes(self.eyes, read=True),
            "eyes_not_read": _eyes(self.eyes, read=False),
            "photographs": str(self.photographs),
            "read": str(self.read),
            "not_graded": str(self.not_graded),
            "refused": str(self.refused),
            "look_at": "; ".join(self.reasons),
        }


def _eyes(eyes: dict[str, bool], *, read: bool) -> str:
    return "; ".join(sorted(eye for eye, done in eyes.items() if done is read))
