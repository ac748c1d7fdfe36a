"""The model card of a network that was taken over from Keras: mostly what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fundoscope.models.bundle import GraderManifest
    from fundoscope.train.keras.importing import FromKeras

INPUTS: Final = {
    "squash": "the whole photograph, squashed into that shape",
    "crop": "the field of view's square, without stretching",
}


def text(manifest: GraderManifest, taken: FromKeras) -> str:
    """The card as Markdown."""
    cuts = ", ".join(f"{cut:g}" for cut in manifest.cut_points)
    grades = ", ".join(map(str, taken.grades))
    heads = (
        f"Its classes stand for the grades {grades}." if grades else "Its outputs are no classes."
    )
    configuration = manifest.trained_on.configuration
    versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
    return f"""# {manifest.name}

A network that somebody trained with Keras, taken over as it is, to grade diabetic retinopathy, 0 to
4 of the International Clinical Diabetic Retinopathy scale. For research; not a medical device, and
nothing that it says is a diagnosis.

Licence of the weights: {manifest.licence}.

## Where it comes from

A Keras file with the sha256
`{configuration["file_sha256"]}`,
written by Keras {taken.version or "(the file does not say which)"}; {taken.parameters:,} weights.
Versions at the time of taking it over: {versions}.

## What is not known

- On which photographs it was trained, and whether any that it is tested on are among them.
- Whether normalisation (`{configuration["normalise"]}`), input and classes are what it was trained
  with: they were stated when it was taken over, and the file does not say them.
- How its probabilities compare with how often it is right. Nothing was fitted: temperature 1,
  cut-points {cuts} on the expected grade, referable from {manifest.referable_threshold:.3g}.

Evaluate it on your own photographs before anything else: `fundoscope evaluate grading`.

## Graph

Input: `uint8 (N, {taken.height}, {taken.width}, 3)` RGB, {INPUTS[manifest.input]}; normalisation is
inside. Output: `{manifest.head}`. {heads}
ONNX Runtime differs from Keras by {taken.difference:.1e} at most in a probability, on
{taken.compared} random and drawn pictures.
"""
