"""What results say about where a photograph lay: its bare file name, or its path on request.

A folder may be named after a patient, so a path is written only where the user asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.batch.inputs import Input
from fundoscope.quoting import bare

FOLDER: Final = "(folder)"
"""Stands for a folder that is not named."""


def image(photograph: Input, *, paths: bool) -> str:
    """How results name a photograph.

    Args:
        photograph: one of the inputs.
        paths: whether to name it as the user did, else by its bare file name.
    """
    return photograph.image if paths else bare(photograph.image)


def without_paths(text: str, photograph: Input) -> str:
    """A sentence about a photograph, with its paths replaced by its bare name."""
    name = bare(photograph.image)
    for path in (str(photograph.path.absolute()), str(photograph.path), photograph.image):
        text = text.replace(path, name) if path != name else text
    return text


def named(path: Path, *, paths: bool, bundle: bool = False) -> str:
    """How ``run.json`` names an argument of the command.

    Args:
        path: as the user gave it.
        paths: whether to name it as the user did.
        bundle: whether it is a bundle, which no patient gave a name to.

    Returns:
        The path on request; else the bare name of a file or bundle, and :data:`FOLDER` for another
        folder.
    """
    if paths:
        return str(path)
    try:
        is_folder = path.is_dir()
    except OSError:
        is_folder = False
    return bare(str(path)) if bundle or not is_folder else FOLDER
