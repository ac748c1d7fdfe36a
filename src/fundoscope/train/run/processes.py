"""What the processes of one run, a device each, must do together."""

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

    The first one starts the others with its own command; they compute, and say nothing.
    """
    from lightning.fabric.utilities import rank_zero

    known: Any = rank_zero.rank_zero_only  # Lightning keeps the number there
    return bool(known.rank == 0)


def together(fabric: Fabric, loss: Tensor, counts: Counts) -> tuple[float, Counts]:
    """The loss and the counts of a whole batch, of which each process has seen an equal part."""
    import torch

    if fabric.world_size == 1:
        return float(loss), counts
    ours = torch.from_numpy(counts).to(fabric.device)
    mean: Any = fabric.all_reduce(loss, reduce_op="mean")
    total: Any = fabric.all_reduce(ours, reduce_op="sum")
    return float(mean), total.cpu().numpy()


def by_first(fabric: Fabric, act: Callable[[], _Result]) -> _Result:
    """Let the first process do something; all get the result, or fail as it failed."""
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
