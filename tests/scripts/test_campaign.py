"""``scripts/campaign`` with a repository whose "training" only counts epochs."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "campaign"
TRAINER = """
import json, pathlib, sys, time, tomllib
if sys.argv[2] == "export":
    if pathlib.Path("full").exists():
        sys.exit("the disk is full")
    pathlib.Path(sys.argv[4]).mkdir(parents=True, exist_ok=True)
    (pathlib.Path(sys.argv[4]) / "bundle.json").write_text("{}")
    sys.exit()
config = tomllib.loads(pathlib.Path(sys.argv[3]).read_text())
if config.get("fails"):
    sys.exit("it fails")
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(parents=True, exist_ok=True)
lines = out / "metrics.jsonl"
hold = out.resolve().parents[1] / "hold"  # while it exists, the third epoch is the last
while (done := len(lines.read_text().splitlines()) if lines.exists() else 0) < config["epochs"]:
    time.sleep(0.2)
    while hold.exists() and done >= 3:
        time.sleep(0.05)
    with lines.open("a") as file:
        line = {"epoch": done, "score": done % 3, "average_precision": {"scar": None, "spot": 0.5}}
        file.write(json.dumps(line) + "\\n")
"""
QUEUE = """
[[run]]
name = "first"
kind = "grader"
config = "configs/first.toml"

[[run]]
name = "broken"
kind = "grader"
config = "configs/broken.toml"

[[run]]
name = "after-broken"
kind = "command"
command = ["-c", "pass"]
needs = ["broken"]

[[run]]
name = "second"
kind = "detector"
config = "configs/first.toml"
needs = ["first"]
epochs = 2
export = "end"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the script, a queue, and a training that only counts."""
    made = tmp_path / "repository"
    files = {
        "src/fundoscope/__main__.py": TRAINER,
        "src/fundoscope/__init__.py": "",
        "bench/pace.py": "print('seconds a step: 0.5')",
        "configs/campaign.toml": QUEUE,
        "configs/first.toml": 'threads = 2\nepochs = 6\nprecision = "auto"\n[data]\n',
        "configs/broken.toml": "epochs = 1\nfails = true\n",
        "pyproject.toml": "",
        "docs/.keep": "",
    }
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    (made / "scripts").mkdir()
    (made / "scripts" / "campaign").write_bytes(
        SCRIPT.read_bytes().replace(b"POLL_SECONDS: Final = 5.0", b"POLL_SECONDS: Final = 0.05")
    )
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"],
    ):
        subprocess.run(command, cwd=made, check=True)
    python = tmp_path / "home" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "home" / "venv" / "complete").touch()
    return made


def start(repository: Path, log: str = "log") -> subprocess.Popen[bytes]:
    """The script's work, in the background."""
    with (repository.parent / log).open("ab") as file:
        return subprocess.Popen(
            [sys.executable, str(repository / "scripts" / "campaign")],
            env=environment(repository),
            stdout=file,
            stderr=file,
        )


def command(repository: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command of the script."""
    done = subprocess.run(
        [sys.executable, str(repository / "scripts" / "campaign"), *arguments],
        env=environment(repository),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, done.stdout


def environment(repository: Path) -> dict[str, str]:
    return {**os.environ, "FUNDOSCOPE_CAMPAIGN": str(repository.parent / "home")}


def table(repository: Path) -> dict[str, dict[str, str]]:
    with (repository / "docs" / "campaign.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stopped_campaign_resumes_and_finishes_what_can_be_trained(repository: Path) -> None:
    home = repository.parent / "home"
    lines = home / "runs" / "first" / "metrics.jsonl"
    (home / "hold").touch()
    working = start(repository)
    wait_for(lambda: lines.is_file() and len(lines.read_text().splitlines()) >= 2)
    code, output = command(repository)
    assert (code, "already working" in output) == (1, True)
    assert command(repository, "stop") == (0, "")
    assert working.wait() == 0
    (home / "hold").unlink()
    stopped = table(repository)["first"]
    assert stopped["state"] == "stopped"
    assert 2 <= int(stopped["epoch"]) < 6
    assert command(repository)[0] == 0
    rows = table(repository)
    assert {name: row["state"] for name, row in rows.items()} == {
        "first": "done",
        "broken": "failed",
        "after-broken": "waiting",
        "second": "done",
    }
    assert (rows["first"]["epoch"], rows["first"]["best_epoch"]) == ("6", "3")
    assert rows["second"]["epochs"] == "2"
    assert int(rows["second"]["epoch"]) >= 2
    bundles = repository.parent / "home" / "bundles"
    assert sorted(path.name for path in bundles.iterdir()) == ["first", "second"]


def test_a_run_whose_export_failed_is_not_done(repository: Path) -> None:
    (repository / "full").touch()
    (repository / "configs" / "campaign.toml").write_text(
        QUEUE.partition('\n[[run]]\nname = "broken')[0]
    )
    for line in (
        ["git", "add", "-A"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "full"],
    ):
        subprocess.run(line, cwd=repository, check=True)
    command(repository)
    failed = table(repository)["first"]
    assert failed["state"] == "failed"
    for full in (repository.parent / "home" / "code").glob("*/full"):
        full.unlink()
    command(repository)
    assert table(repository)["first"]["state"] == "done"
    assert (repository.parent / "home" / "bundles" / "first" / "bundle.json").is_file()


def test_a_killed_campaign_resumes(repository: Path) -> None:
    lines = repository.parent / "home" / "runs" / "first" / "metrics.jsonl"
    working = start(repository)
    wait_for(lambda: lines.is_file())
    working.send_signal(signal.SIGKILL)
    working.wait()
    assert "not working" in command(repository, "status")[1]
    assert table(repository)["first"]["state"] == "stopped"
    assert command(repository)[0] == 0
    assert table(repository)["first"]["state"] == "done"


def test_the_source_may_change_while_a_run_trains(repository: Path) -> None:
    lines = repository.parent / "home" / "runs" / "first" / "metrics.jsonl"
    working = start(repository)
    wait_for(lambda: lines.is_file())
    assert command(repository, "stop") == (0, "")
    working.wait()
    (repository / "src" / "fundoscope" / "__main__.py").write_text("raise SystemExit(9)")
    assert command(repository)[0] == 0
    assert table(repository)["first"]["state"] == "done"


def test_a_configuration_that_is_not_committed_fails_its_run_alone(repository: Path) -> None:
    queue = repository / "configs" / "campaign.toml"
    forgotten = '[[run]]\nname = "forgotten"\nkind = "grader"\nconfig = "configs/forgotten.toml"\n'
    queue.write_text(forgotten + queue.read_text())
    assert command(repository)[0] == 0
    rows = table(repository)
    assert (rows["forgotten"]["state"], rows["first"]["state"]) == ("failed", "done")
    shutil.copy(repository / "configs" / "first.toml", repository / "configs" / "forgotten.toml")
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for step in (["add", "-A"], [*author, "commit", "-qm", "it"]):
        subprocess.run(["git", *step], cwd=repository, check=True)
    assert command(repository)[0] == 0
    assert table(repository)["forgotten"]["state"] == "done"


@pytest.fixture
def campaign(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("campaign")


def test_settings_replace_those_of_the_head_alone(campaign: ModuleType) -> None:
    text = '# a\nthreads = 2\nprecision = "auto"\nseed = 1\n[data]\nthreads = 3\n'
    changed = campaign.with_settings(text, "bf16-mixed", 1)
    assert changed.startswith('precision = "bf16-mixed"\nthreads = 1\n# a\nseed = 1')
    assert changed.endswith("[data]\nthreads = 3\n")


@pytest.mark.parametrize(
    "text",
    [
        "run = 3",
        '[[run]]\nname = "a"\nkind = "boat"',
        '[[run]]\nname = "a"\nkind = "grader"\nneeds = ["b"]',
        '[[run]]\nname = "a"\nkind = "grader"\n[[run]]\nname = "a"\nkind = "grader"',
        '[[run]]\nname = "a"\nkind = "grader"\nsurprise = 1',
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(
    campaign: ModuleType, tmp_path: Path, text: str
) -> None:
    (tmp_path / "queue.toml").write_text(text)
    with pytest.raises(campaign.CampaignError, match=r"queue\.toml"):
        campaign.read_queue(tmp_path / "queue.toml")


def test_the_queue_of_the_repository_names_configurations_that_exist(campaign: ModuleType) -> None:
    for run in campaign.read_queue(SCRIPT.parents[1] / "configs" / "campaign.toml"):
        assert run.kind == "command" or (SCRIPT.parents[1] / run.config).is_file()


def test_an_average_has_no_epoch_with_a_score(campaign: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "average"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "size": 416, "training_seconds": 9}\n')
    row = campaign.row_of(campaign.Campaign(tmp_path), campaign.Run("average", "command"))
    assert (row["epoch"], row["best_epoch"], row["score"], row["figures"]) == (0, "", "", "")


def test_the_table_keeps_the_lines_of_another_machine(
    campaign: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "TABLE", tmp_path / "campaign.csv")
    elsewhere, here = campaign.Run("elsewhere", "command"), campaign.Run("here", "command")
    home = campaign.Campaign(tmp_path / "there")
    for run in (elsewhere, here):
        campaign.write_state(home, run, campaign.State(status=campaign.DONE, hours=3.0))
    campaign.write_table(home, [elsewhere, here, campaign.Run("never begun", "command")])
    new = campaign.Campaign(tmp_path / "new")
    campaign.write_state(new, here, campaign.State(status=campaign.STOPPED, hours=1.0))
    campaign.write_table(new, [here, campaign.Run("next", "command")])
    lines = {line["name"]: (line["state"], line["hours"]) for line in campaign.read_table()}
    assert lines == {
        "elsewhere": (campaign.DONE, "3.00"),
        "here": (campaign.STOPPED, "1.00"),
        "next": (campaign.WAITING, "0.00"),
    }
