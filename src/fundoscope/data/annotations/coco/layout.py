"""Where the files of COCO lie in a folder."""

from __future__ import annotations

from typing import Final

ANNOTATIONS: Final = "annotations"
INSTANCES: Final = "instances"
SUFFIX: Final = ".json"
ROBOFLOW: Final = "_annotations.coco.json"
"""The file that Roboflow writes beside the photographs of each split."""
