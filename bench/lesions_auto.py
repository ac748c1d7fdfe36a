"""What does `read --lesions auto` save, and which lesions does it miss?

    python bench/lesions_auto.py [--data DIR] [--photographs 300] [--seed 35]

Reads photographs of the validation split, drawn at random, with the grader alone. On those of which
it is sure that the grade is 0, the detector then looks all the same: what it finds is what
`--lesions auto` misses. The label says on how many of them there is something to miss.
"""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
from arguments import add_data, grading_table, parser_of

from fundoscope.grading.judge import Verdict
from fundoscope.grading.opinion import Opinion
from fundoscope.kinds import LESIONS
from fundoscope.reader import Reader
from fundoscope.reading import Reading

REFERABLE = 2
"""Lowest grade that is referable."""


def is_sure(reading: Reading) -> bool:
    """Whether ``lesions="auto"`` would leave the lesions of a photograph out."""
    verdict = Verdict(None, reading.quality, reading.familiar)
    return Opinion(reading.field, reading.grade, verdict).is_sure_of_grade_0


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=35)
    args = parser.parse_args()
    table = grading_table(args.data)
    with table.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "val" and row["grade"]]
    order = np.random.default_rng(args.seed).permutation(len(rows))[: args.photographs]
    grader, both = Reader(lesions=False), Reader()
    labels: Counter[int] = Counter()
    sure: Counter[int] = Counter()
    boxes: Counter[str] = Counter()
    with_boxes = 0
    for row in (rows[place] for place in order):
        grade, path = int(float(row["grade"])), table.parent / row["image"]
        labels[grade] += 1
        if not is_sure(grader.read(path)):
            continue
        sure[grade] += 1
        found = [lesion.kind for lesion in both.read(path).lesions if lesion.kind in LESIONS]
        with_boxes += bool(found)
        boxes.update(found)
        print(f"{sum(labels.values())}: {path.name}, label {grade}: {len(found)} boxes", flush=True)
    count, out = labels.total(), sure.total()
    print(f"validation, {count} photographs: lesions left out on {out} ({100 * out / count:.0f} %)")
    with_lesions = sum(number for grade, number in sure.items() if grade > 0)
    referable = sum(number for grade, number in sure.items() if grade >= REFERABLE)
    all_with = sum(number for grade, number in labels.items() if grade > 0)
    all_referable = sum(number for grade, number in labels.items() if grade >= REFERABLE)
    print(f"of these, labelled 1 or more: {with_lesions} of {all_with} such photographs")
    print(f"of these, labelled 2 or more: {referable} of {all_referable} such photographs")
    print(f"the detector finds boxes on {with_boxes} of the {out}: {dict(boxes)}")


if __name__ == "__main__":
    main()
