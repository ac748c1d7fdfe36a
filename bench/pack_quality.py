"""What does a grader lose when its crops are compressed, as in a pack? Measured on validation.

    python bench/pack_quality.py TABLE [--qualities 77 90 95] [--side 320]

Crops of the grader's own size, or of `--side`, are stored as a pack stores them (WebP, no more
pixels than the photograph has) and read again. Prints quadratic kappa (one set of cut-points,
fitted on the compressed crops) and referable AUC of each source, and the mean over the sources. No
test photograph is read. Needs [train].
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fundoscope.errors import FundoscopeError
from fundoscope.grading import inputs
from fundoscope.models import bundle as bundles
from fundoscope.train.grading import export, packed_crops, photographs, pictures
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.pictures import Pictures

QUALITIES = (77, 90, 95)
KILO = 1000


def main() -> None:
    args = arguments()
    bundle = bundles.load_grader(args.grader)
    manifest = bundle.manifest
    wanted = inputs.Input(manifest.input, *manifest.height_width)
    table = photographs.read(args.table)
    rows = [row for row in table.rows if row.split == photographs.VAL]
    crops = pictures.load(table, rows, wanted, args.cache)
    files = [table.photograph(row) for row in crops.rows]
    shown = [("not compressed", crops, "-")]
    for quality in args.qualities:
        again, size = stored(crops, files, wanted, quality, side=args.side)
        shown.append((f"quality {quality}", again, f"{size / KILO:.1f}"))
    sources = sorted({row.source for row in crops.rows})
    print(f"| crops | kB | mean | {' | '.join(sources)} |")
    print("|---|---|---|" + "---|" * len(sources))
    for title, these, kilobytes in shown:
        figures = measured(bundle.model, these, manifest.head)
        by = figures["by_source"]
        cells = [f"{by[name]['kappa']:.3f} / {by[name]['auc']:.3f}" for name in sources]
        mean = f"{figures['mean_kappa']:.3f} / {figures['mean_auc']:.4f}"
        print(f"| {title} | {kilobytes} | {mean} | {' | '.join(cells)} |", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("table", type=Path, help="label table of the photographs")
    parser.add_argument("--qualities", nargs="+", type=int, default=QUALITIES)
    parser.add_argument("--side", type=int, help="pixels of a stored crop; else the grader's own")
    parser.add_argument("--grader", type=Path, default=bundles.shipped())
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="of the crops")
    return parser.parse_args()


def stored(
    crops: Pictures, files: list[Path], wanted: inputs.Input, quality: int, *, side: int | None
) -> tuple[Pictures, float]:
    """Compress crops as a pack of this quality does; also give their mean size in bytes.

    Args:
        side: of a stored crop, in pixels; None keeps the grader's own.
    """
    compressed, sizes = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"crop{packed_crops.SUFFIX}"
        for pixels, photograph in zip(crops.pixels, files, strict=True):
            smaller = pixels if side is None else resized(pixels, side)
            content = packed_crops.encode(packed_crops.no_larger(smaller, photograph), quality)
            file.write_bytes(content)
            again = packed_crops.read(file, wanted)
            if isinstance(again, str):
                raise FundoscopeError(photograph.name, again, "look at the photograph")
            compressed.append(again)
            sizes.append(len(content))
    return dataclasses.replace(crops, pixels=tuple(compressed)), float(np.mean(sizes))


def resized(pixels: packed_crops.Pixels, side: int) -> packed_crops.Pixels:
    """A crop at another size, averaged where it is made smaller."""
    return np.array(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def measured(model: bytes, crops: Pictures, head: str) -> dict[str, Any]:
    """Measure a graph on crops."""
    labels = np.array([row.grade for row in crops.rows])
    sources = [row.source for row in crops.rows]
    return grader.measure(export.outputs_of(model, crops, head), labels, sources, head)


if __name__ == "__main__":
    try:
        main()
    except FundoscopeError as error:
        raise SystemExit(str(error)) from None
