"""Optic disc, fovea and laterality against marks made by hand, by source.

    python bench/landmarks.py --table FILE [--split val] [--landmarks BUNDLE]

`--table` is a table of marks, such as `bench/landmarks_table.py` writes. Distances are in disc
diameters. `any score` speaks of the likeliest place on every photograph with a mark; `found` is the
number of marked discs and foveas that are reported as found, `false` that of those elsewhere or
where none is marked. The last column says how many of the eyes that are named in the file's name
are recognised.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from arguments import parser_of

from fundoscope.batch import names
from fundoscope.lesions import landmarks, placing
from fundoscope.lesions.landmarks import Peak
from fundoscope.models.manifest import LandmarksManifest
from fundoscope.photo import decode, field
from fundoscope.reading import FOUND, FieldOfView
from fundoscope.train.landmarks import figures, marks
from fundoscope.train.landmarks.marks import Mark

HEAD = (
    "source", "n", "disc: median", "within half", "diameter within 15 %", "fovea: median",
    "within half", "disc found", "false", "fovea found", "false", "eye right", "of",
)  # fmt: skip
DRAWS, SEED = 1000, 0
Seen = tuple[Mark, FieldOfView, tuple[Peak, Peak]]


def seen_of(table: marks.Marks, split: str, landmarker: landmarks.Landmarker) -> list[Seen]:
    """What the network sees on each photograph of a split."""
    seen = []
    for mark in table.rows:
        if mark.split != split:
            continue
        side = field.decode_side(landmarker.side)
        photo = decode.decode_file(table.path.parent / mark.image, min_side=side)
        fov = field.find(photo)
        if fov.found:
            seen.append((mark, fov, landmarks.find(landmarker, photo, fov)))
    return seen


def row_of(name: str, seen: list[Seen], manifest: LandmarksManifest) -> list[str]:
    """The figures of one source."""
    truth = np.array([marks.truth(mark, fov) for mark, fov, _ in seen])
    errors = figures.errors([pair for _, _, pair in seen], truth)
    figure = figures.summary(errors)
    drawn = np.random.default_rng(SEED).integers(0, len(seen), (DRAWS, len(seen)))
    resampled = [figures.summary(part_of(errors, rows)) for rows in drawn]
    counts = np.zeros(6, int)
    for place, (mark, fov, pair) in enumerate(seen):
        anatomy = placing.anatomy_of(pair, manifest, fov)
        for at, state, distance in (
            (0, anatomy.disc.state, errors.disc[place]),
            (2, anatomy.fovea.state, errors.fovea[place]),
        ):
            right = distance <= figures.HALF
            counts[at] += state == FOUND and right
            counts[at + 1] += state == FOUND and not right
        eye = names.parse(Path(mark.image).name).eye
        counts[4] += bool(eye) and anatomy.laterality.eye == eye
        counts[5] += bool(eye)
    shares = ("disc_median", "disc_within_half", "diameter_within_15", "fovea_median",
              "fovea_within_half")  # fmt: skip
    cells = ["" if math.isnan(figure[key]) else shown(key, figure, resampled) for key in shares]
    return [name, str(len(seen)), *cells, *map(str, counts.tolist())]


def part_of(errors: figures.Errors, rows: np.ndarray) -> figures.Errors:
    """The errors of some photographs."""
    return figures.Errors(
        errors.disc[rows], errors.fovea[rows], errors.diameter[rows], errors.scores[rows]
    )


def shown(key: str, figure: dict[str, float], resampled: list[dict[str, float]]) -> str:
    """A figure with its interval of 95 %, by bootstrap over photographs."""
    low, high = np.nanquantile([each[key] for each in resampled], (0.025, 0.975))
    return f"{figure[key]:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--landmarks", type=Path, help="bundle; the shipped one by default")
    args = parser.parse_args()
    landmarker = landmarks.load(args.landmarks)
    seen = seen_of(marks.read(args.table), args.split, landmarker)
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name in sorted({mark.source for mark, _, _ in seen}):
        part = [each for each in seen if each[0].source == name]
        print(f"| {' | '.join(row_of(name, part, landmarker.manifest))} |")
    print(f"| {' | '.join(row_of('all', seen, landmarker.manifest))} |")


if __name__ == "__main__":
    main()
