"""What ``fundoscope doctor`` looks at: each check returns what it found and raises nothing."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from fundoscope.batch.versions import CORE_LIBRARIES, installed
from fundoscope.cli.extras import EXTRAS
from fundoscope.errors import FundoscopeError

OLDEST_PYTHON: Final = (3, 11)
IMPORT_NAMES: Final = {"pillow": "PIL"}
"""Where a package of the core is imported by another name than the one that pip knows."""
IMPORT_SECONDS: Final = 120
"""After this an import counts as failed; torch takes a minute from a cold, slow disk."""

State = Literal["ok", "absent", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: what was looked at.
        state: ``ok``, ``absent`` (not installed) or ``failed``.
        detail: version, size or what is wrong, on one line.
        needed: whether reading photographs depends on it.
    """

    name: str
    state: State
    detail: str
    needed: bool


def examine() -> list[Finding]:
    """Run all checks, the cheap ones first."""
    return [_python(), _processors(), *_core(), *_extras(), *_bundles(), _inference()]


def _python() -> Finding:
    state: State = "ok" if sys.version_info >= OLDEST_PYTHON else "failed"
    where = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", state, where, needed=True)


def _processors() -> Finding:
    return Finding("processors", "ok", f"{os.cpu_count() or 1}", needed=True)


def _core() -> Iterator[Finding]:
    for package in CORE_LIBRARIES:
        version = installed(package)
        if version is None:
            yield Finding(package, "absent", "not installed", needed=True)
            continue
        module = IMPORT_NAMES.get(package, package)

        def load(module: str = module, version: str = version) -> str:
            importlib.import_module(module)
            return version

        yield _tried(package, load, needed=True)


def _extras() -> Iterator[Finding]:
    for extra, parts in EXTRAS.items():
        missing = [package for package in parts if installed(package) is None]
        name = f"extra [{extra}]"
        if missing:
            remedy = f'pip install "fundoscope[{extra}]"'
            yield Finding(name, "absent", f"lacks {', '.join(missing)}; {remedy}", needed=False)
        else:
            yield _import_apart(name, parts)


def _import_apart(name: str, parts: dict[str, str]) -> Finding:
    """Import packages in a process of their own, which a broken one may take down."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {', '.join(parts.values())}"],
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        detail = f"importing took more than {IMPORT_SECONDS} s"
        return Finding(name, "failed", detail, needed=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Finding(name, "failed", said[-1], needed=False)
    versions = ", ".join(f"{package} {installed(package)}" for package in parts)
    return Finding(name, "ok", versions, needed=False)


def _bundles() -> Iterator[Finding]:
    from fundoscope.models import bundle

    for task in bundle.MANIFESTS:

        def verify(task: str = task) -> str:
            manifest = bundle.load(bundle.shipped(task)).manifest
            return f"{manifest.name}, sha256 {manifest.model_sha256[:12]}, verified"

        yield _tried(f"bundle {task}", verify, needed=True)


def _inference() -> Finding:
    def read_a_phantom() -> str:
        from fundoscope import phantom
        from fundoscope.reader import Reader

        pixels, _ = phantom.draw(phantom.PhantomSpec(width=640, height=480, grade=0))
        reader = Reader()
        begun = time.perf_counter()
        reading = reader.read(pixels)
        took = time.perf_counter() - begun
        if reading.grade.icdr is None:
            raise FundoscopeError("a phantom", "was not graded", "install fundoscope again")
        return f"a phantom was graded and looked through for lesions in {took * 1000:.0f} ms"

    return _tried("inference", read_a_phantom, needed=True)


def _tried(name: str, check: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(name, "ok", check(), needed)
    except Exception as error:  # noqa: BLE001
        # Whatever a broken installation throws is what a doctor is there to report.
        detail = str(error) if isinstance(error, FundoscopeError) else f"{error!r}"
        return Finding(name, "failed", detail, needed)
