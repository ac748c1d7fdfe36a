"""ONNX Runtime: the one place where a model is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError
from fundoscope.models.bundle import Bundle, BundleManifest

if TYPE_CHECKING:
    import onnxruntime


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
    options.log_severity_level = 3
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

    Args:
        model: from :func:`session`.
        batch: what the graph takes; for a grader ``uint8 (N, S, S, 3)`` RGB.
    """
    output: NDArray[np.float32] = model.run(None, {model.get_inputs()[0].name: batch})[0]
    return output
