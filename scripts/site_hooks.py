"""Hooks of the documentation site (mkdocs.yml): Jupyter notebooks become pages.

Plugins that do this bring Jupyter and load scripts from other servers; see
docs/decisions/0008-documentation-site.md.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

NOTEBOOK = ".ipynb"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page, and its pictures, for each notebook."""
    for file in [file for file in files if file.src_uri.endswith(NOTEBOOK)]:
        stem = file.src_uri.removesuffix(NOTEBOOK)
        notebook = json.loads(Path(str(file.abs_src_path)).read_text("utf-8"))
        pictures: dict[str, bytes] = {}
        text = page(notebook["cells"], Path(stem).name, pictures)
        files.append(File.generated(config, f"{stem}.md", content=text))
        for name, content in pictures.items():
            uri = f"{Path(stem).parent.as_posix()}/{name}"
            files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to a notebook, which work in the repository, lead to its page."""
    return markdown.replace(f"{NOTEBOOK})", ".md)")


def page(cells: list[dict[str, Any]], name: str, pictures: dict[str, bytes]) -> str:
    """The Markdown of a notebook.

    Args:
        cells: of the notebook (nbformat 4).
        name: of the notebook, without suffix; pictures are called after it.
        pictures: receives the content of each picture by its file name.
    """
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            parts.append(_shown(output, name, pictures))
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any], name: str, pictures: dict[str, bytes]) -> str:
    data = output.get("data", {})
    if "image/jpeg" in data:
        file = f"{name}-{len(pictures) + 1}.jpg"
        pictures[file] = base64.b64decode("".join(data["image/jpeg"]))
        return f"![What the cell draws]({file})"
    text = "".join(output.get("text", data.get("text/plain", [])))
    return f"```text\n{text.rstrip()}\n```"
