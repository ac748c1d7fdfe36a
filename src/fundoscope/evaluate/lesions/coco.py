"""The boxes that are hits by COCO's rule at an IoU of 0.5, by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats
from fundoscope.evaluate.lesions.hits import BoxArray, areas

IOU: Final = 0.5
BOXES_AT_MOST: Final = 10**6
"""On a photograph. COCO's own bound of 100 would leave out boxes of an eye with 500 lesions."""
EVERY_AREA: Final = (0.0, 1e10)
ONE_CLASS: Final = 1


def hits_of(
    boxes: Sequence[BoxArray], scores: Sequence[Floats], lesions: Sequence[BoxArray]
) -> list[Flags]:
    """Find the boxes of one kind that hit a lesion by COCO's rule.

    Boxes are matched best score first, each to the free lesion of the largest IoU that is at least
    0.5.

    Args:
        boxes: ``(n, 4)`` of each photograph.
        scores: ``(n,)`` of each photograph, in the order of ``boxes``.
        lesions: ``(m, 4)`` of each photograph.

    Returns:
        ``bool (n,)`` of each photograph.
    """
    hit = [np.zeros(len(corners), bool) for corners in boxes]
    if not any(map(len, boxes)) or not any(map(len, lesions)):
        return hit
    together = np.concatenate(hit)
    # COCO numbers boxes from 1; "7_12" says that box 7 hits lesion 12.
    pairs = _evaluation(boxes, scores, lesions).eval["matched"]
    together[[int(pair.split("_")[0]) - 1 for pair in pairs]] = True
    return np.split(together, np.cumsum([len(corners) for corners in boxes])[:-1])


def _evaluation(
    boxes: Sequence[BoxArray], scores: Sequence[Floats], lesions: Sequence[BoxArray]
) -> Any:
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(
        {
            "images": [{"id": place} for place in range(len(lesions))],
            "categories": [{"id": ONE_CLASS, "name": "lesion"}],
            "annotations": [
                {"id": number, "iscrowd": 0, **box}
                for number, box in enumerate(_documents(lesions), start=1)
            ],
        }
    )
    detections = [
        {"score": float(score), **box}
        for score, box in zip(np.concatenate(scores), _documents(boxes), strict=True)
    ]
    evaluation = COCOeval_faster(truth, truth.loadRes(detections), "bbox", print_function=_silent)
    evaluation.params.iouThrs = np.array([IOU])
    evaluation.params.maxDets = [BOXES_AT_MOST]
    evaluation.params.areaRng = [list(EVERY_AREA)]
    evaluation.params.areaRngLbl = ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _documents(photographs: Sequence[BoxArray]) -> Iterator[dict[str, Any]]:
    for place, boxes in enumerate(photographs):
        sides = boxes[:, 2:] - boxes[:, :2]
        for corner, side, area in zip(boxes[:, :2], sides, areas(boxes), strict=True):
            yield {
                "image_id": place,
                "category_id": ONE_CLASS,
                "bbox": [*corner.tolist(), *side.tolist()],
                "area": float(area),
            }


def _silent(*_: object) -> None:
    """Drop what the library would print."""
