"""The optional parts of fundoscope, as ``pyproject.toml`` declares them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Final

from fundoscope.errors import MissingExtraError

EXTRAS: Final = {
    "evaluate": {
        "faster-coco-eval": "faster_coco_eval",
        "matplotlib": "matplotlib",
        "polars": "polars",
        "scikit-learn": "sklearn",
    },
    "train": {
        "torch": "torch",
        "torchvision": "torchvision",
        "timm": "timm",
        "lightning": "lightning",
        "onnx": "onnx",
        "onnxscript": "onnxscript",
    },
    "keras": {"keras": "keras", "h5py": "h5py"},
}
"""By extra: its packages, by the name that pip knows, and the module that each is imported as."""


def extra_of(module: str) -> str | None:
    """The extra that brings a module; ``None`` where none does."""
    return next((extra for extra, parts in EXTRAS.items() if module in parts.values()), None)


def require(feature: str, extra: str, modules: Sequence[str]) -> None:
    """Check that an optional part is installed, without importing it.

    Args:
        feature: what needs it, as the user called it.
        extra: the part.
        modules: those of its modules that the feature imports.

    Raises:
        MissingExtraError: one of them is not there.
    """
    if any(importlib.util.find_spec(name) is None for name in modules):
        raise MissingExtraError(feature, extra)
