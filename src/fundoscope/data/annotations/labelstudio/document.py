"""The JSON of Label Studio as far as it is read; its exports differ in what they leave out.

From its documentation (labelstud.io, "Export annotations") and what its converter 0.0.59 reads.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

REGION_LABELS: Final = (
    "rectanglelabels",
    "polygonlabels",
    "brushlabels",
    "ellipselabels",
    "labels",
)
ANSWERS: Final = ("choices", "text", "rating", "number", "datetime")
"""Fields with an answer about a region."""


class Value(msgspec.Struct):
    """The value of a result: a region in percent of the photograph, its labels, or an answer."""

    x: Decimal | None = None
    y: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    rotation: float | None = None
    radius_x: Decimal | None = msgspec.field(default=None, name="radiusX")
    radius_y: Decimal | None = msgspec.field(default=None, name="radiusY")
    points: list[tuple[Decimal, Decimal]] | None = None
    rle: list[int] | None = None
    rectanglelabels: list[str] | None = None
    polygonlabels: list[str] | None = None
    brushlabels: list[str] | None = None
    ellipselabels: list[str] | None = None
    labels: list[str] | None = None
    choices: list[Any] | None = None
    text: list[str] | str | None = None
    rating: float | None = None
    number: float | None = None
    datetime: str | None = None

    @property
    def is_region(self) -> bool:
        """Whether it is a region of the photograph with an extent."""
        has_corner = self.x is not None and self.y is not None
        has_size = self.width is not None and self.height is not None
        has_radii = self.radius_x is not None and self.radius_y is not None
        is_box = has_corner and (has_size or has_radii)
        return is_box or self.points is not None or self.rle is not None

    @property
    def names(self) -> list[str]:
        """Its labels, from any tool."""
        return [name for key in REGION_LABELS for name in getattr(self, key) or ()]

    @property
    def answer(self) -> str | None:
        """The answer about the region, as text."""
        if self.choices is not None:
            return ", ".join(map(str, self.choices))
        if isinstance(self.text, list):
            return "\n".join(self.text)
        given = (self.text, self.rating, self.number, self.datetime)
        answer = next((each for each in given if each is not None), None)
        return f"{answer:g}" if isinstance(answer, float) else answer


class Result(msgspec.Struct):
    """One result: a region, its label, or an answer about it; those of one region share an id."""

    value: Value = msgspec.field(default_factory=Value)
    id: str | int | None = None
    type: str = ""
    from_name: str = ""
    original_width: float | None = None
    original_height: float | None = None
    score: float | None = None


class Person(msgspec.Struct):
    """Who annotated; other exports have a number or a text instead."""

    id: int | str | None = None
    email: str = ""


class Work(msgspec.Struct):
    """The work of one person or model on one photograph: an annotation or a prediction."""

    id: int | str | None = None
    updated_at: str | None = None
    result: list[Result] = msgspec.field(default_factory=list)
    completed_by: Person | int | str | None = None
    was_cancelled: bool | None = False
    parent_prediction: int | None = None
    model_version: str | None = None
    score: float | None = None

    @property
    def author(self) -> str:
        """Who made it, as far as the file states it."""
        by = self.completed_by
        if isinstance(by, Person):
            by = by.email or by.id
        by = self.model_version if by is None else by
        return "" if by is None else str(by)


class Task(msgspec.Struct):
    """A photograph and all work on it.

    In an export of single annotations (one a file, as storages get them) the task lies inside.
    """

    id: int | str | None = None
    data: dict[str, Any] | None = None
    annotations: list[Work | int] | None = None
    completions: list[Work] | None = None
    predictions: list[Work | int] | None = None
    result: list[Result] | None = None
    completed_by: Person | int | str | None = None
    was_cancelled: bool | None = False
    task: Task | int | None = None
    updated_at: str | None = None


class SmallRegion(Value):
    """A region in the small export (JSON-MIN), where the value has the size of the photograph."""

    original_width: float | None = None
    original_height: float | None = None
