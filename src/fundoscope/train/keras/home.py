"""Importing Keras without leaving its configuration in the user's home folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "KERAS_HOME"
"""Names the folder of Keras' configuration. Keras writes a ``keras.json`` there when it is imported
for the first time."""
CONFIGURATION: Final = Path("~/.keras/keras.json")


@contextmanager
def untouched() -> Iterator[None]:
    """Import Keras within this block: its configuration goes into a temporary folder.

    A configuration that the user has, or a folder that ``KERAS_HOME`` names, is used as it is.
    Processes that are started within the block do the same.
    """
    if VARIABLE in os.environ or _configured():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="fundoscope-keras-") as folder:
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def _configured() -> bool:
    try:
        return CONFIGURATION.expanduser().exists()
    except (OSError, RuntimeError):  # There is no home folder, or it may not be read.
        return False
