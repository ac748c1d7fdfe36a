"""What people expect before they train: shipped configurations, a dry run, clear errors."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fundoscope.cli import main
from fundoscope.train.detection import checks as detector_configs
from fundoscope.train.grading import config as configs
from fundoscope.train.landmarks import config as landmarks_configs
from fundoscope.train.run import memory, recipes
from fundoscope.train.run.plan import Stage


@pytest.fixture
def command(capsys):
    def run(*arguments):
        capsys.readouterr()
        code = main.run(["train", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_configurations_are_listed_and_printed(command):
    code, out, _ = command("config")
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == list(recipes.names())
    for name in recipes.names():
        code, out, _ = command("config", name)
        assert code == 0
        assert out == recipes.text(name)
        assert "shared" not in out
        tomllib.loads(out)
    code, _, err = command("config", "mystery")
    assert code == 2
    assert "name one of detector, grader, landmarks, small-grader" in err


@pytest.mark.parametrize("name", recipes.names())
def test_each_configuration_is_valid(name):
    readers = {"detector": detector_configs, "landmarks": landmarks_configs}
    reader = readers.get(name, configs)
    assert reader.read_config(recipes.path(Path(name)))


@pytest.mark.parametrize("task", ["grader", "detector"])
def test_a_training_without_data_names_the_option(task, command):
    code, _, err = command(task, task)
    assert code == 2
    assert err == "the configuration: does not name any data; name it with --data\n"


def test_a_dry_run_says_what_would_be_trained(config, save_config, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    toml = save_config(config)
    table = config.data.manifest
    code, out, err = command("grader", toml, "--data", table, "--dry-run", "--epochs", 3)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("train: ")
    assert "grade 0: " in lines[0]
    assert lines[1].startswith("val: ")
    assert lines[2].startswith(f"network: {config.network.name}, ")
    assert sum(int(count) for count in re.findall(r"stage \d: (\d) epoch", out)) == 3
    assert lines[-1] == "nothing was trained (--dry-run)"
    assert set(tmp_path.rglob("*")) <= {*before, toml}


def test_a_dry_run_refuses_what_the_training_refuses(
    config, save_config, tmp_path, command, monkeypatch
):
    two_sizes = configs.replaced(
        config, stages=(Stage(32, 1), Stage(48, 1)), network={"name": "sequential"}
    )
    words = ("grader", save_config(two_sizes), "--data", config.data.manifest, "--dry-run")
    code, _, err = command(*words)
    assert (code, err.count("\n")) == (2, 1)
    assert "sequential: does not take pictures of 32x32" in err
    monkeypatch.setattr(memory, "available", lambda: 1000)
    code, _, err = command(*words)
    assert code == 2
    assert "0.0 GB are free; choose a smaller input" in err


def test_with_other_data_the_settings_of_the_own_table_are_named(config, save_config, command):
    toml = save_config(configs.replaced(config, data={"unmarked": ("odir",)}))
    code, _, err = command("grader", toml, "--data", config.data.manifest, "--dry-run")
    assert code == 0
    assert err == "with --data, the configuration's unmarked do not apply\n"


def test_epochs_and_minutes_contradict(config, save_config, command):
    code, _, err = command("grader", save_config(config), "--epochs", 2, "--minutes", 5)
    assert code == 2
    assert "--epochs: contradicts --minutes" in err


@pytest.mark.parametrize(
    ("epochs", "shared"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (4, [1, 1, 2]), (18, [6, 6, 6])]
)
def test_stages_share_the_epochs(config, epochs, shared):
    stages = tuple(Stage(size, 3) for size in (32, 48, 64))
    three = configs.replaced(config, stages=stages)
    chosen = configs.with_epochs(three, epochs)
    assert [stage.epochs for stage in chosen.stages] == shared
    assert chosen.stages[-1].size == 64


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed = 1\n\n[data]\nmanifest = 3\n", 4),
        ('seed = 1\n[data]\nmanifes = "a"\n', 3),
        ('[data]\nmanifest = "a"\n[[stages]]\nsize = "wide"\nepochs = 1\n', 4),
        ("seed = 1\n[data\n", 2),
        ('seed = "one"\n[data]\nmanifest = "a"\n[[stages]]\nsize = 3\nepochs = 1\n', 1),
    ],
)
def test_errors_of_a_configuration_name_the_line(text, line, tmp_path, command):
    (tmp_path / "my.toml").write_text(text)
    code, _, err = command("grader", tmp_path / "my.toml", "--data", "labels.csv")
    assert code == 2
    assert err.startswith(f"my.toml, line {line}: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"\xff", b"a = " + b"[" * 100_000, b"seed = " + b"1" * 5000])
def test_a_hostile_configuration_is_one_line(content, tmp_path, command):
    (tmp_path / "my.toml").write_bytes(content)
    code, _, err = command("grader", tmp_path / "my.toml")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert len(err) < 600
