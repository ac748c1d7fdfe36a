"""What ``import fundoscope`` gives, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import fundoscope

ROOT = Path(__file__).parents[1]
PUBLIC = {"FundoscopeError", "PhotoError", "Reader", "Reading", "__version__", "draw", "read"}
SHOW = """
import sys, fundoscope
names = dir(fundoscope)
loaded = {name.partition(".")[0] for name in sys.modules}
print(*names)
print(*loaded)
"""


def test_public_names_show_before_anything_heavy_is_loaded() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, check=True
    ).stdout
    names, loaded = (set(line.split()) for line in shown.splitlines())
    assert names >= PUBLIC
    assert not loaded & {"numpy", "scipy", "onnxruntime", "PIL", "torch", "msgspec", "typer"}


def test_every_public_name_can_be_had() -> None:
    assert set(fundoscope.__all__) == PUBLIC
    assert all(getattr(fundoscope, name) is not None for name in PUBLIC)


def test_nothing_imports_the_package_itself() -> None:
    """The version comes from ``_version``: an import of the root would run upward."""
    upward = re.compile(r"^\s*(from fundoscope import .*__version__|import fundoscope$)", re.M)
    modules = (ROOT / "src" / "fundoscope").rglob("*.py")
    found = [path for path in modules if upward.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_one_version_everywhere() -> None:
    version = fundoscope.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    dated = re.search(rf"^## {re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)$", changelog(), re.M)
    assert dated is not None
    assert f'date-released: "{dated[1]}"' in citation


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
