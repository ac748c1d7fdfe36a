"""What does each bomb cost, a file that is made to take far more time or memory than it looks?

    python bench/bombs.py [--only WORD] [--quick] [--folder DIR] [--json FILE]

The bombs of `tests/hostile/made` are made in a temporary folder. Each is used in a process of its
own, which is ended after 20 s. Printed are processor time, memory beyond that of the idle process,
and what came of it. The bounds are 2 s and 500 MB, for bombs whose header lies 0.2 s and 100 MB.
Exits with 1 if one goes beyond them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from arguments import parser_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "hostile"))

from made import everything
from made.bomb import Bomb
from made.measuring import Cost, cost

MAKING_S = 120
"""Seconds that a bomb may take to be made."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", default="", help="a part of the names to use")
    parser.add_argument("--folder", type=Path, help="keep the bombs here")
    parser.add_argument("--quick", action="store_true", help="leave out those slow to make")
    parser.add_argument("--json", type=Path, help="write what each cost into this file")
    arguments = parser.parse_args()
    everything.warm_up()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        bombs = [
            bomb
            for bomb in everything.bombs()
            if arguments.only in bomb.name and not (arguments.quick and bomb.slow_to_make)
        ]
        costs = {bomb.name: _cost(bomb, folder, keep=bool(arguments.folder)) for bomb in bombs}
    if arguments.json:
        arguments.json.write_text(json.dumps({name: asdict(each) for name, each in costs.items()}))
    wrong = sum(not everything.within(bomb, costs[bomb.name]) for bomb in bombs)
    print(f"{len(bombs)} bombs, {wrong} beyond their bounds")
    sys.exit(wrong > 0)


def _cost(bomb: Bomb, folder: Path, *, keep: bool) -> Cost:
    """Use a bomb, and print its cost."""
    path = folder / bomb.name
    if not path.is_symlink() and not path.exists():
        # In a fork too, so that this process stays small.
        made = cost(lambda: bomb.make(path), deadline_s=MAKING_S)
        assert made.outcome == "done", made
    spent = cost(lambda: bomb.use(path))
    _print(bomb, spent, "" if everything.within(bomb, spent) else "  BEYOND ITS BOUNDS")
    if not keep:
        everything.remove(path)
    return spent


def _print(bomb: Bomb, spent: Cost, mark: str) -> None:
    print(
        f"{bomb.name:46} {spent.seconds:7.2f} s {spent.mebibytes:8.0f} MiB  {spent.outcome}"
        f" {spent.detail[:90]}{mark}",
        flush=True,
    )


if __name__ == "__main__":
    main()
