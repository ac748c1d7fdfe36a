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

MAX_JPEG_SEGMENTS: Final = 4_096
"""Segments of a JPEG file before its picture. EXIF, colour profile and thumbnail need some tens, a
large XMP some hundreds."""

MAX_JPEG_JUNK: Final = 64 * 2**10
"""Bytes between two segments of a JPEG file that mean nothing; Pillow passes them one by one."""

MAX_JPEG_SCANS: Final = 100
"""Scans of a progressive JPEG. libjpeg writes 10 of them, optimisers up to some 20."""

MAX_JPEG_BLOCK_VISITS: Final = 32_000_000
"""Blocks of a progressive JPEG times its scans: each scan visits every block. The usual 10 scans of
80 megapixels make 19 million; 32 million take about a second."""

MAX_JPEG_COEFFICIENTS: Final = 256 * 2**20
"""Bytes that a progressive JPEG needs for its coefficients, beside its pixels: 85 megapixels with
the usual reduced colours, 42 with full ones. The largest fundus camera has 24."""

MAX_PNG_CHUNKS: Final = 100_000
"""Chunks of a PNG file. libpng writes one for 8 kB: some 30,000 in the largest file."""

MAX_PNG_FURTHER_CHUNKS: Final = 512
"""Chunks of a PNG file that hold no pixels. Each may unpack to a megabyte; photographs have some
ten."""

MAX_DENSITY: Final = 400
"""Bytes of RGB pixels in a byte of a PNG or TIFF file that is to be a photograph. The densest of
17,903 photographs of the training and validation splits has 206, as JPEG (``bench/budgets.py``);
PNG is several times less dense. Black has 1,000."""

DENSITY_FREE_BYTES: Final = 48 * 2**20
"""Bytes of pixels up to which :data:`MAX_DENSITY` is not applied: drawings and phantoms of up to 16
megapixels are cheap enough."""

MAX_TIFF_PAGES: Final = 17
"""Pictures in a TIFF file: a photograph, and reductions of it, which halve the size each."""

MAX_TIFF_TAGS: Final = 1_024
"""Entries of a directory of a TIFF file or EXIF block; photographs have twenty to a hundred."""

MAX_TIFF_NUMBERS: Final = 1_000_000
"""Numbers in a directory, each of which becomes an object of about 36 bytes."""

TIFF_SLACK: Final = 64 * 2**10
"""Bytes by which the values of a directory may exceed the file: some programs share values."""

MAX_TIFF_BLOCKS: Final = 3 * MAX_SIDE
"""Strips or tiles of a TIFF file: one for each row of each colour."""

MAX_TIFF_BLOCK: Final = 192 * 2**20
"""Bytes of a strip or tile, unpacked: 32 megapixels of 16 bits in one strip."""

TIFF_SMALL_BLOCK: Final = 16 * 2**20
"""Bytes up to which a strip or tile may be larger than its picture: a tile of 1024 x 1024 around a
small one."""

MAX_RUN_LENGTH_BYTES: Final = 4 * 2**20
"""Largest run-length encoded bitmap. Pillow reads it byte by byte; a mask has some kilobytes."""

MAX_XML_TAGS: Final = 1_000_000
"""Tags of an XML file of annotations, and attributes in it. The 17,270 objects of IDRiD have some
100,000; a million elements take 300 MB."""

MAX_YAML_CHARACTERS: Final = 512 * 2**10
"""Characters of a ``data.yaml``. That of a thousand classes has 20,000."""

MAX_YAML_LINES: Final = 5_000
"""Lines of a ``data.yaml``: one for each class."""

MAX_JSON_VALUES: Final = 5_000_000
"""Values of a COCO file. The polygons of IDRiD have about a million; five million take 600 MB."""

MAX_CORNERS: Final = 100_000
"""Corners of a polygon. The outline of a field of view, pixel by pixel, has 12,000."""

MAX_CROSSINGS: Final = 10_000_000
"""Rows that the edges of a polygon cross, all together: a hundred for each of the most corners."""

MAX_MASKS_PIXELS: Final = 256 * 2**20
"""Pixels of the cut-outs of all masks of a file of annotations, a byte each in memory. Those of
54 photographs of IDRiD have 40 million."""

MASKS_FREE_PIXELS: Final = 64 * 2**20
"""Pixels of masks that any file of annotations may have, however small it is."""

MASK_PIXELS_A_BYTE: Final = 2_000
"""Further ones for a byte of the file: run lengths of a whole field of view need a byte for 500
pixels, those of lesions for far fewer."""

MAX_DRAWN_PIXELS: Final = 8 * MAX_PIXELS
"""Pixels of all objects of a photograph that is turned into masks: fifty objects that cover twelve
megapixels."""

MAX_MASK_OBJECTS: Final = 50_000
"""Separate parts of a mask. All masks of the 81 photographs of IDRiD have 17,270."""

MAX_TABLE_BYTES: Final = 512 * 2**20
"""Largest label table: a million rows of 500 characters."""

MAX_TABLE_ROWS: Final = 5_000_000
"""Rows of a label table. A screening programme reads about 100,000 photographs a night."""

MAX_TABLE_LINES: Final = MAX_TABLE_ROWS + 1_000_000
"""Lines of a label table, blank ones and those within cells included."""

MAX_TABLE_COLUMNS: Final = 4_096
"""Columns of a label table. The widest in the field, from questionnaires, have some hundreds."""

MAX_TABLE_CELLS: Final = 50_000_000
"""Rows times columns of a label table: ten columns of the most rows. A cell takes 50 bytes or
more."""

MAX_WORKBOOK_RATIO: Final = 250
"""Bytes of a workbook, unpacked, for a byte of its file. Its XML compresses to a tenth, that of one
repeated row to a hundredth."""

MAX_WORKBOOK_BYTES: Final = 128 * 2**20
"""Bytes of a workbook, unpacked: 300,000 rows of ten cells. Larger tables are CSV or Parquet."""

MAX_WORKBOOK_BLANKS: Final = 250_000
"""Blank cells at the ends of a workbook's rows, all together: fifteen rows that are coloured in the
whole width of the sheet."""

MAX_ANNOTATION_BYTES: Final = 256 * 2**20
"""Largest annotation file (XML, JSON). The 17,270 objects of IDRiD with their masks take 7 MB as
CVAT XML, and 163 MB as Label Studio brush strokes, which encode the whole photograph."""

MAX_NAME_CHARACTERS: Final = 255
"""Longest file name that is copied into a result (the bound of common file systems)."""

MAX_PATH_CHARACTERS: Final = 4_096
"""Longest path in a list of photographs (the bound of Linux)."""

MAX_BUNDLE_JSON_BYTES: Final = 1 * 2**20
"""Largest ``bundle.json``. Those that ship have 6 to 110 kB."""

MAX_CARD_BYTES: Final = 1 * 2**20
"""Largest ``card.md``. Those that ship have 6 to 17 kB."""

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
"""Kinds of lesion that a detector may find. The one that ships has six."""

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
