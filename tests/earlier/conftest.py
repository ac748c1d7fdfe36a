"""Runs and bundles of earlier versions, unpacked (see 0.1/README.md)."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
VERSION = "0.1"


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of everything that the earlier version made, as the working directory."""
    for archive in sorted((HERE / VERSION).glob("*.tar.xz")):
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """What the earlier version read and measured with them."""
    content: dict[str, Any] = json.loads((HERE / VERSION / "expected.json").read_text())
    return content
