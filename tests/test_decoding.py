"""Threads may decode a type for the first time at once; msgspec alone would crash the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROUNDS = """
import sys, threading
from dataclasses import dataclass
from fundoscope import decoding

sys.setswitchinterval(1e-6)
wrong = []
for _ in range(60):
    @dataclass
    class Part:
        name: str
        numbers: tuple[int, ...]

    @dataclass
    class Whole:
        parts: tuple[Part, ...]

    def work():
        barrier.wait()
        if {call}.parts[0].numbers != (1, 2):
            wrong.append(1)

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
sys.exit(len(wrong))
"""
"""Without the lock it crashed within ten rounds each time."""


@pytest.mark.parametrize(
    "call",
    [
        """decoding.decoded('{"parts": [{"name": "a", "numbers": [1, 2]}]}', Whole)""",
        """decoding.converted({"parts": [{"name": "a", "numbers": [1, 2]}]}, Whole)""",
    ],
)
def test_many_threads_may_decode_a_type_for_the_first_time(call: str) -> None:
    program = ROUNDS.replace("{call}", call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
