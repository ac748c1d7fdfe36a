"""Decoding texts and plain values into types, from any thread.

msgspec prepares a type when it first decodes one. It is not safe where two threads do so at once:
the process crashes (seen with msgspec 0.22 on Python 3.11). So whatever threads may decode for the
first time is decoded here, one at a time.
"""

from __future__ import annotations

import threading
from typing import Final, TypeVar

Form = TypeVar("Form")

_one_at_a_time: Final = threading.Lock()


def decoded(text: str | bytes, form: type[Form]) -> Form:
    """The value in a JSON text.

    Args:
        text: of the value.
        form: its type.

    Raises:
        msgspec.MsgspecError, ValueError, RecursionError, OverflowError: the text is not of the
            type. msgspec passes on Python's own errors for invalid UTF-8, for whole numbers of more
            than 4,300 digits and for deep nesting.
    """
    import msgspec

    with _one_at_a_time:
        return msgspec.json.decode(text, type=form)


def converted(plain: object, form: type[Form]) -> Form:
    """The value that plain dictionaries, lists, texts and numbers stand for.

    Args:
        plain: the value.
        form: its type.

    Raises:
        msgspec.ValidationError, ValueError, RecursionError: ``plain`` is not of the type.
    """
    import msgspec

    with _one_at_a_time:
        return msgspec.convert(plain, form)
