"""Entities and references to other files, which no XML of annotations needs.

The rules are those of defusedxml. Its own parser calls Python for each element, which takes ten
times as long as parsing in C, so the file is parsed once for these rules and once for its elements.
"""

from __future__ import annotations

from xml.parsers import expat

from defusedxml import EntitiesForbidden, ExternalReferenceForbidden


def reject(data: bytes) -> None:
    """Reject an XML document that declares entities or refers to other files.

    Raises:
        DefusedXmlException: it does.
        ExpatError: it is not well-formed.
        LookupError, ValueError: its encoding is not known.
    """

    def entity(*declared: object) -> None:
        raise EntitiesForbidden(*declared[:1], *([None] * 5))

    def reference(*_named: object) -> int:
        raise ExternalReferenceForbidden(*([None] * 4))

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = entity
    parser.UnparsedEntityDeclHandler = entity
    parser.ExternalEntityRefHandler = reference
    parser.Parse(data, True)
