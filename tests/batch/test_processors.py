"""How the processors are shared out."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.batch import processors


@given(st.integers(1, 300), st.integers(0, 300))
def test_all_processors_work_and_few_more_threads_than_there_are(
    workers: int, photographs: int
) -> None:
    threads = processors.threads(workers, photographs)
    side_by_side = min(workers, max(photographs, 1))
    assert threads >= 1
    assert threads == 1 or threads * side_by_side <= processors.available()


def test_where_a_system_does_not_say_which_processors_are_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.available() == 1
