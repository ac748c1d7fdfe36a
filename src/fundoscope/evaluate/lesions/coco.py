"""Which boxes COCO's rule takes for hits at an IoU of 0.5, by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.lesions.hits import Boxes, areas

IOU: Final = 0.5
BOXES_AT_MOST: Final = 10**6
"""On a photograph; COCO's own bound of 100 would cut an eye with 500 lesions short."""
EVERY_AREA: Final = (0.0, 1e10)
ONE_CLASS: Final = 1


def hits_of(
    found: Sequence[Boxes], scores: Sequence[NDArray[np.float64]], truth: Sequence[Boxes]
) -> list[NDArray[np.bool_]]:
    """Whether each found box of one kind hits a lesion, by COCO's rule: the best score first, to
    the free lesion of the largest IoU that is at least 0.5.

    Args:
        found: ``(n, 4)`` of each photograph.
        scores: ``(n,)`` of each, in the order of ``found``.
        truth: ``(m, 4)`` of each.

    Returns:
        ``bool (n,)`` of each photograph.
    """
    hit = [np.zeros(len(boxes), bool) for boxes in found]
    if not any(map(len, found)) or not any(map(len, truth)):
        return hit
    everything = np.concatenate(hit)
    # COCO numbers boxes from 1; "7_12" says that box 7 hits lesion 12.
    pairs = _evaluation(found, scores, truth).eval["matched"]
    everything[[int(pair.split("_")[0]) - 1 for pair in pairs]] = True
    return np.split(everything, np.cumsum([len(boxes) for boxes in found])[:-1])


def _evaluation(
    found: Sequence[Boxes], scores: Sequence[NDArray[np.float64]], truth: Sequence[Boxes]
) -> Any:
    from faster_coco_eval import COCO, COCOeval_faster

    wanted = COCO(
        {
            "images": [{"id": place} for place in range(len(truth))],
            "categories": [{"id": ONE_CLASS, "name": "lesion"}],
            "annotations": [
                {"id": number, "iscrowd": 0, **box}
                for number, box in enumerate(_documents(truth), start=1)
            ],
        }
    )
    said = [
        {"score": float(score), **box}
        for score, box in zip(np.concatenate(scores), _documents(found), strict=True)
    ]
    evaluation = COCOeval_faster(wanted, wanted.loadRes(said), "bbox", print_function=_silent)
    evaluation.params.iouThrs = np.array([IOU])
    evaluation.params.maxDets = [BOXES_AT_MOST]
    evaluation.params.areaRng = [list(EVERY_AREA)]
    evaluation.params.areaRngLbl = ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _documents(photographs: Sequence[Boxes]) -> Iterator[dict[str, Any]]:
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
    """Takes what the library would print."""
