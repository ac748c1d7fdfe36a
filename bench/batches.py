"""Do the networks gain when they are fed with several pictures at a time?

    python bench/batches.py [--rounds 15]

Runs the grader's network on batches of 1, 2, 4 and 8 pictures of noise, with one and with two
threads of ONNX Runtime, and prints wall and processor time for each picture: medians over the
rounds, in which the sizes take turns. The detector's graph takes one tile at a time, which is as
large as seven of the grader's pictures, so it is run as it is. Needs no data.
"""

from __future__ import annotations

import time

import numpy as np
from arguments import parser_of

from fundoscope.models import bundle, runtime

SIZES = (1, 2, 4, 8)


def measure(task: str, sizes: tuple[int, ...], rounds: int) -> None:
    load = bundle.load_grader if task == bundle.GRADING else bundle.load_detector
    loaded = load(bundle.shipped(task))
    height, width = loaded.manifest.height_width
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (size, height, width, 3), dtype=np.uint8) for size in sizes]
    for threads in (1, 2):
        session = runtime.session(loaded, threads=threads)
        taken = np.empty((rounds, len(sizes), 2))
        for batch in batches:
            runtime.outputs(session, batch, None)
        for turn in range(rounds):
            for place, batch in enumerate(batches):
                wall, used = time.perf_counter(), time.process_time()
                runtime.outputs(session, batch, None)
                spent = time.perf_counter() - wall, time.process_time() - used
                taken[turn, place] = 1000 * np.array(spent) / len(batch)
        for size, (wall, used) in zip(sizes, np.median(taken, axis=0), strict=True):
            print(
                f"{task}, {width} x {height}, {threads} thread(s), batch {size}: {wall:.1f} ms a"
                f" picture, {used:.1f} ms of processor time",
                flush=True,
            )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    measure(bundle.GRADING, SIZES, args.rounds)
    measure(bundle.DETECTION, SIZES[:1], max(1, args.rounds // 3))


if __name__ == "__main__":
    main()
