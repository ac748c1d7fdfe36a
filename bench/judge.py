"""Does the judge accept retinas, refuse other pictures, and name what is wrong with a photograph?

    python bench/judge.py --data DIR --natural DIR [--split val] [--most 60] [--grader BUNDLE]

`--natural` is a folder of pictures of other things that took no part in the fit, such as
`scripts/natural_pictures` fetches into `test/`. Every figure comes from the way of `fundoscope
read`: locate the field, look, judge. Intervals are Wilson's, of 95 %.

1. pictures of other things, as they are and in a red-tinted circle: graded or called gradable;
2. gradable photographs: refused as no retina, and kept as gradable, by source;
3. EyePACS: the score of "ungradable" against the column gradable;
4. copies with one strong fault: called ungradable, and with the right reason first;
5. the same verdict at four sizes and four JPEG qualities.
"""

from __future__ import annotations

import math
import timeit
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from arguments import add_data, grading_table, parser_of
from PIL import Image
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from fundoscope.calibrate.judging import features
from fundoscope.calibrate.judging.degrade import FAULTS, degraded
from fundoscope.calibrate.judging.fit import UNUSABLE
from fundoscope.data import manifest
from fundoscope.errors import PhotoError
from fundoscope.grading import grader as graders
from fundoscope.grading import inputs
from fundoscope.grading.grader import Grader
from fundoscope.grading.judge import Verdict
from fundoscope.photo import field, sources
from fundoscope.photo.decode import Pixels

SEED = 0
MADE_WORSE, TIMED = 200, 10
"""Photographs that are made worse, at least; and how often each step is timed."""
SIDES, QUALITIES = (384, 512, 640, 768), (50, 70, 85, 95)
SHOWN = (features.AS_IT_IS, features.TINTED)
Z = 1.96


def share(count: int, total: int) -> str:
    """A share with Wilson's interval."""
    if not total:
        return "–"
    p, z2 = count / total, Z**2
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(p * (1 - p) / total + z2 / (4 * total**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{p:.3f} ({low:.3f} to {high:.3f}), {count} of {total}"


def square_of(grader: Grader, content: bytes | Pixels) -> Pixels | None:
    """The grader's input; `None` where no field of view is located, or the file cannot be read."""
    try:
        photo = sources.photo(sources.content(content), min_side=grader.input.decode_side)
    except PhotoError:
        return None
    fov = field.find(photo, textured=False)
    return inputs.make(photo, fov, grader.input) if fov.found else None


def verdict_of(grader: Grader, square: Pixels | None) -> Verdict:
    return Verdict(retina=False) if square is None else graders.grade_and_check(grader, square)[1]


def gradable(verdict: Verdict) -> bool:
    return verdict.retina is True and verdict.quality.gradable is True


def others(grader: Grader, folder: Path) -> Iterator[str]:
    paths = features.pictures_in(folder)
    for way in SHOWN:
        graded = opened = 0
        for path in paths:
            try:
                with Image.open(path) as file:
                    picture = file.convert("RGB")
            except (OSError, ValueError, Image.DecompressionBombError):
                continue
            opened += 1
            shown = np.asarray(features.shown_as(picture, way))
            graded += gradable(verdict_of(grader, square_of(grader, shown)))
        yield f"| other pictures, {way}: graded | {share(graded, opened)} |"


def rows_of(data: Path, split: str, most: int) -> list[manifest.Row]:
    table = manifest.read(grading_table(data))
    taken: dict[str, int] = defaultdict(int)
    rows = []
    for row in features.chosen([row for row in table.rows if row.split == split], None):
        taken[row.source] += 1
        if row.source == "eyepacs" or taken[row.source] <= most:
            rows.append(row)
    return rows


def photographs(grader: Grader, data: Path, rows: Sequence[manifest.Row]) -> Iterator[str]:
    refused, kept = defaultdict(list), defaultdict(list)
    bad, scores, verdicts = [], [], []
    squares: dict[str, Pixels] = {}
    for row in rows:
        square = square_of(grader, (data / "grading" / row.image).read_bytes())
        verdict = verdict_of(grader, square)
        if row.gradable is not False:
            refused[row.source].append(verdict.retina is not True)
            kept[row.source].append(gradable(verdict))
            if square is not None and gradable(verdict):
                squares[row.image] = square
        if row.source == "eyepacs" and verdict.quality.score is not None:
            bad.append(row.gradable is False)
            scores.append(verdict.quality.score)
            verdicts.append(not gradable(verdict))
    for source, flags in sorted(refused.items()):
        yield f"| {source}, gradable: refused as no retina | {share(sum(flags), len(flags))} |"
    for source, flags in sorted(kept.items()):
        yield f"| {source}, gradable: kept | {share(sum(flags), len(flags))} |"
    yield from quality(np.array(bad), np.array(scores), np.array(verdicts))
    yield from faults(grader, squares)


def quality(bad: np.ndarray, scores: np.ndarray, called: np.ndarray) -> Iterator[str]:
    random = np.random.default_rng(SEED)
    drawn = [random.integers(0, len(bad), len(bad)) for _ in range(1000)]
    for title, figure in (
        ("AUC of the score", lambda rows: roc_auc_score(bad[rows], scores[rows])),
        ("kappa of the verdict", lambda rows: cohen_kappa_score(bad[rows], called[rows])),
    ):
        low, high = np.nanquantile([figure(rows) for rows in drawn], (0.025, 0.975))
        value = figure(np.arange(len(bad)))
        yield f"| eyepacs, gradable: {title} | {value:.3f} ({low:.3f} to {high:.3f}), {len(bad)} |"
    yield f"| eyepacs: ungradable found | {share(int(called[bad].sum()), int(bad.sum()))} |"


def readers(data: Path) -> str:
    """How well two sets of readers agree on what can be graded; no test photographs."""
    rows = [
        row
        for row in manifest.read(grading_table(data)).rows
        if row.split in ("train", "val") and row.text("quality_eyeq") and row.gradable is not None
    ]
    ours = [row.gradable is False for row in rows]
    theirs = [row.text("quality_eyeq") == UNUSABLE for row in rows]
    agreed = cohen_kappa_score(ours, theirs)
    return f"| two sets of readers (gradable, quality_eyeq): kappa | {agreed:.3f}, {len(rows)} |"


def faults(grader: Grader, squares: dict[str, Pixels]) -> Iterator[str]:
    random = np.random.default_rng(SEED)
    given = [squares[image] for image in sorted(squares)[:: max(1, len(squares) // MADE_WORSE)]]
    for name, fault in FAULTS.items():
        called = right = 0
        for square in given:
            verdict = verdict_of(grader, degraded(square, name, fault.strong, random))
            called += not gradable(verdict)
            reasons = verdict.quality.reasons or ()
            right += verdict.retina is False or reasons[:1] == (fault.reason,)
        total = len(given)
        yield f"| strong {name}: called ungradable | {share(called, total)} |"
        yield f"| strong {name}: {fault.reason} named first | {share(right, total)} |"


def stored(grader: Grader, data: Path, rows: Sequence[manifest.Row]) -> Iterator[str]:
    same, total = 0, 0
    for row in rows:
        with Image.open(data / "grading" / row.image) as file:
            picture = file.convert("RGB")
        whole = BytesIO()
        picture.save(whole, "PNG")
        first = gradable(verdict_of(grader, square_of(grader, whole.getvalue())))
        verdicts = [
            gradable(verdict_of(grader, square_of(grader, features.stored_at(picture, side, each))))
            for side in SIDES
            for each in QUALITIES
            if side <= max(picture.size)
        ]
        same += sum(each == first for each in verdicts)
        total += len(verdicts)
    yield f"| the same verdict at other sizes and qualities | {share(same, total)} |"


def times(grader: Grader, data: Path, rows: Sequence[manifest.Row]) -> Iterator[str]:
    """What the judge adds to a grade: its heads, less the look at texture that they replace."""
    plain = replace(grader, judge=None)
    spent: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        content = sources.content(data / "grading" / row.image)
        photo = sources.photo(content, min_side=grader.input.decode_side)
        square = square_of(grader, (data / "grading" / row.image).read_bytes())
        if square is None:
            continue
        ways: dict[str, Callable[[], object]] = {
            "graded": partial(graders.grade_and_check, plain, square),
            "graded and judged": partial(graders.grade_and_check, grader, square),
            "field, with texture": partial(field.find, photo),
            "field alone": partial(field.find, photo, textured=False),
        }
        for name, way in ways.items():
            spent[name].append(min(timeit.repeat(way, number=1, repeat=TIMED)))
    for name, seconds in spent.items():
        milliseconds = float(np.median(seconds)) * 1000
        yield f"| time, {name}, median of the least of {TIMED} | {milliseconds:.1f} ms |"


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--natural", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--most", type=int, default=60, help="photographs of a source")
    parser.add_argument("--grader", type=Path)
    args = parser.parse_args()
    grader = graders.load(args.grader)
    if grader.judge is None:
        raise SystemExit("this grader has no judge")
    rows = rows_of(args.data, args.split, args.most)
    print(f"{grader.manifest.name}, {len(rows)} photographs of {args.split}")
    print("| what | share or figure (95 %) |\n|---|---|")
    print(readers(args.data), flush=True)
    large = [row for row in rows if row.source in ("idrid", "srahim", "eyepacs")]
    lines = (
        others(grader, args.natural),
        photographs(grader, args.data, rows),
        times(grader, args.data, [row for row in rows if row.gradable is not False][:20]),
        stored(grader, args.data, [row for row in large if row.gradable is not False][:40]),
    )
    for part in lines:
        for line in part:
            print(line, flush=True)


if __name__ == "__main__":
    main()
