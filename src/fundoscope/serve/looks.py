"""Who looked at which reading: a line in the audit log for each person, reading and hour.

To open a reading on the page takes several requests, and people go back to it. So the log names
person and reading once an hour, and once more after a restart of the service.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from fundoscope.serve.store import audit
from fundoscope.serve.store.database import writing
from fundoscope.serve.store.store import Store

AGAIN_S: Final = 3600
"""Seconds after which a person's look at the same reading is logged again."""
MAX_REMEMBERED: Final = 10_000
"""Looks that are remembered: those of a large clinic in an hour. An older one is logged again."""


class Looks:
    """The looks that are in the log already."""

    def __init__(self, store: Store) -> None:
        """Remember nothing yet.

        Args:
            store: with the log.
        """
        self._store = store
        self._logged: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def note(self, person: str, reading: str) -> None:
        """Log a look, unless the log has it.

        Args:
            person: the name of the token.
            reading: the id of the reading.

        Raises:
            DatabaseError: the database cannot be used; then nothing may be shown.
        """
        with self._lock:
            now = time.monotonic()
            before = self._logged.pop((person, reading), None)
            if before is None or now - before >= AGAIN_S:
                with writing(self._store.engine) as connection:
                    audit.append(connection, person, audit.LOOKED, reading)
                before = now
            self._logged[person, reading] = before
            if len(self._logged) > MAX_REMEMBERED:
                del self._logged[next(iter(self._logged))]
