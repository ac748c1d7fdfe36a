"""False and found optic discs on 200 validation photographs, by source.

    python bench/disc.py --data DIR [--candidates FILE] [--detector BUNDLE] [--fit]

IDRiD's 60 validation photographs with their official centres, and the 140 of other sources that
were marked by hand (`reference/disc_and_fovea.csv`). A disc is found if its centre lies within half
a diameter of the marked one, and false if it lies elsewhere, or if none is marked. `found` counts
all photographs with a mark; `assessed` those large enough for the detector's disc, and the columns
behind it speak of them alone. `any size` says what is found if small photographs count too.

The detector takes seconds a photograph, so what it sees is kept in `--candidates` (JSON lines) and
read from there next time. `--fit` prints the weights of `fundoscope.lesions.discs` instead.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from arguments import add_data, grading_table, parser_of

from fundoscope.lesions import detector as detectors
from fundoscope.lesions import discs
from fundoscope.photo import decode, field
from fundoscope.reading import FieldOfView, Lesion

MARKS = Path(__file__).with_name("reference") / "disc_and_fovea.csv"
IDRID_WIDTH, IDRID_DIAMETER = 4288.0, 520.0
"""Width of IDRiD's photographs, and the median diameter of its discs, in pixels."""
KEPT = 0.05
"""Candidates of a lower score are not kept."""


@dataclass(frozen=True)
class Mark:
    """The true disc of a photograph, in its pixels; no centre if none is to be seen."""

    image: str
    centre: tuple[float, float] | None
    width: float = 0.0
    height: float = 0.0


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def marks(data: Path) -> Iterator[Mark]:
    """The 200 photographs."""
    for row in rows_of(MARKS):
        if not row["disc_x"]:
            yield Mark(row["image"], None)
            continue
        centre = float(row["disc_x"]), float(row["disc_y"])
        yield Mark(row["image"], centre, float(row["disc_width"]), float(row["disc_height"]))
    official = rows_of(data / "lesions" / "idrid_516" / "idrid_516.csv")
    # Our validation split was held out of IDRiD's training split.
    centres = {row["image"]: row for row in official if row["split"] == "train"}
    for row in rows_of(grading_table(data)):
        if row["source"] == "idrid" and row["split"] == "val":
            scale = float(row["width"]) / IDRID_WIDTH
            at = centres[Path(row["image"]).stem]
            side = IDRID_DIAMETER * scale
            centre = float(at["od_x"]) * scale, float(at["od_y"]) * scale
            yield Mark(row["image"], centre, side, side)


def candidates_of(
    photographs: list[Mark], data: Path, kept: Path | None, detector: detectors.Detector
) -> dict[str, dict[str, Any]]:
    """What the detector takes for the disc on each photograph, and its field of view."""
    seen: dict[str, dict[str, Any]] = {}
    if kept is not None and kept.exists():
        seen = {row["image"]: row for row in map(json.loads, kept.read_text().splitlines())}
    for mark in photographs:
        if mark.image in seen:
            continue
        photo = decode.decode_file(data / "grading" / mark.image)
        fov = field.find(photo)
        result = detectors.candidates(detector, photo, fov) if fov.found else ()
        row = {
            "image": mark.image, "centre": fov.centre, "radius": fov.radius,
            "stretch": fov.stretch,
            "cand": [(x.kind, x.box, x.score) for x in result if x.score >= KEPT],
        }  # fmt: skip
        seen[mark.image] = row
        if kept is not None:
            with kept.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
    return seen


def read(row: dict[str, Any]) -> tuple[FieldOfView, list[Lesion]]:
    """A row of the kept candidates."""
    fov = FieldOfView(True, tuple(row["centre"]), row["radius"], row["stretch"])
    boxes = [Lesion(kind, tuple(box), score) for kind, box, score in row["cand"]]
    return fov, [box for box in boxes if box.kind == "optic_disc"]


def fits(disc: Lesion, mark: Mark, fov: FieldOfView) -> bool:
    """Whether a disc's centre lies within half a diameter of the marked one."""
    if mark.centre is None:
        return False
    stretch = fov.stretch or 1.0
    x, y = (disc.box[0] + disc.box[2]) / 2, (disc.box[1] + disc.box[3]) / 2
    reach = (mark.width * stretch + mark.height) / 4
    return math.hypot((x - mark.centre[0]) * stretch, y - mark.centre[1]) <= reach


def fit(photographs: list[Mark], seen: dict[str, dict[str, Any]], data: Path) -> None:
    """Print the weights of a logistic regression of the candidates' features."""
    from sklearn.linear_model import LogisticRegression

    rows, truths = [], []
    for mark in photographs:
        fov, boxes = read(seen[mark.image])
        likely = [box for box in boxes if discs.has_shape_of_disc(box, fov)]
        if likely:
            photo = decode.decode_file(data / "grading" / mark.image)
            rows.append(discs.features(likely, photo, fov))
            truths += [fits(box, mark, fov) for box in likely]
    table = np.concatenate(rows)
    mean, spread = table.mean(axis=0), table.std(axis=0)
    model = LogisticRegression(max_iter=1000).fit((table - mean) / spread, truths)
    weights = model.coef_[0] / spread
    print("WEIGHTS", tuple(weights.round(3).tolist()))
    print("INTERCEPT", round(float(model.intercept_[0] - weights @ mean), 3))


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--candidates", type=Path, help="file of what the detector sees")
    parser.add_argument("--detector", type=Path, help="bundle; the shipped one by default")
    parser.add_argument("--fit", action="store_true", help="print the weights instead")
    args = parser.parse_args()
    photographs = list(marks(args.data))
    detector = detectors.load(args.detector)
    seen = candidates_of(photographs, args.data, args.candidates, detector)
    if args.fit:
        fit(photographs, seen, args.data)
        return
    threshold = detector.manifest.thresholds["optic_disc"]
    counts: dict[str, list[int]] = {}
    for mark in photographs:
        fov, boxes = read(seen[mark.image])
        photo = decode.decode_file(args.data / "grading" / mark.image)
        boxes = [box for box in boxes if box.score >= threshold]
        disc = discs.best(boxes, photo, fov)
        right = disc is not None and fits(disc, mark, fov)
        false = disc is not None and not right
        first = max(boxes, key=lambda box: box.score, default=None)
        before = first is not None and fits(first, mark, fov)
        large = detector.assesses("optic_disc", fov)
        row = [1, right, false, large, large and right, large and false]
        row += [large and before, large and first is not None and not before]
        for name in (mark.image.split("/", maxsplit=1)[0], "all"):
            total = counts.setdefault(name, [0] * len(row))
            counts[name] = [a + int(b) for a, b in zip(total, row, strict=True)]
    names = ("photographs", "any size: found", "false", "assessed", "found", "false",
             "by score alone: found", "false")  # fmt: skip
    print(f"| source | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for name in [*sorted(set(counts) - {"all"}), "all"]:
        print(f"| {name} | {' | '.join(map(str, counts[name]))} |")


if __name__ == "__main__":
    main()
