"""CVAT's XML "for images", version 1.1."""

from __future__ import annotations

from typing import Final

from fundoscope.data.annotations.cvat.document import FILE, ROOT
from fundoscope.data.annotations.cvat.read import read_cvat
from fundoscope.data.annotations.cvat.write import HOLDS, write_cvat
from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.signs import xml_signs

CVAT: Final = Format(
    name="cvat",
    read=read_cvat,
    write=write_cvat,
    holds=HOLDS,
    files=xml_signs(ROOT),
    written=(FILE,),
)
