"""Patients that are kept out of every training of a detector.

A model that grades by detected lesions must be fitted to eyes that the detector was not trained on:
on its training eyes the detector is too accurate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from fundoscope.data.leaks import together
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


def with_reserved(rows: Sequence[Row]) -> list[bool]:
    """Whether each row is reserved, or belongs together with one that is.

    A near-duplicate of a reserved eye may have another patient's name. What a detector learns from
    must not contain it.

    Args:
        rows: of one label table, whichever of them are used.
    """
    groups = together(rows)
    reserved = np.array([is_reserved(row) for row in rows], dtype=bool)
    return [bool(each) for each in np.isin(groups, groups[reserved])]
