"""Files of torch: made, and read without unpickling more than tensors and plain values."""

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
"""What torch's own unpickler raises at files that are none: a text file, for one, is a KeyError."""


def read(path: Path, title: str, why: str, remedy: str) -> Any:
    """The content of a file of ``torch.save``.

    Args:
        path: of the file.
        title, why, remedy: what the error says where the file is damaged or holds program code.

    Raises:
        UsageError: it is.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles; what cannot be read is told below
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
    """The same in half precision, for a journey; counters stay as they are."""
    return {
        key: value.half() if value.is_floating_point() else value for key, value in tensors.items()
    }
