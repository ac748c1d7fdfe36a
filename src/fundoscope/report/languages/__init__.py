"""The texts of reports and of the page in several languages, a JSON file each.

To add a language, translate ``en.json`` into a file named by its code (ISO 639-1). A text that is
missing there is shown in English.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from fundoscope.errors import UsageError
from fundoscope.quoting import quoted

ENGLISH: Final = "en"
SUFFIX: Final = ".json"
ROUNDED_AWAY: Final = 0.005
"""Half a percent; what is nearer to 0 or 1 would be rounded to it."""
MOST_DECIMALS: Final = 2
"""Of a percentage that would else look like the limit beside it."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language and its texts.

    Attributes:
        code: of ISO 639-1, e.g. ``"en"``.
        texts: by their keys; those of English where it has none of its own.
    """

    code: str
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The text of a key, with values in their places.

        Args:
            key: e.g. ``"grade.2"``. For an unknown key, as of a code of a later version, it is the
                last part of the key itself in words.
            values: the values of the names in braces in the text.
        """
        text = self.texts.get(key)
        if text is None:
            return key.partition(".")[2].replace("_", " ")
        return text.format(**values)

    def knows(self, key: str) -> bool:
        """Whether there is a text for a key."""
        return key in self.texts

    def percent(self, share: float) -> str:
        """A probability as a whole percentage; it is never 0 % or 100 %."""
        if share <= ROUNDED_AWAY:
            return self.say("percent.less")
        if share >= 1.0 - ROUNDED_AWAY:
            return self.say("percent.more")
        return self.say("percent", number=f"{share * 100:.0f}")

    def limit(self, limit: float) -> str:
        """A limit as a whole percentage; other than a probability it may be 0 % or 100 %."""
        if 0.0 < limit < 1.0:
            return self.percent(limit)
        return self.say("percent", number=f"{limit * 100:.0f}")

    def apart(self, share: float, limit: float) -> tuple[str, str]:
        """A probability and a limit, with as many decimals as tell them apart, two at most."""
        whole = self.percent(share), self.limit(limit)
        if whole[0] != whole[1]:
            return whole
        for digits in range(1, MOST_DECIMALS + 1):
            has, least = (f"{value * 100:.{digits}f}" for value in (share, limit))
            if has != least and not {float(has), float(least)} & {0.0, 100.0}:
                return self.say("percent", number=has), self.say("percent", number=least)
        return whole


def codes() -> tuple[str, ...]:
    """The codes of the languages, in alphabetical order."""
    names = (each.name for each in resources.files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


@cache
def language(code: str = ENGLISH) -> Language:
    """A language by its code.

    Raises:
        UsageError: there is no such language.
    """
    if code not in codes():
        raise UsageError(
            f"the language {quoted(code)}", "is unknown", f"choose one of {', '.join(codes())}"
        )
    return Language(code, _texts(ENGLISH) | _texts(code))


def _texts(code: str) -> dict[str, str]:
    file = resources.files(__package__) / f"{code}{SUFFIX}"
    texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return texts
