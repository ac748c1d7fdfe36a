"""Who runs a command, for the audit log of the service."""

from __future__ import annotations

import getpass
from typing import Final

MOST: Final = 64
"""Characters of a name in the audit log."""


def account() -> str:
    """The account of whoever runs the command, such as ``account:smith``."""
    try:
        return f"account:{getpass.getuser()}"[:MOST]
    except (OSError, KeyError):  # an account without a name, as in some containers
        return "account:unknown"
