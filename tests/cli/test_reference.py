"""The reference of the command line: complete, up to date, and for any reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.cli import main, reference
from fundoscope.cli.exit_codes import MEANINGS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"


@pytest.fixture(scope="module")
def text() -> str:
    return reference.markdown()


def test_the_committed_reference_is_up_to_date(text: str) -> None:
    assert REFERENCE.read_text(encoding="utf-8") == text, (
        "run: scripts/command_reference > docs/reference/commands.md"
    )


def test_every_command_and_exit_code_is_there(text: str) -> None:
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    for name in main.COMMANDS:
        assert f"## fundoscope {name}" in headings
    assert "## fundoscope train pack detector" in headings
    for code in MEANINGS:
        assert f"- `{code}`: " in text


def test_links_lead_to_headings(text: str) -> None:
    anchors = {
        line.removeprefix("## ").replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    linked = [part.partition(")")[0] for part in text.split("](#")[1:]]
    assert linked
    assert set(linked) <= anchors


def test_values_have_names_and_defaults(text: str) -> None:
    assert "fundoscope evaluate grading TABLE|FOLDER --out DIR [OPTIONS]" in text
    assert "- `--test SHARE`: Share of the rows for test. Default: `0.2`." in text
    assert "Default: `--lesions`." in text
    assert "`--format voc|labelstudio|cvat|coco|yolo`: Format to write. Default: `voc`." in text
    assert "None" not in text


def test_lines_are_short_and_name_no_folder_of_the_team(text: str) -> None:
    assert max(map(len, text.splitlines())) <= reference.WIDTH
    assert "../" not in text


def test_the_module_prints_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    reference.main()
    assert capsys.readouterr().out == text
