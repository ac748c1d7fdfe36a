"""Squares as the network of a grader sees them, kept in a folder part by part.

Run the same command again to resume an interrupted run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope import ordered
from fundoscope.grading import grader as graders
from fundoscope.grading.grader import Grader
from fundoscope.grading.judge import NetworkFeatures
from fundoscope.photo.decode import Pixels

PART: Final = 50
"""Photographs of a cached part."""
BATCH: Final = 16
WORKERS: Final = os.cpu_count() or 1
"""Threads that read photographs and make their copies, which is most of the work."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Features of N squares.

    Attributes:
        features: ``float16 (N, K)``.
        stages: ``float16 (N, S)``.
        place: ``int64 (N,)``, which photograph each square shows.
        kind: N texts: how the photograph is shown, e.g. ``"genuine"`` or ``"strong blur"``.
    """

    features: NDArray[np.float16]
    stages: NDArray[np.float16]
    place: NDArray[np.int64]
    kind: NDArray[np.str_]

    @property
    def seen(self) -> NetworkFeatures:
        """What the judge takes."""
        single = np.float32
        return NetworkFeatures(self.features.astype(single), self.stages.astype(single))


Copies = Iterator[tuple[str, Pixels]]
"""How each square shows a photograph, and the square."""
Progress = Callable[[], None]


def measure(
    grader: Grader,
    names: Sequence[str],
    copies: Callable[[int], Copies],
    cache: Path,
    progress: Progress = lambda: None,
) -> Measured:
    """Look at squares, part by part.

    Args:
        grader: whose network has features.
        names: of the photographs; with the network's hash they name the cached parts.
        copies: from the number of a photograph to the squares that show it; called from several
            threads.
        cache: folder of the parts; created if it does not exist.
        progress: called after each photograph.
    """
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for first in range(0, len(names), PART):
        numbers = range(first, min(first + PART, len(names)))
        key = "\n".join((grader.manifest.model_sha256, *(names[n] for n in numbers)))
        path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            part = _part(grader, numbers, copies, progress)
            temporary = path.with_suffix(".tmp.npz")
            np.savez(
                temporary,
                features=part.features,
                stages=part.stages,
                place=part.place,
                kind=part.kind,
            )
            temporary.replace(path)
        with np.load(path, allow_pickle=False) as kept:
            parts.append(
                Measured(
                    kept["features"],
                    kept["stages"],
                    kept["place"] + first,
                    kept["kind"],
                )
            )
    return Measured(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.stages for part in parts]),
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )


def _part(
    grader: Grader, numbers: Sequence[int], copies: Callable[[int], Copies], progress: Progress
) -> Measured:
    seen, places, kinds = list[NetworkFeatures](), [], []
    waiting = list[Pixels]()

    def all_of(number: int) -> list[tuple[str, Pixels]]:
        return list(copies(number))

    shown = ordered.in_order(numbers, all_of, WORKERS)
    for number, squares in zip(numbers, shown, strict=True):
        for kind, square in squares:
            places.append(number - numbers[0])
            kinds.append(kind)
            waiting.append(square)
            if len(waiting) == BATCH:
                seen.append(graders.forward(grader, np.stack(waiting))[1])
                waiting = []
        progress()
    square = np.zeros((1, grader.input.height, grader.input.width, 3), np.uint8)
    seen.append(graders.forward(grader, np.stack(waiting) if waiting else square)[1])
    count, half = len(places), np.float16
    return Measured(
        np.concatenate([each.features for each in seen])[:count].astype(half),
        np.concatenate([each.stages for each in seen])[:count].astype(half),
        np.array(places, np.int64),
        np.array(kinds, np.str_),
    )


def together(*parts: Measured) -> Measured:
    """Features of several sets, one after the other; places count on."""
    offsets = np.cumsum([0, *(int(part.place.max(initial=-1)) + 1 for part in parts)])
    return Measured(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.stages for part in parts]),
        np.concatenate([part.place + offset for part, offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.kind for part in parts]),
    )


def beside(photographs: Measured, copies: Measured) -> Measured:
    """Features of the same photographs in two sets as one, in the order of their places."""
    place = np.concatenate([photographs.place, copies.place])
    order = np.argsort(place, kind="stable")
    return Measured(
        np.concatenate([photographs.features, copies.features])[order],
        np.concatenate([photographs.stages, copies.stages])[order],
        place[order],
        np.concatenate([photographs.kind, copies.kind])[order],
    )
