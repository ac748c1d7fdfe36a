"""A bundle: one model with everything needed to use and to evaluate it.

It is a folder or a zip file with ``model.onnx`` (normalisation is inside the graph),
``bundle.json`` (a :class:`BundleManifest`), ``card.md`` (the model card) and ``bundle.sha256`` (the
seal: the hashes of the others, for ``sha256sum --check``). It is verified before it is loaded.
Nothing is unpacked to disk, and nothing is ever unpickled.

Bundles of version 0.1 have no seal. Their ``bundle.json`` holds the hash of ``model.onnx``, and
nothing covers ``bundle.json`` itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from fundoscope import decoding, limits
from fundoscope.errors import BundleError
from fundoscope.models import files, ranges
from fundoscope.models.manifest import (
    DETECTION,
    FLOAT16,
    FLOAT32,
    FORMAT,
    GRADING,
    INT8,
    LANDMARKS,
    MANIFESTS,
    BundleManifest,
    DetectorManifest,
    GraderManifest,
    LandmarksManifest,
    Stored,
    TrainedOn,
)
from fundoscope.writing import write_files

__all__ = [
    "CARD",
    "DETECTION",
    "FLOAT16",
    "FLOAT32",
    "FORMAT",
    "GRADING",
    "INT8",
    "LANDMARKS",
    "MANIFEST",
    "MANIFESTS",
    "MODEL",
    "SEAL",
    "SHIPPED",
    "Bundle",
    "BundleManifest",
    "DetectorManifest",
    "GraderManifest",
    "LandmarksManifest",
    "Stored",
    "TrainedOn",
    "card",
    "load",
    "load_detector",
    "load_grader",
    "load_landmarks",
    "seal",
    "shipped",
    "write",
]

MODEL, MANIFEST, CARD = "model.onnx", "bundle.json", "card.md"
SEAL: Final = "bundle.sha256"
SEALED: Final = "sealed"
"""The key of ``bundle.json`` which says that it has a seal, so that a lost seal is noticed."""
SHIPPED: Final = Path(__file__).parent / "shipped"
"""The folder of the bundles that come with the package."""
SEALED_FILES: Final = (MODEL, CARD, MANIFEST)
"""The files that a seal covers, in the order of its lines."""
SEAL_FORM: Final = re.compile(
    "".join(
        f"(?P<{name.partition('.')[0]}>[0-9a-f]{{64}})  {re.escape(name)}\n"
        for name in SEALED_FILES
    ).encode()
)
"""The lines of a seal, as ``sha256sum`` writes them; the group of each file is its stem."""
HASH_SHOWN: Final = 12
"""Characters of a hash that a message shows."""
MESSAGE: Final = 200
"""Characters of a parser's message, and of a value, that a message repeats."""
GET_AGAIN: Final = "get the bundle again, or export it again"
_Form = TypeVar("_Form")
_Manifest = TypeVar("_Manifest", bound=BundleManifest)
_Manifest_co = TypeVar("_Manifest_co", bound=BundleManifest, covariant=True)


@dataclass(frozen=True, slots=True)
class Bundle(Generic[_Manifest_co]):
    """A verified bundle in memory.

    Attributes:
        manifest: its ``bundle.json``.
        model: the bytes of its ``model.onnx``.
        sealed: whether hashes cover all of its files; false for a bundle of version 0.1.
        sha256: of its ``bundle.json``, see :func:`manifest_sha256`; ``None`` if it has no files.
    """

    manifest: _Manifest_co
    model: bytes
    sealed: bool = False
    sha256: str | None = None


def shipped(task: str = GRADING) -> Path:
    """The folder of the bundle that comes with the package.

    Args:
        task: a key of :data:`MANIFESTS`.

    Raises:
        BundleError: this installation has none.
    """
    path = SHIPPED / task
    if not (path / MANIFEST).is_file():
        raise BundleError(
            f"{task} bundle",
            "does not come with this installation",
            "install fundoscope again, or name a bundle of your own",
        )
    return path


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle, a folder or a zip file; its content is not checked."""
    return path.suffix == ".zip" or (path / MANIFEST).is_file()


def load(path: str | Path) -> Bundle[BundleManifest]:
    """Read a bundle and verify it.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: it is missing, incomplete, too large or of another format, a value is out of
            its range, or a file differs from its hash.
    """
    path = Path(path)
    read = files.reader(path)
    text = read(MANIFEST, limits.MAX_BUNDLE_JSON_BYTES)
    manifest, promised = _manifest(text, path)
    sealed = _seal(read, path, promised=promised)
    _require(sealed, MANIFEST, text, path)
    model = read(MODEL, limits.MAX_MODEL_BYTES)
    _require({MODEL: manifest.model_sha256}, MODEL, model, path)
    _require(sealed, MODEL, model, path)
    if sealed:
        _require(sealed, CARD, read(CARD, limits.MAX_CARD_BYTES), path)
    return Bundle(manifest, model, bool(sealed), hashlib.sha256(text).hexdigest())


def load_grader(path: str | Path) -> Bundle[GraderManifest]:
    """Read and verify a grading bundle.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: as :func:`load`, or the bundle is for another task.
    """
    return _of_task(path, GraderManifest, GRADING)


def load_detector(path: str | Path) -> Bundle[DetectorManifest]:
    """Read and verify a detection bundle.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: as :func:`load`, or the bundle is for another task.
    """
    return _of_task(path, DetectorManifest, DETECTION)


def load_landmarks(path: str | Path) -> Bundle[LandmarksManifest]:
    """Read and verify a landmark bundle.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: as :func:`load`, or the bundle is for another task.
    """
    return _of_task(path, LandmarksManifest, LANDMARKS)


def _of_task(path: str | Path, form: type[_Manifest], task: str) -> Bundle[_Manifest]:
    """Read and verify a bundle, whose manifest must be of one type."""
    bundle = load(path)
    if not isinstance(bundle.manifest, form):
        raise _other_task(path, bundle.manifest, task)
    return Bundle(bundle.manifest, bundle.model, bundle.sealed, bundle.sha256)


def manifest_sha256(path: str | Path) -> str:
    """The SHA-256 of a bundle's ``bundle.json``.

    Two bundles may share a network, and with it :attr:`BundleManifest.model_sha256`, and still give
    other results: their thresholds and probabilities were fitted to other photographs.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: the bundle is missing, or the file is too large.
    """
    read = files.reader(Path(path))
    return hashlib.sha256(read(MANIFEST, limits.MAX_BUNDLE_JSON_BYTES)).hexdigest()


def card(path: str | Path) -> str:
    """The model card of a bundle; ``""`` if it has none.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: the bundle is missing, or the card is too large.
    """
    read = files.reader(Path(path))
    try:
        return read(CARD, limits.MAX_CARD_BYTES).decode("utf-8", "replace")
    except files.MissingFileError:
        return ""


def write(folder: str | Path, manifest: BundleManifest, model: bytes, card: str) -> None:
    """Write and seal a bundle's folder, replacing the files of an earlier bundle in it.

    Args:
        folder: the destination.
        manifest: becomes ``bundle.json``.
        model: the bytes of ``model.onnx``.
        card: the text of ``card.md``.

    Raises:
        ValueError: ``manifest.model_sha256`` is not that of ``model``.
        BundleError: a value of ``manifest`` is out of its range.
        OutputError: the folder cannot be written.
    """
    import msgspec

    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise ValueError("the manifest's model_sha256 is not that of the model")
    fault = ranges.fault(manifest)
    if fault is not None:
        raise BundleError(
            files.title(Path(folder)), f"would have a wrong {MANIFEST}: {fault}", "correct it"
        )
    _write(Path(folder), msgspec.to_builtins(manifest), model, card.encode())


def seal(folder: str | Path, *, overwrite: bool = False) -> Bundle[BundleManifest]:
    """Seal a bundle's folder: store the hashes of its files beside them.

    Args:
        folder: the bundle.
        overwrite: seal it again even if it differs from its present seal.

    Returns:
        The bundle, sealed.

    Raises:
        BundleError: it is not a folder, or not a valid bundle.
        OutputError: the folder cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BundleError(files.title(folder), "is not a folder", "unpack the bundle first")
    read = files.reader(folder)
    text = read(MANIFEST, limits.MAX_BUNDLE_JSON_BYTES)
    if overwrite:
        manifest, _ = _manifest(text, folder)
        _require({MODEL: manifest.model_sha256}, MODEL, read(MODEL, limits.MAX_MODEL_BYTES), folder)
    else:
        load(folder)
    content = _decoded(text, dict, folder)
    model, card = read(MODEL, limits.MAX_MODEL_BYTES), read(CARD, limits.MAX_CARD_BYTES)
    _write(folder, content, model, card)
    return load(folder)


def _write(folder: Path, content: dict[str, object], model: bytes, card: bytes) -> None:
    """Write the files of a bundle with their seal."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(content | {SEALED: True}), indent=2) + b"\n"
    # The manifest comes last, because a folder without it does not count as a bundle.
    parts = {MODEL: model, CARD: card, MANIFEST: text}
    lines = (f"{hashlib.sha256(parts[name]).hexdigest()}  {name}\n" for name in SEALED_FILES)
    parts = {SEAL: "".join(lines).encode(), **parts}
    written = [(folder / name, data) for name, data in parts.items()]
    write_files(written, folder=folder, overwrite=True)


def _manifest(text: bytes, path: Path) -> tuple[BundleManifest, bool]:
    """The manifest, and whether it says that a seal belongs to it."""
    header = _decoded(text, _Header, path)
    if header.format != FORMAT or header.task not in MANIFESTS:
        raise BundleError(
            files.title(path),
            f"has the format {header.format[:MESSAGE]!r} and does {header.task[:MESSAGE]!r}; this"
            f" version reads {FORMAT!r} for {', '.join(MANIFESTS)}",
            "use the fundoscope version that it was made with, or export it again",
        )
    manifest = _decoded(text, MANIFESTS[header.task], path)
    fault = ranges.fault(manifest)
    if fault is not None:
        raise BundleError(files.title(path), f"has a wrong {MANIFEST}: {fault}", GET_AGAIN)
    return manifest, header.sealed


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields that decide how the rest is read."""

    task: str
    format: str
    sealed: bool = False


def _decoded(text: bytes, form: type[_Form], path: Path) -> _Form:
    import msgspec

    try:
        return decoding.decoded(text, form)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise BundleError(
            files.title(path), f"has a wrong {MANIFEST}: {str(error)[:MESSAGE]}", GET_AGAIN
        ) from None


def _seal(read: Callable[[str, int], bytes], path: Path, *, promised: bool) -> dict[str, str]:
    """The hashes of a bundle's seal by file name; empty for a bundle without a seal."""
    try:
        text = read(SEAL, limits.MAX_SEAL_BYTES)
    except files.MissingFileError:
        if promised:
            raise
        return {}
    match = SEAL_FORM.fullmatch(text)
    if match is None:
        raise BundleError(files.title(path), f"has a wrong {SEAL}", GET_AGAIN)
    return {name: match[name.partition(".")[0]].decode() for name in SEALED_FILES}


def _require(hashes: dict[str, str], name: str, data: bytes, path: Path) -> None:
    """Check a file against its hash, if it has one."""
    digest, expected = hashlib.sha256(data).hexdigest(), hashes.get(name)
    if expected is None or digest == expected:
        return
    raise BundleError(
        files.title(path),
        f"is damaged or was edited: {name} has the sha256 {digest[:HASH_SHOWN]}…, not"
        f" {expected[:HASH_SHOWN]}…",
        "get the bundle again from its source; if you edited it on purpose: fundoscope bundle seal"
        " BUNDLE --overwrite"
        if name != MODEL
        else "get the bundle again from its source",
    )


def _other_task(path: str | Path, manifest: BundleManifest, wanted: str) -> BundleError:
    return BundleError(
        files.title(Path(path)),
        f"is a {manifest.task} bundle, not a {wanted} bundle",
        f"name a {wanted} bundle",
    )
