"""Lets the tests of this folder, and the benches, import the generators of hostile files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
