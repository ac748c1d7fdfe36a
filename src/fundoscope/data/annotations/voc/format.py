"""Pascal VOC: an XML document a photograph, with photographs and lists of names beside."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.signs import Order, Sign, xml_signs
from fundoscope.data.annotations.voc.document import ROOT
from fundoscope.data.annotations.voc.layout import ANNOTATIONS, earlier_files
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.data.annotations.voc.segmentation import is_segmentation
from fundoscope.data.annotations.voc.write import HOLDS, write_voc


def _has_xml(path: Path) -> bool:
    return path.is_dir() and any(path.rglob("*.xml"))


VOC: Final = Format(
    name="voc",
    read=read_voc,
    read_from=read_voc,
    write=write_voc,
    holds=HOLDS,
    files=(
        Sign(Order.CONFIGURATION, is_segmentation),
        *xml_signs(ROOT),
        Sign(Order.XML_ANYWHERE, _has_xml),
    ),
    written=(ANNOTATIONS,),
    earlier=earlier_files,
    named_by_stem=True,
)
