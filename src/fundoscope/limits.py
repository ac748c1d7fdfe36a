"""Every bound on input, with its reason. Checked before memory is taken."""

from __future__ import annotations

from typing import Final

MAX_FILE_BYTES: Final = 256 * 2**20
"""Largest photograph file. A 60-megapixel 16-bit TIFF is about 360 MB uncompressed and no camera of
the field writes one; the largest real photograph at hand has 5 MB."""

MAX_SIDE: Final = 16_384
"""Longest side in pixels. Fundus cameras end at about 6,000; wide-field scanners at 4,000."""

MAX_PIXELS: Final = 80_000_000
"""Pixels of one photograph: 240 MB as RGB, what one worker of a small machine can still hold."""

MIN_SIDE: Final = 64
"""Shortest side in pixels. Below it no field of view can be told from a blob."""

MAX_TABLE_BYTES: Final = 512 * 2**20
"""Largest label table: a million rows of 500 characters."""

MAX_TABLE_ROWS: Final = 5_000_000
"""Rows of a label table; a programme reads 100,000 photographs a night."""

MAX_ANNOTATION_BYTES: Final = 256 * 2**20
"""Largest file of annotations (XML, JSON). IDRiD's 17,270 objects with their pixels take 7 MB in
CVAT's XML and 163 MB as Label Studio's brush strokes, which count through the whole photograph."""

MAX_NAME_CHARACTERS: Final = 255
"""Longest file name that is copied into a result (the bound of common file systems)."""

MAX_BUNDLE_JSON_BYTES: Final = 1 * 2**20
"""Largest ``bundle.json``; the shipped ones have about 4 kB."""

MAX_MODEL_BYTES: Final = 1 * 2**30
"""Largest ``model.onnx`` that is loaded."""
