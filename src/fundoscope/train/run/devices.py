"""The devices, threads and precision that a run is computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fundoscope.train.run import memory
from fundoscope.train.run.settings import Hardware

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def set_up(config: Hardware) -> None:
    """Set the number of threads of this process, and let it keep the memory that it frees."""
    import torch

    memory.keep()
    if config.threads:
        torch.set_num_threads(config.threads)


def fabric(config: Hardware) -> Fabric:
    """Start the devices that a configuration asks for, in its precision."""
    from lightning.fabric import Fabric

    strategy = "auto" if config.devices == 1 else "ddp"
    started = Fabric(
        devices=config.devices, strategy=strategy, precision=_precision(config.precision)
    )
    started.launch()
    return started


def _precision(wanted: str) -> Any:
    """bf16 on a GPU; float32 on a CPU, where bf16 is faster only with AMX."""
    import torch

    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"
