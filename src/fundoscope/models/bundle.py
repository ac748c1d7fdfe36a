"""A bundle: one model with everything needed to use and to evaluate it.

It is a folder or a zip file with ``model.onnx`` (normalisation is inside the graph),
``bundle.json`` (a :class:`BundleManifest`) and ``card.md`` (the model card). It is verified before
it is loaded. Nothing is unpacked to disk, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from fundoscope import limits
from fundoscope.errors import BundleError
from fundoscope.models.correction import GradeCorrection, Recalibration
from fundoscope.writing import write_files

FORMAT: Final = "fundoscope.bundle/1"
"""The version of the format, stored in each bundle."""
MODEL, MANIFEST, CARD = "model.onnx", "bundle.json", "card.md"
GRADING: Final = "grading"
DETECTION: Final = "detection"
SHIPPED: Final = Path(__file__).parent / "shipped"
"""The folder of the bundles that come with the package."""
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
"""How weights may be stored."""
_Form = TypeVar("_Form")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model was trained on.

    Attributes:
        manifest_sha256: of the manifest's content.
        photographs: their number, by source.
        seed: of the run.
        configuration: the run's settings, as in its TOML file.
        minutes: how long the run took.
        averaged: if the weights are the average of several runs, the share of each run.
    """

    manifest_sha256: str
    photographs: Mapping[str, int]
    seed: int
    configuration: Mapping[str, object] = field(default_factory=dict)
    minutes: float | None = None
    averaged: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How the weights of a graph are stored, and what that costs.

    Attributes:
        weights: ``float32``; ``float16`` for the large ones; or ``int8``, with 8-bit activations.
            The first two are summed in float32.
        cost: compared with float32 on validation: how much each figure falls, and how much the
            probabilities differ; ``None`` where undefined.
    """

    weights: str
    cost: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """The part of ``bundle.json`` that all tasks share.

    Attributes:
        name: short name with its version, e.g. ``grader-lite0-320-1``.
        task: what the model does; a key of :data:`MANIFESTS`.
        input_size: of the input ``uint8 (N, H, W, 3)`` RGB, in pixels: the side of a square, or
            height and width.
        opset: of the ONNX graph.
        model_sha256: of ``model.onnx``.
        trained_on: data, seed and settings.
        licence: the terms under which the weights may be used.
        versions: of the libraries that made it.
        validation: figures on validation, by source or kind of lesion, and in all; empty if nobody
            measured them.
        stored: how the weights are stored; ``None`` in older bundles, which did not record it.
        format: the version of the format.
    """

    name: str
    task: str
    input_size: int | tuple[int, int]
    opset: int
    model_sha256: str
    trained_on: TrainedOn
    licence: str
    versions: Mapping[str, str]
    validation: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    stored: Stored | None = None
    format: str = FORMAT

    @property
    def height_width(self) -> tuple[int, int]:
        """The height and width that ``input_size`` means."""
        size = self.input_size
        return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderManifest(BundleManifest):
    """The ``bundle.json`` of a grader.

    For a ``native`` input ``input_size`` gives the area; the graph takes any height and width.

    Attributes:
        head: how the output ``float32 (N, outputs)`` is read; a head of
            :mod:`fundoscope.grading.heads`.
        classes: names of the grades, from 0.
        temperature: divides the logits.
        correction: of the probabilities; ``None`` in bundles of 0.1 and imported ones.
        referable_threshold: operating point on the probability of grade 2 or more.
        minimum_radius: smallest radius of a field that is graded, in the photograph's pixels.
        input: the part of the photograph that is used; a kind of :mod:`fundoscope.grading.inputs`.
        cut_points: four ascending values of the expected grade. Version 0.1 took the grade from
            them; later versions ignore them and give the most probable grade.
        recalibrated: how a clinic fitted the bundle to its own photographs; ``None`` if nobody did.
    """

    head: str
    classes: tuple[str, ...]
    temperature: float
    referable_threshold: float
    minimum_radius: float
    input: str = "crop"
    correction: GradeCorrection | None = None
    cut_points: tuple[float, float, float, float] | None = None
    recalibrated: Recalibration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorManifest(BundleManifest):
    """The ``bundle.json`` of a lesion detector.

    The photograph is scaled so that its field has the radius ``radius``, and read in tiles that are
    not larger than ``input_size``.

    Attributes:
        head: how the output is read; a head of :mod:`fundoscope.lesions.heads`.
        classes: keys of the kinds that it finds; the label of the first is 1.
        thresholds: for each kind, the lowest score of an accepted box.
        minimum_radius: for each kind, the smallest radius of a field on which it is assessed, in
            the photograph's pixels.
        radius: of the field at the working scale, in pixels.
        overlap: least overlap of two neighbouring tiles, in pixels.
        step: sides of tiles are multiples of it, in pixels.
        suppress: if two boxes of one kind overlap by more than this (IoU), the better one is kept.
        levels: for a ``mask`` head, for each kind the probability from which a pixel belongs to a
            lesion.
    """

    head: str
    classes: tuple[str, ...]
    thresholds: Mapping[str, float]
    minimum_radius: Mapping[str, float]
    radius: float
    overlap: int
    step: int
    suppress: float
    levels: Mapping[str, float] = field(default_factory=dict)


MANIFESTS: Final[Mapping[str, type[GraderManifest | DetectorManifest]]] = {
    GRADING: GraderManifest,
    DETECTION: DetectorManifest,
}
"""The type of ``bundle.json`` for each task."""


_Manifest_co = TypeVar("_Manifest_co", bound=BundleManifest, covariant=True)


@dataclass(frozen=True, slots=True)
class Bundle(Generic[_Manifest_co]):
    """A verified bundle in memory.

    Attributes:
        manifest: its ``bundle.json``.
        model: the bytes of its ``model.onnx``.
    """

    manifest: _Manifest_co
    model: bytes


def shipped(task: str = GRADING) -> Path:
    """The folder of the bundle that comes with the package.

    Args:
        task: ``"grading"`` or ``"detection"``.

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


def load(path: str | Path) -> Bundle[BundleManifest]:
    """Read a bundle and verify it.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: it is missing, incomplete, too large or of another format, or the hash of its
            model differs from the one in ``bundle.json``.
    """
    path = Path(path)
    read = _reader(path)
    manifest = _manifest(read(MANIFEST, limits.MAX_BUNDLE_JSON_BYTES), path)
    model = read(MODEL, limits.MAX_MODEL_BYTES)
    digest = hashlib.sha256(model).hexdigest()
    if digest != manifest.model_sha256:
        raise BundleError(
            path.name,
            f"is damaged: {MODEL} has the sha256 {digest[:12]}…, not {manifest.model_sha256[:12]}…",
            "get the bundle again from its source",
        )
    return Bundle(manifest, model)


def load_grader(path: str | Path) -> Bundle[GraderManifest]:
    """Read and verify a grading bundle.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: as :func:`load`, or the bundle is for another task.
    """
    bundle = load(path)
    if not isinstance(bundle.manifest, GraderManifest):
        raise _other_task(path, bundle.manifest, GRADING)
    return Bundle(bundle.manifest, bundle.model)


def load_detector(path: str | Path) -> Bundle[DetectorManifest]:
    """Read and verify a detection bundle.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: as :func:`load`, or the bundle is for another task.
    """
    bundle = load(path)
    if not isinstance(bundle.manifest, DetectorManifest):
        raise _other_task(path, bundle.manifest, DETECTION)
    return Bundle(bundle.manifest, bundle.model)


def card(path: str | Path) -> str:
    """The model card of a bundle; ``""`` if it has none.

    Args:
        path: its folder or zip file.

    Raises:
        BundleError: the bundle is missing, or the card is too large.
    """
    read = _reader(Path(path))
    try:
        return read(CARD, limits.MAX_BUNDLE_JSON_BYTES).decode("utf-8", "replace")
    except BundleError as error:
        if "has no" in error.why:
            return ""
        raise


def write(folder: str | Path, manifest: BundleManifest, model: bytes, card: str) -> None:
    """Write a bundle's folder, replacing the files of an earlier bundle in it.

    Args:
        folder: the destination.
        manifest: becomes ``bundle.json``.
        model: the bytes of ``model.onnx``.
        card: the text of ``card.md``.

    Raises:
        ValueError: ``manifest.model_sha256`` is not that of ``model``.
        OutputError: the folder cannot be written.
    """
    import msgspec

    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise ValueError("the manifest's model_sha256 is not that of the model")
    folder = Path(folder)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    # The manifest comes last, because a folder without it does not count as a bundle.
    files = ((MODEL, model), (CARD, card.encode()), (MANIFEST, text + b"\n"))
    write_files([(folder / name, content) for name, content in files], overwrite=True)


def _manifest(text: bytes, path: Path) -> BundleManifest:
    header = _decoded(text, _Header, path)
    if header.format != FORMAT or header.task not in MANIFESTS:
        raise BundleError(
            path.name,
            f"has the format {header.format!r} and does {header.task!r}; this version reads"
            f" {FORMAT!r} for {' and '.join(MANIFESTS)}",
            "use the fundoscope version that it was made with, or export it again",
        )
    return _decoded(text, MANIFESTS[header.task], path)


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields that decide how the rest is read."""

    task: str
    format: str


def _decoded(text: bytes, form: type[_Form], path: Path) -> _Form:
    import msgspec

    try:
        return msgspec.json.decode(text, type=form)
    except msgspec.DecodeError as error:
        raise BundleError(
            path.name,
            f"has a wrong {MANIFEST}: {error}",
            "get the bundle again, or export it again",
        ) from None


def _reader(path: Path) -> Callable[[str, int], bytes]:
    """A function that reads one named file of a bundle, up to a number of bytes."""
    if path.is_dir():
        return lambda name, bound: _from_folder(path, name, bound)
    if path.is_file() and zipfile.is_zipfile(path):
        return lambda name, bound: _from_zip(path, name, bound)
    raise BundleError(
        path.name or str(path),
        "is not a bundle (a folder or zip file with bundle.json and model.onnx)",
        "check the path; `fundoscope models` lists the bundles that ship",
    )


def _from_folder(path: Path, name: str, bound: int) -> bytes:
    file = path / name
    try:
        if file.stat().st_size > bound:
            raise _too_large(path, name, bound)
        return file.read_bytes()
    except FileNotFoundError:
        raise _missing(path, name) from None
    except OSError as error:
        raise BundleError(
            path.name, f"its {name} cannot be read ({error.strerror})", "check its permissions"
        ) from None


def _from_zip(path: Path, name: str, bound: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > bound:
                raise _too_large(path, name, bound)
            return archive.read(name)
    except KeyError:
        raise _missing(path, name) from None
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise BundleError(
            path.name, f"is a damaged zip file ({error})", "get the bundle again"
        ) from None


def _other_task(path: str | Path, manifest: BundleManifest, wanted: str) -> BundleError:
    return BundleError(
        Path(path).name,
        f"is a {manifest.task} bundle, not a {wanted} bundle",
        f"name a {wanted} bundle",
    )


def _missing(path: Path, name: str) -> BundleError:
    return BundleError(path.name, f"has no {name}", "get the whole bundle, or export it again")


def _too_large(path: Path, name: str, bound: int) -> BundleError:
    return BundleError(
        path.name, f"its {name} has more than {bound // 2**20} MiB", "check the path"
    )
