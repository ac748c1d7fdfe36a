"""Does a long run of `read` lose nothing when it is killed, scale, and keep its memory?

    python bench/night.py kills [--photographs 2000] [--kills 100] [--seed 35] [--out DIR]
    python bench/night.py stops [--photographs 200] [--stops 5]
    python bench/night.py scaling [--photographs 60] [--side 3500] [--lesions]
    python bench/night.py memory [--photographs 100000]
    python bench/night.py start [--photographs 100000]
    python bench/night.py workers [--photographs 500]

- `kills`: a folder of phantoms is read once without disturbance. Then the same command is killed by
  SIGKILL again and again, at random moments after its start, until it ends or the kills are used
  up. If it ends before, it begins anew in another folder. A photograph that was printed before a
  kill must be in the ledger after it (else: lost), none may be printed twice (doubled), and all
  results must have the same bytes. With `--out`, the measurement itself can be stopped and resumes
  after the last run that ended.
- `stops`: SIGTERM, SIGHUP and SIGINT; the seconds until the command has ended, and whether tables
  and ledger hold what was printed.
- `scaling`: photographs a second with one and with two processes, and with two threads.
- `memory`: the process that holds the ledger, with an engine that answers at once: seconds until
  the first photograph, and resident memory after 1,000 photographs and at the end.
- `start`: seconds until the first photograph of a folder of (empty) files is begun.
- `workers`: resident memory of the workers over photographs that are really read.

The load of the machine is printed with each figure. Needs no data.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from arguments import parser_of

from fundoscope.batch.engines import Processes
from fundoscope.batch.inputs import Input, stream
from fundoscope.batch.jobs import Answer, Job
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.run import Options, read_all
from fundoscope.batch.worker_process import resident_bytes
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.phantom.files import encoded
from fundoscope.reader import Reader
from fundoscope.reading import Reading

PHANTOMS = 10
"""That are drawn; their turns and marks give any number of photographs."""
SIDE = 500
MARK = 8
"""Pixels of the mark that makes each photograph another."""
STARTING, LONGEST_LIFE, MOST_KILLS = 1.2, 3.0, 100
"""A process is killed at the latest after ``STARTING`` times the seconds that a start takes, plus
``LONGEST_LIFE`` times those that one in ``MOST_KILLS`` of the photographs take."""
TIMES = ("started", "finished", "files_sha256", "own_sha256", "arguments")
"""What may differ in `run.json`."""
MIB = 2**20
FAULTS = ("lost", "doubled", "other bytes", "left behind")
FIRST = 1000
"""Photographs after which memory counts as settled."""


def photographs(folder: Path, count: int, side: int = SIDE) -> Path:
    """Write phantoms as JPEG, each with bytes of its own."""
    folder.mkdir(parents=True)
    drawn = [
        draw(PhantomSpec(seed=seed, width=side, height=side, grade=seed % 5))[0]
        for seed in range(min(PHANTOMS, count))
    ]
    for number in range(count):
        pixels = np.rot90(drawn[number % len(drawn)], number // len(drawn) % 4).copy()
        for place, value in enumerate((number % 251, number // 251)):
            pixels[MARK * place : MARK * (place + 1), :MARK] = value
        (folder / f"{number:06}.jpg").write_bytes(encoded(pixels, ".jpg"))
    return folder


def command(folder: Path, out: Path, *more: str) -> list[str]:
    words = ["read", str(folder), "--out", str(out), "--no-lesions", *more]
    return [sys.executable, "-m", "fundoscope", *words]


def started(line: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream_:
        return subprocess.Popen(line, stdout=stream_, stderr=stream_, env=one_thread())


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def printed(log: Path) -> list[str]:
    """The names of the photographs that a command printed."""
    lines = log.read_text(errors="replace").splitlines()
    return [Path(line.partition(":")[0]).name for line in lines if ".jpg: " in line]


def recorded(out: Path) -> set[str]:
    """The names of the photographs in a ledger."""
    ledger = out / "unfinished" / "ledger.sqlite"
    if not ledger.exists():
        return set()
    connection = sqlite3.connect(ledger)
    try:
        rows = connection.execute("SELECT facts FROM records").fetchall()
    except sqlite3.OperationalError:  # killed before its tables were made
        return set()
    finally:
        connection.close()
    return {json.loads(facts)["image"] for (facts,) in rows}


def results(out: Path) -> dict[str, object]:
    """What two runs must have in common."""
    files: dict[str, object] = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    manifest = json.loads((out / "run.json").read_text())
    return files | {"run.json": {k: v for k, v in manifest.items() if k not in TIMES}}


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"


def kills(count: int, number: int, seed: int, place: Path) -> int:
    state = place / "state.json"
    known = json.loads(state.read_text()) if state.exists() else undisturbed(count, place)
    state.write_text(json.dumps(known))
    faults, whole = Counter[str](known["faults"]), results(place / "undisturbed")
    while known["killed"] < number:
        killed = until_it_ends(known, number - known["killed"], seed, place, faults)
        faults["other bytes"] += results(place / "killed") != whole
        known |= {"killed": known["killed"] + killed, "runs": known["runs"] + 1, "faults": faults}
        state.write_text(json.dumps(known))
    faults["left behind"] = sum(path.name.startswith(".") for path in place.iterdir())
    said = ", ".join(f"{faults[what]} {what}" for what in FAULTS)
    runs = f"{known['killed']} kills of {known['runs']} runs"
    print(f"{runs} over {known['photographs']} photographs: {said}; {load()}")
    return int(faults.total() > 0)


def undisturbed(count: int, place: Path) -> dict[str, Any]:
    """Read a folder without disturbance; what is known before the first kill."""
    for left in ("photographs", "undisturbed"):
        shutil.rmtree(place / left, ignore_errors=True)
    folder = photographs(place / "photographs", count)
    began = time.monotonic()
    process = started(command(folder, place / "undisturbed"), place / "log")
    while process.poll() is None and not printed(place / "log"):
        time.sleep(0.02)
    starting = time.monotonic() - began
    process.wait()
    seconds = time.monotonic() - began - starting
    took = f"{starting:.0f} + {seconds:.0f} s"
    print(f"undisturbed: {count} photographs in {took}, {load()}", flush=True)
    measured = {"photographs": count, "starting": starting, "seconds": seconds}
    return {**measured, "killed": 0, "runs": 0, "faults": {}}


def until_it_ends(
    known: dict[str, Any], most: int, seed: int, place: Path, faults: Counter[str]
) -> int:
    """Kill a run again and again, at most so many times, until it ends; return the kills."""
    random = np.random.default_rng((seed, known["runs"]))
    longest = STARTING * known["starting"] + LONGEST_LIFE * known["seconds"] / MOST_KILLS
    out, times, killed = place / "killed", Counter[str](), 0
    shutil.rmtree(out, ignore_errors=True)
    while True:
        process = started(command(place / "photographs", out), place / "log")
        try:
            process.wait(random.uniform(0, longest) if killed < most else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        times.update(printed(place / "log"))
        faults["lost"] += len(set(times) - recorded(out))
    times.update(printed(place / "log"))
    faults["doubled"] += sum(number > 1 for number in times.values())
    return killed


def stops(count: int, number: int, place: Path) -> int:
    folder = photographs(place / "photographs", count)
    faults = 0
    for kind in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        longest, out = 0.0, place / kind.name
        for _ in range(number):
            process = started(command(folder, out), place / "log")
            while process.poll() is None and len(printed(place / "log")) < 5:
                time.sleep(0.02)
            process.send_signal(kind)
            began = time.monotonic()
            process.wait()
            longest = max(longest, time.monotonic() - began)
            table = (out / "readings.csv").read_text().splitlines()[1:]
            stopped = json.loads((out / "run.json").read_text())["interrupted"]
            faults += not stopped or len(table) != len(recorded(out))
        rows = len(table)
        print(f"{kind.name}: ended within {longest:.2f} s, {rows} rows in the end, {load()}")
    return faults


def scaling(count: int, side: int, lesions: bool, place: Path) -> int:
    folder = photographs(place / "photographs", count, side)
    sizes = [path.stat().st_size for path in folder.iterdir()]
    print(f"{count} phantoms of {side} x {side} pixels, {np.mean(sizes) / MIB:.1f} MiB each")
    speeds = []
    for workers in (1, 2):
        made = Maker(lesions)
        with Processes(made, workers) as engine:
            inputs = list(stream([folder], Counter()))
            first = [engine.begin(Job(str(each.path))) for each in inputs[:workers]]
            [future.result() for future in first]  # libraries load at the first photograph
            began = time.monotonic()
            read_all(inputs, engine, Options(), show=lambda _: None, stop=Event())
            speeds.append(count / (time.monotonic() - began))
        print(f"{workers} process(es): {speeds[-1]:.2f} photographs a second, {load()}", flush=True)
    print(f"two processes: {speeds[1] / speeds[0]:.2f} times one")
    return 0


class Maker:
    """Makes a reader in a worker."""

    def __init__(self, lesions: bool) -> None:
        self.lesions = lesions

    def __call__(self) -> Reader:
        return Reader(lesions=self.lesions)


class AtOnce:
    """An engine that answers at once, with readings that differ by their hash."""

    ahead, ends_at_once = 32, True
    lesion_thresholds: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, reading: Reading) -> None:
        self.reading, self.models = reading, reading.models

    def begin(self, job: Job) -> Future[Answer]:
        assert isinstance(job.source, str)
        name = Path(job.source).name
        facts = replace(self.reading.photo, name=name, sha256=f"{int(Path(name).stem):064x}")
        future: Future[Answer] = Future()
        future.set_result(Answer(replace(self.reading, photo=facts)))
        return future


def drawn(count: int) -> Iterator[Input]:
    for number in range(count):
        yield Input(f"{number}.jpg", Path(f"{number}.jpg"))


def memory(count: int, place: Path) -> int:
    pixels, _ = draw(PhantomSpec(seed=5, width=SIDE, height=SIDE, grade=2))
    reading = Reader(lesions=False).read(encoded(pixels, ".jpg"))
    seen, sizes, began = 0, [], time.monotonic()
    first = 0.0

    def show(_: Outcome) -> None:
        nonlocal seen, first
        seen += 1
        if seen == 1:
            first = time.monotonic() - began
        if seen in (FIRST, count):
            sizes.append((resident_bytes(os.getpid()) or 0) / MIB)

    options = Options(out=place / "out", pictures=False)
    read_all(drawn(count), AtOnce(reading), options, show=show, stop=Event())  # type: ignore[arg-type]
    seconds = time.monotonic() - began
    growth = sizes[-1] / sizes[0] - 1
    print(
        f"{count:,} inputs: the first was read after {first:.1f} s; {sizes[0]:.1f} MiB after"
        f" {FIRST:,}, {sizes[-1]:.1f} MiB at the last ({100 * growth:+.1f} %);"
        f" {1000 * seconds / count:.2f} ms a photograph beside its reading; {load()}"
    )
    return 0


def start(count: int, place: Path) -> int:
    folder = place / "photographs"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.jpg").touch()
    os.sync()  # else the ledger's first sync would wait for the new files, too
    pixels, _ = draw(PhantomSpec(seed=5, width=SIDE, height=SIDE, grade=2))
    reading = Reader(lesions=False).read(encoded(pixels, ".jpg"))
    stop, began, seconds = Event(), time.monotonic(), 0.0

    def show(_: Outcome) -> None:
        nonlocal seconds
        seconds = seconds or time.monotonic() - began
        stop.set()

    options = Options(out=place / "out", pictures=False)
    inputs = stream([folder], Counter())
    used = time.process_time()
    read_all(inputs, AtOnce(reading), options, show=show, stop=stop)  # type: ignore[arg-type]
    used = time.process_time() - used
    print(
        f"a folder of {count:,} files: the first was read after {seconds:.1f} s (processor time of"
        f" all of it: {used:.1f} s); {load()}"
    )
    return 0


def workers(count: int, place: Path) -> int:
    folder = photographs(place / "photographs", count)
    with Processes(Maker(False), 2) as engine:
        sizes = []
        for number, path in enumerate(sorted(folder.iterdir()), start=1):
            engine.begin(Job(str(path))).result()
            if number in (count // 5, count):
                sizes.append(sum(resident_bytes(child) or 0 for child in children()) / MIB)
    growth = sizes[1] / sizes[0] - 1
    print(
        f"two workers: {sizes[0]:.1f} MiB after {count // 5} photographs, {sizes[1]:.1f} MiB after"
        f" {count} ({100 * growth:+.1f} %); {load()}"
    )
    return 0


def children() -> list[int]:
    """The processes that this one started."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    more = [Path(each) / "children" for each in Path("/proc/self/task").iterdir()]
    texts = [text, *(each.read_text() for each in more if each.exists())]
    return sorted({int(word) for each in texts for word in each.split()})


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("kills", "stops", "scaling", "memory", "start", "workers"))
    parser.add_argument("--photographs", type=int)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--seed", type=int, default=35)
    parser.add_argument("--side", type=int, default=3500)
    parser.add_argument("--lesions", action="store_true")
    parser.add_argument("--out", type=Path, help="folder that keeps the progress of kills")
    args = parser.parse_args()
    place = args.out or Path(tempfile.mkdtemp(prefix="fundoscope-night-"))
    place.mkdir(parents=True, exist_ok=True)
    try:
        match args.what:
            case "kills":
                code = kills(args.photographs or 2000, args.kills, args.seed, place)
            case "stops":
                code = stops(args.photographs or 200, args.stops, place)
            case "scaling":
                code = scaling(args.photographs or 60, args.side, args.lesions, place)
            case "memory":
                code = memory(args.photographs or 100_000, place)
            case "start":
                code = start(args.photographs or 100_000, place)
            case _:
                code = workers(args.photographs or 500, place)
    finally:
        if args.out is None:
            shutil.rmtree(place, ignore_errors=True)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
