"""The weights in a pack that a network starts from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fundoscope.errors import UsageError
from fundoscope.train.networks import backbones, weights
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.pack.archive import Entry
from fundoscope.train.pack.contents import EARLIER, EARLIER_BEST, START, Start
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, provenance, torch_files

if TYPE_CHECKING:
    from torch import Tensor


def of_networks(
    wanted: Iterable[tuple[str, str]],
) -> tuple[tuple[Start, ...], tuple[Entry, ...]]:
    """What is packed for several networks; all but the first in numbered folders.

    Args:
        wanted: name and ``init`` of each network.

    Returns:
        The weights that are packed, and the files.

    Raises: as :func:`of_network`.
    """
    starts: list[Start] = []
    entries: list[Entry] = []
    for name, init in wanted:
        folder = f"{len(starts)}/" if starts else ""
        files = [(folder + file, content) for file, content in of_network(name, init)]
        if files:
            starts.append(Start(name, init, files[0][0]))
            entries += files
    return tuple(starts), tuple(entries)


def of_network(name: str, init: str) -> tuple[Entry, ...]:
    """The files of the weights to start from, those in half precision first.

    Args:
        name: of the network.
        init: see :func:`weights.start`; there is no file for ``none``.

    Raises:
        UsageError, MissingExtraError: as :func:`weights.start`.
    """
    if init == weights.NONE:
        return ()
    if Path(init).name == loop.BEST:
        return of_run(Path(init))
    file = START.format(name=Path(name).name)
    tensors = _by_name(name, init) if init in weights.BY_NAME else weights.stored(Path(init))
    origin = f"{Path(init).name}\n".encode()
    return (
        (file, torch_files.content(torch_files.halved(tensors))),
        (file + provenance.ORIGIN, origin),
    )


def _by_name(name: str, init: str) -> dict[str, Tensor]:
    """The weights of a network without its last layer, which starts from random weights."""
    network = weights.start(name, 1, backbones.IMAGENET_SIZE, dropout=0.0, init=init)
    last = networks.last_layer(network) + "."
    return {key: value for key, value in network.state_dict().items() if not key.startswith(last)}


def of_run(best: Path) -> tuple[Entry, ...]:
    """``best.pt`` of a run in half precision, and the files that describe the run.

    Args:
        best: the file.

    Raises:
        UsageError: the file is not a best network of a run.
    """
    stored = loop.read_checkpoint(best) if best.is_file() else {}
    if "network" not in stored:
        raise UsageError(
            str(best), "is not a best network of a run", "name best.pt of an earlier run"
        )
    halved = torch_files.content({**stored, "network": torch_files.halved(stored["network"])})
    beside = (best.with_name(name) for name in (runs.CONFIG, loop.METRICS))
    files = ((f"{EARLIER}/{file.name}", file.read_bytes()) for file in beside if file.is_file())
    return (EARLIER_BEST, halved), *files
