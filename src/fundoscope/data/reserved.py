"""Patients that are kept out of every training of a detector.

A model that grades by detected lesions must be fitted to eyes that the detector was not trained on:
on its training eyes the detector is too accurate.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fundoscope.data.manifest import Row
from fundoscope.quoting import bare, encodable

RESERVED: Final = 4
"""One patient in N is reserved."""


def is_reserved(row: Row) -> bool:
    """Whether a photograph is kept from every detector, by a hash of its patient's name.

    Without a patient the group's name is taken, and without either the source and the file name:
    the path depends on where the table is.

    Args:
        row: of a label table.
    """
    name = row.patient or row.group or f"{row.source}/{bare(row.image)}"
    digest = hashlib.sha256(encodable(name).encode()).digest()
    return int.from_bytes(digest[:4], "big") % RESERVED == 0
