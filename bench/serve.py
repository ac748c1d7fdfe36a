"""How fast is the service, what does it do when it has too much to do, and what if it is killed?

    python bench/serve.py latency [--photograph FILE] [--uploads 20]
    python bench/serve.py clients [--photograph FILE] [--clients 4] [--seconds 300]
    python bench/serve.py overload [--photograph FILE] [--clients 16] [--seconds 60]
    python bench/serve.py kill [--kills 50] [--seed 1]

Each starts a service of its own with an empty folder (`--workers`, by default one a processor).
Without FILE a phantom of 4288 x 2848 pixels with lesions is uploaded.

latency: uploads one after another; the time from the request to its answer with the reading, and
to the first sight of the photograph (`photograph?side=800`).

clients: as many callers at once, each sending the next photograph when the last one is answered.
Every answer must be 201.

overload: the same with more callers than places; each comes again after `Retry-After`. The excess
must get 503, at once, and every accepted photograph must be read in the end.

kill: `kill -9` at random moments while three callers upload, half of them without waiting. What was
accepted (201 or 202) must be there and read after the last start, and the audit log intact. The
reader is the real one, without lesions, on small phantoms, so that many moments are hit.

Exits with 1 if something was lost, or an answer was wrong. Needs [serve] and httpx.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from arguments import parser_of
from PIL import Image

from fundoscope.phantom import PhantomSpec, draw

WIDTH, HEIGHT = 4288, 2848
"""A photograph of 12 megapixels, as in IDRiD."""
SMALL = (480, 360)
PATIENCE_S = 120.0
AT_ONCE_S = 0.2
"""The target for 503."""
CALLERS = 3
UNTIL_KILL_S = 4.0
"""A kill comes within this time after the service answers again."""


@dataclass
class Seen:
    """What callers saw."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: httpx.Response, seconds: float) -> None:
        with self.lock:
            self.seconds.setdefault(answer.status_code, []).append(seconds)
            if answer.status_code in (201, 202):
                self.accepted.append(answer.json()["id"])

    def counts(self) -> dict[int, int]:
        return {status: len(times) for status, times in sorted(self.seconds.items())}


@contextmanager
def serving(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in its own process, and its address."""
    command = [sys.executable, "-m", "fundoscope", "serve", "--data", str(data), "--port", "0"]
    log = (data.parent / "service.log").open("a")
    with (
        log,
        subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if not found:
            raise SystemExit((data.parent / "service.log").read_text())
        try:
            yield process, found[0]
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def phantom(width: int, height: int, seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels, _ = draw(PhantomSpec(seed=seed, width=width, height=height, grade=2 + seed % 2))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def variants(content: bytes) -> Callable[[], bytes]:
    """The photograph with another comment each time, so that no file is sent twice."""
    numbers = iter(range(2**31))
    lock = threading.Lock()

    def another() -> bytes:
        with lock:
            comment = f"{next(numbers)}".encode()
        return (
            content[:2]
            + b"\xff\xfe"
            + (len(comment) + 2).to_bytes(2, "big")
            + comment
            + content[2:]
        )

    return another


def upload(client: httpx.Client, content: bytes, seen: Seen, **headers: str) -> httpx.Response:
    began = time.monotonic()
    answer = client.post("/v1/readings", files={"photograph": content}, headers=headers)
    seen.note(answer, time.monotonic() - began)
    return answer


def percentiles(times: list[float]) -> str:
    p50, p90, p99 = np.percentile(times, (50, 90, 99))
    return f"p50 {p50:.2f} s, p90 {p90:.2f} s, p99 {p99:.2f} s, longest {max(times):.2f} s"


def photograph(args: argparse.Namespace) -> bytes:
    return args.photograph.read_bytes() if args.photograph else phantom(WIDTH, HEIGHT, 0)


def latency(args: argparse.Namespace, url: str) -> bool:
    another, seen, sights = variants(photograph(args)), Seen(), []
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        upload(client, another(), Seen())  # warms up
        for _ in range(args.uploads):
            id_ = upload(client, another(), seen).json()["id"]
            began = time.monotonic()
            client.get(f"/v1/readings/{id_}/photograph", params={"side": 800}).raise_for_status()
            sights.append(time.monotonic() - began)
    print(f"upload to reading, {args.uploads} times: {percentiles(seen.seconds[201])}")
    print(f"first sight of the photograph: {percentiles(sights)}")
    return set(seen.seconds) == {201}


def load(args: argparse.Namespace, url: str) -> Seen:
    """Callers that send one photograph after another for some time."""
    another, seen = variants(photograph(args)), Seen()
    end = time.monotonic() + args.seconds

    def call() -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            while time.monotonic() < end:
                answer = upload(client, another(), seen)
                if answer.status_code == 503:
                    time.sleep(float(answer.headers["retry-after"]))

    callers = [threading.Thread(target=call) for _ in range(args.clients)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return seen


def clients(args: argparse.Namespace, url: str) -> bool:
    seen = load(args, url)
    read = seen.seconds.get(201, [])
    print(f"{args.clients} clients for {args.seconds:.0f} s: answers {seen.counts()}")
    print(f"upload to reading: {percentiles(read)}; {len(read) / args.seconds:.2f} a second")
    return set(seen.seconds) == {201}


def overload(args: argparse.Namespace, url: str) -> bool:
    seen = load(args, url)
    turned_away = seen.seconds.get(503, [0.0])
    print(f"{args.clients} clients for {args.seconds:.0f} s: answers {seen.counts()}")
    print(f"upload to reading: {percentiles(seen.seconds[201])}")
    print(
        f"503 after: {percentiles(turned_away)}; within {AT_ONCE_S} s:"
        f" {np.mean(np.array(turned_away) <= AT_ONCE_S):.1%}"
    )
    unread = missing(url, seen.accepted)
    print(f"accepted {len(seen.accepted)}, not read in the end {len(unread)}")
    return not unread and set(seen.seconds) <= {201, 503}


def missing(url: str, accepted: list[str]) -> list[str]:
    """The accepted photographs that are not read, after some patience."""
    left = list(accepted)
    end = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        while left and time.monotonic() < end:
            answers = {id_: client.get(f"/v1/readings/{id_}") for id_ in left}
            left = [
                id_
                for id_, answer in answers.items()
                if answer.status_code != 200 or answer.json()["status"] != "read"
            ]
            time.sleep(0.5 if left else 0.0)
    return left


def absent(url: str, accepted: list[str]) -> int:
    """The number of accepted photographs that the service does not know."""
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        return sum(client.get(f"/v1/readings/{id_}").status_code != 200 for id_ in accepted)


def kill(args: argparse.Namespace, data: Path) -> bool:
    rng = random.Random(args.seed)
    pictures = [variants(phantom(*SMALL, seed)) for seed in range(4)]
    seen, moments = Seen(), Counter[str]()
    for number in range(args.kills):
        with serving(data, "--workers", "1", "--no-lesions") as (process, url):
            lost = absent(url, seen.accepted)
            stop = threading.Event()
            callers = [
                threading.Thread(target=_call, args=(url, pictures, stop, seen, n))
                for n in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
            time.sleep(rng.uniform(0.0, UNTIL_KILL_S))
            process.kill()
            process.wait()
            stop.set()
            for caller in callers:
                caller.join()
        left = len(list((data / "incoming").iterdir()))
        moments["with an upload under way"] += left > 0
        print(
            f"kill {number + 1}: {len(seen.accepted)} accepted so far; lost at this start: {lost}",
            flush=True,
        )
    with serving(data, "--workers", "1", "--no-lesions") as (_, url):
        unread = missing(url, seen.accepted)
    verify = [sys.executable, "-m", "fundoscope", "audit", "verify", "--data", str(data)]
    audit = subprocess.run(verify, capture_output=True, text=True, check=False)
    print(f"{args.kills} kills, {dict(moments)}: accepted {len(seen.accepted)}, lost {len(unread)}")
    print(audit.stdout.splitlines()[0], audit.stderr.strip())
    files = sum(path.is_file() for path in (data / "photographs").rglob("*"))
    print(
        f"files of photographs {files}, unfinished uploads"
        f" {len(list((data / 'incoming').iterdir()))}"
    )
    return not unread and audit.returncode == 0


def _call(
    url: str, pictures: list[Callable[[], bytes]], stop: threading.Event, seen: Seen, n: int
) -> None:
    headers = {"Prefer": "respond-async"} if n % 2 else {}
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        while not stop.is_set():
            try:
                answer = upload(client, pictures[n](), seen, **headers)
                if answer.status_code == 503:
                    time.sleep(0.05)
            except httpx.TransportError:  # the service was killed
                time.sleep(0.02)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("latency", "clients", "overload", "kill"))
    parser.add_argument("--photograph", type=Path)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    args.clients = args.clients or (4 if args.what == "clients" else 16)
    args.seconds = args.seconds or (300.0 if args.what == "clients" else 60.0)
    options = ["--workers", str(args.workers)] if args.workers else []
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, processors {os.cpu_count()}")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if args.what == "kill":
            good = kill(args, data)
        else:
            with serving(data, *options) as (_, url):
                good = {"latency": latency, "clients": clients, "overload": overload}[args.what](
                    args, url
                )
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
