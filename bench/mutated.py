"""Do damaged files of every kind end in a result or one clear sentence?

    python bench/mutated.py [--count 100000] [--kinds jpeg,coco] [--out DIR] [--case coco:17]

Each case of `tests/hostile/mutate.py` (a kind of file and a number) is run in a child process.
It fails if anything but a result or a refusal of one line comes out, if it takes more than 2 s of
processor time, if memory grows beyond 1 GB, or if the process dies. With `--out`, failures are
appended to `failures.jsonl`, and a run that was stopped is resumed (`state.json`).
`--case` runs one case alone, and shows its traceback. Exits with 1 if a case failed.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from arguments import parser_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "hostile"))

import mutate

CASES_A_PROCESS = 500
"""Cases after which a child is replaced, so that its memory says something about its cases."""
HANG_S = 2.0
"""Processor time of a case above which it counts as hanging."""
STUCK_S = 60.0
"""Seconds without an answer after which a child is ended."""
MEMORY_KIB = 2**20
"""Growth of the memory of a child, in KiB, above which its case has failed."""
ADDRESS_SPACE = 6 * 2**30


@dataclass(frozen=True)
class Failure:
    """A case that failed."""

    kind: str
    number: int
    detail: str


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="cases, over all kinds")
    parser.add_argument("--kinds", default="", help="names of kinds, by default all")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--out", type=Path, help="folder of failures and progress")
    parser.add_argument("--case", help="a kind and a number: run this case alone")
    arguments = parser.parse_args()
    if arguments.case:
        _one(arguments.case)
        return
    kinds = arguments.kinds.split(",") if arguments.kinds else list(mutate.KINDS)
    done = _state(arguments.out)
    each = -(-arguments.count // len(kinds))
    failures: list[Failure] = []
    total, started = 0, time.perf_counter()
    for kind in kinds:
        first = max(arguments.first, done.get(kind, 0))
        end = arguments.first + each
        failed, words = _run(kind, range(first, end), arguments.out, done)
        failures += failed
        total += max(end - first, 0)
        print(f"{kind:18} {words}", *(f"\n    {each}" for each in failed), flush=True)
    seconds = time.perf_counter() - started
    print(f"{total} cases in {seconds:.0f} s, {len(failures)} failed")
    sys.exit(bool(failures))


def _one(case: str) -> None:
    kind, _, number = case.partition(":")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mutate.damage(kind, int(number), folder)
        mutate.KINDS[kind].use(folder)


def _state(out: Path | None) -> dict[str, int]:
    """The next number of each kind."""
    if out is None:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    state = out / "state.json"
    return dict(json.loads(state.read_text())) if state.is_file() else {}


def _run(
    kind: str, numbers: range, out: Path | None, done: dict[str, int]
) -> tuple[list[Failure], dict[str, int]]:
    """Run cases of a kind in children; their failures, and how many were read or refused."""
    failures: list[Failure] = []
    words: dict[str, int] = {}
    number = numbers.start
    while number < numbers.stop:
        for answer in _child(kind, range(number, min(number + CASES_A_PROCESS, numbers.stop))):
            word, detail = answer
            words[word] = words.get(word, 0) + 1
            if word == "failed":
                failures.append(Failure(kind, number, detail))
                _note(out, failures[-1])
            number += 1
        done[kind] = number
        if out is not None:
            (out / "state.json").write_text(json.dumps(done))
    return failures, words


def _note(out: Path | None, failure: Failure) -> None:
    if out is not None:
        with (out / "failures.jsonl").open("a") as stream:
            stream.write(json.dumps(asdict(failure)) + "\n")


def _child(kind: str, numbers: range) -> list[tuple[str, str]]:
    """What became of cases; the last of them may have ended the child."""
    receiver, sender = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(receiver)
        _work(kind, numbers, sender)
    os.close(sender)
    answers: list[tuple[str, str]] = []
    rest = b""
    while True:
        ready, _, _ = select.select([receiver], [], [], STUCK_S)
        data = os.read(receiver, 2**16) if ready else b""
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        answers += [(word, detail) for word, detail in map(json.loads, lines)]
    os.close(receiver)
    if not ready:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if len(answers) < len(numbers) and (not answers or answers[-1][0] != "failed"):
        how = f"no answer in {STUCK_S:.0f} s" if not ready else f"the process ended ({status})"
        answers.append(("failed", how))
    return answers


def _work(kind: str, numbers: range, sender: int) -> None:
    """Run cases and report each; never returns. Ends early after a case that took much memory."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # libtiff writes there
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "case"
        _load_libraries(kind, folder)
        for number in numbers:
            mutate.clear(folder)
            before, started = _used()
            outcome = mutate.run(kind, number, folder)
            after, ended = _used()
            word, detail = outcome.word, outcome.detail
            if ended - started > HANG_S:
                word, detail = "failed", f"took {ended - started:.1f} s"
            if after - before > MEMORY_KIB:
                word, detail = "failed", f"took {(after - before) // 1024} MiB"
            os.write(sender, json.dumps((word, detail)).encode() + b"\n")
            if after - before > MEMORY_KIB:
                break
    os._exit(0)


def _load_libraries(kind: str, folder: Path) -> None:
    """Use whole files once, so that the first case is not measured with its imports."""
    for path, data in mutate.whole(kind).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    mutate.use(kind, folder)


def _used() -> tuple[int, float]:
    """The largest memory of this process so far in KiB, and its processor time in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
