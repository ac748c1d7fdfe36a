"""The notebook prints what it says that it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from documents import NOTEBOOKS, ROOT, name_of
from run_notebook import outputs_of

ROUNDED: Final = re.compile(r"\d+\.\d+|\d+(?= %)")
"""Networks of eight bits round a little differently on another kind of processor, so a probability
or percentage may differ by one in its last digit. Counts are the same everywhere."""


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
    assert ROUNDED.sub("N", ours) == ROUNDED.sub("N", theirs)
    for our, their in zip(ROUNDED.findall(ours), ROUNDED.findall(theirs), strict=True):
        unit = 10.0 ** -len(their.partition(".")[2])
        assert float(our) == pytest.approx(float(their), abs=1.01 * unit)


def texts(cells: list[list[dict[str, object]]]) -> list[str]:
    """What cells print; of pictures only that there is one and how large."""
    shown = [
        output.get("text") or output["data"]["text/plain"] for cell in cells for output in cell
    ]  # type: ignore[index]
    return ["".join(lines) for lines in shown]  # type: ignore[arg-type]
