"""Drawing a reading on its photograph, from anything that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fundoscope.photo import sources

if TYPE_CHECKING:
    from PIL import Image

    from fundoscope.photo.sources import Source
    from fundoscope.reading import Reading


def draw(source: Source, reading: Reading, *, labels: bool = False) -> Image.Image:
    """Draw a reading on its photograph: the field of view, the boxes of lesions, and the grade.

    >>> reading = fundoscope.read("photo.jpg")                      # doctest: +SKIP
    >>> fundoscope.draw("photo.jpg", reading).save("reading.png")   # doctest: +SKIP

    Args:
        source: the photograph, given as for :func:`fundoscope.read`.
        reading: of that photograph.
        labels: whether kind and score are written beside each lesion.

    Returns:
        An RGB picture, up to 2400 pixels wide.

    Raises:
        ValueError: the reading is of another photograph: another size, or another file.
        PhotoError: the photograph cannot be read.
        TypeError: ``source`` is not a photograph.
    """
    from fundoscope.report import overlay

    photo = sources.photo(sources.content(source))
    facts, read = photo.facts, reading.photo
    if (facts.width, facts.height) != (read.width, read.height):
        raise ValueError(
            f"the reading is of another photograph: {read.width} x {read.height} pixels, not"
            f" {facts.width} x {facts.height}"
        )
    if None not in (facts.name, read.name) and facts.sha256 != read.sha256:
        raise ValueError(f"the reading is of {read.name}, and {facts.name} is another file")
    return overlay.draw(photo, reading, labels=labels)
