"""Where the files of COCO lie in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ANNOTATIONS: Final = "annotations"
INSTANCES: Final = "instances"
SUFFIX: Final = ".json"
ROBOFLOW: Final = "_annotations.coco.json"
"""The file that Roboflow writes beside the photographs of each split."""


def earlier_files(out: Path) -> tuple[Path, ...]:
    """The documents of instances that a folder holds, those of splits among them."""
    folder = out / ANNOTATIONS
    return (*folder.glob(f"{INSTANCES}{SUFFIX}"), *folder.glob(f"{INSTANCES}_*{SUFFIX}"))
