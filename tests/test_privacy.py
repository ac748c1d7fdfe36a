"""Nothing is sent, and nothing is left in the home folder: commands in a network of their own.

Each command runs with an empty home folder, in a network namespace without any network. Where
strace is there, it must not even open a socket of the internet.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.models import runtime
from fundoscope.phantom import PhantomSpec

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "healthy-notch.jpg"
ALONE = ("unshare", "--net")
INTERNET = re.compile(r"AF_INET|sendto\(\d+, .*AF_INET")
FONT_CACHE = re.compile(r"\.cache/matplotlib/|\.config/matplotlib/")
"""What matplotlib leaves: a list of the fonts of this machine."""
ALLOWED_IMPORTERS = {"models/runtime.py"}
IMPORTS = re.compile(r"^( *)(?:import|from) onnxruntime\b", re.MULTILINE)

TINY = """
checkpoint_every = 1
threads = 1
[data]
manifest = "{table}"
cache = "{cache}"
crop_size = 48
[network]
name = "sequential-spp"
init = "none"
[optimiser]
batch = 2
[[stages]]
size = 32
epochs = 1
"""


def has_namespaces() -> bool:
    if shutil.which(ALONE[0]) is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


alone = pytest.mark.skipif(
    not has_namespaces(), reason="needs unshare and the right to make a network namespace"
)
trains = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "timm", "lightning")),
    reason="needs the extra [train]",
)
exchanges = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "keras", "h5py")),
    reason="needs the extra [keras]",
)


def run_alone(folder: Path, *arguments: object) -> None:
    """Run a command of fundoscope; fail if it fails, opens a socket or leaves a file at home."""
    home, trace = folder / "home", folder / "trace"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    traced = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace)]
    watch = traced if shutil.which("strace") else []
    hidden = ("ORT_", "KERAS_HOME", "XDG_", "MPLCONFIGDIR", "TORCH_HOME", "HF_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT / "src")}
    command = [*ALONE, *watch, sys.executable, "-m", "fundoscope", *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert [path for path in left if not FONT_CACHE.search(path)] == []
    if watch:
        assert INTERNET.findall(trace.read_text(encoding="utf-8", errors="replace")) == []


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten eyes of grades 0 to 4, and a label table with a training and a validation part."""
    folder = tmp_path_factory.mktemp("photographs")
    lines = ["image,grade,patient,split"]
    for seed in range(10):
        spec = PhantomSpec(seed=seed, width=256, height=224, grade=seed % 5)
        Image.fromarray(phantom.draw(spec)[0]).save(folder / f"{seed}.jpg", quality=95)
        lines.append(f"{seed}.jpg,{seed % 5},p{seed},{'train' if seed < 5 else 'val'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@alone
def test_reading_sends_and_leaves_nothing(tmp_path: Path) -> None:
    run_alone(tmp_path, "read", EXAMPLE, "--out", tmp_path / "out")


@alone
def test_annotating_sends_and_leaves_nothing(tmp_path: Path) -> None:
    run_alone(tmp_path, "annotate", EXAMPLE, "--out", tmp_path / "out")


@alone
@pytest.mark.slow
def test_evaluating_sends_and_leaves_nothing(photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = photographs / "labels.csv"
    run_alone(tmp_path, "evaluate", "grading", table, "--out", tmp_path / "out")


@alone
@pytest.mark.slow
def test_the_check_up_sends_and_leaves_nothing(tmp_path: Path) -> None:
    run_alone(tmp_path, "doctor")


@alone
@trains
@exchanges
@pytest.mark.slow
def test_training_and_exchanging_send_and_leave_nothing(photographs: Path, tmp_path: Path) -> None:
    config, bundle, keras = (tmp_path / name for name in ("c.toml", "bundle", "network.keras"))
    table, cache = photographs / "labels.csv", tmp_path / "cache"
    config.write_text(TINY.format(table=table, cache=cache), encoding="utf-8")
    run_alone(tmp_path, "train", "grader", config, "--out", tmp_path / "run", "--bundle", bundle)
    run_alone(tmp_path, "bundle", "to-keras", bundle, keras)


def test_one_place_imports_the_runtime() -> None:
    """Elsewhere its name may be imported for types, or once the telemetry is off."""
    package = ROOT / "src" / "fundoscope"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not IMPORTS.search(text) or path.relative_to(package).as_posix() in ALLOWED_IMPORTERS:
            continue
        before = text[: IMPORTS.search(text).start()]  # type: ignore[union-attr]
        lines = before.rstrip().splitlines()
        assert "if TYPE_CHECKING:" in before or lines[-1].strip() == "runtime.library()", path


def test_who_sets_the_variable_keeps_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(runtime.TELEMETRY, raising=False)
    runtime.library()
    assert os.environ[runtime.TELEMETRY] == "1"
    monkeypatch.setenv(runtime.TELEMETRY, "0")
    runtime.library()
    assert os.environ[runtime.TELEMETRY] == "0"
