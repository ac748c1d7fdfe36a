"""Does a training that is killed at a random moment resume to the same weights?

    python bench/kill.py [--kills 20] [--seed 16] [--threads 1] [--network efficientnet_lite0]

A short training first runs undisturbed, as a command in its own process. Then, for each kill, a
training in a fresh folder is killed once by SIGKILL. The moment is drawn at random over the
duration of the undisturbed process (import, pictures, steps, check-points, evaluation). The same
command is given again and has to finish. Final weights (`best.pt`, network and average of
`checkpoint.pt`) are compared bit for bit, and so are the figures (`metrics.jsonl` without its
seconds). The photographs are phantoms, turned and mirrored, so no data are needed. Needs [train].
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arguments import parser_of
from PIL import Image

from fundoscope.phantom import PhantomSpec, draw

PHANTOMS, SIDE = 25, 240
TURNS = 8
"""Quarter turns and mirror images of each phantom: 200 photographs."""
VALIDATION_EVERY = 4
"""Every fourth phantom, with its turns, is for validation."""
GRADES = 5
CONFIG = """
seed = 3
threads = {threads}
checkpoint_every = 3
[data]
manifest = "{labels}"
cache = "cache"
crop_size = 96
[network]
name = "{network}"
init = "none"
dropout = 0.2
[optimiser]
batch = 16
rate = 1e-3
ema = 0.9
[[stages]]
size = 48
epochs = 1
[[stages]]
size = 96
epochs = 2
"""
RUN = "run"
SECONDS_OF_EPOCH = "training_seconds"
AT_MOST = 3600.0
"""Seconds after which a training counts as hanging."""
WAITS = 60
"""Seconds within which the processes that a training started must end."""


@dataclass(frozen=True)
class Outcome:
    """One training that was killed.

    Attributes:
        moment: seconds after its start.
        killed: whether it was still running then.
        stage: the stage that it had reached.
        same: whether weights and figures are those of the undisturbed run.
    """

    moment: float
    killed: bool
    stage: str
    same: bool


def photographs(folder: Path) -> Path:
    """Write photographs and their label table."""
    lines = ["image,grade,patient,split,source"]
    for seed in range(PHANTOMS):
        grade, split = seed % GRADES, "train" if seed % VALIDATION_EVERY else "val"
        pixels, _ = draw(PhantomSpec(seed=seed, width=SIDE, height=SIDE, grade=grade))
        for turn in range(TURNS):
            turned = np.rot90(pixels, turn % 4)
            turned = turned[:, ::-1] if turn >= 4 else turned
            name = f"{seed}-{turn}.png"
            Image.fromarray(np.ascontiguousarray(turned)).save(folder / name)
            lines.append(f"{name},{grade},{seed},{split},{'ab'[seed % 2]}")
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the training in a folder, in its own process group."""
    command = [sys.executable, "-m", "fundoscope", "train", "grader", "c.toml", "--out", RUN]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def finish(folder: Path) -> float:
    """Run the command to its end and return its seconds."""
    began = time.monotonic()
    process = start(folder)
    code = process.wait(AT_MOST)
    if code != 0:
        raise SystemExit(f"the training ended with {code}:\n{(folder / 'log').read_text()}")
    return time.monotonic() - began


def kill_at(folder: Path, moment: float) -> bool:
    """Start the training and kill it after ``moment`` seconds; tell if it was still running."""
    process = start(folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        require_alone(process.pid)
        return True
    return False


def require_alone(group: int) -> None:
    """Check that the processes that a killed training had started end as well."""
    for _ in range(WAITS):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(1)
    os.killpg(group, signal.SIGKILL)
    raise SystemExit("processes of a killed training kept running")


def reached(folder: Path) -> str:
    """Tell from its folder which stage a killed training had reached."""
    run = folder / RUN
    if (run / "checkpoint.pt").is_file():
        checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
        return f"check-point of step {checkpoint['step']}"
    if list((folder / "cache").glob("*.json")):
        return "pictures made"
    if list((folder / "cache").glob("*")):
        return "while making pictures"
    return "run folder" if (run / "config.json").is_file() else "before the run folder"


def result(folder: Path) -> dict[str, Any]:
    """Collect the results in which two trainings must agree."""
    run = folder / RUN
    best = torch.load(run / "best.pt", weights_only=True)
    last = torch.load(run / "checkpoint.pt", weights_only=True)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line[SECONDS_OF_EPOCH]
    weights = {"best": best["network"], "network": last["network"], "average": last["average"]}
    return {"epoch": best["epoch"], "figures": lines, **weights}


def equal(ours: Any, theirs: Any) -> bool:
    """Bit for bit, in whatever is nested how."""
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[k], theirs[k]) for k in ours)
    return bool(ours == theirs)


def trainings(
    folder: Path, settings: str, moments: list[float], expected: dict[str, Any]
) -> Iterator[Outcome]:
    for number, moment in enumerate(moments):
        place = prepared(folder / f"killed-{number}", settings)
        killed = kill_at(place, moment)
        stage = reached(place)
        finish(place)
        yield Outcome(moment, killed, stage, equal(result(place), expected))


def prepared(folder: Path, settings: str) -> Path:
    folder.mkdir()
    (folder / "c.toml").write_text(settings)
    return folder


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--network", default="efficientnet_lite0")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = photographs(folder)
        settings = CONFIG.format(labels=labels, threads=args.threads, network=args.network)
        whole = prepared(folder / "whole", settings)
        seconds = finish(whole)
        print(f"undisturbed: {seconds:.1f} s, {args.network}, {args.threads} threads", flush=True)
        random = np.random.default_rng(args.seed)
        moments = sorted(random.uniform(0, seconds, args.kills).tolist())
        outcomes = []
        for outcome in trainings(folder, settings, moments, result(whole)):
            outcomes.append(outcome)
            when = "killed" if outcome.killed else "had finished"
            verdict = "the same" if outcome.same else "OTHER WEIGHTS OR FIGURES"
            print(f"{outcome.moment:6.2f} s: {when}, {outcome.stage}: {verdict}", flush=True)
    killed = sum(outcome.killed for outcome in outcomes)
    same = sum(outcome.same for outcome in outcomes)
    print(f"{len(outcomes)} trainings, {killed} killed: {same} with the same weights and figures")
    raise SystemExit(same != len(outcomes))


if __name__ == "__main__":
    main()
