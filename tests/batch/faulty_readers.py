"""Readers for worker processes, which do what the name of a photograph says."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from fundoscope.errors import BundleError, PhotoError
from fundoscope.photo.decode import decode, decode_file
from fundoscope.reading import FieldOfView, Grade, ModelUsed, Quality, Reading

MODEL = ModelUsed("grading", "fake-1", "f" * 64)
STEP = 8 * 2**20
"""Bytes that a hungry reader takes at a time."""


class Obedient:
    """Reads; hangs, spins, eats memory, dies or fails where a name has that word."""

    models = (MODEL,)
    lesion_thresholds: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, *_: object, threads: int = 1, **__: object) -> None:
        self.threads = threads

    def examine(self, source: str | Path | bytes, *, eye: str | None = None) -> tuple[Any, Reading]:
        name = "" if isinstance(source, bytes) else Path(source).stem
        if "hang" in name:
            time.sleep(60)
        if "spin" in name:
            sum(range(10**12))  # one call that keeps the interpreter to itself
        if "hungry" in name:
            taken = []
            while True:
                taken.append(b"x" * STEP)
                time.sleep(0.005)
        if "huge" in name:
            bytearray(2**40)
        if "die" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in name and not Path(source).with_suffix(".met").exists():
            Path(source).with_suffix(".met").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "bundle" in name:
            raise BundleError("grader", "is broken", "replace it")
        if "fault" in name:
            raise ZeroDivisionError("oops")
        if "refuse" in name:
            raise PhotoError(name, "is bad", "take another", code="bad")
        if "grow" in name:
            with Path(source).open("ab") as stream:
                stream.write(b"more")
        photo = decode(source) if isinstance(source, bytes) else decode_file(source)
        return photo, Reading(
            photo.facts, FieldOfView(False, reason="no_disc"), Quality(), Grade(), (), (MODEL,),
            (), f"process {os.getpid()}",
        )  # fmt: skip


def broken() -> Obedient:
    """A reader whose models cannot be loaded."""
    raise BundleError("grader", "is broken", "replace it")


def dead() -> Obedient:
    """A reader that ends its process while it loads."""
    os._exit(9)
