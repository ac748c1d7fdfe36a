"""The wheel and the sdist hold what they should, by the lists of files that the build makes."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
SHIPPED = {
    path.relative_to(SOURCE).as_posix()
    for path in (SOURCE / "fundoscope").rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc")
}
"""What works without a line of Python in it: weights, rule sets, pages, languages."""
MAX_WHEEL_BYTES = 32 * 2**20
"""Two bundles of 16 and 12 MiB at most, and the code."""


def files_of(kind: str) -> dict[str, Path]:
    """The files of a distribution (``"wheel"`` or ``"sdist"``): their names in it and on disk."""
    builders = pytest.importorskip(f"hatchling.builders.{kind}")
    builder = {"wheel": "WheelBuilder", "sdist": "SdistBuilder"}[kind]
    included = getattr(builders, builder)(str(ROOT)).recurse_included_files()
    return {Path(file.distribution_path).as_posix(): Path(file.path) for file in included}


def modules() -> set[str]:
    return {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}


def test_the_wheel_is_the_package_and_nothing_else() -> None:
    files = files_of("wheel")
    assert files.keys() >= modules() | SHIPPED
    assert all(name.startswith("fundoscope/") for name in files)
    assert sum(path.stat().st_size for path in files.values()) < MAX_WHEEL_BYTES


def test_the_sdist_has_all_that_its_tests_read() -> None:
    files = files_of("sdist")
    assert files.keys() >= {f"src/{name}" for name in modules() | SHIPPED}
    assert files.keys() >= {
        path.relative_to(ROOT).as_posix()
        for folder in ("tests", "examples", "configs", "bench", "scripts", "docs", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not passing(path)
    }
    assert files.keys() >= {
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "SECURITY.md",
        "WEIGHTS-LICENCE.md",
    }


def passing(path: Path) -> bool:
    """Whether a file comes and goes: caches, and what runs of tests and benchmarks leave."""
    return any(
        part.startswith((".pytest", ".ruff", ".mypy", ".hypothesis", ".coverage"))
        or part in {"__pycache__", "out", "runs", "cache", "packs", "build", "dist", "htmlcov"}
        for part in path.relative_to(ROOT).parts
    )


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_nothing_stray_is_packed(kind: str) -> None:
    endings = {Path(name).suffix for name in files_of(kind)}
    assert not endings & {".pyc", ".pt", ".ckpt", ".h5", ".keras", ".zip", ".log"}
