"""Cooperation of the processes of one run, each with its own device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from torch import Tensor

Counts = NDArray[np.int64]
_Result = TypeVar("_Result")


def is_first() -> bool:
    """Whether this process is the only one of a run, or the first of several.

    The first process starts the others with its own command. They compute and print nothing.
    """
    from lightning.fabric.utilities import rank_zero

    known: Any = rank_zero.rank_zero_only  # Lightning keeps the number there
    return bool(known.rank == 0)


def together(fabric: Fabric, loss: Tensor, counts: Counts) -> tuple[float, Counts]:
    """The loss and the counts of a whole batch.

    Args:
        fabric: of this process.
        loss: of this process's part of the batch; all parts are equal.
        counts: of this part.
    """
    import torch

    if fabric.world_size == 1:
        return float(loss), counts
    ours = torch.from_numpy(counts).to(fabric.device)
    mean: Any = fabric.all_reduce(loss, reduce_op="mean")
    total: Any = fabric.all_reduce(ours, reduce_op="sum")
    return float(mean), total.cpu().numpy()


def by_first(fabric: Fabric, act: Callable[[], _Result]) -> _Result:
    """Call a function in the first process, and give its result to all.

    Args:
        fabric: of this process.
        act: the function.

    Raises:
        FundoscopeError: as the function, in every process.
    """
    outcome: Any = None
    if fabric.is_global_zero:
        try:
            outcome = act()
        except FundoscopeError as error:
            outcome = error
    if fabric.world_size > 1:
        outcome = fabric.broadcast(outcome)
    if isinstance(outcome, FundoscopeError):
        raise outcome
    result: _Result = outcome
    return result
