"""What can go wrong, as sentences for the person who has to act.

FundoscopeError            exit 1   something failed that the caller could not foresee
├── UsageError             exit 2   the command or the call was wrong
│   ├── MissingExtraError  exit 2   an optional part is not installed
│   ├── TableError         exit 2   a label table or manifest is wrong (line and column named)
│   └── BundleError        exit 2   a model bundle is missing, damaged or not what its hash says
├── OutputError            exit 1   a result could not be written
└── PhotoError             exit 3   a file cannot be read as a photograph (a refusal)
"""

from __future__ import annotations


class FundoscopeError(Exception):
    """Base of every error that fundoscope raises on purpose.

    Args:
        what: the file, option or value that is at fault, as the user knows it.
        why: what is wrong with it.
        remedy: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, why: str, remedy: str) -> None:
        self.what = what
        self.why = why
        self.remedy = remedy
        super().__init__(what, why, remedy)

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.remedy}"


class UsageError(FundoscopeError):
    """The command line or the call was wrong; nothing was computed."""

    exit_code = 2


class MissingExtraError(UsageError):
    """An optional part of fundoscope is needed and not installed.

    Args:
        feature: what was asked for, e.g. ``"fundoscope evaluate"``.
        extra: the name of the extra in ``pyproject.toml``.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            feature,
            f"needs the optional part [{extra}]",
            f'install it with: pip install "fundoscope[{extra}]"',
        )


class TableError(UsageError):
    """A label table or manifest is wrong; ``what`` names the file, line and column."""


class BundleError(UsageError):
    """A model bundle is missing, damaged, or not what its hash says."""


class OutputError(FundoscopeError):
    """A result could not be written (disk full, no permission, already there)."""


class PhotoError(FundoscopeError):
    """A file that cannot be read as a photograph. The reading of a folder goes on without it.

    Args:
        code: a short stable word for tables and programs, e.g. ``"truncated"``.
    """

    exit_code = 3

    def __init__(self, what: str, why: str, remedy: str, *, code: str) -> None:
        super().__init__(what, why, remedy)
        self.code = code
