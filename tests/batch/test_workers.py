"""Worker processes: their limits, their replacement, their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

import faulty_readers  # beside this module, on the path that conftest.py extends
import msgspec
import pytest

from fundoscope.batch import worker_process
from fundoscope.batch.jobs import Answer, Job, Refusal
from fundoscope.batch.worker_process import Message
from fundoscope.batch.workers import WorkerLimits, WorkerPool
from fundoscope.errors import BundleError, FundoscopeError
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.phantom.files import encoded
from fundoscope.reader import Reader
from fundoscope.reading import Reading

Save = Callable[..., Path]
LIMITS = WorkerLimits(deadline_s=3.0, memory_bytes=192 * 2**20)
PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import faulty_readers
from fundoscope.batch.workers import Job, WorkerPool
if __name__ == "__main__":
    pool = WorkerPool(2, faulty_readers.Obedient).__enter__()
    pool.submit(Job(sys.argv[2]))
    print(*(thread.name for thread in pool._threads), flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, faulty_readers.Obedient, LIMITS) as pool:
        yield pool


def outcome(pool: WorkerPool, path: Path) -> Reading | Refusal:
    return pool.submit(Job(str(path))).result(60)


def test_a_reading_from_a_process_is_that_of_this_process() -> None:
    pixels, _ = draw(PhantomSpec(seed=5, width=700, height=700, grade=3))
    photograph = encoded(pixels, ".jpg")
    with WorkerPool(1, partial(Reader, lesions=False)) as pool:
        future = pool.examine(Job(photograph, name="eye.jpg", picture=True))
        models = pool.loaded.models
        reading = pool.submit(Job(photograph)).result(60)
    reader = Reader(lesions=False)
    result = future.result()
    assert isinstance(result, Answer)
    assert reading == reader.read(photograph)
    assert result.reading.photo.name == "eye.jpg"
    assert result.picture is not None
    assert result.picture.startswith(b"\x89PNG")
    assert models == reader.models


def test_a_photograph_past_a_limit_costs_one_refusal(
    pool: WorkerPool, tmp_path: Path, save_eye: Save
) -> None:
    began = time.monotonic()
    spinning = outcome(pool, tmp_path / "spin.jpg")
    assert isinstance(spinning, Refusal)
    assert (spinning.code, spinning.what) == ("deadline", "spin.jpg")
    assert time.monotonic() - began < 10
    hungry = outcome(pool, tmp_path / "hungry.jpg")
    assert isinstance(hungry, Refusal)
    assert hungry.code == "out_of_memory"
    huge = outcome(pool, tmp_path / "huge.jpg")
    assert isinstance(huge, Refusal)
    assert huge.code == "out_of_memory"
    assert isinstance(outcome(pool, save_eye(tmp_path / "eye.jpg")), Reading)


def test_a_photograph_that_ends_its_process_costs_one_refusal(
    pool: WorkerPool, tmp_path: Path, save_eye: Save
) -> None:
    dead = outcome(pool, tmp_path / "die.jpg")
    assert isinstance(dead, Refusal)
    assert dead.code == "worker_died"
    # What something else killed is read all the same.
    assert isinstance(outcome(pool, save_eye(tmp_path / "once.jpg")), Reading)


def test_errors_of_one_photograph_and_of_all(
    pool: WorkerPool, tmp_path: Path, save_eye: Save
) -> None:
    codes = {
        name: outcome(pool, tmp_path / f"{name}.jpg") for name in ("refuse", "fault", "missing")
    }
    assert {name: each.code for name, each in codes.items() if isinstance(each, Refusal)} == {
        "refuse": "bad", "fault": "internal_error", "missing": "not_found",
    }  # fmt: skip
    with pytest.raises(BundleError, match="grader: is broken; replace it"):
        outcome(pool, tmp_path / "bundle.jpg")
    growing = outcome(pool, save_eye(tmp_path / "grow.jpg"))
    assert isinstance(growing, Refusal)
    assert growing.code == "changing"
    assert isinstance(outcome(pool, save_eye(tmp_path / "eye.jpg")), Reading)


def test_models_that_cannot_be_loaded() -> None:
    with pytest.raises(BundleError, match="is broken"), WorkerPool(1, faulty_readers.broken):
        pass
    with (
        pytest.raises(FundoscopeError, match="ended before its models were loaded"),
        WorkerPool(1, faulty_readers.dead),
    ):
        pass


def test_a_process_that_cannot_be_started_is_an_error_and_no_endless_wait() -> None:
    """What cannot be sent to a process used to end the thread that everybody waited for."""
    with pytest.raises(Exception, match="pickle"), WorkerPool(1, lambda: faulty_readers.Obedient()):
        pass


def test_closing_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    with WorkerPool(1, faulty_readers.Obedient) as pool:
        futures = [pool.submit(Job(str(tmp_path / "hang.jpg"))) for _ in range(3)]
        time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 20  # the photograph would hang for longer
    for future in (*futures, pool.submit(Job("late.jpg"))):
        with pytest.raises(CancelledError):
            future.result(1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_parent_leaves_no_process(tmp_path: Path, end: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    arguments = [str(script), str(Path(__file__).parent), str(tmp_path / "hang.jpg")]
    parent = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, start_new_session=True
    )
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(of_group(parent.pid)) >= 2
        parent.send_signal(end)
    waited = time.monotonic() + 10
    while of_group(parent.pid) and time.monotonic() < waited:
        time.sleep(0.05)
    assert of_group(parent.pid) == []


def of_group(group: int) -> list[int]:
    """The running processes of a group."""
    return [int(each.name) for each in Path("/proc").iterdir() if _is_of(each, group)]


def _is_of(process: Path, group: int) -> bool:
    try:
        state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state != "Z"


def test_what_a_worker_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker_process, "bound_address_space", lambda more: None)
    monkeypatch.setattr(worker_process, "_end_at", lambda seconds: None)
    ours, theirs = Pipe()
    make = faulty_readers.Obedient
    thread = Thread(target=worker_process.serve, args=(theirs, make, LIMITS))
    thread.start()
    said = [received(ours)]
    for name in ("refuse", "bundle"):
        ours.send(Job(str(tmp_path / f"{name}.jpg")))
        said.append(received(ours))
    thread.join(10)
    assert said[0].loaded is not None
    assert said[1].refusal == Refusal("refuse", "is bad", "take another", "bad")
    assert said[2].failure is not None
    assert said[2].failure.kind == "BundleError"
    assert worker_process.resident_bytes(os.getpid()) or not Path("/proc").is_dir()
    assert worker_process.resident_bytes(2**30) is None


def received(pipe: worker_process.Connection) -> Message:
    assert pipe.poll(10)
    return msgspec.msgpack.decode(pipe.recv_bytes(), type=Message)
