"""Running a network with OpenVINO, behind the methods of ONNX Runtime's sessions that are used.

OpenVINO rounds at other places than ONNX Runtime. How far results differ is measured by
``bench/with_openvino.py``.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import MissingExtraError

NAME: Final = "openvino"
"""Of the device, of the package, and of the extra that installs it."""
DEVICE: Final = "CPU"
PRECISION: Final = "f32"
"""OpenVINO would choose bfloat16, which is less exact, where the processor has it."""


def installed() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec(NAME) is not None


def require() -> None:
    """Check that the package is installed.

    Raises:
        MissingExtraError: it is not.
    """
    if not installed():
        raise MissingExtraError(f"device {NAME}", NAME)


@dataclass(frozen=True, slots=True)
class Node:
    """An input or output of a network.

    Attributes:
        name: as the network names it.
        type: of its values, as ONNX Runtime names it, e.g. ``"tensor(uint8)"``.
        shape: its sides; ``None`` for a free one.
    """

    name: str
    type: str
    shape: list[int | None]


class OpenVinoSession:
    """A loaded network. Threads may share it; each call runs on one thread."""

    def __init__(self, model: bytes) -> None:
        """Load a network.

        Args:
            model: the bytes of an ``.onnx`` file.

        Raises:
            RuntimeError: OpenVINO cannot load it.
        """
        import openvino

        core = openvino.Core()
        graph = core.read_model(model)
        self._inputs, self._outputs = _nodes(graph.inputs), _nodes(graph.outputs)
        # One stream of one thread for each processor: calls of several threads run side by side.
        streams = os.cpu_count() or 1
        options = {
            "INFERENCE_PRECISION_HINT": PRECISION,
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
        }
        self._network = core.compile_model(graph, DEVICE, options)
        self._of_thread = threading.local()

    def get_inputs(self) -> list[Node]:
        """The inputs of the network."""
        return self._inputs

    def get_outputs(self) -> list[Node]:
        """The outputs of the network, in order."""
        return self._outputs

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Run the network.

        Args:
            names: of the outputs to return; ``None`` for all.
            inputs: by name.

        Raises:
            RuntimeError: the network cannot be computed for these inputs.
        """
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._network.create_infer_request()
        request = self._of_thread.request
        request.infer(dict(inputs))
        wanted = [node.name for node in self._outputs] if names is None else names
        # The memory of a request is used again by its next call.
        return [np.array(request.get_tensor(name).data) for name in wanted]


def _nodes(ports: Sequence[Any]) -> list[Node]:
    return [
        Node(
            port.get_any_name(),
            f"tensor({np.dtype(port.get_element_type().to_dtype()).name})",
            [side.get_length() if side.is_static else None for side in port.get_partial_shape()],
        )
        for port in ports
    ]
