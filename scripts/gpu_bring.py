"""A run folder of a lent machine as one file, as if it had been trained where the photographs are.

    python scripts/gpu_bring.py CONFIG RUN OUT.tar [--without SOURCE]

The configuration is the one that was asked for, without the paths that a pack put in their place;
the best network is in half precision; there is no check-point.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from pathlib import Path

import msgspec

from fundoscope.train.grading import config as configs
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, torch_files


def main() -> None:
    """Pack what a run has so far into the folder that is brought back."""
    args = arguments()
    config = configs.read_config(args.config)
    if args.without:
        config = configs.without(config, args.without)
    _, sha256 = configs.of_run(args.run)
    run = runs.Stored(runs.GRADING, msgspec.to_builtins(config), sha256)
    best = runs.best(args.run)
    best["network"] = torch_files.halved(best["network"])
    files = {
        runs.CONFIG: json.dumps(runs.content_of(run), indent=2).encode(),
        loop.BEST: torch_files.content(best),
        runs.RUN: (args.run / runs.RUN).read_bytes(),
        loop.METRICS: (args.run / loop.METRICS).read_bytes(),
    }
    with tarfile.open(args.out, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{args.run.name}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def arguments() -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", help="the source that the run was trained without")
    return parser.parse_args()


if __name__ == "__main__":
    main()
