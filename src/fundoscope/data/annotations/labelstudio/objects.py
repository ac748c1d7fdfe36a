"""The objects that one person or model marked in a task of Label Studio."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fundoscope.data.annotations.allowance import MaskAllowance
from fundoscope.data.annotations.annotation import Annotation
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.labelstudio.document import Result, Work
from fundoscope.data.annotations.labelstudio.layout import AUTHOR, DIFFICULT
from fundoscope.data.annotations.labelstudio.regions import shape
from fundoscope.data.annotations.names import kind_key
from fundoscope.data.annotations.pictures import PictureSize

YES: Final = frozenset({"yes", "true", "1", "on", DIFFICULT})
UNLABELLED: Final = "unlabelled"
"""The kind of a region that was drawn without a label."""
OWN_ID: Final = re.compile(r"object-(\d+)")
"""Ids of regions that were written here; they give their order."""
OF_WHOLE: Final = "answers about whole photographs"
POINTS: Final = "points"
BLANK: Final = "regions of nothing"
OTHER: Final = "regions of other kinds"


def objects(
    work: Work,
    predicted: bool,
    size: PictureSize,
    left_out: Counter[str],
    allowance: MaskAllowance | None = None,
) -> Iterator[tuple[str, Annotation]]:
    """The objects of one person or model, each with the id of its region.

    Raises:
        ValueError: a region or a score is invalid.
    """
    for key, results in regions(work.result).items():
        region = next((result for result in results if result.value.is_region), None)
        if region is None:
            left_out[_other_result(results)] += 1
            continue
        region_shape = shape(region.value, size, allowance)
        if region_shape is None:
            left_out[BLANK] += 1
            continue
        answers = {
            result.from_name: result.value.answer
            for result in results
            if result.value.answer is not None
        }
        attributes = {name: answer for name, answer in answers.items() if answer is not None}
        author = attributes.pop(AUTHOR, work.author)
        difficult = attributes.pop(DIFFICULT, "").lower() in YES
        score = _score(region.score if region.score is not None else work.score, predicted)
        names = distinct(name for result in results for name in result.value.names)
        box, outlines, mask = region_shape
        for name in names or (UNLABELLED,):
            yield (
                key,
                Annotation(
                    kind=kind_key(name),
                    box=box,
                    outlines=outlines,
                    mask=mask,
                    score=score,
                    difficult=difficult,
                    author=author,
                    attributes=attributes,
                ),
            )


def regions(results: list[Result]) -> dict[str, list[Result]]:
    """Results by region; one without an id stands alone."""
    by_id: dict[str, list[Result]] = {}
    for number, result in enumerate(results):
        key = f"#{number}" if result.id is None else str(result.id)
        by_id.setdefault(key, []).append(result)
    return by_id


def _other_result(results: list[Result]) -> str:
    if any(result.value.x is not None for result in results):
        return POINTS
    return OF_WHOLE if any(result.value.answer is not None for result in results) else OTHER


def _score(score: float | None, predicted: bool) -> float | None:
    """The score of a prediction; an annotation that began as one has none, as a person made it."""
    if not predicted or score is None:
        return None
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"has a score of {score:g}, which is not from 0 to 1")
    return score


def in_own_order(items: list[tuple[str, Annotation]]) -> list[Annotation]:
    """Objects in the order in which they were written here; others in the order of the file."""
    own = [OWN_ID.fullmatch(key) for key, _ in items]
    if all(own):
        places = [int(match[1]) for match in own if match is not None]
        items = [pair for _, pair in sorted(zip(places, items, strict=True), key=_place)]
    return [item for _, item in items]


def _place(placed: tuple[int, tuple[str, Annotation]]) -> int:
    return placed[0]
