"""The scripts for a lent machine, with a Python that only tells what it is asked to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from fundoscope.train.grading import config as configs
from fundoscope.train.pack import pack
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop

SCRIPTS = Path(__file__).parents[2] / "scripts"
PYTHON = r"""#!/usr/bin/env bash
# Stands in for Python: every step is told, nothing is computed.
set -eu
echo "$*" >>"$CALLS"
case "$1${2:+ $2}${3:+ $3}${4:+ $4}" in
  -) cat >/dev/null; [ -f "$CALLS.installed" ] || echo "${LACKING:-}" ;;
  "-m pip install"*) touch "$CALLS.installed" ;;
  -c*) echo 3.12 ;;
  "-m zipfile"*) shift 3; cat "${@:2}" >"$1" ;;
  "-m fundoscope train export")
    [ -z "${FAILING:-}" ] || { echo "differs from torch"; exit 1; }
    [ "${7:-}" = --overwrite ] || { echo "exists already"; exit 1; }
    mkdir -p "$6"
    for name in bundle.json bundle.sha256 card.md model.onnx; do cp "$5/best.pt" "$6/$name"; done
    echo "validation, together: $(cat "$5/best.pt")"
    ;;
  "-m fundoscope train"*)
    for epoch in $EPOCHS; do
      echo "epoch $epoch" | tee "$RUN/best.pt"
      echo "{}" >>"$RUN/metrics.jsonl"
      echo "{}" >"$RUN/budget.json"
      sleep 1.2
    done
    exit "${CODE:-0}"
    ;;
  "- "*) cat >/dev/null; cp "$2" "$3" ;;
  *) exit 70 ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """Runs a script with the Python that tells; what came of it, and what was asked of Python."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / "pack.zip").write_bytes(b"")
    paths = {name: str(tmp_path / name.lower()) for name in ("CALLS", "OUT", "RUN", "CACHE")}

    def run(name="gpu_grader.sh", minutes="5", **settings):
        settings = {"EPOCHS": "1 2", "PYTHON": str(python), **paths, **settings}
        command = [SCRIPTS / name, tmp_path / "pack.zip", minutes]
        environment = {**os.environ, **settings}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done, (tmp_path / "calls").read_text()

    return run


@pytest.mark.parametrize("name", [path.name for path in SCRIPTS.glob("gpu_*.sh")])
def test_they_are_bash(name):
    subprocess.run(["bash", "-n", SCRIPTS / name], check=True)


@pytest.mark.parametrize("name", ["gpu_grader.sh", "gpu_detector.sh"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "two arguments"),
        (("one",), "two arguments"),
        (("no-such-pack.zip", "5"), "there is no pack no-such-pack.zip"),
        ((__file__, "soon"), "soon is not a number of minutes"),
        ((__file__, "-5"), "-5 is not a number of minutes"),
    ],
)
def test_wrong_arguments_are_refused(name, arguments, message, tmp_path):
    done = subprocess.run(
        [SCRIPTS / name, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "usage: " in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_best_bundle_comes_back_and_figures_end_the_run(machine, tmp_path):
    done, calls = machine()
    assert done.returncode == 0, done.stderr
    assert "train grader configs/grader.toml --data " in calls
    (minutes,) = re.findall(r"--minutes ([0-9.]+)", calls)
    assert 4 < float(minutes) <= 5  # less the time that the start took
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == [
        "best.pt", "budget.json", "bundle.zip", "log.txt", "metrics.jsonl", "validation.txt",
    ]  # fmt: skip
    assert (tmp_path / "out" / "bundle.zip").read_text() == "epoch 2\n" * 4
    assert (tmp_path / "out" / "best.pt").read_text() == "epoch 2\n"
    assert (tmp_path / "out" / "metrics.jsonl").read_text() == "{}\n{}\n"
    assert "validation, together: epoch 2" in done.stdout


def test_called_again_it_brings_what_there_is_first(machine, tmp_path):
    machine(name="gpu_detector.sh", EPOCHS="1")
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    done, calls = machine(name="gpu_detector.sh", EPOCHS="")
    assert done.returncode == 0
    assert (tmp_path / "out" / "bundle.zip").read_text() == "epoch 1\n" * 4
    assert calls.count("train export") == 1
    assert calls.count("train detector configs/detector.toml") == 2
    assert "validation, together: epoch 1" in done.stdout


def test_an_export_that_fails_does_not_end_the_training_and_is_told(machine, tmp_path):
    done, _ = machine(FAILING="1")
    assert done.returncode == 1
    assert "an export failed: differs from torch" in done.stderr
    assert "the last export failed" in done.stderr
    assert "the training ended" not in done.stderr
    done, _ = machine(EPOCHS="")
    assert done.returncode == 0
    assert (tmp_path / "out" / "bundle.zip").read_text() == "epoch 2\n" * 4
    assert (tmp_path / "out" / "metrics.jsonl").is_file()


def test_a_training_that_fails_is_told(machine):
    done, _ = machine(EPOCHS="1", CODE="2")
    assert done.returncode == 2
    assert "the training ended with exit code 2" in done.stderr


def test_packages_that_are_missing_come_from_wheels_or_are_named(machine, tmp_path):
    done, calls = machine(LACKING="msgspec simplejpeg")
    assert done.returncode == 2
    assert "missing Python packages: msgspec simplejpeg" in done.stderr
    assert "--python-version 3.12" in done.stderr
    assert "fundoscope" not in calls
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "msgspec-1.whl").write_bytes(b"")
    done, calls = machine(LACKING="msgspec simplejpeg", EPOCHS="1")
    assert done.returncode == 0
    assert "--no-index --no-deps" in calls


def test_the_short_list_comes_home_as_if_trained_here(labels, recipe_text, tmp_path):
    recipe = tmp_path / "small.toml"
    table = labels.read_text().replace(",b,1", ",a,1")  # of b nothing but one photograph
    labels.write_text(table.replace("7.png,2,train,a", "7.png,2,train,b"))
    recipe.write_text(recipe_text.format(table=labels, cache=tmp_path / "c", epochs=2))
    asked = configs.read_config(recipe)
    pack.write_grader(asked, tmp_path / "p.zip")
    paths = {name: str(tmp_path / name.lower()) for name in ("OUT", "RUNS", "CACHE")}
    command = [SCRIPTS / "gpu_short_list.sh", tmp_path / "p.zip", "5", recipe, f"{recipe},b"]
    done = subprocess.run(
        command,
        env={**os.environ, **paths, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    said = (tmp_path / "out" / "small-without-b.txt").read_text()
    assert done.returncode == 0, done.stderr + said
    home = tmp_path / "home"
    for name in ("small", "small-without-b"):
        with tarfile.open(tmp_path / "out" / f"{name}.tar") as archive:
            archive.extractall(home, filter="data")
        assert len(runs.metrics(home / name)) == 2
    there = sorted(path.name for path in (home / "small").iterdir())
    assert there == sorted((runs.CONFIG, loop.BEST, runs.RUN, loop.METRICS))
    assert configs.of_run(home / "small")[0] == asked
    assert configs.of_run(home / "small-without-b")[0] == configs.without(asked, "b")
    weights = runs.best(home / "small")["network"].values()
    assert all(str(w.dtype) in ("torch.float16", "torch.int64") for w in weights)


SHORT_LIST = r"""#!/usr/bin/env bash
# Stands in for Python in a short list: every run has a best network, one cannot be brought back.
set -eu
case "$*" in
  -) cat >/dev/null ;;
  *--preview*) ;;
  "-m fundoscope train"*) mkdir -p "${@: -1}"; touch "${@: -1}/best.pt" ;;
  *"$FAILING"*) exit 1 ;;
  scripts/gpu_bring.py*) touch "$4" ;;
  *) exit 70 ;;
esac
"""


@pytest.mark.parametrize("failing", ["second", "none of them"])
def test_a_run_that_cannot_be_brought_back_is_told(tmp_path, failing):
    python = tmp_path / "python"
    python.write_text(SHORT_LIST)
    python.chmod(0o755)
    configurations = [tmp_path / f"{name}.toml" for name in ("first", "second", "third")]
    for path in (*configurations, tmp_path / "pack.zip"):
        path.touch()
    paths = {name: str(tmp_path / name.lower()) for name in ("OUT", "RUNS", "CACHE")}
    done = subprocess.run(
        [SCRIPTS / "gpu_short_list.sh", tmp_path / "pack.zip", "5", *configurations],
        env={**os.environ, **paths, "PYTHON": str(python), "FAILING": failing},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    there = {path.stem for path in (tmp_path / "out").glob("*.tar")}
    assert there == {"first", "second", "third"} - {failing}
    assert done.returncode == (failing == "second"), done.stderr
    assert ("second.toml cannot be brought back: exit code 1" in done.stderr) == done.returncode


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one", "5"), "three arguments or more"),
        (("no-such.zip", "5", "a.toml"), "there is no pack no-such.zip"),
        ((__file__, "soon", "a.toml"), "soon is not a number of minutes"),
        ((__file__, "5", "a.toml,idrid"), "there is no configuration a.toml"),
    ],
)
def test_a_short_list_that_cannot_be_meant_is_refused(arguments, message, tmp_path):
    done = subprocess.run(
        [SCRIPTS / "gpu_short_list.sh", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
