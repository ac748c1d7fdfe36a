"""Counts over a run. They stay small, however many photographs it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fundoscope.batch.jobs import INTERNAL_ERROR
from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.outcome import READ, REFUSED, STATUSES
from fundoscope.errors import ConnectionLostError, FundoscopeError, PhotoError
from fundoscope.report.wording import NotAssessed


@dataclass(slots=True)
class Tally:
    """Counts over a run.

    Attributes:
        photographs: the number of photographs to read.
        statuses: the number of each status so far.
        codes: the number of photographs without a grade, by code.
        referable: the number of graded photographs that are referable.
        thresholds: the operating points for "referable" that were used.
        unseen: what was not assessed, in order, and on how many photographs that opened.
        equal_files: the number of photographs whose file was read before in this run.
        unfamiliar: the number of photographs unlike those that the grader learnt from.
        without_patient: the number of photographs without a patient.
        without_patient_referable: the number of these that are referable, or have no grade.
        patients: the number of patients; known at the end.
        ungraded: image, number among the inputs from 1, status, code, reason and remedy of each
            photograph without a grade; listed at the end.
        equal: the photographs whose file was read before in this run, and under which name. Names
            that several photographs have are followed by the number of the photograph. They are
            listed at the end.
        ignored: counts of files in folders and archives that are not photographs, by suffix; known
            at the end.
        interrupted: whether the run was stopped before its end.
        lost: the error that stopped it, if a cluster or a store was lost.
        earlier: the number of photographs that were read before this command began.
    """

    photographs: int
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    referable: int = 0
    thresholds: set[float] = field(default_factory=set)
    unseen: Counter[NotAssessed] = field(default_factory=Counter)
    equal_files: int = 0
    unfamiliar: int = 0
    without_patient: int = 0
    without_patient_referable: int = 0
    patients: int = 0
    ungraded: list[dict[str, Any]] = field(default_factory=list)
    equal: list[dict[str, str]] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    lost: ConnectionLostError | None = None
    earlier: int = 0

    def add(self, facts: Facts) -> None:
        """Count one photograph."""
        self.statuses[facts.status] += 1
        self.equal_files += bool(facts.same_as)
        self.unfamiliar += facts.familiar is False
        if not facts.patient:
            self.without_patient += 1
            self.without_patient_referable += facts.positive or facts.status != READ
        if facts.status != REFUSED:
            self.unseen.update(facts.not_assessed())
        if facts.threshold is not None:
            self.thresholds.add(facts.threshold)
        if facts.status == READ:
            self.referable += facts.positive
        else:
            self.codes[facts.code] += 1

    @property
    def opened(self) -> int:
        """The number of photographs that could be opened."""
        return self.done - self.statuses[REFUSED]

    @property
    def done(self) -> int:
        """The number of photographs that are done."""
        return self.statuses.total()

    @property
    def exit_code(self) -> int:
        """0 if all were read and graded, 3 if some were not, 1 after an internal error."""
        if self.codes[INTERNAL_ERROR]:
            return FundoscopeError.exit_code
        return 0 if self.statuses[READ] == self.photographs else PhotoError.exit_code

    def counts(self) -> dict[str, int]:
        """The numbers that are shown and written to ``run.json``."""
        by_status = {status: self.statuses[status] for status in STATUSES}
        return {"photographs": self.photographs, **by_status, "referable": self.referable}
