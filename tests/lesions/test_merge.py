from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.lesions.merge import merge

SUPPRESS = 0.3
TILE, VIEW = (200, 200), (336, 336)
CORNERS = np.array([(0, 0), (136, 0), (0, 136), (136, 136)])
"""Four tiles that overlap by 64 pixels: seams from 136 to 200 across and down."""
LEFT, RIGHT, LOWER_LEFT, LOWER_RIGHT = range(4)


def seen(*rows: tuple[int, float, float, float, float, int, float]) -> DetectedBoxes:
    """Boxes of (tile, x0, y0, x1, y1, label, score), x and y in the view's pixels."""
    table = np.array(rows, float).reshape(-1, 7)
    tile = table[:, 0].astype(int)
    return DetectedBoxes(
        tile, table[:, 1:5] - np.tile(CORNERS[tile], 2), table[:, 5].astype(int), table[:, 6]
    )


def merged(*rows: tuple[int, float, float, float, float, int, float]) -> list[tuple[float, ...]]:
    """(x0, y0, x1, y1, label, score) of what is left."""
    kept = merge(seen(*rows), CORNERS, TILE, VIEW, SUPPRESS)
    return [
        (*box, label, score)
        for box, label, score in zip(
            kept.boxes.tolist(), kept.labels.tolist(), kept.scores.tolist(), strict=True
        )
    ]


def truth(box: tuple[float, float, float, float], score: float, label: int = 1):
    """What every tile sees of one lesion: its box, cut at the tile's edges."""
    rows = []
    for tile, (x, y) in enumerate(CORNERS):
        low, high = np.maximum(box[:2], (x, y)), np.minimum(box[2:], (x + 200, y + 200))
        if (high > low).all():
            rows.append((tile, *low, *high, label, score))
    return rows


def iou(one: np.ndarray, other: np.ndarray) -> float:
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = max(0.0, width) * max(0.0, height)
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(common / (areas - common))


def test_nothing_found() -> None:
    kept = merge(seen(), CORNERS, TILE, VIEW, SUPPRESS)
    assert kept.boxes.shape == (0, 4)
    assert len(kept.tile) == len(kept.labels) == len(kept.scores) == 0


def test_boxes_are_moved_to_their_place_in_the_view() -> None:
    boxed = DetectedBoxes(
        np.array([3]), np.array([[10.0, 20, 30, 40]]), np.array([2]), np.array([0.5])
    )
    kept = merge(boxed, CORNERS, TILE, VIEW, SUPPRESS)
    assert kept.boxes.tolist() == [[146, 156, 166, 176]]
    assert (kept.tile.tolist(), kept.labels.tolist(), kept.scores.tolist()) == ([3], [2], [0.5])


def test_a_lesion_in_the_overlap_is_counted_once() -> None:
    assert merged(*truth((150, 60, 180, 90), 0.8)) == [(150, 60, 180, 90, 1, 0.8)]


def test_of_two_boxes_of_one_lesion_the_better_stays() -> None:
    kept = merged((LEFT, 150, 60, 180, 90, 1, 0.7), (RIGHT, 152, 61, 183, 90, 1, 0.9))
    assert kept == [(152, 61, 183, 90, 1, 0.9)]


def test_kinds_do_not_suppress_each_other() -> None:
    kept = merged((LEFT, 50, 60, 80, 90, 1, 0.7), (LEFT, 50, 60, 80, 90, 2, 0.9))
    assert [(row[4], row[5]) for row in kept] == [(2, 0.9), (1, 0.7)]


def test_a_piece_goes_where_the_neighbour_sees_the_lesion_whole() -> None:
    # Their overlap alone (10 of 50 pixels) would leave both.
    kept = merged((LEFT, 190, 60, 200, 90, 1, 0.6), (RIGHT, 190, 60, 240, 90, 1, 0.8))
    assert kept == [(190, 60, 240, 90, 1, 0.8)]


def test_the_better_score_of_a_piece_is_not_lost() -> None:
    kept = merged((LEFT, 190, 60, 200, 90, 1, 0.8), (RIGHT, 190, 60, 240, 90, 1, 0.6))
    assert kept == [(190, 60, 240, 90, 1, 0.8)]


def test_a_stray_box_does_not_take_a_good_piece_away() -> None:
    kept = merged((LEFT, 190, 60, 200, 90, 1, 0.9), (RIGHT, 180, 50, 300, 150, 1, 0.1))
    assert kept[0] == (190, 60, 200, 90, 1, 0.9)


def test_a_small_lesion_beside_a_seam_is_no_piece_of_its_neighbour() -> None:
    alone = (LEFT, 186, 60, 199, 73, 1, 0.9)
    neighbour = (RIGHT, 201, 55, 230, 85, 1, 0.8)
    assert len(merged(alone, neighbour)) == 2


def test_a_small_lesion_inside_a_large_one_stays_away_from_the_seams() -> None:
    assert len(merged((LEFT, 40, 40, 140, 140, 1, 0.9), (LEFT, 80, 80, 90, 90, 1, 0.8))) == 2


@pytest.mark.parametrize(
    "box",
    [
        (100, 50, 250, 90),  # across the upright seam
        (50, 100, 90, 250),  # across the level one
        (90, 80, 260, 270),  # across both: four pieces
        (20, 150, 320, 180),  # through all of both tiles, in the overlap of rows
    ],
)
def test_pieces_of_a_large_lesion_become_one_box(box: tuple[float, float, float, float]) -> None:
    assert merged(*truth(box, 0.7)) == [(*box, 1, 0.7)]


def test_joined_pieces_have_the_better_score() -> None:
    kept = merged((LEFT, 100, 50, 200, 90, 1, 0.5), (RIGHT, 136, 50, 250, 90, 1, 0.8))
    assert kept == [(100, 50, 250, 90, 1, 0.8)]


def test_inexact_boxes_of_a_large_lesion_are_joined_too() -> None:
    kept = merged((LEFT, 60, 50, 192, 160, 1, 0.9), (RIGHT, 140, 55, 260, 165, 1, 0.8))
    assert kept == [(60, 50, 260, 165, 1, 0.9)]


@pytest.mark.parametrize(
    "neighbour",
    [
        (RIGHT, 150, 50, 250, 90, 1, 0.8),  # begins in the overlap: the left tile would see it
        (RIGHT, 136, 95, 250, 160, 1, 0.8),  # lies below
        (RIGHT, 136, 80, 250, 140, 1, 0.8),  # lies below for the most part
        (RIGHT, 136, 50, 180, 90, 1, 0.8),  # ends in the overlap
        (RIGHT, 136, 50, 250, 90, 2, 0.8),  # is of another kind
        (RIGHT, 136, 50, 250, 90, 1, 0.1),  # is a stray box
        (LOWER_LEFT, 100, 136, 200, 250, 1, 0.8),  # does not face it
    ],
)
def test_two_lesions_are_not_joined(neighbour: tuple[int, float, float, float, float, int, float]):
    alone = (LEFT, 100, 50, 200, 90, 1, 0.7)
    kept = merged(alone, neighbour)
    assert {row[:4] for row in kept} <= {alone[1:5], neighbour[1:5]}


def test_two_large_lesions_above_each_other_stay_two() -> None:
    upper, lower = (90, 20, 260, 60), (80, 62, 250, 110)
    kept = merged(*truth(upper, 0.9), *truth(lower, 0.8))
    assert kept == [(*upper, 1, 0.9), (*lower, 1, 0.8)]


def test_the_edge_of_the_view_cuts_nothing() -> None:
    # Both touch the view's upper edge; the smaller lies inside the larger of another tile.
    kept = merged((LEFT, 140, 0, 160, 20, 1, 0.8), (RIGHT, 137, 0, 196, 60, 1, 0.9))
    assert len(kept) == 2


def test_what_reaches_beyond_the_view_is_cut_off() -> None:
    boxed = DetectedBoxes(
        np.zeros(3, int),
        np.array([[-5.0, 10, 20, 30], [80, 80, 130, 140], [120, 10, 140, 30]]),
        np.ones(3, int),
        np.array([0.9, 0.8, 0.7]),
    )
    kept = merge(boxed, np.array([(0, 0)]), (160, 160), (100, 110), SUPPRESS)
    assert kept.boxes.tolist() == [[0, 10, 20, 30], [80, 80, 110, 100]]


@st.composite
def tiled_boxes(draw: st.DrawFn) -> DetectedBoxes:
    """Any boxes on the four tiles; many lie on edges."""
    count = draw(st.integers(0, 40))
    numbers = st.integers(0, 50).map(lambda k: 4.0 * k)
    rows = []
    for _ in range(count):
        (x0, x1), (y0, y1) = (
            sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True))) for _ in "xy"
        )
        score = draw(st.integers(1, 100)) / 100
        rows.append((draw(st.integers(0, 3)), x0, y0, x1, y1, draw(st.integers(1, 3)), score))
    table = np.array(rows, float).reshape(-1, 7)
    return DetectedBoxes(
        table[:, 0].astype(int), table[:, 1:5], table[:, 5].astype(int), table[:, 6]
    )


@given(boxed=tiled_boxes())
def test_whatever_comes_in(boxed: DetectedBoxes) -> None:
    kept = merge(boxed, CORNERS, TILE, VIEW, SUPPRESS)
    assert len(kept.scores) <= len(boxed.scores)
    assert all(one >= other for one, other in pairwise(kept.scores.tolist()))
    assert (kept.boxes[:, :2] < kept.boxes[:, 2:]).all()
    assert kept.boxes.min(initial=0) >= 0
    assert kept.boxes.max(initial=0) <= 336
    for kind in np.unique(boxed.labels):
        # Nothing is lost: the best score of a kind stays, and all of its boxes are covered…
        assert kept.scores[kept.labels == kind].max() == boxed.scores[boxed.labels == kind].max()
        boxes = kept.boxes[kept.labels == kind]
        # …and nothing is reported twice.
        assert all(
            iou(one, other) <= SUPPRESS + 1e-6
            for place, one in enumerate(boxes)
            for other in boxes[:place]
        )


@given(boxed=tiled_boxes(), seed=st.integers(0, 99))
def test_the_order_of_boxes_does_not_matter_where_scores_differ(
    boxed: DetectedBoxes, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(np.linspace(0.5, 1, len(boxed.scores)))
    distinct = DetectedBoxes(boxed.tile, boxed.boxes, boxed.labels, scores)
    order = rng.permutation(len(scores))
    mixed = DetectedBoxes(boxed.tile[order], boxed.boxes[order], boxed.labels[order], scores[order])
    one, other = (merge(each, CORNERS, TILE, VIEW, SUPPRESS) for each in (distinct, mixed))
    assert one.scores.tolist() == other.scores.tolist()


@given(
    x0=st.integers(0, 300),
    y0=st.integers(0, 300),
    width=st.integers(4, 330),
    height=st.integers(4, 330),
    score=st.integers(10, 100),
)
def test_every_lesion_that_is_seen_exactly_comes_out_once(
    x0: int, y0: int, width: int, height: int, score: int
) -> None:
    box = (x0, y0, min(336, x0 + width), min(336, y0 + height))
    assert merged(*truth(box, score / 100)) == [(*box, 1, score / 100)]
