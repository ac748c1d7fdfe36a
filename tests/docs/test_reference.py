"""The reference says what the code says."""

from __future__ import annotations

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import DOCS, ROOT

from fundoscope.batch.outcome import COLUMNS
from fundoscope.data import schema as label_table
from fundoscope.data.importers import registry
from fundoscope.kinds import LESIONS
from fundoscope.reading import NO_FIELD_REASONS, NOT_ASSESSED_REASONS, schema

REFERENCE = DOCS / "reference"
CONFIGURATIONS = sorted(
    path for path in (ROOT / "configs").rglob("*.toml") if path.name != "campaign.toml"
)
"""Of trainings; ``campaign.toml`` is a queue of them."""
GENERAL = {"class-folders", "table"}
"""Importers of layouts, not of a public set."""


def read(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def keys_of(page: str) -> set[str]:
    """The dotted keys in a page's tables; ``a.b, .c`` stands for ``a.b`` and ``a.c``."""
    keys: set[str] = set()
    for row in re.findall(r"^\| (.*?) \|", read(page), re.M):
        prefix = ""
        for key in re.findall(r"`([^`]+)`", row):
            keys.add(prefix + key if key.startswith(".") else key)
            prefix = prefix if key.startswith(".") else key.rpartition(".")[0]
    return keys


def bare(value: Any) -> Any:
    """A JSON Schema without its descriptions."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "description"}
    return [bare(item) for item in value] if isinstance(value, list | tuple) else value


def dotted(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict) and key != "shown":
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def leaves(name: str, definitions: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of a Reading, as the page writes them: ``lesions[].kind``."""
    for key, value in definitions[name]["properties"].items():
        text, mark = json.dumps(value), "[]" if '"items"' in json.dumps(value) else ""
        inner = re.search(r"#/\$defs/(\w+)", text)
        if inner:
            yield from leaves(inner[1], definitions, f"{prefix}{key}{mark}.")
        else:
            listed = mark if prefix == "" else ""
            yield f"{prefix}{key}{listed}"


def test_every_key_of_a_reading_is_on_its_page() -> None:
    definitions = schema()["$defs"]
    assert sorted(set(leaves("Reading", definitions)) - keys_of("reference/reading.md")) == []


def test_every_reason_is_on_a_page() -> None:
    assert [r for r in NOT_ASSESSED_REASONS if f"`{r}`" not in read("reference/reading.md")] == []
    page = read("explanation/field-of-view.md")
    assert [reason for reason in NO_FIELD_REASONS if f"`{reason}`" not in page] == []


def test_the_published_schema_of_a_reading_is_that_of_the_code() -> None:
    published = json.loads((REFERENCE / "reading.schema.json").read_text("utf-8"))
    assert {key: published[key] for key in ("$ref", "$defs")} == bare(schema())


def test_every_column_of_readings_csv_is_on_its_page() -> None:
    page = read("reference/command-line.md")
    named = set(re.findall(r"`([\w ]+)`", page)) | {f"p{grade}" for grade in range(5)}
    kinds = {
        key.replace("KIND", kind) for key in named if key.startswith("KIND_") for kind in LESIONS
    }
    assert [column for column in COLUMNS if column not in named | kinds] == []


def test_every_column_of_a_label_table_is_on_its_page() -> None:
    columns = label_table.schema()["properties"]
    assert sorted(set(columns) - keys_of("reference/label-tables.md")) == []


def test_every_importer_is_on_its_page_and_counted_rightly() -> None:
    names = set(registry.MODULES)
    assert sorted(names - keys_of("reference/label-tables.md")) == []
    assert len(names - GENERAL) == 8
    for page in ("README.md", "docs/reference/label-tables.md"):
        assert "eight public sets" in (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_key_of_a_shipped_configuration_is_on_its_page(path: Path) -> None:
    keys = keys_of("reference/configuration.md")
    wild = tuple(key.removesuffix("*") for key in keys if key.endswith(".*"))
    used = dotted(tomllib.loads(path.read_text("utf-8")))
    unknown = [key for key in used if key not in {*keys, "stages"} and not key.startswith(wild)]
    assert [key for key in unknown if f"[[{key}]]" not in keys] == []


def test_what_the_api_page_names_exists() -> None:
    for name in re.findall(r"^::: (\S+)", read("reference/api.md"), re.M):
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                found: Any = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            for part in parts[length:]:
                found = getattr(found, part)
            break


def texts_of(source: Path) -> Iterator[str]:
    """Every text in the code; ``…`` stands where a value is put in."""
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = node.values
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_messages_of_troubleshooting_are_those_of_the_code() -> None:
    headings = re.findall(r"^### (.*)$", read("how-to/troubleshooting.md"), re.M)
    quoted = [text for heading in headings for text in re.findall(r"`([^`]+)`", heading)]
    pieces = [piece.strip(" ;:()") for text in quoted for piece in re.split("…|; ", text)]
    code = "\0".join(texts_of(ROOT / "src" / "fundoscope"))
    assert [piece for piece in pieces if piece and piece not in code] == []
