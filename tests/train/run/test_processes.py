"""What the processes of a run share, with a stand-in for Lightning's Fabric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fundoscope.errors import OutputError
from fundoscope.train.run import processes


class Pair:
    """One of two processes; the other has twice its loss and its counts, or sent ``received``."""

    world_size = 2
    device = torch.device("cpu")

    def __init__(self, *, first: bool, received: Any = None) -> None:
        self.is_global_zero = first
        self.received = received
        self.sent: list[Any] = []

    def all_reduce(self, value: torch.Tensor, reduce_op: str) -> torch.Tensor:
        return {"mean": value * 1.5, "sum": value * 3}[reduce_op]

    def broadcast(self, value: Any) -> Any:
        self.sent.append(value)
        return value if self.is_global_zero else self.received


class Alone(Pair):
    world_size = 1


def test_a_batch_has_the_mean_loss_and_the_sum_of_counts_of_all_processes() -> None:
    loss, counts = processes.together(Pair(first=True), torch.tensor(2.0), np.array([1, 4]))
    assert loss == 3.0
    assert counts.tolist() == [3, 12]


def test_a_process_alone_has_the_whole_batch() -> None:
    counts = np.array([1, 4])
    assert processes.together(Alone(first=True), torch.tensor(2.0), counts) == (2.0, counts)


def test_only_the_first_process_acts_and_all_get_its_result() -> None:
    first = Pair(first=True)
    assert processes.by_first(first, lambda: "written") == "written"
    assert first.sent == ["written"]

    def fail() -> str:
        raise AssertionError("the second process acted")

    assert processes.by_first(Pair(first=False, received="written"), fail) == "written"


def test_all_processes_fail_as_the_first_one() -> None:
    error = OutputError("disk", "is full", "free some space")

    def fail() -> None:
        raise error

    first = Pair(first=True)
    with pytest.raises(OutputError, match="disk: is full"):
        processes.by_first(first, fail)
    assert first.sent == [error]
    with pytest.raises(OutputError, match="disk: is full"):
        processes.by_first(Pair(first=False, received=error), lambda: None)


def test_another_error_of_the_first_process_is_not_sent() -> None:
    """A defect of the program must not look like a failure that a user can mend."""
    first = Alone(first=True)
    with pytest.raises(ZeroDivisionError):
        processes.by_first(first, lambda: 1 // 0)
    assert first.sent == []


@pytest.mark.parametrize(("rank", "first"), [(0, True), (1, False)])
def test_a_process_knows_whether_it_is_the_first(
    rank: int, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.fabric.utilities import rank_zero

    monkeypatch.setattr(rank_zero.rank_zero_only, "rank", rank, raising=False)
    assert processes.is_first() is first
