"""The checks of ``fundoscope doctor``. Each returns a finding and raises nothing."""

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
from fundoscope.errors import FundoscopeError, MissingExtraError
from fundoscope.models import runtime
from fundoscope.train.keras import home

OLDEST_PYTHON: Final = (3, 11)
IMPORT_NAMES: Final = {"pillow": "PIL"}
"""Packages of the core that are imported by another name than their name for pip."""
KERAS_ON_TORCH: Final = {"KERAS_BACKEND": "torch"}
IMPORT_SECONDS: Final = 120
"""After this time an import counts as failed; torch takes a minute from a slow disk."""

WIDTH, HEIGHT = 640, 480
"""Of the synthetic photograph, in pixels: small, so that the check is quick."""
HASH_SHOWN: Final = 12
"""Characters of a hash that are printed."""
MILLISECONDS: Final = 1000

State = Literal["ok", "absent", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check.

    Attributes:
        name: what was checked.
        state: ``ok``, ``absent`` (not installed) or ``failed``.
        detail: version, size or what is wrong, in one line.
        needed: whether it is needed for reading photographs.
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
    runtime.disable_telemetry()  # The libraries are imported by their names here.
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
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if installed(package) is None]
        name = f"optional part [{extra}]"
        if missing:
            remedy = MissingExtraError(name, extra).remedy
            detail = f"{', '.join(missing)} not installed; {remedy}"
            yield Finding(name, "absent", detail, needed=False)
        else:
            yield _import_separately(name, packages)


def _import_separately(name: str, packages: dict[str, str]) -> Finding:
    """Import packages in a separate process, which a broken package may crash.

    Keras is imported as fundoscope uses it: on torch, whatever its own settings say.
    """
    try:
        with home.untouched():  # One of the packages may be Keras.
            done = subprocess.run(
                [sys.executable, "-c", f"import {', '.join(packages.values())}"],
                capture_output=True,
                text=True,
                timeout=IMPORT_SECONDS,
                check=False,
                env={**os.environ, **KERAS_ON_TORCH},
            )
    except subprocess.TimeoutExpired:
        detail = f"importing took more than {IMPORT_SECONDS} s"
        return Finding(name, "failed", detail, needed=False)
    if done.returncode != 0:
        output = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Finding(name, "failed", output[-1], needed=False)
    versions = ", ".join(f"{package} {installed(package)}" for package in packages)
    return Finding(name, "ok", versions, needed=False)


def _bundles() -> Iterator[Finding]:
    from fundoscope.models import bundle

    for task in bundle.MANIFESTS:

        def verify(task: str = task) -> str:
            loaded = bundle.load(bundle.shipped(task))
            manifest, sealed = loaded.manifest, "verified" if loaded.sealed else "not sealed"
            return f"{manifest.name}, sha256 {manifest.model_sha256[:HASH_SHOWN]}, {sealed}"

        yield _tried(f"bundle {task}", verify, needed=True)


def _inference() -> Finding:
    def read_synthetic() -> str:
        from fundoscope import phantom
        from fundoscope.reader import Reader

        pixels, _ = phantom.draw(phantom.PhantomSpec(width=WIDTH, height=HEIGHT, grade=0))
        reader = Reader()
        begun = time.perf_counter()
        reading = reader.read(pixels)
        seconds = time.perf_counter() - begun
        if reading.grade.icdr is None:
            raise FundoscopeError(
                "a synthetic photograph", "was not graded", "install fundoscope again"
            )
        return f"a synthetic photograph was read in {seconds * MILLISECONDS:.0f} ms"

    return _tried("inference", read_synthetic, needed=True)


def _tried(name: str, check: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(name, "ok", check(), needed)
    except Exception as error:  # noqa: BLE001
        # A broken installation may raise anything; the check reports it.
        detail = str(error) if isinstance(error, FundoscopeError) else f"{error!r}"
        return Finding(name, "failed", detail, needed)
