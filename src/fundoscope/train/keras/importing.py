"""Import a Keras classifier as a bundle.

Its graph starts at the pixels and ends in a head of :mod:`fundoscope.grading.heads`. It is compared
with Keras before the bundle is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope import limits
from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.train.keras import card as keras_card
from fundoscope.train.keras import ending as keras_ending
from fundoscope.train.keras import files as keras_files
from fundoscope.train.keras.ending import Ending
from fundoscope.train.keras.files import KerasFile
from fundoscope.train.keras.imported import Imported
from fundoscope.train.networks import normalise
from fundoscope.train.networks.catalogue import IMAGENET_MEAN, IMAGENET_SCALE
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import Tensor, nn

NORMALISATIONS: Final = {
    "rescale": Normalisation(normalise.RESCALE),
    "samplewise": Normalisation(normalise.SAMPLEWISE),
    "none": Normalisation(normalise.IMAGENET, (0.0,) * 3, (1.0,) * 3),
    "lite": Normalisation(),
    "signed": Normalisation(normalise.IMAGENET, (127.5,) * 3, (127.5,) * 3),
    "imagenet": Normalisation(normalise.IMAGENET, IMAGENET_MEAN, IMAGENET_SCALE),
}
"""What the network's training did with pixels of 0 to 255. ``rescale``: division by 255.
``samplewise``: the same, minus the photograph's own mean. ``none``: nothing. ``lite``: minus 127,
divided by 128; EfficientNet-Lite's "imagenet" here. ``signed``: scaled to -1 to 1. ``imagenet``:
minus ImageNet's mean, divided by its standard deviation."""
KINDS: Final = (inputs.SQUASH, inputs.CROP)
MAX_DIFFERENCE: Final = 1e-4
"""Largest accepted difference of a probability between ONNX Runtime and Keras."""
RANDOM, PHANTOMS = 4, 4
"""Random and drawn pictures on which they are compared."""
PHANTOM_SIZE: Final = (480, 320)
"""Width and height in pixels; 3:2 like most fundus cameras."""
PICTURE_AXES, COLOURS = 4, 3
MINIMUM_RADIUS: Final = 80.0
"""Smallest radius of a field that is graded, in pixels; as for graders that are trained here."""
PACKAGES: Final = ("keras", "torch", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What a Keras file does not state about its network.

    Attributes:
        input: the part of a photograph that the network takes: ``squash`` or ``crop``.
        classes: the grade of each output, in order.
        normalise: a key of :data:`NORMALISATIONS`.
        head: needed if the last activation fits several heads; see
            :func:`fundoscope.train.keras.ending.find`.
        size: height and width in pixels, for a network that takes any.
        name: of the bundle; the file's name by default.
        licence: of the weights.
    """

    input: str
    classes: tuple[int, ...] | None = None
    normalise: str = "rescale"
    head: str | None = None
    size: tuple[int, int] | None = None
    name: str | None = None
    licence: str = "not stated"


def from_keras(
    file: Path, folder: Path, options: ImportOptions, *, overwrite: bool = False
) -> Imported:
    """Make a bundle of a Keras classifier, Sequential or functional, of any version.

    Args:
        file: ``.h5`` or ``.keras``.
        folder: the bundle to write.
        options: what the file does not state.
        overwrite: replace an existing bundle.

    Raises:
        UsageError: the file cannot be read (:func:`fundoscope.train.keras.files.read`), or does not
            fit the options.
        FundoscopeError: the predictions of the graph and of Keras differ.
        OutputError: the bundle exists, or cannot be written.
    """
    _check(options)
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    read = keras_files.read(file)
    keras = keras_files.framework()
    with keras.device("cpu"):
        height, width = _size(read.model, options, file.name)
        ending = keras_ending.find(read.model, options.classes, options.head, file.name)
        normalisation = NORMALISATIONS[options.normalise]
        model = _graph(read.model, ending, normalisation, (height, width), file.name)
        pictures = _pictures(height, width)
        difference = _compare(model, read.model, pictures, options.normalise, ending)
    imported = Imported(
        folder=folder,
        name=options.name or file.stem,
        height=height,
        width=width,
        head=ending.head,
        grades=ending.grades,
        parameters=read.model.count_params(),
        version=read.version,
        difference=difference,
        compared=len(pictures),
        megabytes=len(model) / 1e6,
        unused=ending.unused,
        rescales=any(_rescales(layer) for layer in read.model.layers),
    )
    _write(imported, read, model, options, ending)
    return imported


def _check(options: ImportOptions) -> None:
    for value, known, what in (
        (options.input, KINDS, "input"),
        (options.normalise, tuple(NORMALISATIONS), "normalise"),
    ):
        if value not in known:
            raise UsageError(f"{what} {value}", "is not known", f"write one of {', '.join(known)}")


def _size(model: Any, options: ImportOptions, title: str) -> tuple[int, int]:
    """Height and width of the network's input."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            title,
            f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "a grader has one input and one output",
        )
    shape = model.inputs[0].shape
    if len(shape) != PICTURE_AXES or shape[3] != COLOURS:
        raise UsageError(
            title,
            f"takes {_in_words(shape)}",
            "a grader takes pictures of height x width x 3 (colours last)",
        )
    size: tuple[int, int] = (shape[1], shape[2])
    if None in size:
        if options.size is None:
            raise UsageError(
                title, "takes pictures of any size", "choose one with --size, e.g. 512x512"
            )
        size = (shape[1] or options.size[0], shape[2] or options.size[1])
    if options.size not in (None, size):
        raise UsageError(
            f"size {_in_words(options.size)}",
            f"does not fit {title}",
            f"it takes {_in_words(size)}",
        )
    if options.input == inputs.CROP and size[0] != size[1]:
        raise UsageError(
            title, f"takes {_in_words(size)}, and a crop is square", "use --input squash"
        )
    return size


def _in_words(shape: Any) -> str:
    return "x".join("any" if side is None else str(side) for side in shape)


def _graph(
    model: Any, ending: Ending, normalisation: Normalisation, size: tuple[int, int], title: str
) -> bytes:
    """The bytes of an ``.onnx`` file: ``uint8 (N, H, W, 3)`` RGB to the outputs of the head."""
    try:
        content = onnx_graph.to_onnx(_with_head(model, ending), normalisation, *size)
    except Exception as error:  # noqa: BLE001
        # The exporter raises errors of many kinds for what it cannot export.
        raise UsageError(
            title,
            f"cannot be exported ({type(error).__name__})",
            "report which layers it has; `model.summary()` in Keras lists them",
        ) from None
    if len(content) > limits.MAX_MODEL_BYTES:
        raise UsageError(title, "is too large for a bundle", "train a smaller network")
    return content


def _with_head(model: Any, ending: Ending) -> nn.Module:
    from torch import nn as layers

    class WithHead(layers.Module):
        """From normalised planes ``(N, 3, H, W)`` to the outputs of the head."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, planes: Tensor) -> Tensor:
            values: Tensor = self.model(planes.permute(0, 2, 3, 1), training=False)
            return keras_ending.outputs(values, ending)

    return WithHead()


def _pictures(height: int, width: int) -> NDArray[np.uint8]:
    """Noise and drawn eyes, ``uint8 (N, height, width, 3)``."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (RANDOM, height, width, COLOURS), dtype=np.uint8)
    frames = [
        Image.fromarray(eye).resize((width, height), Image.Resampling.BILINEAR) for eye in _eyes()
    ]
    return np.concatenate([noise, np.stack([np.array(frame) for frame in frames])])


@cache
def _eyes() -> tuple[NDArray[np.uint8], ...]:
    specs = (PhantomSpec(number, *PHANTOM_SIZE, grade=number) for number in range(PHANTOMS))
    return tuple(draw(spec)[0] for spec in specs)


def _compare(
    graph: bytes, model: Any, pictures: NDArray[np.uint8], mode: str, ending: Ending
) -> float:
    """The largest difference of a probability (for regression, of a grade).

    Raises:
        FundoscopeError: it is more than :data:`MAX_DIFFERENCE`.
    """
    session = runtime.open_graph(graph, "the exported graph")
    # One picture, then the others together, because the graph must take any number.
    ours = np.concatenate([runtime.run(session, part) for part in (pictures[:1], pictures[1:])])
    values = _normalised(pictures.astype(np.float32), mode)
    raw = np.concatenate([model.predict_on_batch(picture[np.newaxis]) for picture in values])
    theirs = keras_ending.keras_probabilities(raw, ending)
    difference = float(np.abs(keras_ending.bundle_probabilities(ours, ending) - theirs).max())
    if not difference < MAX_DIFFERENCE:
        raise FundoscopeError(
            "the exported graph",
            f"differs from Keras by {difference:.1e} in a probability",
            "report it with the versions of keras, torch, onnx and onnxruntime",
        )
    return difference


def _normalised(pixels: NDArray[np.float32], mode: str) -> Any:
    """Normalise in numpy, as Keras users do: so the comparison covers the graph's first nodes."""
    if mode == "rescale":
        return pixels / 255
    if mode == "samplewise":
        return pixels / 255 - (pixels / 255).mean(axis=(1, 2, 3), keepdims=True)
    if mode == "lite":
        return (pixels - 127) / 128
    if mode == "signed":
        return pixels / 127.5 - 1
    if mode == "imagenet":
        return (pixels - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_SCALE)
    return pixels


def _rescales(layer: Any) -> bool:
    return type(layer).__name__ in ("Rescaling", "Normalization")


def _write(
    imported: Imported, read: KerasFile, model: bytes, options: ImportOptions, ending: Ending
) -> None:
    manifest = bundles.GraderManifest(
        name=imported.name,
        task=bundles.GRADING,
        input=options.input,
        input_size=(imported.height, imported.width),
        head=ending.head,
        classes=heads.CLASSES,
        cut_points=keras_ending.cut_points(ending),
        temperature=1.0,
        referable_threshold=keras_ending.referable_threshold(ending),
        minimum_radius=MINIMUM_RADIUS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256="",
            photographs={},
            seed=0,
            configuration={
                "origin": "keras",
                "file_sha256": read.sha256,
                "keras_version": read.version,
                "normalise": options.normalise,
                "grades": ending.grades,
            },
        ),
        licence=options.licence,
        versions=_versions(),
    )
    bundles.write(imported.folder, manifest, model, keras_card.text(manifest, imported))


def _versions() -> dict[str, str]:
    from fundoscope._version import __version__

    return {"fundoscope": __version__, **{name: version(name) for name in PACKAGES}}
