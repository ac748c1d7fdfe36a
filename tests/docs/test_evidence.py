"""Every figure of the documents and cards is that of its record; a changed digit is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from documents import ROOT

LABELS = ROOT.parent / "shared" / "data" / "grading" / "grading.csv"
METRICS = {
    "n": 1638,
    "referable_auc": {"value": 0.9551, "low": 0.9442, "high": 0.9653},
    "accuracy": {"value": 0.8284, "low": None, "high": None},
    "kappa": {"value": 0.9041, "low": 0.88, "high": 0.92},
}
TEMPLATES = """\
AUC {referable_auc:i} on {n:n} photographs
| accuracy | {accuracy:>=0.84} | {kappa:>=0.9} | {accuracy:2} | {accuracy:i} |
"""


@pytest.fixture(scope="module")
def evidence(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("evidence")


@pytest.fixture
def small(evidence: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one document, whose figures are those of a record without predictions."""
    (tmp_path / "docs" / "evidence" / evidence.GRADING).mkdir(parents=True)
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    monkeypatch.setattr(evidence, "EVIDENCE", tmp_path / "docs" / "evidence")
    monkeypatch.setattr(evidence, "LINES", tmp_path / "docs" / "evidence" / "figures.toml")
    monkeypatch.setattr(evidence, "card_texts", dict)
    monkeypatch.setattr(evidence, "record_faults", lambda *_: [])
    evidence.LINES.write_text(
        f'[documents]\n"page.md" = "all numbers"\n\n[[lines]]\ndocument = "page.md"\n'
        f"record = \"{evidence.GRADING}\"\ntemplates = '''\n{TEMPLATES}'''\n",
    )
    (evidence.EVIDENCE / evidence.GRADING / "metrics.json").write_text(json.dumps(METRICS))
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\nAUC 0.111 (0.100-0.122) on 12 photographs\n"
        "| accuracy | 0.900: reached | 0.100: **missed** by 0.800 | 0.90 | 0.900 (0.8-1.0) |\n\n"
        "## Speed\n\nIt takes 0.25 s.\n"
    )
    return page


def test_every_figure_is_that_of_its_record(evidence: ModuleType) -> None:
    assert evidence.faults(LABELS if LABELS.is_file() else None) == []


def test_records_are_small_and_name_nobody(evidence: ModuleType) -> None:
    files = [path for path in evidence.EVIDENCE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    table = evidence.EVIDENCE / evidence.GRADING / "predictions.csv"
    if table.is_file():
        text = table.read_text("utf-8")
        assert not [word for word in (".jpg", ".png", "IMAGES", "Patient") if word in text]


def test_figures_are_written_into_their_lines(evidence: ModuleType, small: Path) -> None:
    evidence.write()
    lines = small.read_text().splitlines()
    assert lines[2] == "AUC 0.955 (0.944-0.965) on 1,638 photographs"
    assert lines[3] == "| accuracy | 0.828: **missed** by 0.012 | 0.904: reached | 0.83 | 0.828 |"
    assert lines[7] == "It takes 0.25 s."


@pytest.mark.parametrize("digit", ["0.955", "0.944", "1,638", "0.012", "0.83 "])
def test_a_changed_digit_is_noticed(evidence: ModuleType, small: Path, digit: str) -> None:
    evidence.write()
    text = small.read_text()
    last = digit.rstrip()[-1]
    other = digit.rstrip()[:-1] + str((int(last) + 1) % 10) + digit[len(digit.rstrip()) :]
    small.write_text(text.replace(digit, other))
    (fault,) = (each for each in evidence.faults() if "should be" in each)
    assert fault.startswith("page.md: ")


def test_lines_that_a_card_lacks_at_its_end_are_noticed(
    evidence: ModuleType, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence.write()
    card = small.with_name("card.md")
    whole = "# Card\n\n## Limits\n\nNone.\n"
    card.write_text(whole)
    monkeypatch.setattr(evidence, "card_texts", lambda: {card: whole})
    assert not [each for each in evidence.faults() if "card.md" in each]
    card.write_text("# Card\n")
    faults = [each for each in evidence.faults() if each.startswith("card.md: ")]
    assert "card.md: “(no line)” should be “## Limits”" in faults


def test_a_figure_of_another_command_needs_it_and_is_held(
    evidence: ModuleType, small: Path
) -> None:
    evidence.write()
    assert "section “Speed”: has figures without a template" in evidence.faults()[0]
    evidence.freeze()
    plan = evidence.LINES.read_text()
    evidence.LINES.write_text(plan.replace('command = ""', 'command = "python bench/read.py"'))
    assert evidence.faults() == []
    small.write_text(small.read_text().replace("0.25 s", "0.26 s"))
    (fault,) = evidence.faults()
    assert "differs from those that python bench/read.py printed" in fault
    evidence.freeze()
    assert evidence.faults() == []


def test_a_line_that_a_template_does_not_find(
    evidence: ModuleType, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fundoscope.errors import UsageError

    small.write_text("# Page\n")
    with pytest.raises(UsageError, match="has 0 lines like"):
        evidence.documents()


def test_only_a_test_of_the_shipped_bundle_becomes_a_record(
    evidence: ModuleType, tmp_path: Path
) -> None:
    from fundoscope.errors import UsageError
    from fundoscope.models import bundle as bundles

    manifest = bundles.load(bundles.shipped(bundles.GRADING)).manifest
    model = {"task": "grading", "name": manifest.name, "sha256": manifest.model_sha256}
    run: dict[str, Any] = {"command": "evaluate grading", "thresholds": {}, "models": [model]}
    run["arguments"] = {"split": "val"}
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(UsageError, match="is not of the split test"):
        evidence.record(tmp_path, LABELS)
    run["arguments"] = {"split": "test"}
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(UsageError, match="--labels: is missing"):
        evidence.record(tmp_path, None)
    run["models"] = [model | {"name": "other"}]
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(UsageError, match=f"is not of {manifest.name}"):
        evidence.record(tmp_path, LABELS)


@pytest.mark.parametrize(
    "other", [{"names": "train.txt"}, {"names": None}, {"annotations": "eophtha_ma"}]
)
def test_only_lesions_of_the_test_photographs_become_a_record(
    evidence: ModuleType, tmp_path: Path, other: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fundoscope.errors import UsageError
    from fundoscope.models import bundle as bundles

    manifest = bundles.load(bundles.shipped(bundles.DETECTION)).manifest
    model = {"task": "detection", "name": manifest.name, "sha256": manifest.model_sha256}
    run = {"command": "evaluate lesions", "thresholds": {}, "models": [model]}
    written: list[Path] = []
    monkeypatch.setattr(evidence.boxes, "write", lambda results, _: written.append(results))
    for arguments in (evidence.LESIONS_TEST | other, evidence.LESIONS_TEST):
        (tmp_path / "run.json").write_text(json.dumps(run | {"arguments": arguments}))
        if arguments == evidence.LESIONS_TEST:
            evidence.record(tmp_path, None)
        else:
            with pytest.raises(UsageError, match="is not of the"):
                evidence.record(tmp_path, None)
    assert written == [tmp_path]


def test_a_record_of_another_bundle_is_noticed(
    evidence: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / evidence.GRADING
    folder.mkdir()
    run: dict[str, Any] = {"command": "evaluate grading", "arguments": {}, "thresholds": {}}
    run["models"] = [{"task": "grading", "name": "other", "sha256": "0" * 64}]
    (folder / "run.json").write_text(json.dumps(run))
    monkeypatch.setattr(evidence, "EVIDENCE", tmp_path)
    monkeypatch.setattr(evidence.records, "stored", lambda *_: {"by": {"source": {}}})
    monkeypatch.setattr(evidence.records, "computed", lambda *_: {"by": {"source": {}}})
    (fault,) = evidence.record_faults(evidence.GRADING, None)
    assert fault.startswith("grading-test: is of other, and ")
    shutil.rmtree(folder)
