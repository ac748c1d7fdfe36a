"""The model card of a detector: what people should know before they use it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Final

from fundoscope.kinds import ANATOMY, KINDS
from fundoscope.train.detection import registry
from fundoscope.train.detection.views.operating import KEPT
from fundoscope.train.run.card_text import averaged_text, settings_table, stored_text

if TYPE_CHECKING:
    from fundoscope.models.bundle import DetectorManifest
    from fundoscope.train.detection.exported import Exported

WIDTH: Final = 100
"""Characters of a line."""


def text(manifest: DetectorManifest, exported: Exported) -> str:
    """The card as Markdown.

    Args:
        manifest: of the bundle.
        exported: the figures of the export.
    """
    parts = (
        _title(manifest),
        _training(manifest, exported),
        _figures(manifest, exported),
        _sizes(manifest, exported),
        _graph(manifest, exported),
        _limitations(manifest),
    )
    return "\n".join(parts)


def _title(manifest: DetectorManifest) -> str:
    found = [KINDS[kind].name for kind in manifest.classes if kind in manifest.minimum_radius]
    others = [KINDS[kind].name for kind in manifest.classes if kind not in manifest.minimum_radius]
    never = f" It has learnt, but never draws: {', '.join(others)}." if others else ""
    return f"""# {manifest.name}

Finds on a photograph of the retina: {", ".join(found)}.{never}
For research; it is not a medical device, and its results are not a diagnosis.

Licence of the weights: {manifest.licence}.
"""


def _training(manifest: DetectorManifest, exported: Exported) -> str:
    trained = manifest.trained_on
    sources = ", ".join(f"{name} {count:,}" for name, count in trained.photographs.items())
    minutes = f"{trained.minutes:.0f} minutes" if trained.minutes is not None else "unknown time"
    versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
    number = sum(trained.photographs.values())
    well = number - exported.annotated
    without = f" {well:,} of them are eyes of a low grade, without boxes." if well else ""
    return f"""## Training

Trained on {number:,} photographs ({sources}); sha256 of photographs and annotations
`{trained.manifest_sha256}`.{without} Seed {trained.seed}, {minutes}.
{_chosen(manifest, exported)}
Versions: {versions}.

{settings_table(trained.configuration)}
"""


def _chosen(manifest: DetectorManifest, exported: Exported) -> str:
    averaged = manifest.trained_on.averaged
    if averaged is None:
        return (
            f"Epoch {exported.epoch + 1}, chosen by the mean average precision of the lesions on"
            " validation."
        )
    return averaged_text(averaged, "by the\nlesions' mean average precision; shares and scale were")


def _figures(manifest: DetectorManifest, exported: Exported) -> str:
    rows = "\n".join(
        f"| {KINDS[kind].name} | {_number(row, 'lesions', 0)} | {_number(row, 'average_precision')}"
        f" | {manifest.thresholds[kind]:.3f} | {_number(row, 'precision')} |"
        f" {_number(row, 'recall')} |"
        for kind, row in manifest.validation.items()
    )
    return f"""## On validation

The epoch and the thresholds were chosen on the same photographs, so these figures are optimistic. A
box hits a lesion if their IoU is at least 0.3, or if the centre of each lies inside the other and
their areas differ by no more than a factor of 4; one to one. The threshold of each kind is the
score at which the count is right on the median photograph that shows the kind; of a landmark only
the best box counts.

| kind | lesions | average precision | threshold | precision | recall |
|---|---|---|---|---|---|
{rows}
{_further(exported)}"""


def _further(exported: Exported) -> str:
    """How the thresholds fit the photographs of further sets; empty where there are none."""
    if not exported.of_sets:
        return ""
    rows = "\n".join(
        f"| {each.name} | {KINDS[each.kind].name} | {each.photographs} | {each.lesions} |"
        f" {each.alone:.3f} | {each.precision:.3f} | {each.recall:.3f} |"
        for each in exported.of_sets
    )
    return f"""
Annotators of one set mark more than those of another. Where further sets annotate a kind, its
threshold is the mean, in log-odds, of those that fit each set alone. Precision and recall at that
threshold, on the validation photographs of each further set:

| set | kind | photographs | lesions | threshold that fits it alone | precision | recall |
|---|---|---|---|---|---|---|
{rows}
"""


def _number(row: Mapping[str, float | None], key: str, digits: int = 3) -> str:
    value = row.get(key)
    return "" if value is None else f"{value:.{digits}f}"


def _pair(precision: float, recall: float) -> str:
    """Both figures; a dash for a kind that no validation photograph has."""
    return "–" if isnan(precision) else f"{precision:.2f} / {recall:.2f}"


def _sizes(manifest: DetectorManifest, exported: Exported) -> str:
    radii = sorted({r for sizes in exported.sizes.values() for r in sizes}, reverse=True)
    head = " | ".join(f"{radius:.0f}" for radius in radii)
    rows = "\n".join(
        f"| {KINDS[kind].name} | {_least(manifest, kind)} | "
        + " | ".join(_pair(*sizes[radius]) for radius in radii)
        + " |"
        for kind, sizes in exported.sizes.items()
    )
    return f"""## How small a photograph may be

Precision and recall at the threshold on smaller copies of the validation photographs, by the radius
of their field in pixels. A kind is assessed down to the radius that keeps {KEPT:.0%} of both at
full size, between two sizes of this table by interpolation. Where smaller copies were read better
than larger ones, that is chance, and their mean counts. On a smaller photograph a kind is "not
assessed", never "none found".

Where the radius is half of {manifest.radius:g} pixels, the log-odds of the scores are corrected, so
that one threshold holds for all sizes: {_corrections(manifest)}. Where it is smaller by n halvings,
n^{manifest.size_exponent:g} times as much.

| kind | assessed from | {head} |
|---|---|{"---|" * len(radii)}
{rows}
"""


def _least(manifest: DetectorManifest, kind: str) -> str:
    radius = manifest.minimum_radius.get(kind)
    return "never" if radius is None else f"{radius:.0f} px"


def _corrections(manifest: DetectorManifest) -> str:
    return ", ".join(
        f"{KINDS[kind].name} {value:+.2f}" for kind, value in manifest.size_correction.items()
    )


def _graph(manifest: DetectorManifest, exported: Exported) -> str:
    return f"""## Graph

The field is brought to a radius of {manifest.radius:g} pixels and read in tiles of at most
{manifest.height_width[0]}x{manifest.height_width[1]} that overlap by {manifest.overlap} or more.
Input: `uint8 (B, H, W, 3)` RGB, H and W multiples of {manifest.step}; the graph normalises it.
Output: {registry.HEADS[manifest.head].output_text(manifest)}. ONNX Runtime differs from torch by
{exported.pixel_difference:.1e} pixels and {exported.score_difference:.1e} in a score at most, on
{exported.compared} boxes. {stored_text(manifest.stored)}
"""


def _limitations(manifest: DetectorManifest) -> str:
    photographs = manifest.trained_on.photographs
    number, sources = sum(photographs.values()), len(photographs)
    of = f"{sources} sources" if sources > 1 else "one source"
    others = (key for key in KINDS if key not in manifest.classes and key not in ANATOMY)
    names = ", ".join((*(KINDS[key].name for key in others), "drusen"))
    unknown = textwrap.fill(
        f"- It does not know these, and may take them for lesions that it knows: {names}.",
        WIDTH,
        subsequent_indent="  ",
    )
    return f"""## Limitations

- It was trained on {number:,} photographs of {of} and can be much worse on those of other cameras
  and populations. Evaluate it on your own photographs first (`fundoscope evaluate lesions`). You
  can correct the boxes that it draws (`fundoscope annotate`) and train on them.
- Its boxes follow the annotators' habit of joining lesions that touch: a field of exudates may be
  one box to them and several to it, or the other way round.
{unknown}
- The area of a box is larger than that of its lesion.
"""
