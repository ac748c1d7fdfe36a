"""Running models with ONNX Runtime, which no other module does, or with OpenVINO."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import BundleError, PhotoError, UsageError
from fundoscope.models import graph, openvino_session
from fundoscope.models.bundle import Bundle, BundleManifest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FATAL: Final = 4
"""The only level at which ONNX Runtime may write to standard error; errors are raised."""
NO_MEMORY: Final = re.compile(r"[Ff]ailed to allocate memory|bad_alloc")
"""ONNX Runtime reports a lack of memory only by its message, not by a class of error."""

NOT_FINITE: Final = "not_finite"
"""The code of a photograph for which a network gives no finite numbers."""
INVALID_OUTPUT: Final = "invalid_output"
"""The code of a photograph for which a detector gives boxes that cannot be."""
FAILED: Final = "network_failed"
"""The code of a photograph for which a network cannot be computed."""
UINT8: Final = "tensor(uint8)"
"""ONNX Runtime's name for the type of pixels."""
MESSAGE_CHARACTERS: Final = 120
"""Characters of a message of ONNX Runtime that are repeated."""
PIXEL_AXES: Final = 4
"""Axes of the input: photographs, height, width, colours."""

TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime reads this variable when it is loaded. From version 1.29 on it otherwise sends usage
data to its maker, and keeps an identifier of the machine in the cache folder of the user."""
PROVIDER: Final = "ExecutionProvider"
"""How the names of all providers of ONNX Runtime end, e.g. ``CPUExecutionProvider``."""
CPU: Final = f"CPU{PROVIDER}"
REMOTE: Final = ("azure",)
"""Providers that would send a photograph to another machine; they are not offered."""


def disable_telemetry() -> None:
    """Switch the telemetry of ONNX Runtime off, in this process and those that it starts.

    Whoever has set ``ORT_DISABLE_TELEMETRY`` keeps their own choice.
    """
    os.environ.setdefault(TELEMETRY, "1")


def library() -> Any:
    """The module ``onnxruntime``, with its telemetry off. No other module imports it."""
    disable_telemetry()
    import onnxruntime

    return onnxruntime


def available_providers(names: Sequence[str] | None = None) -> list[str]:
    """The full names of providers of ONNX Runtime, which run a graph on a device.

    Args:
        names: in the order of preference, e.g. ``["cuda"]`` or ``["CUDAExecutionProvider"]``;
            ``None`` for the CPU. For ``["openvino"]`` see :func:`open_graph`.

    Returns:
        Their names. The CPU comes last, for nodes that the others cannot run.

    Raises:
        UsageError: ONNX Runtime, as it is installed here, does not have one of them.
    """
    if names is None:
        return [CPU]
    installed = {_short(name): name for name in library().get_available_providers()}
    available = {short: name for short, name in installed.items() if short not in REMOTE}
    chosen = [available.get(_short(name)) or _refuse(name, available) for name in names]
    return list(dict.fromkeys([*chosen, CPU]))


def _short(provider: str) -> str:
    return provider.lower().removesuffix(PROVIDER.lower())


def _refuse(name: str, available: Iterable[str]) -> str:
    raise UsageError(
        f"device {name}",
        "is not available in the ONNX Runtime that is installed",
        f"choose one of: {', '.join(available)}",
    )


def session(
    bundle: Bundle[BundleManifest], *, threads: int = 1, providers: Sequence[str] | None = None
) -> InferenceSession:
    """Load the graph of a verified bundle.

    Args:
        bundle: from :func:`fundoscope.models.bundle.load`.
        threads: as for :func:`open_graph`.
        providers: as for :func:`available_providers`.

    Raises:
        BundleError: as :func:`open_graph`, or the graph does not take one array of pixels.
        UsageError: a provider is not available.
    """
    title = bundle.manifest.name
    opened = open_graph(bundle.model, title, threads=threads, providers=providers)
    takes = [(node.type, len(node.shape)) for node in opened.get_inputs()]
    if takes != [(UINT8, PIXEL_AXES)] or not opened.get_outputs():
        raise BundleError(
            title, "cannot be used: its network does not take photographs", "export it again"
        )
    return opened


def open_graph(
    model: bytes, title: str, *, threads: int = 1, providers: Sequence[str] | None = None
) -> InferenceSession:
    """Load a graph.

    Args:
        model: the bytes of an ``.onnx`` file.
        title: the model's name, for messages.
        threads: CPU threads for one call. One is best when several photographs are read in
            parallel, and gives the same result on every machine of a kind.
        providers: as for :func:`available_providers`. For ``["openvino"]`` the package OpenVINO
            runs the graph, unless ONNX Runtime has a provider of that name.

    Returns:
        A session of ONNX Runtime, or an
        :class:`~fundoscope.models.openvino_session.OpenVinoSession`, which has the same methods.

    Raises:
        BundleError: the graph reads weights from another file, or it cannot be loaded.
        MissingExtraError: OpenVINO is not installed.
        UsageError: a provider is not available.
    """
    fault = graph.fault(model)
    if fault is not None:
        raise BundleError(
            title,
            f"cannot be loaded by ONNX Runtime (its network {fault})",
            "get the bundle again, or export it again with its weights inside",
        )
    if _takes_openvino(providers):
        return _opened_by_openvino(model, title)
    onnxruntime = library()
    chosen = available_providers(providers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # The memory pattern of each input size is allocated besides the arena. Without it, reading
    # lesions on two threads took 1.1 GB instead of 1.6 GB, and was as fast.
    options.enable_mem_pattern = False
    # Its own format could refer to other files, too; it is not even tried.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # Without another provider to fall back to, it would print and try the same once more.
        loaded: InferenceSession = onnxruntime.InferenceSession(
            model, options, providers=chosen, enable_fallback=int(len(chosen) > 1)
        )
    except Exception as error:  # noqa: BLE001
        # The errors of ONNX Runtime have no common base class but Exception.
        raise BundleError(
            title,
            f"cannot be loaded by ONNX Runtime ({_first_line(error)})",
            "export it again, or update onnxruntime",
        ) from None
    return loaded


def _takes_openvino(providers: Sequence[str] | None) -> bool:
    wanted = [_short(name) for name in providers or ()][:1]
    known = map(_short, library().get_available_providers())
    return wanted == [openvino_session.NAME] and openvino_session.NAME not in known


def _opened_by_openvino(model: bytes, title: str) -> InferenceSession:
    openvino_session.require()
    try:
        return openvino_session.OpenVinoSession(model)
    except RuntimeError as error:
        raise BundleError(
            title,
            f"cannot be loaded by OpenVINO ({_first_line(error)})",
            "leave out --device, or update openvino",
        ) from None


def run(model: InferenceSession, batch: NDArray[Any]) -> NDArray[np.float32]:
    """Run a graph that has one input, and return its first output.

    Its numbers need not be finite; :func:`require_finite` checks them.

    Args:
        model: from :func:`session`.
        batch: the input, e.g. ``uint8 (N, H, W, 3)`` RGB.

    Raises:
        MemoryError: there is too little memory.
        PhotoError: the network failed.
    """
    output: NDArray[np.float32] = outputs(model, batch, [model.get_outputs()[0].name])[0]
    return output


def outputs(
    model: InferenceSession, batch: NDArray[Any], names: Sequence[str] | None
) -> list[NDArray[Any]]:
    """Run a graph that has one input.

    Args:
        model: from :func:`session`.
        batch: the input, e.g. ``uint8 (N, H, W, 3)`` RGB.
        names: of the outputs to return; ``None`` for all.

    Raises:
        MemoryError: there is too little memory.
        PhotoError: ONNX Runtime cannot compute the graph for this input.
    """
    try:
        results: list[NDArray[Any]] = model.run(names, {model.get_inputs()[0].name: batch})
    except Exception as error:  # noqa: BLE001
        # The errors of ONNX Runtime have no common base class but Exception.
        if NO_MEMORY.search(str(error)):
            raise MemoryError(f"too little for an input of the shape {batch.shape}") from None
        raise PhotoError(
            "the network",
            f"has no result: the network failed ({_first_line(error)})",
            "use another bundle, or export this one again",
            code=FAILED,
        ) from None
    return results


def require_finite(title: str, *arrays: NDArray[Any]) -> None:
    """Check the outputs of a network before anything is decided by them.

    Args:
        title: the model's name, for messages.
        arrays: its outputs.

    Raises:
        PhotoError: a number is infinite or not a number.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise PhotoError(
            title,
            "has no result: the network gives numbers that are not finite",
            "use another bundle, or export this one again",
            code=NOT_FINITE,
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:MESSAGE_CHARACTERS]
