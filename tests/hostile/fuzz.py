"""Coverage-guided fuzzing of one kind of file, by atheris; see ``scripts/fuzz``.

Atheris keeps the inputs that reach new lines of this project (and starts from whole files). It
stops at the first input that ends in anything but a result or a refusal, that takes longer than
2 s, or more than 1 GB, and stores it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fundoscope"]):
    import mutate

    # Imported here so that they are watched; the kinds import them late.
    import fundoscope.data.annotations.formats
    import fundoscope.data.importers.label_table
    import fundoscope.grading.rules.rulesets
    import fundoscope.models.bundle
    import fundoscope.photo.field
    import fundoscope.photo.structure.check  # noqa: F401

CASES = 200
"""Damaged files that the corpus starts from, besides the whole one."""
SLOWEST_S, MOST_MIB, LONGEST = 2, 1024, 2**20


def main() -> None:
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(description="Coverage-guided fuzzing of one kind of file.")
    parser.add_argument("target", choices=sorted(mutate.KINDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder of inputs, kept from run to run")
    arguments = parser.parse_args()
    corpus = arguments.corpus or Path(tempfile.mkdtemp(prefix="fundoscope-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    kind = mutate.KINDS[arguments.target]
    folder = Path(tempfile.mkdtemp(prefix="fundoscope-fuzz-"))
    target = kind.targets[0]
    _seed(arguments.target, target, corpus)

    def one(data: bytes) -> None:
        mutate.clear(folder)
        for path, content in mutate.whole(arguments.target).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data if path == target else content)
        outcome = mutate.use(arguments.target, folder)
        if outcome.word == "failed":
            raise AssertionError(outcome.detail)

    options = [
        f"-max_total_time={arguments.seconds}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MOST_MIB}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={corpus}{os.sep}",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def _seed(name: str, target: str, corpus: Path) -> None:
    (corpus / "whole").write_bytes(mutate.whole(name)[target])
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(CASES):
            mutate.clear(Path(temporary))
            mutate.damage(name, number, Path(temporary))
            (corpus / f"case-{number}").write_bytes((Path(temporary) / target).read_bytes())


if __name__ == "__main__":
    main()
