"""Does the grader look at lesions? The heat inside boxed lesions against chance.

    python bench/heat.py ../shared/data/lesions/idrid --list train.txt

For each photograph: the share of the heat (what speaks for "referable") that lies in the boxes of
microaneurysms, haemorrhages and exudates, and the share of the field that these boxes cover, which
is what chance would give. The map is coarse, so boxes are widened by half a cell on each side.
Also: how often the hottest place lies in a widened box.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.grading import grader as graders
from fundoscope.grading import heat, inputs
from fundoscope.kinds import OPTIC_DISC
from fundoscope.photo import field, sources
from fundoscope.photo.field import disc

SIDE = 320
"""Side of the grid on which shares are measured."""
DRAWS, SEED = 2000, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with JPEGImages and Annotations")
    parser.add_argument("--list", default="train.txt", help="names of the photographs")
    parser.add_argument("--grader", type=Path)
    args = parser.parse_args()
    grader = graders.load(args.grader)
    photos = {photo.image: photo for photo in formats.read(args.folder).photos}
    rows = []
    for name in (args.folder / args.list).read_text().split():
        row = measured(grader, args.folder, photos[f"{name}.jpg"])
        if row is not None:
            rows.append(row)
    inside, chance, hit = np.array(rows).T
    print(f"{len(rows)} photographs with lesions and heat")
    for title, values in (
        ("share of the heat inside lesions", inside),
        ("share of the field (chance)", chance),
        ("their ratio, of the means", None),
        ("hottest place inside a lesion", hit),
    ):
        low, high = interval(inside, chance) if values is None else interval(values)
        mean = inside.mean() / chance.mean() if values is None else values.mean()
        print(f"{title}: {mean:.3f} ({low:.3f} to {high:.3f})")


def measured(
    grader: graders.Grader, folder: Path, annotated: AnnotatedPhoto
) -> tuple[float, float, float] | None:
    photo = sources.photo(
        sources.content(folder / "JPEGImages" / annotated.image), min_side=grader.input.decode_side
    )
    fov = field.find(photo)
    seen = heat.heat(grader, inputs.make(photo, fov, grader.input))
    if seen is None:
        raise SystemExit("this grader gives no heat map")
    cells = len(seen.values)
    values = np.clip(np.array(seen.values, np.float32), 0, None)
    smooth = Image.fromarray(values).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    hot = np.clip(np.asarray(smooth), 0, None) * disc(SIDE)
    boxes = [each.box for each in annotated.annotations if each.kind != OPTIC_DISC.key]
    if not boxes or hot.sum() <= 0:
        return None
    to_grid = fov.to_unit()
    wide = SIDE / cells / 2
    covered = np.zeros((SIDE, SIDE), bool)
    for box in boxes:
        x0, y0, x1, y1 = ((v + 1) * SIDE / 2 for v in to_grid.box(box))
        rows = slice(max(0, int(y0 - wide)), max(0, int(np.ceil(y1 + wide))))
        columns = slice(max(0, int(x0 - wide)), max(0, int(np.ceil(x1 + wide))))
        covered[rows, columns] = True
    covered &= disc(SIDE)
    hottest = np.unravel_index(int(hot.argmax()), hot.shape)
    return (
        float(hot[covered].sum() / hot.sum()),
        float(covered.sum() / disc(SIDE).sum()),
        float(covered[hottest]),
    )


def interval(values: np.ndarray, other: np.ndarray | None = None) -> tuple[float, float]:
    """95 % by bootstrap over photographs, of the mean or of the ratio of two means."""
    random = np.random.default_rng(SEED)
    drawn = random.integers(0, len(values), (DRAWS, len(values)))
    means = values[drawn].mean(axis=1)
    if other is not None:
        means = means / other[drawn].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main()
