"""Keras files of any age (HDF5, or the ``.keras`` zip), read without running anything of theirs.

A file is copied first, and only the copy is opened. Its description of the network is rewritten
(:mod:`fundoscope.train.keras.config`), built, and given the weights of the file. Optimiser, losses
and metrics are left alone.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from fundoscope import limits
from fundoscope.errors import UsageError
from fundoscope.train.keras import config as keras_config
from fundoscope.writing import replacing

BACKEND, BACKEND_VARIABLE = "torch", "KERAS_BACKEND"
HDF5_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
"""The parts of a ``.keras`` file."""
MAX_FILE_BYTES: Final = 4 * limits.MAX_MODEL_BYTES
"""A file of Adam's has its weights three times."""
MAX_CONFIG_BYTES: Final = 16 * 2**20
"""EfficientNet-B7's has 0.4 MB."""
MAX_WEIGHTS: Final = limits.MAX_MODEL_BYTES // 4
"""Of four bytes each; a bundle's model must not be larger."""
NESTED: Final = "Exception encountered: "
"""What stands before an error inside an error of Keras'."""
MESSAGE: Final = 160
"""Characters of a library's message that are passed on."""
REMEDY: Final = "get the file again, or save the whole model again with model.save(…)"


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A network from a file.

    Attributes:
        model: ``keras.Model``, built, with the file's weights; not compiled.
        sha256: of the file.
        version: of the Keras that wrote it, as the file says; empty where it does not.
    """

    model: Any
    sha256: str
    version: str


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds: the network's description, and a file of weights on the disk."""

    config: object
    version: str
    weights: Path
    by_name: bool


def framework() -> Any:
    """The module ``keras``, on its torch backend. Nothing else imports it.

    Raises:
        UsageError: Keras has been told to use another backend.
    """
    backend = os.environ.setdefault(BACKEND_VARIABLE, BACKEND)
    if backend == BACKEND:
        import keras

        backend = keras.backend.backend()
        if backend == BACKEND:
            return keras
    raise UsageError(
        f"Keras on {backend}",
        f"is not what is used here, but Keras on {BACKEND}",
        f"set {BACKEND_VARIABLE}={BACKEND} before anything imports keras",
    )


def read(path: Path) -> KerasFile:
    """Read a network from an ``.h5`` or ``.keras`` file; only its content counts, not its suffix.

    Raises:
        UsageError: it is missing, damaged, too large, holds no network or no weights, or it has
            layers that are not built here (:data:`keras_config.LAYERS`), such as Lambda.
    """
    if not path.is_file():
        why = "is a folder (a SavedModel?)" if path.is_dir() else "does not exist"
        raise UsageError(path.name, why, "name an .h5 or .keras file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(
            path.name, f"has more than {MAX_FILE_BYTES >> 30} GiB", "save it without optimiser"
        )
    with TemporaryDirectory(prefix="fundoscope-") as folder:
        file = Path(folder) / "file"
        sha256 = _copied(path, file)
        content = _content(file, path.name)
        old = content.version.startswith(("1", "2")) or not content.version
        config = keras_config.modern(content.config, path.name, old=old)
        model = _built(config, path.name)
        _give_weights(model, content, path.name)
    return KerasFile(model, sha256, content.version)


def save(model: Any, path: Path) -> None:
    """Write a network as ``.h5`` or ``.keras``; the file appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    # Keras goes by the suffix.
    part = path.with_name(f".partial-{path.name}")
    with replacing(path, part=part, remedy="check folder and disk"), quiet():
        model.save(part)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Keras' note that HDF5 is legacy: that is what was asked for."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _copied(path: Path, target: Path) -> str:
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
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, RecursionError) as error:
        # h5py tells damage with any of these, zipfile with RuntimeError or BadZipFile (OSError's
        # sibling, caught where the archive is opened), and json with ValueError.
        raise _damaged(title, error) from None
    raise UsageError(title, "is neither an HDF5 nor a .keras file", REMEDY)


def _of_hdf5(path: Path, title: str) -> _Content:
    import h5py

    weights = path.with_name("model.h5")  # Keras goes by the suffix
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
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if CONFIG not in sizes or WEIGHTS not in sizes:
                raise _no_network(title)
            if sizes[CONFIG] > MAX_CONFIG_BYTES or sizes[WEIGHTS] > MAX_FILE_BYTES:
                raise UsageError(title, "unpacks to more than is read here", REMEDY)
            config = json.loads(archive.read(CONFIG))
            metadata = json.loads(archive.read(METADATA)) if METADATA in sizes else {}
            with archive.open(WEIGHTS) as source, weights.open("wb") as target:
                shutil.copyfileobj(source, target)
    except zipfile.BadZipFile as error:
        raise _damaged(title, error) from None
    with h5py.File(weights, "r") as file:
        _require_whole(file, title)
    return _Content(config, str(metadata.get("keras_version", "")), weights, False)


def _require_whole(group: Any, title: str) -> None:
    """Refuse links and data that lead out of the file."""
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


def _built(config: dict[str, Any], title: str) -> Any:
    """The network with any weights; its size is known before memory is taken for it."""
    keras = framework()
    deserialise = keras.saving.deserialize_keras_object  # it eats its argument
    try:
        with keras.device("meta"):
            count = deserialise(copy.deepcopy(config), safe_mode=True).count_params()
        if count <= MAX_WEIGHTS:
            with keras.device("cpu"):
                return deserialise(config, safe_mode=True)
    except Exception as error:  # noqa: BLE001
        # Whatever a layer's constructor objects to; these errors have no common base class.
        raise UsageError(
            title,
            f"has a network that Keras {keras.__version__} cannot build ({_first_line(error)})",
            "docs/how-to/keras.md says which networks can be taken over",
        ) from None
    raise UsageError(
        title,
        f"has {count:,} weights, more than the {MAX_WEIGHTS:,} of the largest bundle",
        "train a smaller network, or at a smaller size",
    )


def _give_weights(model: Any, content: _Content, title: str) -> None:
    try:
        if content.by_name:
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
        raise UsageError(title, "has weights that are not finite", "take an earlier epoch's file")


def _require_same_layers(model: Any, path: Path, title: str) -> None:
    """Keras leaves a layer as it is when the file has no weights of its name."""
    import h5py

    with h5py.File(path, "r") as file:
        if "model_weights" not in file:
            raise UsageError(title, "holds the network without its weights", REMEDY)
        group = file["model_weights"]
        stored = {name for name in group if _weight_count(group[name])}
    wanted = {layer.name for layer in model.layers if layer.weights}
    if stored - {"top_level_model_weights"} != wanted:
        differing = ", ".join(sorted(stored ^ wanted)[:3])
        raise UsageError(
            title, f"has weights of other layers than its network ({differing})", REMEDY
        )


def _weight_count(group: Any) -> int:
    return len(group.attrs.get("weight_names", group.attrs.get("weight_names0", ())))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    """Of the innermost error: Keras wraps them with whole configurations."""
    told = str(error).rpartition(NESTED)[2].strip()
    return (told.splitlines() or [type(error).__name__])[0][:MESSAGE]


def _damaged(title: str, error: Exception) -> UsageError:
    return UsageError(title, f"is damaged ({_first_line(error)})", REMEDY)


def _only_weights(title: str) -> UsageError:
    return UsageError(
        title,
        "holds weights only, without the network that they belong to",
        "build the network in Keras, load the weights, and save it whole with model.save(…)",
    )


def _no_network(title: str) -> UsageError:
    return UsageError(title, "holds no Keras network", REMEDY)
