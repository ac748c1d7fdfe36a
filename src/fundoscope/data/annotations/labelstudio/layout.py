"""The files of Label Studio, and the names in them that reading and writing share."""

from __future__ import annotations

from typing import Final

TASKS: Final = "tasks.json"
INTERFACE: Final = "labels.xml"
PHOTO: Final = "photo"
"""The field of a task in which we keep the name of its photograph unchanged."""
IMAGE: Final = "image"
"""The usual field for a photograph; without it, the only field that looks like one counts."""
SOURCE: Final = "source"
SPLITS: Final = "splits"
WIDTH: Final = "width"
HEIGHT: Final = "height"
"""Our other fields of the data of a task."""
AUTHOR: Final = "author"
DIFFICULT: Final = "difficult"
"""Questions about a region whose answers are fields of ours rather than attributes."""
