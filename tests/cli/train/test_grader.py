"""``fundoscope train``: what a person types and sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.cli import main
from fundoscope.models import bundle as bundles
from fundoscope.phantom import PhantomSpec
from fundoscope.train.grading import config as configs
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.plan import Stage

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def native(config):
    data = {"input": "native", "crop_size": (32, 48)}
    return configs.replaced(config, data=data, stages=(Stage((32, 48), 1),))


@pytest.fixture
def command(capsys):
    """Run the command line in this process; its exit code, output and complaints."""

    def run(*arguments):
        capsys.readouterr()
        code = main.run(["train", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_train_then_export(native, save_config, tmp_path, command):
    toml, run, cache = save_config(native), tmp_path / "run", tmp_path / "elsewhere"
    options = ("--out", run, "--threads", 1, "--cache", cache)
    code, out, _ = command("grader", toml, *options)
    assert code == 0
    assert "sequential-spp: 125,060 weights" in out
    assert "pictures 12/12" in out
    assert "epoch 1 training: loss " in out
    assert "; validation: loss " in out
    assert "kappa/AUC by source: a " in out
    assert f"trained; curves: {run / 'curves.png'}" in out
    assert f"export it with: fundoscope train export {run} BUNDLE" in out
    assert (run / "curves.png").is_file()
    assert list(cache.iterdir())
    code, out, _ = command("export", run, tmp_path / "bundle", "--name", "ours-1")
    assert code == 0
    assert "largest difference of a probability" in out
    assert "validation, together: n 4" in out
    assert "native of 32x48 px" in out
    assert bundles.load(tmp_path / "bundle").manifest.name == "ours-1"
    code, _, err = command("grader", toml, "--out", run)
    assert code == 2
    assert "holds a run with another configuration" in err


def test_class_folders_and_a_bundle_at_the_end(native, save_config, labels, tmp_path, command):
    for i in range(12):
        split = "validation" if i % 3 == 0 else "train"
        folder = tmp_path / "folders" / split / str(i % 5)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / f"{i}.png", folder)
    bundle = tmp_path / "bundle"
    code, out, err = command(
        "grader", save_config(native), "--data", tmp_path / "folders", "--out", tmp_path / "run",
        "--bundle", bundle,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "validation, (not named): n 4" in out
    assert f"{bundle}: epoch 1, native of 32x48 px" in out
    assert "export it with" not in out
    trained = bundles.load(bundle).manifest.trained_on
    assert trained.photographs == {"": 8}
    assert trained.configuration["data"]["manifest"] == "folders"


def test_a_start_from_a_bundle(native, save_config, tmp_path, command):
    toml = save_config(native)
    command("grader", toml, "--out", tmp_path / "run", "--bundle", tmp_path / "bundle")
    code, _, _ = command("grader", toml, "--out", tmp_path / "two", "--init", tmp_path / "bundle")
    assert code == 0
    assert configs.of_run(tmp_path / "two")[0].network.init == str(tmp_path / "bundle")
    code, out, err = command("grader", toml, "--out", tmp_path / "x", "--init", "nonsense")
    assert (code, out) == (2, "")  # before the pictures are made, and before there is a run
    assert not (tmp_path / "x").exists()
    assert err.count("\n") == 1
    assert "nonsense: is not a file, a bundle or a known word" in err
    code, out, err = command(
        "grader", toml, "--out", tmp_path / "x", "--bundle", tmp_path / "bundle"
    )
    assert (code, out) == (2, "")  # before anything is trained
    assert not (tmp_path / "x").exists()
    assert "exists already; add --overwrite to replace it" in err


def test_one_shape_only(native, save_config, tmp_path, command):
    toml = save_config(native)
    code, _, _ = command("grader", toml, "--out", tmp_path / "run", "--only-aspect", 1.0)
    assert code == 0
    code, _, err = command("grader", toml, "--out", tmp_path / "none", "--only-aspect", 1.5)
    assert code == 2
    assert "has no photograph of grade 0, 1, 2, 3, 4" in err
    code, _, err = command("grader", toml, "--out", tmp_path / "none", "--only-aspect", -1)
    assert code == 2
    assert "data.only_aspect = -1.0: is not valid; write a positive number" in err


def test_a_preview_and_no_training(native, save_config, tmp_path, command):
    sheet = tmp_path / "sheet.png"
    run = tmp_path / "run"
    code, out, _ = command("grader", save_config(native), "--out", run, "--preview", sheet)
    assert code == 0
    assert out == f"{sheet}: drawn; check that each could be a photograph\n"
    with Image.open(sheet) as picture:
        assert picture.width > picture.height
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("grader", "none.toml"), "none.toml: cannot be read"),
        (("export", "none", "bundle"), "none: is not a run of fundoscope train"),
    ],
)
def test_misuse_is_one_line(arguments, why, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1


def test_photographs_without_a_picture_are_named(native, save_config, tmp_path, command):
    (tmp_path / "1.png").write_bytes(b"no picture")
    _, out, _ = command("grader", save_config(native), "--out", tmp_path / "run")
    assert "left out: 1.png: is not an image" in out


def test_a_missing_extra_is_reported(native, save_config, monkeypatch, command):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    code, _, err = command("grader", save_config(native))
    assert code == 2
    assert "fundoscope[train]" in err


def test_a_terminal_shows_bars(native, save_config, tmp_path, command, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    code, out, _ = command("grader", save_config(native), "--out", tmp_path / "run")
    assert code == 0
    assert "training: loss" in out


def in_processes(toml, run, *options):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "fundoscope", "train", "grader", str(toml), "--out", str(run)]
    return subprocess.run(
        [*command, "--devices", "2", *map(str, options)],
        capture_output=True, text=True, env=environment, timeout=500, check=False,
    )  # fmt: skip


@pytest.fixture
def eyes(tmp_path):
    """Twelve drawn retinas, which need no test's help to look like one."""
    lines = ["image,grade,split"]
    for i in range(12):
        pixels = phantom.draw(PhantomSpec(seed=i, width=240, height=160))[0]
        Image.fromarray(pixels).save(tmp_path / f"eye{i}.png")
        lines.append(f"eye{i}.png,{i % 5},{'val' if i % 3 == 0 else 'train'}")
    (tmp_path / "eyes.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "eyes.csv"


@pytest.mark.slow
def test_two_processes_make_one_run(native, save_config, eyes, tmp_path):
    toml = save_config(configs.replaced(native, data={"manifest": str(eyes)}))
    done = in_processes(toml, tmp_path / "run", "--bundle", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    for once in ("125,060 weights", "pictures 12/12", "epoch 1 training", "trained; curves"):
        assert done.stdout.count(once) == 1, done.stdout
    (line,) = runs.metrics(tmp_path / "run")
    assert line["step"] == 2
    assert {file.name for file in (tmp_path / "bundle").iterdir()} == {
        bundles.MODEL, bundles.MANIFEST, bundles.CARD, bundles.SEAL
    }  # fmt: skip
    bundles.load(tmp_path / "bundle")


@pytest.mark.slow
def test_two_processes_fail_as_one(native, save_config, eyes, tmp_path):
    wild = msgspec.structs.replace(
        native.optimiser, name="sgd", rate=1e30, clip=0.0, warm_up=0.0, ema=0.0
    )
    toml = save_config(
        configs.replaced(
            native, data={"manifest": str(eyes)}, optimiser=wild, head="regression",
            stages=(Stage((32, 48), 3),),
        )
    )  # fmt: skip
    done = in_processes(toml, tmp_path / "run")
    assert done.returncode == 1
    complaints = [x for x in done.stderr.splitlines() if "lower optimiser.rate" in x]
    assert len(complaints) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert json.loads((tmp_path / "run" / runs.CONFIG).read_text())
    assert not list((tmp_path / "run").glob("*.partial"))
    assert loop.read_checkpoint(tmp_path / "run" / loop.CHECKPOINT)["step"] >= 1
