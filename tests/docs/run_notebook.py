"""Run a notebook's cells without Jupyter, and store what they print and show.

    python tests/docs/run_notebook.py docs/tutorial/first-reading.ipynb

writes the outputs into the notebook; ``test_notebook.py`` compares them.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def outputs_of(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The outputs of each code cell (nbformat 4), run from top to bottom in one namespace."""
    names: dict[str, Any] = {"__name__": "__main__"}
    return [
        _run("".join(cell["source"]), names)
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def _run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    shown: ast.Expression | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        shown = ast.Expression(last.value)
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        if shown is not None:
            value = eval(compile(shown, "<cell>", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        lines = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines})
    if value is not None:
        outputs.append({"data": _data(value), "metadata": {}, "output_type": "display_data"})
    return outputs


def _data(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"text/plain": [repr(value)]}
    if hasattr(value, "_repr_jpeg_"):
        data = {"image/jpeg": base64.b64encode(value._repr_jpeg_()).decode(), **data}
        data["text/plain"] = [f"a picture of {value.width} x {value.height} pixels"]
    return data


def main(path: Path) -> None:
    """Run a notebook and write its outputs into it."""
    notebook = json.loads(path.read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(cells, outputs_of(notebook), strict=True), 1):
        cell["execution_count"] = number
        cell["outputs"] = outputs
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
