"""Read and write Keras files of any version (HDF5, or the ``.keras`` zip).

None of a file's code is run. The file is copied first, and only the copy is opened. The
configuration of its network is converted (:mod:`fundoscope.train.keras.config`), the network is
built, and then gets the file's weights. Optimiser, losses and metrics are ignored.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from fundoscope import limits
from fundoscope.compression import LZMA_ERRORS
from fundoscope.errors import UsageError
from fundoscope.train.keras import config as keras_config
from fundoscope.train.keras import home
from fundoscope.writing import replacing

BACKEND, BACKEND_VARIABLE = "torch", "KERAS_BACKEND"
HDF5_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
"""The parts of a ``.keras`` file."""
NESTED: Final = "Exception encountered: "
"""The text before an error inside an error of Keras."""
MESSAGE: Final = 160
"""Characters of a library's message that are passed on."""
TOP_LEVEL: Final = "top_level_model_weights"
"""A group of weights in HDF5 that does not belong to a layer."""
EXAMPLES: Final = 3
"""Layers that an error message names at most."""
DAMAGED: Final[tuple[type[Exception], ...]] = (
    OSError,
    KeyError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    *LZMA_ERRORS,
)
"""What h5py, json and zipfile raise on damaged files. (A RecursionError is a RuntimeError.)"""
REMEDY: Final = "get the file again, or save the whole model again with model.save(…)"


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A network from a file.

    Attributes:
        model: ``keras.Model``, built, with the file's weights; not compiled.
        sha256: of the file.
        version: of the Keras that wrote it; empty if the file does not state it.
    """

    model: Any
    sha256: str
    version: str


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a file: the network's configuration, and a file of weights.

    ``by_name``: whether Keras finds a layer's weights by the layer's name (HDF5).
    """

    config: object
    version: str
    weights: Path
    by_name: bool


def framework() -> Any:
    """The module ``keras``, on its torch backend. No other module imports it.

    Raises:
        UsageError: Keras uses another backend.
    """
    backend = os.environ.setdefault(BACKEND_VARIABLE, BACKEND)
    if backend == BACKEND:
        with home.untouched():
            import keras

        backend = keras.backend.backend()
        if backend == BACKEND:
            return keras
    raise UsageError(
        f"Keras on {backend}",
        f"is not supported, only Keras on {BACKEND}",
        f"set {BACKEND_VARIABLE}={BACKEND} before anything imports keras",
    )


def read(path: Path) -> KerasFile:
    """Read a network from an ``.h5`` or ``.keras`` file. Its suffix does not matter.

    Raises:
        UsageError: the file is missing, damaged or too large, holds no network or no weights, or
            has layers that are not supported (see :data:`fundoscope.train.keras.config.LAYERS`),
            such as Lambda.
    """
    if not path.is_file():
        why = "is a folder (a SavedModel?)" if path.is_dir() else "does not exist"
        raise UsageError(path.name, why, "name an .h5 or .keras file")
    if path.stat().st_size > limits.MAX_KERAS_FILE_BYTES:
        raise UsageError(
            path.name,
            f"has more than {limits.MAX_KERAS_FILE_BYTES >> 30} GiB",
            "save it without its optimiser: model.save(…, include_optimizer=False)",
        )
    with TemporaryDirectory(prefix="fundoscope-") as folder:
        file = Path(folder) / "file"
        sha256 = _copy(path, file)
        content = _content(file, path.name)
        old = content.version.startswith(("1", "2")) or not content.version
        config = keras_config.modern(content.config, path.name, old=old)
        model = _build(config, path.name)
        _load_weights(model, content, path.name)
    return KerasFile(model, sha256, content.version)


def save(model: Any, path: Path) -> None:
    """Write a network as ``.h5`` or ``.keras``. The file appears when it is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    # Keras chooses the format by the suffix.
    part = path.with_name(f".partial-{path.name}")
    with replacing(path, part=part, remedy="check folder and disk"), quiet():
        model.save(part)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Keras' warning that HDF5 is a legacy format: the user asked for it."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _copy(path: Path, target: Path) -> str:
    """Copy a file; the copy's sha256."""
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise UsageError(
            path.name, f"cannot be read ({error.strerror})", "check its permissions, and the disk"
        ) from None
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(file: Path, title: str) -> _Content:
    with file.open("rb") as opened:
        hdf5 = opened.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    try:
        if hdf5:
            return _of_hdf5(file, title)
        if zipfile.is_zipfile(file):
            return _of_zip(file, title)
    except UsageError:
        raise
    except DAMAGED as error:
        raise _damaged(title, error) from None
    raise UsageError(title, "is neither an HDF5 nor a .keras file", REMEDY)


def _of_hdf5(path: Path, title: str) -> _Content:
    import h5py

    weights = path.with_name("model.h5")  # Keras knows the format by the suffix
    path.rename(weights)
    with h5py.File(weights, "r") as file:
        _require_whole(file, title)
        text = file.attrs.get("model_config")
        if text is None:
            raise _only_weights(title) if _has_weights(file) else _no_network(title)
        return _Content(json.loads(text), _text(file.attrs.get("keras_version", "")), weights, True)


def _of_zip(path: Path, title: str) -> _Content:
    import h5py

    weights = path.with_name(WEIGHTS)
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if CONFIG not in sizes or WEIGHTS not in sizes:
            raise _no_network(title)
        if (
            max(sizes[CONFIG], sizes.get(METADATA, 0)) > limits.MAX_KERAS_CONFIG_BYTES
            or sizes[WEIGHTS] > limits.MAX_KERAS_FILE_BYTES
        ):
            raise UsageError(title, "is too large when it is unpacked", REMEDY)
        config = json.loads(archive.read(CONFIG))
        metadata = json.loads(archive.read(METADATA)) if METADATA in sizes else {}
        with archive.open(WEIGHTS) as source, weights.open("wb") as target:
            shutil.copyfileobj(source, target)
    with h5py.File(weights, "r") as file:
        _require_whole(file, title)
    return _Content(config, str(metadata.get("keras_version", "")), weights, False)


def _require_whole(group: Any, title: str) -> None:
    """Reject links, and data in other files."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UsageError(title, f"has a link at {name!r} instead of data", REMEDY)
        part = group[name]
        if isinstance(part, h5py.Group):
            _require_whole(part, title)
        elif part.is_virtual or part.external:
            raise UsageError(title, f"keeps {name!r} in another file", REMEDY)


def _has_weights(file: Any) -> bool:
    return (
        "layer_names" in file.attrs or "layers" in file or "_layer_checkpoint_dependencies" in file
    )


def _build(config: dict[str, Any], title: str) -> Any:
    """Build the network with random weights, if it is not too large.

    It is built on torch's "meta" device first, to count its weights without allocating memory.
    """
    keras = framework()
    deserialise = keras.saving.deserialize_keras_object  # it changes its argument
    try:
        with keras.device("meta"):
            count = deserialise(copy.deepcopy(config), safe_mode=True).count_params()
        if count <= limits.MAX_KERAS_WEIGHTS:
            with keras.device("cpu"):
                return deserialise(config, safe_mode=True)
    except Exception as error:  # noqa: BLE001
        # Errors of the layers' constructors; they have no common base class.
        raise UsageError(
            title,
            f"has a network that Keras {keras.__version__} cannot build ({_first_line(error)})",
            "docs/how-to/keras.md lists the networks that can be imported",
        ) from None
    raise UsageError(
        title,
        f"has {count:,} weights, and a bundle holds at most {limits.MAX_KERAS_WEIGHTS:,}",
        "train a smaller network, or with smaller pictures",
    )


def _load_weights(model: Any, content: _Content, title: str) -> None:
    try:
        if content.by_name:
            _forget_inactive(model, content.weights)
            _require_same_layers(model, content.weights, title)
            model.load_weights(content.weights, by_name=True)
        else:
            model.load_weights(content.weights)
        finite = all(np.isfinite(values).all() for values in model.get_weights())
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise UsageError(
            title, f"has weights that do not fit its network ({_first_line(error)})", REMEDY
        ) from None
    if not finite:
        raise UsageError(
            title, "has weights that are not finite", "use the file of an earlier epoch"
        )


def _require_same_layers(model: Any, path: Path, title: str) -> None:
    """Check that the file has weights for every layer: Keras silently skips layers without any."""
    import h5py

    with h5py.File(path, "r") as file:
        if "model_weights" not in file:
            raise UsageError(title, "holds the network without its weights", REMEDY)
        group = file["model_weights"]
        stored = {name for name in group if _weight_count(group[name])}
    needed = {layer.name for layer in model.layers if layer.weights}
    if stored - {TOP_LEVEL} != needed:
        differing = ", ".join(sorted(stored ^ needed)[:EXAMPLES])
        raise UsageError(
            title, f"has weights of other layers than its network ({differing})", REMEDY
        )


def _forget_inactive(model: Any, path: Path) -> None:
    """Remove what the copy stores for layers that do nothing here: the state of their randomness.

    Keras would miss a place for it.
    """
    import h5py

    with h5py.File(path, "r+") as file:
        group = file.get("model_weights", {})
        for layer in model.layers:
            inactive = type(layer).__name__ == keras_config.IDENTITY or hasattr(layer, "layers")
            if inactive and not layer.weights and layer.name in group:
                group[layer.name].attrs["weight_names"] = []


def _weight_count(group: Any) -> int:
    return len(group.attrs.get("weight_names", group.attrs.get("weight_names0", ())))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    """The first line of the innermost error: Keras' own messages quote whole configurations."""
    message = str(error).rpartition(NESTED)[2].strip()
    return (message.splitlines() or [type(error).__name__])[0][:MESSAGE]


def _damaged(title: str, error: Exception) -> UsageError:
    return UsageError(title, f"is damaged ({_first_line(error)})", REMEDY)


def _only_weights(title: str) -> UsageError:
    return UsageError(
        title,
        "holds weights only, without their network",
        "build the network in Keras, load the weights, and save both with model.save(…)",
    )


def _no_network(title: str) -> UsageError:
    return UsageError(title, "holds no Keras network", REMEDY)
