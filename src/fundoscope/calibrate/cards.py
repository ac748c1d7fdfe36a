"""Names and cards of bundles that were fitted to photographs after training."""

from __future__ import annotations

import re
from typing import Final

SUFFIX: Final = "-calibrated"
"""What is added to the name of a bundle that is fitted."""


def new_name(given: str, chosen: str | None) -> str:
    """The name of a fitted bundle.

    Args:
        given: of the bundle that was fitted.
        chosen: by the user; ``None``: the given one with :data:`SUFFIX`, once.
    """
    return chosen or f"{given.removesuffix(SUFFIX)}{SUFFIX}"


def renamed(card: str, name: str) -> str:
    """A card under a new name.

    Args:
        card: Markdown whose first line is the title, if it has one.
        name: the new title.
    """
    rest = card.partition("\n")[2] if card.startswith("# ") else f"\n{card}"
    return f"# {name}\n{rest}"


def with_section(card: str, section: str) -> str:
    """A card with a section at its end, in place of an earlier one of the same title.

    Args:
        card: Markdown.
        section: Markdown; its first line is a heading of the second level.
    """
    title = section.partition("\n")[0]
    earlier = re.compile(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    rest = earlier.sub("", card).rstrip("\n")
    return f"{rest}\n\n{section}"
