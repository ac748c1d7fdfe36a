"""Tensors in half precision."""

from __future__ import annotations

import torch

from fundoscope.train.run import torch_files


def test_what_half_precision_does_not_hold_stays_as_it_is() -> None:
    """The variance of a batch normalisation may be large; as infinity it would ruin the network."""
    tensors = {
        "weight": torch.tensor([0.1, -3.0]),
        "running_var": torch.tensor([1.0, 70_000.0]),
        "num_batches_tracked": torch.tensor(7),
    }
    halved = torch_files.halved(tensors)
    assert halved["weight"].dtype == torch.float16
    assert torch.equal(halved["running_var"], tensors["running_var"])
    assert halved["num_batches_tracked"] is tensors["num_batches_tracked"]
