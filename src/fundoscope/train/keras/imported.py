"""The result of importing a Keras classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import yields.

    Attributes:
        folder: the bundle.
        name: of the bundle.
        height: of the input, in pixels.
        width: of the input, in pixels.
        head: one of :mod:`fundoscope.grading.heads`.
        grades: the grade of each class; empty if the outputs are not classes.
        parameters: the number of weights.
        version: of the Keras that wrote the file; empty if the file does not state it.
        difference: the largest difference of a probability between ONNX Runtime and Keras.
        compared: the number of pictures on which they were compared, random and drawn ones.
        megabytes: size of ``model.onnx`` (10^6 bytes).
        unused: the number of leading outputs that are not used, because they are always true.
        rescales: whether the network has a layer that rescales its input.
    """

    folder: Path
    name: str
    height: int
    width: int
    head: str
    grades: tuple[int, ...]
    parameters: int
    version: str
    difference: float
    compared: int
    megabytes: float
    rescales: bool
    unused: int = 0
