"""The errors that fundoscope raises, each a sentence for the person who has to act.

FundoscopeError            exit 1   something failed that the caller could not foresee
├── UsageError             exit 2   the command or the call was wrong
│   ├── MissingExtraError  exit 2   an optional part is not installed
│   ├── TableError         exit 2   a label table or manifest is wrong (line and column named)
│   └── BundleError        exit 2   a model bundle is missing or damaged, or its hash is wrong
├── ConnectionLostError    exit 1   a cluster, store or drive cannot be reached; 130 during read
├── OutputError            exit 1   a result could not be written
│   └── ExistsError        exit 2   it exists already, and nobody asked to replace it
└── PhotoError             exit 3   a file cannot be read as a photograph
"""

from __future__ import annotations

from typing import Final

from fundoscope.quoting import shortened

LONGEST_PART: Final = 4_000
"""Characters of each part of a message: enough for a list of files, too few to flood a terminal."""


class FundoscopeError(Exception):
    """Base of every error that fundoscope raises on purpose.

    Attributes:
        what: the file, option or value that is wrong, as the user knows it.
        why: what is wrong with it.
        remedy: what to do about it.
        exit_code: of the command that ends with this error.
    """

    exit_code = 1

    def __init__(self, what: str, why: str, remedy: str) -> None:
        """Describe what is wrong.

        Args:
            what: the file, option or value that is wrong, as the user knows it.
            why: what is wrong with it.
            remedy: what to do about it.
        """
        self.what = what
        self.why = why
        self.remedy = remedy
        super().__init__(what, why, remedy)

    def __str__(self) -> str:
        """One line: ``what: why; remedy``."""
        parts = (shortened(part, LONGEST_PART) for part in (self.what, self.why, self.remedy))
        return "{}: {}; {}".format(*parts)


class UsageError(FundoscopeError):
    """The command line or the call was wrong; nothing was computed."""

    exit_code = 2


class MissingExtraError(UsageError):
    """An optional part of fundoscope is needed but not installed."""

    def __init__(self, feature: str, extra: str, *, otherwise: str = "") -> None:
        """Name what was asked for and how to install its part.

        Args:
            feature: what was asked for, e.g. ``"fundoscope evaluate"``.
            extra: the name of the extra in ``pyproject.toml``.
            otherwise: what can be done without it.
        """
        remedy = f'install it with: pip install "fundoscope[{extra}]"'
        super().__init__(
            feature,
            f"needs the optional part [{extra}]",
            f"{remedy}; or {otherwise}" if otherwise else remedy,
        )


class TableError(UsageError):
    """A label table or manifest is wrong; ``what`` names the file, line and column."""


class BundleError(UsageError):
    """A model bundle is missing or damaged, or its model does not match its hash."""


class ConnectionLostError(FundoscopeError):
    """A cluster, store or drive cannot be reached any more. What was read is kept."""


class OutputError(FundoscopeError):
    """A result could not be written: the disk is full, or there is no permission."""


class ExistsError(OutputError):
    """A result exists already, and nobody asked to replace it. Nothing was computed."""

    exit_code = UsageError.exit_code


class PhotoError(FundoscopeError):
    """A file cannot be read as a photograph; when a folder is read, the other files are still read.

    Attributes:
        code: a short, stable word for tables and programs, e.g. ``"truncated"``.
    """

    exit_code = 3

    def __init__(self, what: str, why: str, remedy: str, *, code: str) -> None:
        """Describe what is wrong with the file.

        Args:
            what: the file's name.
            why: what is wrong with it.
            remedy: what to do about it.
            code: a short, stable word for tables and programs, e.g. ``"truncated"``.
        """
        super().__init__(what, why, remedy)
        self.code = code
