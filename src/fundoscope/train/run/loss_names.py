"""The names under which plots show the parts of a loss.

Any part that the metrics of a run hold is shown, so a new head needs no change here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PREFIX: Final = "loss_"
"""Keys of ``training`` in ``metrics.jsonl`` that begin so are parts of the loss."""
NAMES: Final[Mapping[str, str]] = {
    "loss_objectness": "first stage, lesion or not",
    "loss_rpn_box_reg": "first stage, boxes",
    "loss_classifier": "second stage, kinds",
    "loss_box_reg": "second stage, boxes",
    "loss_entropy": "pixels",
}
"""Names of parts whose key does not explain itself."""


def loss_names(training: Mapping[str, Any]) -> dict[str, str]:
    """The names of the parts of a loss, by their keys, in the order of the metrics.

    Args:
        training: the figures of an epoch's training, as a line of ``metrics.jsonl`` holds them.
    """
    return {
        key: NAMES.get(key, key.removeprefix(PREFIX).replace("_", " "))
        for key in training
        if key.startswith(PREFIX)
    }
