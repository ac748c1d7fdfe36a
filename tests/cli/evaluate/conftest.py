"""The fixtures of ``tests/evaluate``, which the tests of its commands need as well."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

fixtures = run_path(str(Path(__file__).parents[2] / "evaluate" / "conftest.py"))
globals().update({name: value for name, value in fixtures.items() if name[:2] != "__"})
