"""The label table as JSON Schema, for programs that write one."""

from __future__ import annotations

from typing import Any, Final

from fundoscope.data.manifest import EXCLUDED, GRADABLE, GRADE, GRADES, IMAGE, REQUIRED

_TEXTS: Final = {
    "patient": "Who was photographed; the same text for both eyes.",
    "eye": "left or right.",
    "split": f"train, val, test, fold1, fold2 …, or {EXCLUDED} (no command uses the row).",
    "source": "The data set, e.g. eyepacs. Patients of different sources are different.",
    "camera": "Make or kind of camera.",
    "group": "The same text for photographs of one eye, or near-duplicates, of any source.",
    "quality": "The quality of the photograph in the words of a person.",
}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a row of a label table, its cells being text.

    A CSV or Parquet file is a label table if each of its rows, as an object of column name to cell,
    is valid; in Parquet, numbers and Boolean values count as their text.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Row of a label table",
        "type": "object",
        "properties": {
            IMAGE: {
                "type": "string",
                "minLength": 1,
                "description": "Path of the photograph, relative to the table, with / between.",
            },
            GRADE: {
                "enum": list(GRADES),
                "description": "International Clinical Diabetic Retinopathy grade.",
            },
            **{name: {"type": "string", "description": text} for name, text in _TEXTS.items()},
            GRADABLE: {
                "enum": ["", "0", "1"],
                "description": "Whether a person could grade the photograph; empty: unknown.",
            },
        },
        "required": list(REQUIRED),
        "additionalProperties": {"type": "string"},
    }
