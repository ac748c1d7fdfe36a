from __future__ import annotations

import platform

from fundoscope.batch.versions import CORE_LIBRARIES, installed, versions


def test_versions_name_python_and_every_library_of_the_core() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert all(found[name] for name in CORE_LIBRARIES)


def test_what_is_not_installed_has_no_version() -> None:
    assert installed("surely-not-a-package") is None
