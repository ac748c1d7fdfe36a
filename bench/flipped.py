"""Do JPEGs with a damaged byte that are accepted keep their grade?

    python bench/flipped.py [--data DIR] [--photographs 500] [--flips 1] [--copies 2] [--seed 35]

Draws JPEGs of the validation split in equal shares of their sources, and reads each as it is and
with random bytes changed to other values. Counts the damaged copies that are refused, that keep
their grade, that are not graded or abstained on (not gradable, not a retina, several grades
plausible, unlike the training photographs), and that change their grade. Exits with 1 if fewer than
99 % of the accepted keep their grade or are abstained on.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

from arguments import add_data, grading_table, parser_of
from one_reading import drawn

from fundoscope.errors import PhotoError
from fundoscope.reader import Reader
from fundoscope.reading import Reading

SPLITS = ("val",)
WANTED = 0.99
REFUSED, SAME, NOT_GRADED, ABSTAINED, CHANGED = (
    "refused", "same grade", "not graded", "abstained on", "another grade",
)  # fmt: skip


def flipped(data: bytes, count: int, rng: random.Random) -> tuple[bytes, list[int]]:
    """A file in which random bytes have other values, and their places."""
    changed = bytearray(data)
    places = rng.sample(range(len(changed)), count)
    for place in places:
        changed[place] ^= rng.randrange(1, 256)
    return bytes(changed), places


def outcome(reader: Reader, data: bytes, whole: Reading) -> str:
    """What becomes of a damaged file."""
    try:
        reading = reader.read(data)
    except PhotoError:
        return REFUSED
    if reading.grade.icdr is None:
        return NOT_GRADED
    if reading.grade.icdr == whole.grade.icdr:
        return SAME
    return ABSTAINED if reading.grade.abstained else CHANGED


def graded(reader: Reader, path: Path) -> Reading | None:
    """The reading of a whole file; ``None`` where it has no grade to keep."""
    reading = reader.read(path)
    return None if reading.grade.icdr is None else reading


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--flips", type=int, default=1, help="bytes that are changed in a copy")
    parser.add_argument("--copies", type=int, default=2, help="damaged copies of a photograph")
    parser.add_argument("--seed", type=int, default=35)
    args = parser.parse_args()
    reader, rng = Reader(lesions=False), random.Random(args.seed)
    counts: Counter[str] = Counter()
    paths = drawn(grading_table(args.data), args.photographs, args.seed, SPLITS)
    for path in paths:
        whole = graded(reader, path)
        if whole is None:
            continue
        for _ in range(args.copies):
            data, places = flipped(path.read_bytes(), args.flips, rng)
            word = outcome(reader, data, whole)
            counts[word] += 1
            if word == CHANGED:
                now = reader.read(data).grade
                print(f"  {path.name}, byte {places}: {whole.grade.icdr} became {now.icdr}")
    accepted = counts.total() - counts[REFUSED]
    kept = accepted - counts[CHANGED]
    words = ", ".join(f"{counts[word]} {word}" for word in (SAME, NOT_GRADED, ABSTAINED, CHANGED))
    print(
        f"{counts.total()} copies of {len(paths)} photographs with {args.flips} bytes changed:"
        f" {counts[REFUSED]} refused, {accepted} accepted"
    )
    print(f"of these: {words}; {kept / max(1, accepted):.2%} keep their grade or are abstained on")
    sys.exit(0 if kept >= WANTED * accepted else 1)


if __name__ == "__main__":
    main()
