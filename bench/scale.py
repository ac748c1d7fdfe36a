"""Does a photograph get the same grade at its native size and at 768 pixels?

    python bench/scale.py [--data DIR] [--grader BUNDLE]

Reads the IDRiD photographs that the data hold both at 4288 pixels (`lesions/idrid`) and at 768
pixels (`grading/idrid`), as listed in `seg_to_grading.csv`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from arguments import add_data, parser_of

from fundoscope.reader import Reader

SAME = {"same_bytes", "same_photograph_reencoded"}
RESAMPLES = 2000


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--grader", type=Path)
    args = parser.parse_args()
    reader = Reader(args.grader, lesions=False)
    lesions = args.data / "lesions" / "idrid"
    with (lesions / "seg_to_grading.csv").open(newline="") as file:
        pairs = [row for row in csv.DictReader(file) if row["relation"] in SAME]
    differences, same = [], 0
    for row in pairs:
        native = reader.read(lesions / "JPEGImages" / f"{row['lesion_photo']}.jpg").grade
        small = reader.read(args.data / "grading" / row["grading_image"]).grade
        if native.expected is None or small.expected is None:
            print(f"not graded: {row['lesion_photo']}")
            continue
        differences.append(abs(native.expected - small.expected))
        same += native.icdr == small.icdr
    values = np.array(differences)
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    print(
        f"{len(values)} photographs at both sizes; expected grade differs by a median of"
        f" {np.median(values):.3f} [{low:.3f}, {high:.3f}], 95 % below"
        f" {np.percentile(values, 95):.3f}, at most {values.max():.3f}; same grade: {same}"
    )


if __name__ == "__main__":
    main()
