"""How fast a 12-megapixel JPEG becomes a grade, compared with two other ways in torch.

    python bench/read.py [--data DIR] [--photographs 27] [--rounds 5]

All three read the same files in turn, in one process, on one thread, with a network of the same
architecture and input size:

- ours: `Reader.read`, from the path to the Reading, including hash and field of view;
- usual: Pillow decodes the whole picture, LANCZOS, torch eager;
- careful: Pillow `draft`, torch `inference_mode`, channels last.

The other two do not look for the field of view. The ratio is taken for each photograph (medians
over the rounds); its interval is a bootstrap over photographs. Decoding and averaging is timed with
three and with four bytes a pixel, in turn. Then the steps of our way are timed, and compared with
the whole; exits with 1 if their sum differs by more than 15 %. Needs [train].
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # numpy's BLAS reads it when it is loaded

import numpy as np
import simplejpeg
import timm
import torch
from arguments import add_data, parser_of
from PIL import Image

from fundoscope.grading import grader as graders
from fundoscope.grading import inputs
from fundoscope.photo import field, scales, sources
from fundoscope.reader import Reader

RESAMPLES = 2000
TOLERANCE = 0.15
"""Largest accepted difference of the steps' sum from the whole, as a share of the whole."""
STEPS = ("read the file", "hash and decode", "field of view", "crop", "network", "warnings")


def interval(values: np.ndarray) -> str:
    """Write the median with its bootstrap 95 % interval."""
    rng = np.random.default_rng(0)
    draws = np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{np.median(values):.2f} [{low:.2f}, {high:.2f}]"


def ways(size: int, reader: Reader) -> dict[str, Callable[[Path], object]]:
    network = timm.create_model("efficientnet_lite0", num_classes=4).eval()
    flat = timm.create_model("efficientnet_lite0", num_classes=4).eval()
    flat = flat.to(memory_format=torch.channels_last)

    def tensor(image: Image.Image) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
        return (pixels - 127) / 128

    def usual(path: Path) -> object:
        image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        with torch.no_grad():
            return network(tensor(image)).sigmoid()

    def careful(path: Path) -> object:
        file = Image.open(path)
        file.draft("RGB", (size, size))
        image = file.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        with torch.inference_mode():
            return flat(tensor(image).to(memory_format=torch.channels_last)).sigmoid()

    return {"ours": reader.read, "usual": usual, "careful": careful}


def smallest(path: Path) -> object:
    """Decode at 1/8 in grey: entropy decoding and little else."""
    data = path.read_bytes()
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    return simplejpeg.decode_jpeg(
        data, "GRAY", min_height=height // 8, min_width=width // 8, fastdct=True
    )


def report_padding(paths: list[Path], rounds: int) -> None:
    """Compare pixels of three bytes, which Pillow copies to average them, with those of four."""

    def averaged(colours: str, path: Path) -> object:
        return scales.reduced(simplejpeg.decode_jpeg(path.read_bytes(), colours), 1)

    calls: dict[str, Callable[[Path], object]] = {
        colours: partial(averaged, colours) for colours in ("RGB", scales.PADDED)
    }
    three, four = measure(paths, calls, rounds, time.process_time).values()
    print(
        f"decoded in full and averaged, three bytes a pixel: {interval(three)} ms of processor"
        f" time, four: {interval(four)} ms; {interval(four / three)} of the time"
    )


def walk(reader: Reader, path: Path) -> list[float]:
    """Read a photograph as `Reader.examine` does, and time each step, in milliseconds.

    A step that is called again and again alone finds other caches than in the pipeline, so the
    steps of one walk are timed, and their sum is compared with `Reader.read`.
    """
    grader = reader._grader
    moments = [time.perf_counter()]
    content = sources.content(path)
    moments.append(time.perf_counter())
    photo = sources.photo(content, min_side=grader.input.decode_side)
    moments.append(time.perf_counter())
    fov = field.find(photo, textured=False)
    moments.append(time.perf_counter())
    pixels = inputs.make(photo, fov, grader.input)
    moments.append(time.perf_counter())
    graders.grade(grader, pixels)
    moments.append(time.perf_counter())
    field.warnings(photo, fov)
    moments.append(time.perf_counter())
    return list(1000 * np.diff(moments))


def measure_steps(reader: Reader, paths: list[Path], rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Time walks and whole readings in turn.

    Returns:
        Medians over the rounds in milliseconds: ``(photographs, steps)``, and ``(photographs,)``
        of the whole.
    """
    walked, whole = np.empty((rounds, len(paths), len(STEPS))), np.empty((rounds, len(paths)))
    for turn in range(rounds):
        for index, path in enumerate(paths):
            walked[turn, index] = walk(reader, path)
            start = time.perf_counter()
            reader.read(path)
            whole[turn, index] = 1000 * (time.perf_counter() - start)
    return np.median(walked, axis=0), np.median(whole, axis=0)


def report_steps(reader: Reader, paths: list[Path], rounds: int) -> bool:
    """Print the time of each step; return whether they add up to the whole."""
    walked, whole = measure_steps(reader, paths, rounds)
    for name, times in zip(STEPS, walked.T, strict=True):
        print(f"  {name}: {interval(times)} ms, {np.median(times / whole):.0%} of the whole")
    covered = float(np.median(walked.sum(axis=1) / whole))
    print(f"  sum: {covered:.0%} of the whole, {interval(whole)} ms")
    return abs(covered - 1) <= TOLERANCE


def measure(
    paths: list[Path],
    calls: dict[str, Callable[[Path], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Time each call in milliseconds, ``(photographs,)``: medians over rounds; calls take turns."""
    taken = {name: np.empty((rounds, len(paths))) for name in calls}
    for path in paths[:2]:
        for call in calls.values():
            call(path)
    for turn in range(rounds):
        for index, path in enumerate(paths):
            for name, call in calls.items():
                start = clock()
                call(path)
                taken[name][turn, index] = 1000 * (clock() - start)
    return {name: np.median(times, axis=0) for name, times in taken.items()}


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=27)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    reader = Reader(lesions=False)
    size, _ = reader._grader.manifest.height_width
    folder = args.data / "lesions" / "idrid" / "JPEGImages"
    paths = sorted(folder.glob("*.jpg"))[:: max(1, 81 // args.photographs)][: args.photographs]
    print(
        f"{len(paths)} photographs of 4288 x 2848, input {size}, torch {torch.__version__},"
        " one thread"
    )
    taken = measure(paths, ways(size, reader), args.rounds)
    for name, times in taken.items():
        print(f"{name:8} {interval(times)} ms a photograph")
    for name in ("usual", "careful"):
        print(f"{name} / ours: {interval(taken[name] / taken['ours'])}")
    entropy = measure(paths, {"entropy": smallest}, args.rounds)["entropy"]
    print(f"JPEG at 1/8 in grey (mostly entropy decoding): {interval(entropy)} ms")
    report_padding(paths, args.rounds)
    sys.exit(0 if report_steps(reader, paths, args.rounds) else 1)


if __name__ == "__main__":
    main()
