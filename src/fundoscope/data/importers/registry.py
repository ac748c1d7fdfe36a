"""The sources by their names in ``fundoscope data import``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from fundoscope.data.importers import (
    aptos,
    class_folders,
    ddr,
    deepdrid,
    diaretdb1,
    e_ophtha,
    eyepacs,
    idrid,
    label_table,
    messidor2,
)
from fundoscope.data.importers.source import Imported
from fundoscope.errors import UsageError

MODULES: Final[Mapping[str, ModuleType]] = {
    "class-folders": class_folders,
    "table": label_table,
    "aptos": aptos,
    "eyepacs": eyepacs,
    "idrid": idrid,
    "messidor2": messidor2,
    "ddr": ddr,
    "deepdrid": deepdrid,
    "diaretdb1": diaretdb1,
    "e-ophtha": e_ophtha,
}


def reader(source: str) -> Callable[[Path], Imported]:
    """The function that reads a source.

    Raises:
        UsageError: there is no such source; the message lists the sources.
    """
    if source not in MODULES:
        raise UsageError(source, "is not a known source", f"name one of: {', '.join(MODULES)}")
    read: Callable[[Path], Imported] = MODULES[source].read
    return read


def summary(source: str) -> str:
    """The layout of the folder of a source, in a line."""
    return (MODULES[source].__doc__ or "").partition("\n")[0]
