"""Every bound on input, with its reason. Bounds are checked before memory is allocated."""

from __future__ import annotations

from typing import Final

MAX_FILE_BYTES: Final = 256 * 2**20
"""Largest photograph file. An uncompressed 16-bit TIFF of 60 megapixels has about 360 MB, but no
fundus camera writes one; the largest photograph we have seen has 5 MB."""

MAX_SIDE: Final = 16_384
"""Longest side of a photograph, in pixels. Fundus cameras reach about 6,000, wide-field scanners
4,000."""

MAX_PIXELS: Final = 80_000_000
"""Pixels of one photograph. As RGB they take 240 MB, which a worker on a small machine can hold."""

MIN_SIDE: Final = 64
"""Shortest side of a photograph, in pixels. On a smaller one a field of view and a blob look the
same."""

MAX_TABLE_BYTES: Final = 512 * 2**20
"""Largest label table: a million rows of 500 characters."""

MAX_TABLE_ROWS: Final = 5_000_000
"""Rows of a label table. A screening programme reads about 100,000 photographs a night."""

MAX_TABLE_COLUMNS: Final = 4_096
"""Columns of a label table. The widest in the field, from questionnaires, have some hundreds."""

MAX_ANNOTATION_BYTES: Final = 256 * 2**20
"""Largest annotation file (XML, JSON). The 17,270 objects of IDRiD with their masks take 7 MB as
CVAT XML, and 163 MB as Label Studio brush strokes, which encode the whole photograph."""

MAX_NAME_CHARACTERS: Final = 255
"""Longest file name that is copied into a result (the bound of common file systems)."""

MAX_PATH_CHARACTERS: Final = 4_096
"""Longest path in a list of photographs (the bound of Linux)."""

MAX_BUNDLE_JSON_BYTES: Final = 1 * 2**20
"""Largest ``bundle.json``. Those that ship have 6 and 8 kB."""

MAX_CARD_BYTES: Final = 1 * 2**20
"""Largest ``card.md``. Those that ship have 6 kB."""

MAX_RULESET_BYTES: Final = 1 * 2**20
"""Largest file with a rule set. Those that ship have 4 kB."""

MAX_DISC_DIAMETERS: Final = 20.0
"""Largest distance or area in a rule, in disc diameters or disc areas. A photograph of 50 degrees
is about 7 disc diameters wide."""

MAX_ACUITY: Final = 3.0
"""Largest decimal acuity in a rule. The best eyes have about 2."""

MAX_SEAL_BYTES: Final = 4 * 2**10
"""Largest ``bundle.sha256``: a line of some 80 bytes for each file."""

MAX_CLASSES: Final = 100
"""Kinds of lesion that a detector may find. Those that ship find five."""

MAX_MODEL_BYTES: Final = 1 * 2**30
"""Largest ``model.onnx`` that is loaded."""

MAX_GRAPH_FIELDS: Final = 2_000_000
"""Fields of an ONNX graph that are walked through before it is loaded, outside of its tensors. The
shipped detector has 20,000; two million take a second."""

MAX_GRAPH_DEPTH: Final = 100
"""Nested messages in an ONNX file, as in the libraries for protocol buffers."""

MAX_KERAS_FILE_BYTES: Final = 4 * MAX_MODEL_BYTES
"""Largest Keras file. With the state of the optimiser Adam it holds its weights three times."""

MAX_KERAS_CONFIG_BYTES: Final = 16 * 2**20
"""Largest configuration inside a Keras file. That of EfficientNet-B7 has 0.4 MB."""

MAX_KERAS_WEIGHTS: Final = MAX_MODEL_BYTES // 4
"""Weights of a Keras network, four bytes each: the bundle made of it must fit its own bound."""

MAX_PACK_BYTES: Final = 4 * 2**30
"""All files of a training pack, unpacked; a usual pack has a hundredth of it."""
