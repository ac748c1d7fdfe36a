"""What results say about where a photograph lay: its bare file name, or its path on request.

A folder may be named after a patient, so a path is written only where the user asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.batch.inputs import Input
from fundoscope.batch.sources.remote import Url
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.quoting import bare

FOLDER: Final = "(folder)"
"""Stands for a folder that is not named."""
MAX_STEM_BYTES: Final = 200
"""Bytes of the name of a photograph or patient in that of a file. A file name has 255; the others
are for a hash, the suffix and the temporary name."""
UNFIT: Final = frozenset('/\\:*?"<>|')
"""Characters that a file name cannot hold on some system."""
RESERVED: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}
)
"""Names of devices on Windows, whatever follows after a dot."""


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


def named(path: Path | Url, *, paths: bool, bundle: bool = False) -> str:
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
        return path.text if isinstance(path, Url) else str(path)
    if isinstance(path, Url):
        is_photograph = path.path.suffix.lower() in PHOTOGRAPH_SUFFIXES
        return bare(path.text) if is_photograph else FOLDER
    try:
        is_folder = path.is_dir()
    except OSError:
        is_folder = False
    return bare(str(path)) if bundle or not is_folder else FOLDER


def stem_for_a_file(name: str) -> str:
    """The name of a photograph or patient as the beginning of a file name.

    Characters that some system does not allow and unprintable ones become ``_``; a long name is
    cut; one that Windows reserves, such as ``NUL``, gets a ``_`` before it.
    """
    stem = "".join(c if c.isprintable() and c not in UNFIT else "_" for c in name)
    if stem.split(".")[0].strip().upper() in RESERVED:
        stem = f"_{stem}"
    return stem.encode("utf-8", "replace")[:MAX_STEM_BYTES].decode(errors="ignore")
