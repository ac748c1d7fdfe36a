"""The notebook prints what it says that it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from documents import NOTEBOOKS, ROOT, name_of
from run_notebook import outputs_of

NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
NEAR: Final = 0.03
"""Networks of eight bits round a little differently on another kind of processor. A number may
differ by this share of it, or by this much."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_the_stored_outputs_are_those_of_today(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("matplotlib", "sklearn"):
        pytest.importorskip(module, reason="the notebook needs the extra evaluate")
    monkeypatch.chdir(ROOT)
    notebook = json.loads(path.read_text("utf-8"))
    stored = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    again = outputs_of(notebook)
    ours, theirs = ("\n".join(texts(cells)) for cells in (again, stored))
    assert NUMBER.sub("N", ours) == NUMBER.sub("N", theirs)
    assert numbers(ours) == pytest.approx(numbers(theirs), rel=NEAR, abs=NEAR)


def texts(cells: list[list[dict[str, object]]]) -> list[str]:
    """What cells print; of pictures only that there is one and how large."""
    shown = [
        output.get("text") or output["data"]["text/plain"] for cell in cells for output in cell
    ]  # type: ignore[index]
    return ["".join(lines) for lines in shown]  # type: ignore[arg-type]


def numbers(text: str) -> list[float]:
    """All numbers in a text, in their order."""
    return [float(number) for number in NUMBER.findall(text)]
