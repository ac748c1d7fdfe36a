"""Where the lesions of a training photograph are, as a coarse map."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fundoscope.data.manifest import Row
from fundoscope.errors import UsageError
from fundoscope.grading import inputs
from fundoscope.train.grading import lesion_maps
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig, Maps, NetworkChoice, on_other_data
from fundoscope.train.grading.lesion_boxes import KINDS, Line, ScoredBox
from fundoscope.train.networks import augment
from fundoscope.train.networks.augment import Jitter
from fundoscope.train.pack import pack
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Stage

MICROANEURYSM, HAEMORRHAGE = KINDS.index("microaneurysm"), KINDS.index("haemorrhage")
SEEN = (
    ScoredBox("haemorrhage", (-0.5, -0.5, -0.4, -0.4), 0.9),
    ScoredBox("microaneurysm", (0.2, 0.6, 0.21, 0.61), 0.4),
)
UNCHANGED = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])


def written(path: Path, *lines: Line) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return written(
        tmp_path / "boxes.jsonl",
        Line(str(tmp_path / "sick.png"), "d", SEEN),
        Line(str(tmp_path / "unreadable.png"), "d", None),
    )


def maps_of(boxes: Path, *rows: Row) -> tuple[np.ndarray, np.ndarray]:
    """The maps of rows and whether they are known, on a grid of 8 by 8, not moved."""
    read = lesion_maps.read(boxes, [boxes.parent / row.image for row in rows], rows)
    everything = np.arange(len(rows))
    maps, known = read.batch(everything, UNCHANGED.expand(len(rows), 2, 3), (8, 8))
    return maps.numpy(), known.numpy()


def row(image: str, grade: int, source: str = "a", **other: str) -> Row:
    return Row(image=image, grade=grade, source=source, other=other)


def test_a_box_is_in_the_cell_in_which_it_lies(boxes: Path) -> None:
    (maps,), known = maps_of(boxes, row("sick.png", 3))
    assert known.tolist() == [True]
    assert np.argwhere(maps).tolist() == [[MICROANEURYSM, 6, 4], [HAEMORRHAGE, 2, 2]]
    assert maps[HAEMORRHAGE, 2, 2] == pytest.approx(0.9)
    assert maps[MICROANEURYSM, 6, 4] == pytest.approx(0.4)


def test_a_large_box_fills_every_cell_below_it(tmp_path: Path) -> None:
    sheet = ScoredBox("hard_exudate", (-0.99, -0.99, 0.99, 0.26), 0.7)
    weaker = ScoredBox("hard_exudate", (-0.99, -0.99, 0.99, 0.99), 0.3)
    path = written(tmp_path / "b.jsonl", Line(str(tmp_path / "x.png"), "d", (sheet, weaker)))
    read = lesion_maps.read(path, [tmp_path / "x.png"], [row("x.png", 2)])
    maps, _ = read.batch(np.zeros(1, np.int64), UNCHANGED, (64, 64))
    plane = maps[0, KINDS.index("hard_exudate")].numpy()
    assert np.allclose(plane[:40], 0.7)
    assert np.allclose(plane[41:], 0.3)


def test_what_a_grade_says_of_the_lesions(boxes: Path) -> None:
    """Grade 0 has none, grade 1 microaneurysms alone; nobody looked at other diseases."""
    rows = (
        row("sick.png", 1),
        row("healthy.png", 0),
        row("unreadable.png", 2),
        row("drusen.png", 0, other_disease="drusen"),
        row("another.png", 0, source="a source whose sick eyes nobody looked at"),
    )
    maps, known = maps_of(boxes, *rows)
    assert known.tolist() == [True, True, False, False, False]
    assert [int(each.any(axis=(1, 2)).sum()) for each in maps] == [1, 0, 0, 0, 0]
    assert maps[0, MICROANEURYSM].any()


@pytest.mark.parametrize("seed", range(8))
def test_a_lesion_stays_under_its_cell_however_the_picture_is_moved(
    tmp_path: Path, seed: int
) -> None:
    """A bright spot, augmented: the brightest cell of the picture is the cell of its map."""
    side, spot = 192, 9
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-0.5, 0.5, 2).tolist()
    pixels = np.full((1, side, side, 3), 40, np.uint8)
    column, line = (round((value + 1) / 2 * side) for value in (x, y))
    pixels[0, line - spot : line + spot, column - spot : column + spot] = 255
    seen = ScoredBox("soft_exudate", (x, y, x, y), 1.0)
    path = written(tmp_path / "b.jsonl", Line(str(tmp_path / "x.png"), "d", (seen,)))
    read = lesion_maps.read(path, [tmp_path / "x.png"], [row("x.png", 4)])
    jitter = Jitter(
        scale=0.3, aspect=0.3, shift=0.1, flip_vertical=True, blur=0, brightness=0, contrast=0,
        gain=0, saturation=0, gamma=0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    shown, affine = augment.augment_with_maps(torch.from_numpy(pixels), side, generator, jitter)
    maps, _ = read.batch(np.zeros(1, np.int64), affine, (12, 12))
    bright = (shown[0, 0] > 150).nonzero().double().mean(dim=0)
    cell = maps[0, KINDS.index("soft_exudate")].nonzero()[0].double()
    assert (bright / side * 12 - (cell + 0.5)).abs().max() < 0.75


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not json\n", "cannot be read"),
        (b'{"image": "elsewhere.png", "detector": "d", "boxes": []}\n', "none of them trained on"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"{why}.*scripts/lesion_boxes"):
        lesion_maps.read(path, [tmp_path / "sick.png"], [row("sick.png", 3)])


def line_with(**box: object) -> bytes:
    whole = {"kind": "haemorrhage", "box": [0, 0, 0.1, 0.1], "score": 0.5, **box}
    return msgspec.json.encode({"image": "x.png", "detector": "d", "boxes": [whole]}) + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        line_with(kind="irma"),
        line_with(score=7),
        line_with(box=[0, 0, 1e9, 1e9]),
        line_with(box=[0, 0, 1]),
    ],
)
def test_boxes_that_no_map_can_hold_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "boxes.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match="scripts/lesion_boxes"):
        lesion_maps.read(tmp_path / "boxes.jsonl", [Path("x.png")], [row("x.png", 3)])


def test_a_file_that_is_not_finished_is_refused(boxes: Path) -> None:
    """Else only the healthy eyes of the rest would be known, and empty maps their mark."""
    with pytest.raises(UsageError, match=r"lacks 1 sick eyes .*not_read\.png.* continues the file"):
        maps_of(boxes, row("sick.png", 3), row("not_read.png", 2))


@pytest.fixture
def mapped(config: GraderConfig, tmp_path: Path) -> GraderConfig:
    """A run of two epochs that learns maps as well."""
    lines = [Line(str(tmp_path / f"{i}.png"), "d", SEEN) for i in range(12)]
    path = written(tmp_path / "boxes.jsonl", *lines)
    return msgspec.structs.replace(
        config,
        network=NetworkChoice("efficientnet_lite0", init="none"),
        stages=(Stage(64, 1), Stage(64, 1, frozen=2)),
        maps=Maps(str(path), weight=2.0),
    )


def test_maps_are_learnt_and_not_kept(mapped: GraderConfig, tmp_path: Path) -> None:
    """``best.pt`` is that of a plain grader, so it is exported and averaged like any other."""
    run, plain = tmp_path / "run", tmp_path / "plain"
    grader.train(mapped, run)
    without = msgspec.structs.replace(mapped, maps=Maps())
    grader.train(without, plain)
    kept, other = (torch.load(f / loop.BEST, weights_only=True)["network"] for f in (run, plain))
    assert kept.keys() == other.keys()
    assert any(not torch.equal(kept[key], other[key]) for key in kept)
    ours, theirs = (runs.metrics(f)[0]["loss"] for f in (run, plain))
    assert ours > theirs
    trained = torch.load(run / loop.CHECKPOINT, weights_only=True)["network"]
    assert trained["maps.weight"].shape == (len(KINDS), 112, 1, 1)


def test_a_killed_run_with_maps_gives_the_same_network(
    mapped: GraderConfig, tmp_path: Path
) -> None:
    def kill(report: object) -> None:
        if report.step == 3:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grader.train(mapped, tmp_path / "killed", listeners=Listeners(step=kill))
    for name in ("killed", "whole"):
        grader.train(mapped, tmp_path / name)
    ours, theirs = (
        torch.load(tmp_path / name / loop.CHECKPOINT, weights_only=True)["network"]
        for name in ("killed", "whole")
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_is_not_resumed_with_other_boxes(mapped: GraderConfig, tmp_path: Path) -> None:
    """A file that has grown by photographs of others is the same for the run."""

    def kill(report: object) -> None:
        if report.step == 3:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    def go_on(**options: object) -> None:
        with pytest.raises(KeyboardInterrupt):
            grader.train(mapped, tmp_path / "run", listeners=Listeners(step=kill), **options)

    go_on()
    boxes = Path(mapped.maps.boxes)
    before = boxes.read_text()
    other = written(tmp_path / "other.jsonl", Line(str(tmp_path / "other.png"), "d", SEEN))
    boxes.write_text(before + other.read_text())
    go_on()
    boxes.write_text(before.replace("0.9", "0.4"))
    assert boxes.read_text() != before
    with pytest.raises(UsageError, match="has changed since the run began: its photographs have"):
        grader.train(mapped, tmp_path / "run")
    assert (tmp_path / "run" / loop.CHECKPOINT).is_file()
    (tmp_path / "run" / lesion_maps.SHA256).unlink()  # a run of an earlier version
    go_on()
    boxes.write_text(before)
    go_on(resume=False)


def test_photographs_of_one_name_in_two_tables_are_not_mixed_up(
    mapped: GraderConfig, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.png").write_bytes((tmp_path / "0.png").read_bytes())
    (other / "more.csv").write_text("image,grade,source\n1.png,2,b\n")
    data = msgspec.structs.replace(mapped.data, also=(str(other / "more.csv"),))
    chosen = msgspec.structs.replace(mapped, data=data)
    with pytest.raises(UsageError, match=r"more\.csv: has 1\.png, and so has another table"):
        grader.train(chosen, tmp_path / "run")


def test_a_network_without_groups_of_blocks_has_no_maps(
    mapped: GraderConfig, tmp_path: Path
) -> None:
    chosen = msgspec.structs.replace(mapped, network=NetworkChoice("sequential-spp", init="none"))
    with pytest.raises(UsageError, match=r"maps\.boxes: needs a network made of groups of blocks"):
        grader.train(chosen, tmp_path / "run")


def test_maps_need_square_crops(mapped: GraderConfig, tmp_path: Path) -> None:
    data = msgspec.structs.replace(mapped.data, input=inputs.SQUASH)
    chosen = msgspec.structs.replace(mapped, data=data)
    with pytest.raises(UsageError, match="maps need square crops"):
        grader.train(chosen, tmp_path / "run")


def test_boxes_stay_with_their_photographs(mapped: GraderConfig, tmp_path: Path) -> None:
    assert on_other_data(mapped, tmp_path / "other.csv").maps == Maps()
    with pytest.raises(UsageError, match="does not carry boxes for maps"):
        pack.write_grader(mapped, tmp_path / "pack.zip")
