from __future__ import annotations

import pytest

from fundoscope.errors import (
    BundleError,
    FundoscopeError,
    MissingExtraError,
    OutputError,
    PhotoError,
    TableError,
    UsageError,
)


def test_an_error_names_the_file_the_fault_and_the_remedy() -> None:
    error = PhotoError("a.jpg", "is empty", "copy it again", code="empty")
    assert str(error) == "a.jpg: is empty; copy it again"
    assert error.code == "empty"


@pytest.mark.parametrize(
    ("kind", "code"),
    [(FundoscopeError, 1), (OutputError, 1), (UsageError, 2), (TableError, 2), (BundleError, 2)],
)
def test_exit_codes(kind: type[FundoscopeError], code: int) -> None:
    assert kind("a", "b", "c").exit_code == code


def test_a_refused_photograph_exits_with_3() -> None:
    assert PhotoError.exit_code == 3


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtraError("fundoscope evaluate", "evaluate")
    assert 'pip install "fundoscope[evaluate]"' in str(error)
    assert error.exit_code == 2
