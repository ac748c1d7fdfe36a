"""How much faster is OpenVINO, and how far do its readings differ from ONNX Runtime's?

    python bench/with_openvino.py [--data DIR] [--photographs 200] [--large 6]

Reads JPEGs of the validation split with both (a grade alone), and some of IDRiD's large training
photographs with lesions, in one process, on one thread, in turn. Prints the largest difference of a
probability, the grades and decisions that differ, and the lesions that only one of them boxes (of
the same kind, overlapping by half); and the processor time of both. Needs [openvino].
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arguments import add_data, grading_table, parser_of
from one_reading import drawn, gap

from fundoscope.reader import Reader
from fundoscope.reading import Lesion, Reading

DEVICES = (None, ["openvino"])
OVERLAP = 0.5


def timed(reader: Reader, path: Path) -> tuple[Reading, float]:
    """A reading and its processor time, in milliseconds."""
    began = time.process_time()
    reading = reader.read(path)
    return reading, 1000 * (time.process_time() - began)


def overlap(one: Lesion, other: Lesion) -> float:
    """Intersection over union of two boxes."""
    a, b = np.array(one.box), np.array(other.box)
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    area = float(np.prod(sides))
    return area / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - area)


def alone(some: Sequence[Lesion], others: Sequence[Lesion]) -> int:
    """The lesions that have no counterpart among others."""
    return sum(
        not any(one.kind == other.kind and overlap(one, other) >= OVERLAP for other in others)
        for one in some
    )


def compare(paths: list[Path], *, lesions: bool) -> None:
    began = time.process_time()
    readers = []
    for providers in DEVICES:
        readers.append(Reader(lesions=lesions, providers=providers))
        print(f"  loaded in {time.process_time() - began:.1f} s of processor time")
        began = time.process_time()
    for reader in readers:
        reader.read(paths[0])
    gaps, taken, grades, decided, single, boxes = [], [], 0, 0, 0, 0
    for path in paths:
        (ours, our_time), (theirs, their_time) = (timed(reader, path) for reader in readers)
        gaps.append(gap(ours.grade, theirs.grade))
        taken.append((our_time, their_time))
        grades += ours.grade.icdr != theirs.grade.icdr
        flags = [each.grade.referable and each.grade.referable.positive for each in (ours, theirs)]
        decided += flags[0] != flags[1]
        boxes += len(ours.lesions)
        single += alone(ours.lesions, theirs.lesions) + alone(theirs.lesions, ours.lesions)
    our_time, their_time = np.median(taken, axis=0)
    print(
        f"{len(paths)} photographs{' with lesions' if lesions else ''}: largest difference of a"
        f" probability {max(gaps):.1g}, {grades} grades and {decided} decisions differ;"
        f" {boxes} lesions, {single} found by one of the two alone; ONNX Runtime {our_time:.1f},"
        f" OpenVINO {their_time:.1f} ms of processor time"
    )


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--large", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = args.data / "lesions" / "idrid"
    names = (folder / "train.txt").read_text().split()[: args.large]
    compare(drawn(grading_table(args.data), args.photographs, args.seed, ("val",)), lesions=False)
    compare([folder / "JPEGImages" / f"{Path(name).stem}.jpg" for name in names], lesions=True)


if __name__ == "__main__":
    main()
