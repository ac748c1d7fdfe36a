"""What tests of several packages share: eye photographs, a reader without network, the command,
manifests of bundles."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from fundoscope.cli import main
from fundoscope.kinds import LESIONS
from fundoscope.models.bundle import DetectorManifest, GraderManifest, TrainedOn
from fundoscope.photo.decode import Photo, decode_file
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Grade,
    Lesion,
    LesionSummary,
    ModelUsed,
    OpticDisc,
    Quality,
    Reading,
    Referable,
)

# A shell lets its background commands ignore these, and the tests may run in the background.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(
            _number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        )

# How long an example takes depends on what else the machine does; it says nothing about the code.
settings.register_profile("fundoscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fundoscope")

ROOT = Path(__file__).parents[1]
ALONE = ("unshare", "--net")
"""Runs a command in a network namespace of its own, without any network."""
INTERNET = re.compile(r"AF_INET|sendto\(\d+, .*AF_INET")
TALKING = re.compile(r"\b(?:connect|bind|send\w+)\(.*AF_INET")
"""Calls by which a socket of the internet, once opened, is used."""
FONT_CACHE = re.compile(r"\.cache/matplotlib/|\.config/matplotlib/")
"""What matplotlib leaves: a list of the fonts of this machine."""

MODEL = ModelUsed("grading", "fake-1", "f" * 64)
DETECTOR = ModelUsed("detection", "fake-detector-1", "d" * 64)
THRESHOLD = 0.4


def eye_pixels(width: int = 160, height: int = 120) -> np.ndarray:
    """A reddish disc on black, ``uint8 (H, W, 3)``."""
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(x - width / 2, y - height / 2) < 0.45 * height
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[inside] = (180, 90, 40)
    return pixels


def encoded(pixels: np.ndarray, suffix: str, **options: Any) -> bytes:
    """An image file's bytes in the format of a suffix, e.g. ``"png"``."""
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "tif": "TIFF", "tiff": "TIFF"}[suffix]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def save_eye() -> Callable[..., Path]:
    """Write an eye photograph, in the format of its suffix, and return its path.

    ``shade`` changes the bytes, so that photographs can differ.
    """

    def save(path: Path, *, shade: int = 0, width: int = 160, height: int = 120) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = eye_pixels(width, height)
        pixels[:4, :4] = shade
        path.write_bytes(encoded(pixels, path.suffix.lstrip(".").lower()))
        return path

    return save


class FakeReader:
    """Grades by the file's name: ``g3`` in it means grade 3, ``noeye`` that no field is found.

    ``lesions`` in it puts lesions there, see :func:`with_lesions`; ``poor`` means that the
    photograph is not gradable, ``overexposed`` that no lesion can be seen on it.
    """

    models = (MODEL,)
    lesion_thresholds: dict[str, float] = {"haemorrhage": 0.5}  # noqa: RUF012
    made: list[FakeReader] = []  # noqa: RUF012

    def __init__(
        self,
        grader: str | Path | None = None,
        detector: str | Path | None = None,
        *,
        lesions: bool = True,
        threads: int = 1,
        referable_threshold: float | None = None,
        providers: Sequence[str] | None = None,
        rules: Sequence[str] = ("icdr",),
        force: bool = False,
        heat_map: bool = False,
    ) -> None:
        self.rules = rules
        self.referable_threshold = referable_threshold
        self.providers = providers
        self.grader = grader
        self.detector = detector
        self.lesions = lesions
        self.threads = threads
        self.force = force
        self.heat_map = heat_map
        FakeReader.made.append(self)

    def examine(self, source: str | Path, *, eye: str | None = None) -> tuple[Photo, Reading]:
        photo, stem = decode_file(source), Path(source).stem
        reading = reading_of(photo, stem)
        return photo, with_lesions(reading) if "lesions" in stem and self.lesions else reading


def with_lesions(reading: Reading) -> Reading:
    """With two haemorrhages, no exudate, an optic disc; too small for microaneurysms."""
    known = {
        "microaneurysm": LesionSummary("microaneurysm", False, "photograph_too_small"),
        "haemorrhage": LesionSummary("haemorrhage", True, None, 2, 200.0, 0.3),
        "hard_exudate": LesionSummary("hard_exudate", True, None, 0, 0.0, 0.0),
    }
    return replace(
        reading,
        lesions=(
            Lesion("haemorrhage", (60.2, 40.4, 70.4, 50.6), 0.91234),
            Lesion("haemorrhage", (80.0, 60.0, 90.0, 70.0), 0.75),
        ),
        lesion_summary=tuple(
            known.get(kind, LesionSummary(kind, False, "unknown_to_detector")) for kind in LESIONS
        ),
        models=(MODEL, DETECTOR),
        anatomy=Anatomy(OpticDisc(True, (90.0, 50.0, 110.0, 70.0), (100.0, 60.0), 20.0, 0.99)),
    )


def reading_of(photo: Photo, stem: str) -> Reading:
    """The reading that a name asks for."""
    facts = photo.facts
    blank = Reading(
        facts,
        FieldOfView(False, reason="no_disc"),
        Quality(),
        Grade(),
        (),
        (MODEL,),
        photo.warnings,
        "fundoscope test",
    )
    if "noeye" in stem:
        return blank
    field = FieldOfView(True, (facts.width / 2, facts.height / 2), 0.45 * facts.height, 1.0)
    if "poor" in stem:
        return replace(blank, field=field, quality=Quality(False, ("out_of_focus",)))
    icdr = next((k for k in range(5) if f"g{k}" in stem), 0)
    p = [0.05] * 5
    p[icdr] = 0.8
    probability = sum(p[2:])
    return replace(
        blank,
        field=field,
        lesion_summary=tuple(LesionSummary(kind, False, "overexposed") for kind in LESIONS)
        if "overexposed" in stem
        else (),
        grade=Grade(
            icdr,
            (p[0], p[1], p[2], p[3], p[4]),
            sum(k * value for k, value in enumerate(p)),
            Referable(probability, probability >= THRESHOLD, THRESHOLD),
        ),
    )


@pytest.fixture
def fake_reader() -> FakeReader:
    """A reader without a network."""
    return FakeReader()


@dataclass(frozen=True)
class Said:
    """What a command said and how it left."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


@pytest.fixture
def made_readers() -> list[FakeReader]:
    """The readers that commands of a test have made so far."""
    return FakeReader.made


@pytest.fixture
def fundoscope(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """The command line with the fake reader, in this process."""
    monkeypatch.setattr("fundoscope.reader.Reader", FakeReader)
    # Processes would have a reader of their own, which no test could look at.
    monkeypatch.setattr("fundoscope.batch.engines.PROCESSES_FROM", sys.maxsize)
    FakeReader.made.clear()

    def command(*arguments: object) -> Said:
        capsys.readouterr()
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return command


ANY_BUNDLE: dict[str, Any] = {
    "opset": 18,
    "trained_on": TrainedOn(manifest_sha256="0" * 64, photographs={}, seed=1),
    "licence": "none",
    "versions": {},
}


@pytest.fixture
def grader_manifest() -> Callable[..., GraderManifest]:
    """Make the manifest of a grader's bundle, usual but for the fields that are given."""
    usual = {
        **ANY_BUNDLE,
        "name": "grader-test-1",
        "task": "grading",
        "input_size": 16,
        "head": "cumulative",
        "classes": ("0", "1", "2", "3", "4"),
        "cut_points": (0.5, 1.5, 2.5, 3.5),
        "temperature": 1.0,
        "referable_threshold": 0.5,
        "minimum_radius": 10.0,
    }

    def make(model: bytes, **fields: Any) -> GraderManifest:
        sha256 = hashlib.sha256(model).hexdigest()
        return GraderManifest(**{**usual, "model_sha256": sha256, **fields})

    return make


@pytest.fixture
def detector_manifest() -> Callable[..., DetectorManifest]:
    """Make the manifest of a detector's bundle, usual but for the fields that are given."""
    usual = {
        **ANY_BUNDLE,
        "name": "detector-test-1",
        "task": "detection",
        "input_size": 256,
        "head": "boxes",
        "classes": ("microaneurysm", "optic_disc"),
        "thresholds": {"microaneurysm": 0.5, "optic_disc": 0.9},
        "minimum_radius": {"microaneurysm": 300.0},
        "radius": 1000.0,
        "overlap": 64,
        "step": 32,
        "suppress": 0.3,
    }

    def make(model: bytes, **fields: Any) -> DetectorManifest:
        sha256 = hashlib.sha256(model).hexdigest()
        return DetectorManifest(**{**usual, "model_sha256": sha256, **fields})

    return make


@pytest.fixture
def run_alone(tmp_path: Path) -> Callable[..., None]:
    """Run a command of fundoscope in a network of its own, with an empty home folder.

    Fails if the command fails, leaves a file at home or, where strace is there, opens a socket of
    the internet.
    """
    if shutil.which(ALONE[0]) is None or subprocess.run([*ALONE, "true"], check=False).returncode:
        pytest.skip("needs unshare and the right to make a network namespace")
    home, trace = tmp_path / "home", tmp_path / "trace"
    traced = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=network", "-o", str(trace))
    watch = traced if shutil.which(traced[0]) else ()
    hidden = ("ORT_", "KERAS_HOME", "XDG_", "MPLCONFIGDIR", "TORCH_HOME", "HF_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT / "src")}

    def run(*arguments: object, unused_socket: bool = False) -> None:
        """Run the command; ``unused_socket``: one may be opened if nothing is sent by it."""
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        command = [*ALONE, *watch, sys.executable, "-m", "fundoscope", *map(str, arguments)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
        assert [path for path in left if not FONT_CACHE.search(path)] == []
        if watch:
            calls = trace.read_text(encoding="utf-8", errors="replace")
            assert (TALKING if unused_socket else INTERNET).findall(calls) == []

    return run


SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="session")
def load_script() -> Callable[[str], ModuleType]:
    """Load a script of ``scripts`` as a module, whether or not its name ends in ``.py``."""

    def load(name: str) -> ModuleType:
        title = name.removesuffix(".py")
        loader = importlib.machinery.SourceFileLoader(title, str(SCRIPTS / name))
        spec = importlib.util.spec_from_loader(title, loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[title] = module  # where dataclasses look for their types
        loader.exec_module(module)
        return module

    return load


@pytest.fixture
def few_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations draw no plots, which take most of their time, but for the marker ``plots``."""
    if "plots" in request.keywords:
        return
    for place in ("grading.results._draw", "lesions.results._draw"):
        monkeypatch.setattr(f"fundoscope.evaluate.{place}", lambda *_: None)
