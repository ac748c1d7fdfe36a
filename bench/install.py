"""What the README's first command costs: megabytes, seconds to import, a cold reading, memory.

    python bench/install.py [--runs 5]

Makes a fresh environment in a temporary folder with nothing but the core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    """Exit code, seconds and peak MiB of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *command], capture_output=True, check=True, text=True
    )
    code, seconds, peak = json.loads(done.stdout)
    return code, seconds, peak


def spread(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5)
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
        print(f"import fundoscope: {spread(imported, 's')} in all, {alone:.3f} s without Python")
        photograph = ROOT / "examples" / "moderate-clipped.jpg"
        native = ROOT.parent / "shared/data/lesions/idrid/JPEGImages/IDRiD_01.jpg"
        for path in (photograph, native):
            if path.is_file():
                runs = [once([program, "read", str(path)]) for _ in range(args.runs)]
                print(
                    f"read {path.name}, cold: {spread([r[1] for r in runs], 's')},"
                    f" peak {spread([r[2] for r in runs], 'MiB')}, exit {runs[0][0]}"
                )


def size(folder: Path) -> float:
    """Megabytes of all files below a folder, links not followed."""
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
