"""How long grade and lesions of a 12-megapixel photograph take, and how much memory; as tables.

    python bench/detect.py [--data DIR] [--photographs 8] [--rounds 3] [--threads 1 2]
        [--detector BUNDLE]

For each number of threads a new process loads the models and reads photographs of IDRiD's lesion
set (those of train.txt) with `Reader.read`: first one photograph, then all of them, for several
rounds. The parts are timed within these readings; the remaining time goes into mapping boxes to the
photograph, counting them and building the Reading. Memory is the process's peak resident size
(`ru_maxrss`) after loading, after one photograph and after all. The load of the machine is printed,
because a busy one is slower.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from arguments import add_data, parser_of

PARTS: Final = {
    "decode": "read, hash and decode, for the grader and for the detector",
    "find": "field of view",
    "grade": "grader, with its input",
    "make": "view at the working scale",
    "on_view": "detector",
    "merge": "merge",
    "landmarks": "optic disc and fovea",
}
"""The timed parts, and their titles in the table."""
UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""Bytes in one of ``ru_maxrss``."""


def peak() -> float:
    """Peak memory of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def timed(module: ModuleType, name: str, part: str, taken: dict[str, float]) -> None:
    """Time a function; its milliseconds are added up in ``taken``."""
    inner: Callable[..., Any] = getattr(module, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = inner(*args, **kwargs)
        taken[part] += 1000 * (time.perf_counter() - start)
        return result

    setattr(module, name, outer)


def watched() -> dict[str, float]:
    """Time all parts of a reading; gives the milliseconds, by part."""
    from fundoscope.grading import grader, inputs
    from fundoscope.lesions import detector, landmarks, merge, view
    from fundoscope.photo import decode, field

    taken: dict[str, float] = defaultdict(float)
    timed(decode, "read_bytes", "decode", taken)
    timed(decode, "decode", "decode", taken)
    timed(field, "find", "find", taken)
    timed(inputs, "make", "grade", taken)
    timed(grader, "grade_and_check", "grade", taken)
    timed(view, "make", "make", taken)
    timed(detector, "with_maps", "on_view", taken)
    timed(merge, "merge", "merge", taken)
    timed(landmarks, "find", "landmarks", taken)
    return taken


def measure(paths: list[Path], rounds: int, threads: int, detector: Path | None) -> dict[str, Any]:
    """Measure in this process: milliseconds and MB."""
    from fundoscope.reader import Reader

    start = time.perf_counter()
    reader = Reader(detector=detector, threads=threads)
    loading, after_loading = 1000 * (time.perf_counter() - start), peak()
    taken = watched()

    def read(path: Path) -> dict[str, float]:
        taken.clear()
        start = time.perf_counter()
        reading = reader.read(path)
        whole = 1000 * (time.perf_counter() - start)
        parts = dict(taken) | {"whole": whole, "lesions": len(reading.lesions)}
        parts["on_view"] -= parts["make"] + parts["merge"]
        return parts

    first, after_one = read(paths[0]), peak()
    rows = [[read(path) for path in paths] for _ in range(rounds)]
    names = ("whole", *PARTS, "lesions")
    return {
        "loading": loading,
        "first": first["whole"],
        # The median over rounds of each photograph.
        **{
            name: np.median([[each[name] for each in row] for row in rows], axis=0).tolist()
            for name in names
        },
        "memory": [after_loading, after_one, peak()],
    }


def of_training(folder: Path, most: int) -> list[Path]:
    """Photographs of IDRiD's lesion training set, spread over it."""
    names = (folder / "train.txt").read_text().split()
    names = names[:: max(1, len(names) // most)][:most]
    return [folder / "JPEGImages" / f"{name}.jpg" for name in names]


def in_fresh_process(paths: list[Path], threads: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run :func:`measure` in a new process."""
    command = [sys.executable, __file__, "--inside", str(threads), "--rounds", str(args.rounds)]
    command += ["--data", str(args.data)]  # required, also where the paths are given
    command += ["--detector", str(args.detector)] if args.detector else []
    done = subprocess.run(
        [*command, *map(str, paths)], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def spread(values: list[float]) -> str:
    """Write the median (minimum to maximum)."""
    return f"{np.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def row(title: str, cells: list[str]) -> str:
    """Write a row of a Markdown table."""
    return f"| {title} | {' | '.join(cells)} |"


def tables(measured: dict[int, dict[str, Any]]) -> None:
    """Print what was measured for each number of threads."""
    threads, results = [f"threads={number}" for number in measured], list(measured.values())
    line = f"|---|{'---|' * len(measured)}"
    print(row("milliseconds a photograph", threads), line, sep="\n")
    for name, title in {"whole": "**in all**", **PARTS}.items():
        print(row(title, [spread(each[name]) for each in results]))
    print(row("the first photograph", [f"{each['first']:.0f}" for each in results]))
    print(row("loading the models", [f"{each['loading']:.0f}" for each in results]))
    print()
    print(row("peak memory, MB", threads), line, sep="\n")
    for place, title in enumerate(("after loading", "after one photograph", "after all")):
        print(row(title, [f"{each['memory'][place]:.0f}" for each in results]))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("paths", type=Path, nargs="*", help="photographs to read instead")
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--detector", type=Path, help="bundle; the shipped one by default")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(json.dumps(measure(args.paths, args.rounds, args.inside, args.detector)))
        return
    paths = args.paths or of_training(args.data / "lesions" / "idrid", args.photographs)
    measured = {threads: in_fresh_process(paths, threads, args) for threads in args.threads}
    lesions = next(iter(measured.values()))["lesions"]
    print(
        f"{len(paths)} photographs with {min(lesions):.0f} to {max(lesions):.0f} lesions found,"
        f" {args.rounds} rounds, median (minimum to maximum) over photographs; load"
        f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n"
    )
    tables(measured)


if __name__ == "__main__":
    main()
