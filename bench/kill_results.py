"""Does a folder of results always hold one whole run, when a run that replaces it is killed?

    python bench/kill_results.py [--kills 30] [--seed 16]

`fundoscope read --out X --overwrite` and `fundoscope data convert … --overwrite` run as real
processes over the results of an earlier run on other photographs. Each is killed by SIGKILL at
moments drawn at random over the duration of an undisturbed one. After each kill the folder must
hold exactly the files of the earlier or of the new run: for `read`, by the checksums in `run.json`,
and beside what is kept to resume.
Then the same command is given again, has to finish, and must leave no unfinished files. Photographs
are phantoms, so no data are needed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arguments import parser_of
from PIL import Image

from fundoscope import checksums
from fundoscope.batch.ledger.folder import UNFINISHED
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.staging import PREFIX

SIDE = 256
OLD, NEW = "old", "new"
SEEDS = {OLD: range(4), NEW: range(2, 5)}
"""Of the phantoms in each run: some are gone in the new run, some are in both, one is new."""
ANNOTATED = {OLD: range(400), NEW: range(200, 600)}
"""Numbers of the annotated photographs, which need no pixels."""
RUNS = 3
"""Undisturbed runs that are timed; moments are drawn over the longest."""
AT_MOST = 600.0
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class Command:
    """A command that replaces results.

    Attributes:
        name: of the command.
        arguments: with ``{input}`` and ``{out}`` for what it reads and writes.
        inputs: by run.
    """

    name: str
    arguments: tuple[str, ...]
    inputs: dict[str, Path]

    def line(self, run: str, out: Path) -> list[str]:
        """The whole command that writes a run into a folder."""
        words = [word.format(out=out, input=self.inputs[run]) for word in self.arguments]
        return [sys.executable, "-m", "fundoscope", *words]


def inputs(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Write the photographs and the annotations of both runs."""
    photographs, annotations = {}, {}
    for run, seeds in SEEDS.items():
        photographs[run] = folder / run
        photographs[run].mkdir()
        for seed in seeds:
            pixels, truth = draw(PhantomSpec(seed=seed, width=SIDE, height=SIDE, grade=2))
            Image.fromarray(pixels).save(photographs[run] / f"{seed}.png")
        boxes = "".join(box_xml(lesion.box) for lesion in truth.lesions)
        size = f'width="{SIDE}" height="{SIDE}"'
        images = (
            f'<image id="{number}" name="{number}.png" {size}>{boxes}</image>'
            for number in ANNOTATED[run]
        )
        annotations[run] = folder / f"{run}.xml"
        annotations[run].write_text(f"<annotations>{''.join(images)}</annotations>")
    return photographs, annotations


def box_xml(box: tuple[float, float, float, float]) -> str:
    x0, y0, x1, y1 = box
    return f'<box label="haemorrhage" xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}"/>'


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and PREFIX not in path.relative_to(folder).as_posix()
        and path.relative_to(folder).parts[0] != UNFINISHED
    }


def unfinished(out: Path) -> list[Path]:
    return [*out.parent.glob(f"{PREFIX}*"), *out.glob(f"{PREFIX}*"), *out.glob(UNFINISHED)]


def run_held(out: Path, trees: dict[str, dict[str, bytes]]) -> str | None:
    """The run that a folder holds as a whole; None: a mix, or a part of one.

    Two runs of `read` on the same photographs differ in times alone, which `run.json` holds.
    """
    held = tree(out)
    for run, files in trees.items():
        if held.keys() != files.keys():
            continue
        if "run.json" not in files:
            if held == files:
                return run
            continue
        counts = [json.loads(each["run.json"])["counts"] for each in (held, files)]
        if counts[0] == counts[1] and not checksums.verify(out).faults:
            return run
    return None


def undisturbed(command: Command, folder: Path) -> tuple[dict[str, dict[str, bytes]], float]:
    """The files of both runs, and the longest duration of one that replaces another."""
    trees: dict[str, dict[str, bytes]] = {}
    seconds = 0.0
    out = folder / "undisturbed"
    for run in (NEW, OLD, NEW, OLD)[: RUNS + 1]:
        began = time.monotonic()
        subprocess.run(command.line(run, out), check=True, capture_output=True, timeout=AT_MOST)
        seconds = max(seconds, time.monotonic() - began) if trees else 0.0
        trees[run] = tree(out)
    return trees, seconds


def killed(command: Command, out: Path, moment: float) -> bool:
    """Start the command and kill it after ``moment`` seconds; tell if it was still running."""
    process = subprocess.Popen(
        command.line(NEW, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def kills(command: Command, folder: Path, count: int, seed: int) -> Iterator[bool]:
    """Kill the command ``count`` times; for each, whether the folder held one whole run."""
    trees, seconds = undisturbed(command, folder)
    moments = sorted(np.random.default_rng(seed).uniform(0, seconds, count).tolist())
    reached: Counter[str] = Counter()
    for moment in moments:
        place = folder / "killed"
        out = place / "out"
        shutil.copytree(folder / "undisturbed", out)
        was_killed = killed(command, out, moment)
        held, writing = run_held(out, trees), bool(unfinished(out))
        stage = "while it wrote" if writing else "before it wrote" if held == OLD else "at its end"
        reached[stage if was_killed else "finished before"] += 1
        subprocess.run(command.line(NEW, out), check=True, capture_output=True, timeout=AT_MOST)
        again = run_held(out, trees) == NEW and not unfinished(out)
        what = f"holds the {held} run" if held else "HOLDS NO WHOLE RUN"
        print(f"{command.name}, {moment:5.2f} s: {what}{'' if again else '; NOT REPAIRED'}")
        shutil.rmtree(place)
        yield held is not None and again
    stages = ", ".join(f"{number} {stage}" for stage, number in sorted(reached.items()))
    print(f"{command.name}: undisturbed {seconds:.2f} s; killed: {stages}", flush=True)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=16)
    args = parser.parse_args()
    whole = total = 0
    with tempfile.TemporaryDirectory() as name:
        photographs, annotations = inputs(Path(name))
        read = ("read", "{input}", "--out", "{out}", "--overwrite", "--workers", "1")
        convert = ("data", "convert", "{input}", "{out}", "--to", "yolo", "--overwrite")
        for command in (
            Command("read", read, photographs),
            Command("data convert", convert, annotations),
        ):
            folder = Path(name) / command.name.replace(" ", "-")
            folder.mkdir()
            outcomes = list(kills(command, folder, args.kills, args.seed))
            whole, total = whole + sum(outcomes), total + len(outcomes)
    print(f"{total} runs, one whole run afterwards: {whole}")
    raise SystemExit(whole != total)


if __name__ == "__main__":
    main()
