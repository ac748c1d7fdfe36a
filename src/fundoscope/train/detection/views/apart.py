"""Checking that further sets do not hold the photographs that a detector is validated with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data import duplicates
from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import fingerprints
from fundoscope.errors import UsageError
from fundoscope.train.detection.views.choose import Chosen

SHOWN: Final = 12
"""Pairs that a message lists."""


def require_apart(chosen: Chosen, further: Chosen, title: str, cache: Path) -> None:
    """Check that no training photograph of a further set shows what one of validation shows.

    Names are not compared: those of two sets may be alike by chance.

    Args:
        chosen: the photographs of the run.
        further: those of the further set.
        title: how messages call that set.
        cache: folder of the fingerprints.

    Raises:
        UsageError: names the photographs.
    """
    val = [chosen.images / photo.image for photo in chosen.val]
    train = [further.images / photo.image for photo in further.train]
    photographs = [*val, *train]
    prints = fingerprints(photographs, cache=cache)
    crops = [each.crop if isinstance(each, Fingerprint) else b"" for each in prints]
    shared = dict.fromkeys(
        f"{photographs[link.second].name} and {photographs[link.first].name}"
        for link in duplicates.near_duplicates(crops)
        if link.first < len(val) <= link.second
    )
    if shared:
        more = f" … ({len(shared)} in all)" if len(shared) > SHOWN else ""
        raise UsageError(
            title,
            f"shows photographs of validation: {', '.join([*shared][:SHOWN])}{more}",
            "leave them out: partial.left_out, or data.left_out",
        )
