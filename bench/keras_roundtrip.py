"""How exactly a `sequential` bundle survives the way to Keras and back, on real photographs.

    python bench/keras_roundtrip.py [--bundle BUNDLE] [--data DIR] [--photographs 50]

To Keras: `bundle to-keras`; the file is opened with `keras.models.load_model` and its predictions
are compared with the bundle's. Back: `bundle from-keras` of that file; the new bundle is compared
with the first one. Both for .h5 and .keras, on randomly drawn validation photographs, through the
reader's own input. Without --bundle the network has random weights at 200x300 (squash, softmax,
samplewise), scaled up so that its probabilities differ. Layers and parameters are compared with
those of the students' definition, which is repeated below. Needs [keras].
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arguments import add_data, grading_table, parser_of

from fundoscope.grading import grader as graders
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.photo import decode, field
from fundoscope.train.keras import export as keras_export
from fundoscope.train.keras import files as keras_files
from fundoscope.train.keras import importing as keras_import
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.onnx import graph as onnx_graph

SIZE = (200, 300)
SEED = 0
SPREAD = 30.0
"""Factor on the last layer's random weights."""
BACK = {"imagenet": "lite"}
"""The name that from-keras has for one of our normalisations."""


def random_bundle(folder: Path) -> Path:
    """Write a bundle of `sequential` with seeded random weights."""
    torch.manual_seed(SEED)
    network = networks.create("sequential", heads.OUTPUTS["softmax"], networks.InputSize(*SIZE))
    with torch.no_grad():
        network.get_parameter("10.weight").mul_(SPREAD)
    mode = "samplewise"
    model = onnx_graph.to_onnx(network, networks.normalisation("sequential", mode), *SIZE)
    manifest = bundles.GraderManifest(
        name="random-sequential",
        task=bundles.GRADING,
        input=inputs.SQUASH,
        input_size=SIZE,
        head="softmax",
        classes=heads.CLASSES,
        cut_points=(0.5, 1.5, 2.5, 3.5),
        temperature=1.0,
        referable_threshold=0.5,
        minimum_radius=80.0,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256="",
            photographs={},
            seed=SEED,
            configuration={"network": {"name": "sequential"}, "normalise": mode},
        ),
        licence="none",
        versions={},
    )
    bundles.write(folder, manifest, model, "# random weights\n")
    return folder


def photographs(data: Path, count: int, wanted: inputs.Input) -> np.ndarray:
    """Make inputs of validation photographs as the reader does: uint8 (N, H, W, 3)."""
    table = grading_table(data)
    with table.open(newline="") as file:
        names = [row["image"] for row in csv.DictReader(file) if row["split"] == "val"]
    made: list[np.ndarray] = []
    for number in np.random.default_rng(SEED).permutation(len(names)):
        photo = decode.decode_file(table.parent / names[number], min_side=wanted.decode_side)
        fov = field.find(photo)
        if fov.found:
            made.append(inputs.make(photo, fov, wanted))
        if len(made) == count:
            break
    return np.stack(made)


def normalised(pixels: np.ndarray, mode: str) -> np.ndarray:
    """Normalise as the command tells a Keras user to."""
    values = pixels.astype(np.float32)
    if mode == "imagenet":
        return (values - 127) / 128
    scaled = values / 255
    return scaled if mode == "rescale" else np.stack([sample - sample.mean() for sample in scaled])


def students_definition(height: int, width: int, outputs: int, activation: str) -> Any:
    keras = keras_files.framework()
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((height, width, 3)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(outputs, activation=activation),
        ]
    )


def grade_probabilities(grader: graders.Grader, pixels: np.ndarray) -> np.ndarray:
    outputs = np.concatenate([runtime.run(grader.session, sample[np.newaxis]) for sample in pixels])
    return heads.probabilities(outputs, 1.0, grader.manifest.head)


def options_for(manifest: bundles.GraderManifest, mode: str) -> keras_import.ImportOptions:
    """What has to be said on the way back."""
    head = manifest.head if manifest.head in ("cumulative", "corn") else None
    classes = (0, 1, 2, 3, 4) if manifest.head == "softmax" else None
    return keras_import.ImportOptions(
        input=manifest.input,
        classes=classes,
        head=head,
        normalise=BACK.get(mode, mode),
        name="back",
        size=None if manifest.input != inputs.NATIVE else manifest.height_width,
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--bundle", type=Path, help="a trained `sequential`; random weights by default"
    )
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=50)
    args = parser.parse_args()
    keras = keras_files.framework()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        path = args.bundle or random_bundle(here / "bundle")
        grader = graders.load(path)
        manifest = grader.manifest
        mode = str(manifest.trained_on.configuration["normalise"])
        pixels = photographs(args.data, args.photographs, grader.input)
        session = grader.session
        outputs = np.concatenate([runtime.run(session, sample[np.newaxis]) for sample in pixels])
        ours = keras_export.meaning(outputs, manifest.head)
        spread = ours.std(axis=0).max()
        print(f"{manifest.name}, {len(pixels)} photographs, {'x'.join(map(str, ours.shape))}")
        print(f"largest standard deviation of an output over the photographs: {spread:.3f}")
        for suffix in keras_export.SUFFIXES:
            written = keras_export.to_keras(path, here / f"there{suffix}")
            with keras_files.quiet():
                model = keras.models.load_model(written.path)
            theirs = np.concatenate(
                [model.predict_on_batch(sample[np.newaxis]) for sample in normalised(pixels, mode)]
            )
            print(f"to Keras, {suffix}: largest difference {np.abs(theirs - ours).max():.1e}")
            again = here / f"back{suffix}"
            keras_import.from_keras(written.path, again, options_for(manifest, mode))
            back = grade_probabilities(graders.load(again), pixels)
            first = grade_probabilities(grader, pixels)
            print(f"back, {suffix}: largest difference {np.abs(back - first).max():.1e}")
        if written.network == "sequential":
            activation = keras_export.ACTIVATIONS[manifest.head]
            theirs = students_definition(*manifest.height_width, ours.shape[1], activation)
            same = written.layers == tuple(type(layer).__name__ for layer in theirs.layers)
            print(f"layers: {', '.join(written.layers)}; equal to Keras' own: {same}")
            print(f"parameters: {written.parameters:,}; Keras' own: {theirs.count_params():,}")


if __name__ == "__main__":
    main()
