"""Refusals that a file does not keep: memory, permissions and disks change."""

from __future__ import annotations

from typing import Final

OUT_OF_MEMORY: Final = "out_of_memory"
PASSING: Final = frozenset(
    (OUT_OF_MEMORY, "no_permission", "not_a_file", "not_found", "unreadable")
)
"""Codes of refusals that say nothing of a photograph's content; they are not worth remembering."""
TOO_LARGE: Final = (
    "needs more memory than is available",
    "use fewer workers, or store the photograph at a smaller size",
)
"""Reason and remedy of a photograph that does not fit into memory."""
