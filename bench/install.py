"""What an installation costs: megabytes, seconds to import, a first reading, memory.

    python bench/install.py [--runs 5] [--photograph FILE]

Makes a fresh environment in a temporary folder with nothing but the core, and reads an example
photograph and FILE with it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arguments import parser_of

ROOT = Path(__file__).parent.parent
CHILD = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([done.returncode, seconds, peak]))
"""


def once(command: list[str]) -> tuple[int, float, float]:
    """Run a command in its own process: exit code, seconds and peak MiB."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *command], capture_output=True, check=True, text=True
    )
    code, seconds, peak = json.loads(done.stdout)
    return code, seconds, peak


def spread(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--photograph", type=Path, help="a further one to read")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        environment = Path(temporary) / "venv"
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        before = size(environment)
        subprocess.run([environment / "bin" / "pip", "install", "-q", ROOT], check=True)
        print(f"installed in {time.perf_counter() - start:.0f} s")
        print(f"size: {size(environment):.0f} MB, of which pip itself {before:.0f} MB")
        python, program = (str(environment / "bin" / name) for name in ("python", "fundoscope"))
        torch = once([python, "-c", "import torch"])[0]
        print("torch is installed" if torch == 0 else "torch is not installed")
        nothing = [once([python, "-c", "pass"])[1] for _ in range(args.runs)]
        imported = [once([python, "-c", "import fundoscope"])[1] for _ in range(args.runs)]
        alone = max(0.0, statistics.median(imported) - statistics.median(nothing))
        print(f"import fundoscope: {spread(imported, 's')} in all, {alone:.3f} s of its own")
        example = ROOT / "examples" / "moderate-clipped.jpg"
        for path in (example, args.photograph):
            if path is not None:
                runs = [once([program, "read", str(path)]) for _ in range(args.runs)]
                print(
                    f"read {path.name}, cold: {spread([r[1] for r in runs], 's')},"
                    f" peak {spread([r[2] for r in runs], 'MiB')}, exit {runs[0][0]}"
                )


def size(folder: Path) -> float:
    """Sum up the files below a folder in megabytes, without following links."""
    return (
        sum(
            (Path(top) / name).lstat().st_size
            for top, _, names in os.walk(folder)
            for name in names
        )
        / 1e6
    )


if __name__ == "__main__":
    main()
