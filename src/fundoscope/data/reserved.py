"""The patients whose photographs no training of a detector sees.

A grade that is learnt from what a detector finds needs eyes that the detector did not learn from:
on those that it did, it finds too much that is right.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fundoscope.data.manifest import Row

RESERVED: Final = 4
"""One patient in N is reserved."""


def is_reserved(row: Row) -> bool:
    """Whether a photograph is kept from every detector, by a hash of its patient's name.

    Args:
        row: of a label table.
    """
    name = row.patient or row.group or row.image
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % RESERVED == 0
