"""Callbacks through which a run reports its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fundoscope.train.run.progress import Report

Data = TypeVar("Data")
"""What a task reads before it trains."""


@dataclass(frozen=True, slots=True)
class Listeners(Generic[Data]):
    """Callbacks that report progress; each may be ``None``.

    Attributes:
        picture: called while pictures are prepared, with how many are done and how many there are.
        data: called once with the data that was read.
        network: called once with the network's name and its number of weights.
        step: called after each step.
        epoch: called after each epoch with its line of ``metrics.jsonl``.
    """

    picture: Callable[[int, int], None] | None = None
    data: Callable[[Data], None] | None = None
    network: Callable[[str, int], None] | None = None
    step: Callable[[Report], None] | None = None
    epoch: Callable[[dict[str, Any]], None] | None = None
