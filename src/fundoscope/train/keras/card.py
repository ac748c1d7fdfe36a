"""The model card of a network that was imported from Keras: mostly what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fundoscope.models.bundle import GraderManifest
    from fundoscope.train.keras.imported import Imported

INPUTS: Final = {
    "squash": "the whole photograph, squashed into that shape",
    "crop": "the field of view's square, without stretching",
}


def text(manifest: GraderManifest, imported: Imported) -> str:
    """The card as Markdown."""
    grades = ", ".join(map(str, imported.grades))
    classes = (
        f"Its classes stand for the grades {grades}." if grades else "Its outputs are not classes."
    )
    configuration = manifest.trained_on.configuration
    versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
    return f"""# {manifest.name}

A network that somebody trained with Keras, imported without a change. It grades diabetic
retinopathy, 0 to 4 of the International Clinical Diabetic Retinopathy scale. It is for research,
not a medical device, and its result is not a diagnosis.

Licence of the weights: {manifest.licence}.

## Where it comes from

A Keras file with the sha256
`{configuration["file_sha256"]}`,
written by Keras {imported.version or "(version not stated)"}; {imported.parameters:,} weights.
Versions at the time of the import: {versions}.

## What is not known

- On which photographs it was trained, and whether your test photographs are among them.
- Whether normalisation (`{configuration["normalise"]}`), input and classes are those of its
  training: the user stated them at the import, and the file does not hold them.
- Whether its probabilities are calibrated. Nothing was fitted: temperature 1, the most probable
  grade, referable from {manifest.referable_threshold:.3g}. `fundoscope calibrate grading` fits
  probabilities and threshold.

Evaluate it on your own photographs before you use it: `fundoscope evaluate grading`.

## Graph

Input: `uint8 (N, {imported.height}, {imported.width}, 3)` RGB, {INPUTS[manifest.input]};
normalisation is inside. Output: `{manifest.head}`. {classes}
The largest difference of a probability between ONNX Runtime and Keras was
{imported.difference:.1e}, on {imported.compared} random and drawn pictures.
"""
