"""The notebook prints what it says that it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from documents import NOTEBOOKS, ROOT, name_of
from run_notebook import outputs_of


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_the_stored_outputs_are_those_of_today(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("matplotlib", "sklearn"):
        pytest.importorskip(module, reason="the notebook needs the extra evaluate")
    monkeypatch.chdir(ROOT)
    notebook = json.loads(path.read_text("utf-8"))
    stored = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    again = outputs_of(notebook)
    assert [texts(outputs) for outputs in again] == [texts(outputs) for outputs in stored]


def texts(outputs: list[dict[str, object]]) -> list[object]:
    """What cells print; of pictures only that there is one and how large."""
    return [output.get("text") or output["data"]["text/plain"] for output in outputs]  # type: ignore[index]
