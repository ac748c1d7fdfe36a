"""The model card of a landmark network: what people should know before they use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fundoscope.train.landmarks.exported import ALIKE
from fundoscope.train.run.card_text import settings_table, stored_text

if TYPE_CHECKING:
    from fundoscope.models.bundle import LandmarksManifest
    from fundoscope.train.landmarks.exported import Exported

STRIDE: Final = 8
"""Pixels of the input to a cell of the maps."""
COLUMNS: Final = {
    "photographs": "n",
    "disc_median": "disc, median",
    "disc_within_half": "disc within 0.5",
    "diameter_within_15": "diameter within 15 %",
    "fovea_median": "fovea, median",
    "fovea_within_half": "fovea within 0.5",
}
"""The figures of a source, and how the card calls them."""


def text(manifest: LandmarksManifest, exported: Exported) -> str:
    """The card as Markdown."""
    parts = (_head(manifest), _data(manifest), _training(manifest, exported), _figures(manifest),
             _graph(manifest, exported), LIMITATIONS)  # fmt: skip
    return "\n".join(parts)


def _head(manifest: LandmarksManifest) -> str:
    return f"""# {manifest.name}

Finds the optic disc, its diameter and the fovea on a photograph of the retina. For research; it is
not a medical device.

Licence of the weights: {manifest.licence}.
"""


def _data(manifest: LandmarksManifest) -> str:
    photographs = manifest.trained_on.photographs
    rows = "\n".join(f"| {name or '(not named)'} | {n:,} |" for name, n in photographs.items())
    return f"""## Trained on

| source | photographs |
|---|---|
{rows}
| all | {sum(photographs.values()):,} |

Table sha256 `{manifest.trained_on.manifest_sha256}`.
Its input is the field of view's square, not stretched, black around it.
"""


def _training(manifest: LandmarksManifest, exported: Exported) -> str:
    trained = manifest.trained_on
    minutes = f"{trained.minutes:.0f} minutes" if trained.minutes is not None else "unknown time"
    versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
    return f"""## Training

Epoch {exported.epoch + 1}, chosen on validation. Seed {trained.seed}, {minutes}.
Versions: {versions}.

{settings_table(trained.configuration)}
"""


def _figures(manifest: LandmarksManifest) -> str:
    head = " | ".join(("source", *COLUMNS.values()))
    rows = "\n".join(
        f"| {name or '(not named)'} | {' | '.join(_cell(key, row.get(key)) for key in COLUMNS)} |"
        for name, row in manifest.validation.items()
    )
    limits = "\n".join(
        f"- {name.replace('_', ' ')}: found from a score of {score:.3f}, estimated from"
        f" {manifest.estimated[name]:.3f}"
        for name, score in manifest.found.items()
    )
    return f"""## On validation

Distances are in disc diameters, whatever the score of the landmark. Epoch and limits were chosen on
the same photographs, so these figures are optimistic.

| {head} |
|---|{"---|" * len(COLUMNS)}
{rows}

Limits, from which at most 1 % (found) and 10 % (estimated) of the landmarks are false, but not
below 0.5 and 0.2:

{limits}
"""


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if key == "photographs" else f"{value:.3f}"


def _graph(manifest: LandmarksManifest, exported: Exported) -> str:
    side = manifest.height_width[0]
    cells = side // STRIDE
    return f"""## Graph

Input: `uint8 (N, {side}, {side}, 3)` RGB; the graph normalises it. Output: `float32 (N, 3, {cells},
{cells})`, log-odds of disc and fovea in each cell and the logarithm of the disc's diameter in
radii of the field. On {100 * ALIKE:g} % of {exported.compared} validation photographs, ONNX
Runtime and torch differ by at most {exported.difference:.1e} in the place of disc and fovea (in
radii of the field) and in that logarithm. {stored_text(manifest.stored)}
"""


LIMITATIONS: Final = """## Limitations

- Most marks were made by one person, to about a hundredth of the picture's side.
- Photographs of other fields than 45 to 50 degrees, of children and of eyes with a malformed or
  swollen disc were hardly among them.
- The fovea is marked where it should lie if the macula is diseased. There its place is uncertain.
"""
