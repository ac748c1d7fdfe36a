"""Running models with ONNX Runtime; no other module does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.models.bundle import Bundle, BundleManifest

if TYPE_CHECKING:
    import onnxruntime

FATAL: Final = 4
"""The only level at which ONNX Runtime may write to standard error; errors are raised."""
NO_MEMORY: Final = re.compile(r"[Ff]ailed to allocate memory|bad_alloc")
"""ONNX Runtime reports a lack of memory only by its message, not by a class of error."""

MESSAGE_CHARACTERS: Final = 120
"""Characters of a message of ONNX Runtime that are repeated."""


def session(bundle: Bundle[BundleManifest], *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load the graph of a verified bundle.

    Args:
        bundle: from :func:`fundoscope.models.bundle.load`.
        threads: as for :func:`open_graph`.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    return open_graph(bundle.model, bundle.manifest.name, threads=threads)


def open_graph(model: bytes, title: str, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        model: the bytes of an ``.onnx`` file.
        title: the model's name, for messages.
        threads: processor threads for one call. One is best when several photographs are read in
            parallel, and gives the same result on every machine of a kind.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # The memory pattern of each input size is allocated besides the arena. Without it, reading
    # lesions on two threads took 1.1 GB instead of 1.6 GB, and was as fast.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001
        # The errors of ONNX Runtime have no common base class but Exception.
        reason = str(error).splitlines()[0][:MESSAGE_CHARACTERS]
        raise BundleError(
            title,
            f"cannot be loaded by ONNX Runtime ({reason})",
            "export it again, or update onnxruntime",
        ) from None


def run(model: onnxruntime.InferenceSession, batch: NDArray[Any]) -> NDArray[np.float32]:
    """Run a graph that has one input, and return its first output.

    Args:
        model: from :func:`session`.
        batch: the input, e.g. ``uint8 (N, H, W, 3)`` RGB.

    Raises:
        MemoryError: there is too little memory.
    """
    output: NDArray[np.float32] = outputs(model, batch, None)[0]
    return output


def outputs(
    model: onnxruntime.InferenceSession, batch: NDArray[Any], names: Sequence[str] | None
) -> list[NDArray[Any]]:
    """Run a graph that has one input.

    Args:
        model: from :func:`session`.
        batch: the input, e.g. ``uint8 (N, H, W, 3)`` RGB.
        names: of the outputs to return; ``None`` for all.

    Raises:
        MemoryError: there is too little memory.
    """
    try:
        results: list[NDArray[Any]] = model.run(names, {model.get_inputs()[0].name: batch})
    except Exception as error:
        # The errors of ONNX Runtime have no common base class but Exception.
        if NO_MEMORY.search(str(error)):
            raise MemoryError(f"too little for an input of the shape {batch.shape}") from None
        raise
    return results
