"""Files of torch. Reading unpickles nothing but tensors and plain values."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

UNREADABLE: Final = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
)
"""What torch's unpickler raises at other files; a text file, for example, is a KeyError."""


def read(path: Path, title: str, why: str, remedy: str) -> Any:
    """The content of a file of ``torch.save``.

    Args:
        path: of the file.
        title: of the error.
        why: of the error.
        remedy: of the error.

    Raises:
        UsageError: the file is damaged, or holds program code.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles; what cannot be read is reported below
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        raise UsageError(title, why, remedy) from None


def content(stored: Mapping[str, Any]) -> bytes:
    """The bytes of a file of ``torch.save`` that holds tensors and plain values by name."""
    import torch

    buffer = io.BytesIO()
    torch.save(stored, buffer)
    return buffer.getvalue()


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in half precision; counters stay as they are, and so do tensors that overflow."""
    return {key: _halved(value) for key, value in tensors.items()}


def _halved(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if bool(half.isfinite().all()) else value
