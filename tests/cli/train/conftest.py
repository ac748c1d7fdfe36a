"""The fixtures of ``tests/train``, which the tests of its commands need as well."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

if any(find_spec(name) is None for name in ("torch", "timm", "lightning")):
    collect_ignore_glob = ["*"]  # the extra [train] is not installed
else:
    fixtures = run_path(str(Path(__file__).parents[2] / "train" / "conftest.py"))
    globals().update({name: value for name, value in fixtures.items() if name[:2] != "__"})
