"""The optional parts of fundoscope, as ``pyproject.toml`` declares them."""

from __future__ import annotations

from typing import Final

EXTRAS: Final = {
    "evaluate": {"scikit-learn": "sklearn", "matplotlib": "matplotlib", "polars": "polars"},
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
