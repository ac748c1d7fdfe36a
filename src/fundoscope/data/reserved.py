"""Patients that are kept out of every training of a detector.

A model that grades by detected lesions must be fitted to eyes that the detector was not trained on:
on its training eyes the detector is too accurate.
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
