"""From a Keras classifier to a bundle: pixels in front, a head of ours behind, and a comparison."""

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
from fundoscope.grading import inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.train.keras import card as keras_card
from fundoscope.train.keras import ending as keras_ending
from fundoscope.train.keras import files as keras_files
from fundoscope.train.keras.ending import Ending
from fundoscope.train.keras.files import KerasFile
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks import normalise
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
    "imagenet": Normalisation(normalise.IMAGENET, networks.IMAGENET_MEAN, networks.IMAGENET_SCALE),
}
"""How pixels of 0 to 255 become what the network was trained on: divided by 255; the same less the
photograph's own mean; as they are; less 127 and by 128, which is what our own networks call
"imagenet"; from -1 to 1; less ImageNet's mean and by its deviation."""
KINDS: Final = (inputs.SQUASH, inputs.CROP)
MAX_DIFFERENCE: Final = 1e-4
"""Largest difference of a probability between ONNX Runtime and Keras."""
RANDOM, PHANTOMS = 4, 4
"""Pictures of the comparison."""
PHANTOM_SIZE: Final = (480, 320)
"""Width and height; 3:2 as most fundus cameras have it."""
MINIMUM_RADIUS: Final = 80.0
"""As our own graders have it."""
CLASSES: Final = (
    "no apparent retinopathy",
    "mild non-proliferative",
    "moderate non-proliferative",
    "severe non-proliferative",
    "proliferative",
)
PACKAGES: Final = ("keras", "torch", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the file does not say about its network.

    Attributes:
        input: ``squash`` or ``crop``, what of a photograph goes in.
        classes: the grade that each output stands for, in the order of the outputs.
        normalise: a key of :data:`NORMALISATIONS`.
        head: where the last activation leaves it open; see :func:`keras_ending.find`.
        size: height and width, where the network takes any.
        name: of the bundle; the file's by default.
        licence: of the weights.
    """

    input: str
    classes: tuple[int, ...] | None = None
    normalise: str = "rescale"
    head: str | None = None
    size: tuple[int, int] | None = None
    name: str | None = None
    licence: str = "not stated"


@dataclass(frozen=True, slots=True)
class FromKeras:
    """What was taken over.

    Attributes:
        folder: of the bundle.
        name: of the bundle.
        height, width: of what goes in, in pixels.
        head: one of :mod:`fundoscope.grading.heads`.
        grades: those that an output stands for; empty where the outputs are no classes.
        parameters: weights of the network.
        version: of the Keras that wrote the file; empty where it is not said.
        difference: the largest of a probability, ONNX Runtime against Keras.
        compared: on how many pictures, random ones and phantoms.
        megabytes: of ``model.onnx`` (10^6 bytes).
        rescales: whether the network rescales its input by a layer of its own.
    """

    folder: Path
    name: str
    height: int
    width: int
    head: str
    grades: tuple[int, ...]
    parameters: int
    version: str
    difference: float
    compared: int
    megabytes: float
    rescales: bool


def from_keras(file: Path, folder: Path, wishes: Wishes, *, overwrite: bool = False) -> FromKeras:
    """Make a bundle of a Keras classifier, Sequential or functional, of any age.

    Args:
        file: ``.h5`` or ``.keras``.
        folder: of the bundle.
        wishes: what the file does not say.
        overwrite: replace a bundle that is there.

    Raises:
        UsageError: the file cannot be read (:func:`keras_files.read`), or it does not go with the
            wishes.
        FundoscopeError: the graph does not say what Keras says.
        OutputError: there is a bundle already, or it cannot be written.
    """
    _check(wishes)
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    read = keras_files.read(file)
    keras = keras_files.framework()
    with keras.device("cpu"):
        height, width = _size(read.model, wishes, file.name)
        ending = keras_ending.find(read.model, wishes.classes, wishes.head, file.name)
        normalisation = NORMALISATIONS[wishes.normalise]
        model = _graph(read.model, ending, normalisation, (height, width), file.name)
        pictures = _pictures(height, width)
        difference = _compared(model, read.model, pictures, wishes.normalise, ending)
    result = FromKeras(
        folder=folder,
        name=wishes.name or file.stem,
        height=height,
        width=width,
        head=ending.head,
        grades=ending.grades,
        parameters=read.model.count_params(),
        version=read.version,
        difference=difference,
        compared=len(pictures),
        megabytes=len(model) / 1e6,
        rescales=any(_rescales(layer) for layer in read.model.layers),
    )
    _write(result, read, model, wishes, ending)
    return result


def _check(wishes: Wishes) -> None:
    for value, known, what in (
        (wishes.input, KINDS, "input"),
        (wishes.normalise, tuple(NORMALISATIONS), "normalise"),
    ):
        if value not in known:
            raise UsageError(f"{what} {value}", "is not known", f"write one of {', '.join(known)}")


def _size(model: Any, wishes: Wishes, title: str) -> tuple[int, int]:
    """Height and width that go in."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            title,
            f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            "only networks with one of each are graders",
        )
    shape = model.inputs[0].shape
    if len(shape) != 4 or shape[3] != 3:
        raise UsageError(
            title,
            f"takes {_in_words(shape)}",
            "a grader takes pictures of height x width x 3 (colours last)",
        )
    size: tuple[int, int] = (shape[1], shape[2])
    if None in size:
        if wishes.size is None:
            raise UsageError(
                title, "takes pictures of any size", "say which with --size, e.g. 512x512"
            )
        size = (shape[1] or wishes.size[0], shape[2] or wishes.size[1])
    if wishes.size not in (None, size):
        raise UsageError(
            f"size {_in_words(wishes.size)}",
            f"is not what {title} takes",
            f"it takes {_in_words(size)}",
        )
    if wishes.input == inputs.CROP and size[0] != size[1]:
        raise UsageError(
            title, f"takes {_in_words(size)}, and a crop is square", "use --input squash"
        )
    return size


def _in_words(shape: Any) -> str:
    return "x".join("any" if side is None else str(side) for side in shape)


def _graph(
    model: Any, ending: Ending, normalisation: Normalisation, size: tuple[int, int], title: str
) -> bytes:
    """The bytes of an ``.onnx`` file: ``uint8 (N, H, W, 3)`` RGB to the outputs of our head."""
    try:
        content = onnx_graph.to_onnx(_with_head(model, ending), normalisation, *size)
    except Exception as error:  # noqa: BLE001
        # What the exporter cannot turn into a graph it tells by errors of many kinds.
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
        """From normalised planes ``(N, 3, H, W)`` to the outputs of our head."""

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
    noise = rng.integers(0, 256, (RANDOM, height, width, 3), dtype=np.uint8)
    frames = [
        Image.fromarray(eye).resize((width, height), Image.Resampling.BILINEAR) for eye in _eyes()
    ]
    return np.concatenate([noise, np.stack([np.array(frame) for frame in frames])])


@cache
def _eyes() -> tuple[NDArray[np.uint8], ...]:
    specs = (PhantomSpec(number, *PHANTOM_SIZE, grade=number) for number in range(PHANTOMS))
    return tuple(draw(spec)[0] for spec in specs)


def _compared(
    graph: bytes, model: Any, pictures: NDArray[np.uint8], mode: str, ending: Ending
) -> float:
    """The largest difference of a probability (of a grade, for regression)."""
    session = runtime.open_graph(graph, "the exported graph")
    # One alone and the others together, because the graph must take any number.
    ours = np.concatenate([runtime.run(session, part) for part in (pictures[:1], pictures[1:])])
    values = _normalised(pictures.astype(np.float32), mode)
    raw = np.concatenate([model.predict_on_batch(one[np.newaxis]) for one in values])
    theirs = keras_ending.said_by_keras(raw, ending)
    difference = float(np.abs(keras_ending.said_by_bundle(ours, ending) - theirs).max())
    if not difference < MAX_DIFFERENCE:
        raise FundoscopeError(
            "the exported graph",
            f"differs from Keras by {difference:.1e} in a probability",
            "report it with the versions of keras, torch, onnx and onnxruntime",
        )
    return difference


def _normalised(pixels: NDArray[np.float32], mode: str) -> Any:
    """What Keras users write, in numpy: so the comparison covers the front of the graph too."""
    if mode == "rescale":
        return pixels / 255
    if mode == "samplewise":
        return pixels / 255 - (pixels / 255).mean(axis=(1, 2, 3), keepdims=True)
    if mode == "lite":
        return (pixels - 127) / 128
    if mode == "signed":
        return pixels / 127.5 - 1
    if mode == "imagenet":
        return (pixels - np.array(networks.IMAGENET_MEAN)) / np.array(networks.IMAGENET_SCALE)
    return pixels


def _rescales(layer: Any) -> bool:
    return type(layer).__name__ in ("Rescaling", "Normalization")


def _write(
    result: FromKeras, read: KerasFile, model: bytes, wishes: Wishes, ending: Ending
) -> None:
    manifest = bundles.GraderManifest(
        name=result.name,
        task=bundles.GRADING,
        input=wishes.input,
        input_size=(result.height, result.width),
        head=ending.head,
        classes=CLASSES,
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
                "normalise": wishes.normalise,
                "grades": ending.grades,
            },
        ),
        licence=wishes.licence,
        versions=_versions(),
    )
    bundles.write(result.folder, manifest, model, keras_card.text(manifest, result))


def _versions() -> dict[str, str]:
    from fundoscope._version import __version__

    return {"fundoscope": __version__, **{name: version(name) for name in PACKAGES}}
