"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2, "Characters")."""

from __future__ import annotations

import re
from typing import Final

from fundoscope.errors import OutputError

NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def require_xml(text: str, where: str) -> str:
    """The text itself, if XML can hold it.

    Args:
        text: to be written.
        where: the file, for errors.

    Raises:
        OutputError: it has a character that nothing could read back.
    """
    if NOT_IN_XML.search(text):
        raise OutputError(
            where, "would hold a character that XML cannot hold", "rename the class or file"
        )
    return text
