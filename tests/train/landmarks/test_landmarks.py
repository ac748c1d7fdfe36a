"""Marks, moved targets, the loss, and the limits of a landmark network."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.errors import FundoscopeError, OutputError, TableError, UsageError
from fundoscope.lesions.landmarks import Peak
from fundoscope.train.landmarks import config, export, figures, losses, marks, network, training
from fundoscope.train.landmarks.config import NetworkChoice
from fundoscope.train.run.plan import Stage

torch = pytest.importorskip("torch")
NAN = float("nan")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Marks on one drawn eye, and a picture that shows none."""
    pixels, _ = phantom.draw(phantom.PhantomSpec(width=320, height=300))
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    Image.new("RGB", (320, 300)).save(tmp_path / "dark.png")
    path = tmp_path / "marks.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(marks.COLUMNS)
        writer.writerow(["eye.png", "train", 200, 150, 40, 44, "", ""])
        writer.writerow(["dark.png", "val", "", "", "", "", "", ""])
    return path


def test_marks_are_scaled_to_the_field_and_pictures_without_one_are_left_out(
    table: Path, tmp_path: Path
) -> None:
    read = marks.read(table)
    crops = marks.load(read, 64, tmp_path / "cache")
    assert crops.pixels.shape == (1, 64, 64, 3)
    assert [left.image for left in crops.left_out] == ["dark.png"]
    x, y, diameter, fovea_x, fovea_y = crops.truth[0].tolist()
    assert 0 < x < 1
    assert abs(y) < 0.3
    assert 0.2 < diameter < 0.5
    assert np.isnan([fovea_x, fovea_y]).all()
    again = marks.load(read, 64, tmp_path / "cache")
    np.testing.assert_array_equal(again.pixels, crops.pixels)
    with pytest.raises(UsageError, match="split val"):
        marks.require_usable(crops, "marks.csv")


def test_what_may_be_readable_tomorrow_is_not_left_out_for_good(
    table: Path, tmp_path: Path
) -> None:
    eye = tmp_path / "eye.png"
    hidden = eye.rename(tmp_path / "hidden.png")
    with pytest.raises(UsageError, match=r"eye\.png: does not exist; check the path"):
        marks.load(marks.read(table), 64, tmp_path / "cache")
    eye.mkdir()
    with pytest.raises(UsageError, match=r"eye\.png: is a folder"):
        marks.load(marks.read(table), 64, tmp_path / "cache")
    eye.rmdir()
    hidden.rename(eye)
    assert len(marks.load(marks.read(table), 64, tmp_path / "cache").pixels) == 1


def test_a_cell_that_is_no_number_is_named(table: Path) -> None:
    table.write_text(table.read_text().replace("200", "here"))
    with pytest.raises(TableError, match="line 2, column disc_x"):
        marks.read(table)


@pytest.mark.parametrize("side", ["0", "-40"])
def test_a_disc_without_a_size_is_named(table: Path, side: str) -> None:
    table.write_text(table.read_text().replace(",40,", f",{side},"))
    with pytest.raises(TableError, match=f"line 2, column disc_width: holds {side}; write a pos"):
        marks.read(table)


def test_half_a_mark_is_named(table: Path) -> None:
    table.write_text(table.read_text().replace(",200,150,", ",200,,"))
    with pytest.raises(TableError, match="line 2, column disc_y: is empty, and disc_x is not"):
        marks.read(table)


def test_a_photograph_in_both_splits_is_refused(table: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    again = "folder/../eye.png,val,200,150,40,44,,\n"
    table.write_text(table.read_text() + again)
    with pytest.raises(TableError, match=r"line 2, column split: trains on eye.png, which is in"):
        marks.read(table)
    table.write_text(table.read_text().replace(",val,200", ",train,200"))
    assert len(marks.read(table).rows) == 3


def test_a_cache_that_cannot_be_written_is_reported(table: Path) -> None:
    with pytest.raises(OutputError, match=r"marks\.csv: cannot be written"):
        marks.load(marks.read(table), 64, table)


def test_a_start_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    chosen = config.LandmarksConfig(
        config.Data("marks.csv"), (), start=str(tmp_path / "gone" / "best.pt")
    )
    with pytest.raises(UsageError, match=r"gone/best\.pt: does not exist"):
        training._start(chosen)


def test_targets_follow_their_picture() -> None:
    quarter_turn = torch.tensor([[[0.0, -2.0, 0.0], [2.0, 0.0, 0.0]]])  # result to source
    truth = torch.tensor([[0.5, 0.0, 0.3, NAN, NAN]])
    targets = training.moved(truth, quarter_turn)
    assert targets.points[0, 0].tolist() == pytest.approx([0.0, -0.25])
    assert targets.shown[0].tolist() == [True, False]
    assert targets.diameter.item() == pytest.approx(0.15)


def test_what_a_cut_hides_is_not_to_be_seen() -> None:
    pictures = torch.ones(64, 3, 32, 32)
    outermost = 31.5 / 32 * 2 - 1  # the middle of the last pixel
    points = torch.tensor([outermost, 0.0, -outermost, 0.0]).reshape(1, 2, 2).repeat(64, 1, 1)
    targets = losses.Targets(points, torch.ones(64, 2, dtype=torch.bool), torch.full((64,), 0.3))
    shown, after = training.cut(pictures, targets, 1.0, torch.Generator().manual_seed(1))
    for picture, seen in zip(shown, after.shown, strict=True):
        assert bool(picture[0, 16, 31] > 0) == bool(seen[0])
        assert bool(picture[0, 16, 0] > 0) == bool(seen[1])
    assert not after.shown.all()


def test_maps_that_show_the_landmarks_have_a_smaller_loss() -> None:
    points = torch.tensor([[[0.25, 0.0], [-0.25, 0.0]]])
    targets = losses.Targets(points, torch.ones(1, 2, dtype=torch.bool), torch.tensor([0.3]))
    right, wrong = torch.full((1, 3, 16, 16), -6.0), torch.full((1, 3, 16, 16), -6.0)
    right[:, 2] = wrong[:, 2] = float(np.log(0.3))
    right[0, 0, 7:9, 9:11] = right[0, 1, 7:9, 5:7] = 2.0
    wrong[0, 0, 0, 0] = wrong[0, 1, 15, 15] = 2.0
    of_right, of_wrong = (
        losses.loss(maps, targets, offset=1.0, diameter=1.0) for maps in (right, wrong)
    )
    assert of_right < of_wrong


def test_the_network_gives_maps_of_stride_eight() -> None:
    made = network.create(NetworkChoice(channels=8), init="none").eval()
    with torch.inference_mode():
        assert made(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 8, 8)


def test_the_limit_keeps_the_share_of_false_ones() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert export.limit(scores, np.array([True, True, True, True]), 0.01) == 0.6
    assert export.limit(scores, np.array([True, True, False, True]), 0.01) == 0.8
    assert export.limit(scores, np.array([False] * 4), 0.01) == 1.0


def readings(**last: float) -> list[tuple[Peak, Peak]]:
    """Twenty readings; ``last`` changes the disc (``diameter``) or the fovea of the last four."""
    pairs = [(Peak(0.1, 0.0, 0.9, 0.2), Peak(-0.3, 0.0, 0.9, 0.2))] * 16
    disc = Peak(0.1, 0.0, 0.9, last.get("diameter", 0.2))
    return pairs + [(disc, Peak(last.get("x", -0.3), 0.0, 0.9, 0.2))] * 4


def test_a_graph_may_not_differ_in_disc_fovea_or_diameter() -> None:
    assert export._difference(readings(), readings()) == 0
    assert 0 < export._difference(readings(), readings(x=-0.302)) < export.MAX_DIFFERENCE
    for other in ({"x": -0.2}, {"diameter": 0.25}, {"x": NAN}, {"diameter": NAN}):
        with pytest.raises(FundoscopeError, match="differs from torch"):
            export._difference(readings(), readings(**other))


def test_one_uncertain_photograph_in_twenty_does_not_refuse_a_graph() -> None:
    moved = [*readings()[:-1], readings(x=0.5)[-1]]
    assert export._difference(readings() * 2, [*readings(), *moved]) < export.MAX_DIFFERENCE


def test_half_precision_without_a_number_is_not_taken() -> None:
    truth = np.array([[0.1, 0.0, 0.2, -0.3, 0.0]] * 20, np.float32)
    assert export._tried(readings(), readings(), truth)[1]
    assert not export._tried(readings(), [(Peak(NAN, NAN, NAN, NAN),) * 2] * 20, truth)[1]


def test_distances_are_in_disc_diameters() -> None:
    found = [(Peak(0.1, 0.0, 0.9, 0.2), Peak(0.0, 0.0, 0.9, 0.2))]
    errors = figures.errors(found, np.array([[0.0, 0.0, 0.2, NAN, NAN]], np.float32))
    assert errors.disc[0] == pytest.approx(0.5)
    assert errors.diameter[0] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(errors.fovea[0])


def test_the_shipped_configuration_is_valid_and_odd_sizes_are_not(tmp_path: Path) -> None:
    from fundoscope.train.run import recipes

    path = recipes.path(Path("landmarks"))
    read = config.read_config(path)
    assert config.with_epochs(read, 3).stages[0].epochs == 3
    two = config.LandmarksConfig(read.data, (Stage(160, 10), Stage(224, 30)))
    assert [s.epochs for s in config.with_epochs(two, 8).stages] == [2, 6]
    assert [s.size for s in config.with_epochs(two, 1).stages] == [224]
    odd = tmp_path / "odd.toml"
    odd.write_text(path.read_text().replace("size = 224", "size = 225"))
    with pytest.raises(UsageError, match="multiple of 16"):
        config.read_config(odd)
