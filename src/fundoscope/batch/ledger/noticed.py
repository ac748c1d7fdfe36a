"""What was noticed while the photographs of a run were listed.

The ledger keeps it: a run that is resumed does not list them again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from fundoscope.batch.names import Doubts


@dataclass(frozen=True, slots=True)
class Noticed:
    """What the end of a run says of its inputs.

    Attributes:
        passed_over: counts of skipped files in folders and archives, by suffix.
        doubts: what a person should check.
    """

    passed_over: Counter[str] = field(default_factory=Counter)
    doubts: Doubts = field(default_factory=Doubts)

    def to_text(self) -> str:
        """As JSON in ASCII, whatever bytes a name has."""
        doubts = self.doubts
        return json.dumps([self.passed_over, sorted(doubts.joined), doubts.unknown_eyes])

    def restore(self, text: str) -> None:
        """Take what :meth:`to_text` wrote instead; nothing where an earlier version wrote none."""
        if not text:
            return
        passed_over, joined, unknown_eyes = json.loads(text)
        for counter, counts in (
            (self.passed_over, passed_over),
            (self.doubts.unknown_eyes, unknown_eyes),
        ):
            counter.clear()
            counter.update(counts)
        self.doubts.joined.clear()
        self.doubts.joined.update(joined)
