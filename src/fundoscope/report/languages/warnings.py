"""The warnings of a reading in another language.

A reading has its warnings as English sentences, for every program that reads it. The English texts
whose keys begin with ``warning`` are these sentences, with names in braces in the places of values;
so the sentence identifies its key, and the key has a text in every language.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import Final

from fundoscope.report.languages import Language, language

WARNING, WRONG, REMEDY = "warning", "wrong", "remedy"
SECTION_OF: Final = {"wrong": WRONG, "wrong_too": WRONG, "remedy": REMEDY}
"""The values that are translated, too, by the section of their texts."""


def translated(sentence: str, words: Language, section: str = WARNING) -> str:
    """A warning in a language; a sentence of another version stays in English.

    Args:
        sentence: of a reading, in English.
        words: the language.
        section: the beginning of the keys of the texts that it can be.
    """
    for key, pattern in _patterns(section):
        match = pattern.fullmatch(sentence)
        if match:
            values = {
                name: translated(value, words, SECTION_OF[name]) if name in SECTION_OF else value
                for name, value in match.groupdict().items()
            }
            return words.say(key, **values)
    return sentence


@cache
def _patterns(section: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Key and pattern of each English text of a section, in the order of the file."""
    texts = language().texts.items()
    return tuple((key, _pattern(text)) for key, text in texts if key.startswith(f"{section}."))


def _pattern(text: str) -> re.Pattern[str]:
    """What matches an English text with any values."""
    parts = Formatter().parse(text)
    return re.compile(
        "".join(
            re.escape(before) + (f"(?P<{name}>.+?)" if name else "") for before, name, *_ in parts
        )
    )
