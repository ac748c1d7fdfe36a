"""ONNX Runtime: the one place where a model is run."""

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
"""The only level at which ONNX Runtime may write to standard error: what fails is raised."""
NO_MEMORY: Final = re.compile(r"[Ff]ailed to allocate memory|bad_alloc")
"""What ONNX Runtime says when memory ends; its errors have no class for it."""


def session(bundle: Bundle[BundleManifest], *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load a verified bundle's graph.

    Args:
        bundle: from :func:`fundoscope.models.bundle.load`.
        threads: as in :func:`open_graph`.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    return open_graph(bundle.model, bundle.manifest.name, threads=threads)


def open_graph(model: bytes, title: str, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load a graph that is not in a bundle yet.

    Args:
        model: the bytes of an ``.onnx`` file.
        title: how messages call it.
        threads: of one call. One is best where several photographs are read side by side, and it
            gives the same result on every machine of a kind.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # A plan of the memory of a whole call, made at the first call for each size, is taken besides
    # the arena: reading lesions on two threads took 1.6 GB with it, 1.1 without, as fast.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001
        # The errors of ONNX Runtime have no common base class but Exception.
        raise BundleError(
            title,
            f"cannot be loaded by ONNX Runtime ({str(error).splitlines()[0][:120]})",
            "export it again, or update onnxruntime",
        ) from None


def run(model: onnxruntime.InferenceSession, batch: NDArray[Any]) -> NDArray[np.float32]:
    """Run a graph of one input and take its first output.

    Args, errors: as :func:`outputs`.
    """
    output: NDArray[np.float32] = outputs(model, batch, None)[0]
    return output


def outputs(
    model: onnxruntime.InferenceSession, batch: NDArray[Any], names: Sequence[str] | None
) -> list[NDArray[Any]]:
    """Run a graph of one input.

    Args:
        model: from :func:`session`.
        batch: what the graph takes; ``uint8 (N, H, W, 3)`` RGB.
        names: of the outputs that are wanted; ``None`` for all.

    Raises:
        MemoryError: there is too little for it.
    """
    try:
        found: list[NDArray[Any]] = model.run(names, {model.get_inputs()[0].name: batch})
    except Exception as error:
        # The errors of ONNX Runtime have no common base class but Exception.
        if NO_MEMORY.search(str(error)):
            raise MemoryError(f"too little to read {batch.shape} at once") from None
        raise
    return found
