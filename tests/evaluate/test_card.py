"""The sections of a card that an evaluation writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fundoscope.cli.main import run
from fundoscope.errors import UsageError
from fundoscope.evaluate import card
from fundoscope.models import bundle as bundles


def figure(value: float | None) -> dict[str, object]:
    if value is None:
        return {"value": None, "low": None, "high": None, "reason": "there is no photograph"}
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def part(n: int, sensitivity: float | None, **sources: int) -> dict[str, object]:
    entry = {name: figure(0.8) for name in card.WHOLE_FIGURES}
    counts = {"took_part": 0, "new": 0, "not_known": 0} | sources
    return entry | {"n": n, "referable_sensitivity": figure(sensitivity), "sources": counts}


METRICS = part(400, 0.85) | {
    "recall": {"0": figure(0.95), "1": figure(0.28), "2": figure(None)},
    "certainty": {"sets": {"set_coverage": figure(0.9), "abstained_share": figure(0.1)}},
    "by": {
        "source": {
            "clinic": part(200, 0.62, new=200),
            "public": part(190, 0.93, took_part=190),
            "tiny|odd": part(10, 0.1),
            "healthy": part(60, None, took_part=30, new=30),
        },
        "source_and_gradable": {"clinic": part(200, 0.62)},
    },
}


def results(folder: Path, task: str, metrics: object, command: str) -> Path:
    manifest = bundles.load(bundles.shipped(task)).manifest
    folder.mkdir()
    model = {"task": task, "name": manifest.name, "sha256": manifest.model_sha256}
    document = {"command": command, "arguments": {"split": "test"}, "models": [model]}
    thresholds = (
        {"referable": manifest.referable_threshold}
        if isinstance(manifest, bundles.GraderManifest)
        else {}
    )
    document |= {"thresholds": thresholds, "table_sha256": "d" * 64}
    (folder / "run.json").write_text(json.dumps(document))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    return results(tmp_path / "r", bundles.GRADING, METRICS, "evaluate grading")


def test_a_graders_card(evaluated: Path) -> None:
    manifest = bundles.load(bundles.shipped(bundles.GRADING)).manifest
    use, figures = card.sections(manifest, evaluated)
    assert "must supervise it" in use
    assert "licence of the weights" in use
    assert "on 400 photographs of the split `test`" in figures
    rows = {row.split(" | ")[0]: row for row in figures.splitlines() if row.startswith("| ")}
    assert "0.620 (0.610 to 0.630)" in rows["| clinic"]
    assert rows["| clinic"].endswith("| no |")
    assert rows["| public"].endswith("| yes |")
    assert rows["| healthy"].endswith("| yes, no |")
    assert rows["| tiny/odd"].endswith("| not known |")
    assert rows["| grade 2 recognised"].endswith("| – |")
    assert "found least often in clinic: 0.620" in figures  # not in the tiny source
    assert "Grade 1 is recognised least often: 0.280." in figures
    assert "Of grade 3 and 4, 20.0 % are not called referable." in figures
    assert "source and gradable" not in figures


def test_a_detectors_card(tmp_path: Path) -> None:
    entry = {"lesions": 1085, "precision": figure(0.64), "recall": figure(0.65)}
    other = {"lesions": 38, "precision": figure(0.22), "recall": figure(None)}
    metrics = {"photographs": 27, "classes": {"microaneurysm": entry, "soft_exudate": other}}
    folder = results(tmp_path / "r", bundles.DETECTION, metrics, "evaluate lesions")
    manifest = bundles.load(bundles.shipped(bundles.DETECTION)).manifest
    use, figures = card.sections(manifest, folder)
    assert "A box is not a finding until" in use
    assert "on 27 photographs" in figures
    assert "| microaneurysm | 1,085 | 0.640 (0.630 to 0.650) |" in figures
    assert "lowest for soft exudate, 0.220" in figures
    assert "lowest for microaneurysm, 0.650" in figures


def test_an_evaluation_of_another_bundle(evaluated: Path) -> None:
    manifest = bundles.load(bundles.shipped(bundles.DETECTION)).manifest
    with pytest.raises(UsageError, match="is of no bundle of this task, not of"):
        card.sections(manifest, evaluated)


@pytest.mark.parametrize("task", [bundles.GRADING, bundles.DETECTION])
def test_an_evaluation_before_the_bundle_was_calibrated_again(tmp_path: Path, task: str) -> None:
    """The network and its name are the same, the figures are those of another threshold."""
    manifest = bundles.load(bundles.shipped(task)).manifest
    command = "evaluate grading" if task == bundles.GRADING else "evaluate lesions"
    folder = results(tmp_path / "r", task, METRICS, command)
    document = json.loads((folder / "run.json").read_text())
    name = "referable" if task == bundles.GRADING else "haemorrhage"
    document["thresholds"] = {name: 0.123}
    (folder / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=f"with the threshold 0.1230 of {name}, not 0"):
        card.sections(manifest, folder)


def test_a_damaged_evaluation(evaluated: Path) -> None:
    manifest = bundles.load(bundles.shipped(bundles.GRADING)).manifest
    (evaluated / "metrics.json").write_text("{")
    with pytest.raises(UsageError, match="was changed after the evaluation wrote it"):
        card.sections(manifest, evaluated)


def test_the_command_keeps_what_training_wrote_and_seals(
    evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles.shipped(bundles.GRADING), folder)
    before = bundles.card(folder)
    for _ in range(2):  # again: nothing is written twice
        assert run(["bundle", "card", str(folder), "--evaluation", str(evaluated)]) == 0
    assert "card written from" in capsys.readouterr().out
    after = bundles.card(folder)
    assert after.count(card.USE) == after.count(card.EVALUATION) == 1
    titles = [line for line in after.splitlines() if line.startswith("## ")]
    assert titles[0] == card.USE
    assert titles[titles.index(card.EVALUATION) + 1] == card.LIMITATIONS
    kept = [title for title in titles if title not in (card.USE, card.EVALUATION)]
    earlier = [line for line in before.splitlines() if line.startswith("## ")]
    assert kept == [title for title in earlier if title not in (card.USE, card.EVALUATION)]
    assert bundles.load(folder).sealed
