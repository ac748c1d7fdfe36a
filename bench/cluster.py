"""Does `read --engine ray` lose nothing when processes of its cluster are killed?

    python bench/cluster.py kills [--photographs 400] [--kills 20] [--workers 3] [--seed 35]
    python bench/cluster.py stops [--photographs 100] [--workers 2]

- `kills`: a folder of phantoms is read by local processes, then by a Ray cluster on this machine.
  At random moments an actor of the cluster (four times of five) or the whole command is killed by
  SIGKILL; after the whole command was killed it is started again. A photograph that was printed
  before must be in the ledger (else: lost), none may be printed twice (doubled), and all results
  must have the same bytes as those of the local processes.
- `stops`: SIGTERM, SIGHUP and SIGINT: the seconds until the command has ended, whether tables and
  ledger hold what was printed, and the processes that are left five seconds later.

The load of the machine is printed with each figure. Needs the extra [ray], and no data.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from arguments import parser_of
from night import command, load, photographs, printed, recorded, results, started

ACTOR, WHOLE_COMMAND = "actor", "command"
TITLE = b"ray::Actor"
"""How the command line of an actor begins, below that of the command."""
OF_ACTORS = 0.8
"""The share of kills that hit an actor."""
WAIT = 300.0
"""Seconds for a process to appear."""
SETTLED = 5.0
"""Seconds after which nothing may be left of a command."""


def processes() -> dict[int, tuple[int, bytes]]:
    """The parent and the command line of each process."""
    known = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            known[int(folder.name)] = parent, (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
    return known


def below(root: int) -> dict[int, bytes]:
    """The command lines of the descendants of a process."""
    known, found = processes(), {root: b""}
    while new := {
        p: line for p, (above, line) in known.items() if above in found and p not in found
    }:
        found |= new
    return {number: line for number, line in found.items() if number != root}


def actors(root: int) -> list[int]:
    return [number for number, line in below(root).items() if line.startswith(TITLE)]


def wait_for_a_line(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + WAIT
    while process.poll() is None and not printed(log) and time.monotonic() < end:
        time.sleep(0.05)


def kills(count: int, number: int, workers: int, seed: int, place: Path) -> int:
    folder, log, out = photographs(place / "photographs", count), place / "log", place / "ray"
    began = time.monotonic()
    started(command(folder, place / "local"), log).wait()
    print(f"local: {count} photographs in {time.monotonic() - began:.0f} s, {load()}", flush=True)
    line = command(folder, out, "--engine", "ray", "--workers", str(workers))
    random, seen, lost, done = np.random.default_rng(seed), Counter[str](), 0, Counter[str]()
    began = time.monotonic()
    process = started(line, log)
    wait_for_a_line(process, log)
    while process.poll() is None:
        time.sleep(random.exponential(1.0))
        kind = ACTOR if random.random() < OF_ACTORS else WHOLE_COMMAND
        victims = actors(process.pid) if kind == ACTOR else [process.pid]
        if done.total() >= number or not victims or process.poll() is not None:
            continue
        os.kill(int(random.choice(victims)), signal.SIGKILL)
        done[kind] += 1
        if kind == WHOLE_COMMAND:
            process.wait()
            seen.update(printed(log))
            lost += len(set(seen) - recorded(out))
            process = started(line, log)
            wait_for_a_line(process, log)
    seen.update(printed(log))
    doubled = sum(times > 1 for times in seen.values())
    same = (out / "run.json").exists() and results(out) == results(place / "local")
    killed = ", ".join(f"{times} {kind}s" for kind, times in sorted(done.items()))
    print(
        f"ray: killed {killed or 'nothing'}; {time.monotonic() - began:.0f} s, exit code"
        f" {process.returncode}: {lost} lost, {doubled} doubled, {count - len(seen)} not printed,"
        f" results {'the same' if same else 'NOT the same'}, {load()}"
    )
    if not same:
        print(log.read_text())
    return 0 if same and not lost and not doubled else 1


def stops(count: int, workers: int, place: Path) -> int:
    folder, log = photographs(place / "photographs", count), place / "log"
    faults = 0
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        out = place / number.name
        line = command(folder, out, "--engine", "ray", "--workers", str(workers))
        process = started(line, log)
        wait_for_a_line(process, log)
        tree = below(process.pid)
        began = time.monotonic()
        process.send_signal(number)
        code = process.wait()
        seconds = time.monotonic() - began
        seen = set(printed(log))
        table = out / "readings.csv"
        rows = (
            table.read_text().splitlines()[1:] if table.exists() else log.read_text().splitlines()
        )
        tables = {row.split(",")[0] for row in rows}
        time.sleep(SETTLED)
        left = sorted(set(tree) & set(processes()))
        whole = seen == recorded(out) == tables
        faults += not whole or bool(left)
        if not whole:
            print(log.read_text())
        print(
            f"{number.name}: ended after {seconds:.2f} s with {code}, {len(seen)} photographs"
            f" {'kept' if whole else 'NOT all kept'}, {len(left)} processes left, {load()}"
        )
    return min(1, faults)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("kills", "stops"))
    parser.add_argument("--photographs", type=int, default=400)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=35)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    with tempfile.TemporaryDirectory(prefix="fundoscope-cluster-") as place:
        if given.what == "stops":
            return stops(given.photographs, given.workers, Path(place))
        return kills(given.photographs, given.kills, given.workers, given.seed, Path(place))


if __name__ == "__main__":
    sys.exit(main())
