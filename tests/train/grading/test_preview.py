from __future__ import annotations

import msgspec
import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import OutputError, UsageError
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import preview as preview_sheet
from fundoscope.train.run.plan import Stage

ROWS, COLUMNS, GAP = preview_sheet.PHOTOGRAPHS, preview_sheet.VERSIONS + 1, preview_sheet.GAP


def sheet(config, path):
    preview_sheet.draw(config, path)
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_photographs_as_they_are_and_as_training_shows_them(config, tmp_path):
    result = sheet(config, tmp_path / "sheet.png")
    cell = 48 + 2 * GAP
    assert result.shape == (ROWS * cell, COLUMNS * cell, 3)
    tiles = result.reshape(ROWS, cell, COLUMNS, cell, 3).transpose(0, 2, 1, 3, 4)
    inner = tiles[:, :, GAP:-GAP, GAP:-GAP].astype(int)
    for row in inner:
        assert all(tile[24, 24].max() > 50 for tile in row)
        assert all(np.abs(tile - row[0]).mean() > 1 for tile in row[1:])
    assert (tiles[:, :, :GAP] == 255).all()
    assert np.array_equal(result, sheet(config, tmp_path / "again.png"))
    other = sheet(msgspec.structs.replace(config, seed=5), tmp_path / "other.png")
    assert not np.array_equal(result, other)


def test_frames_of_their_own_shape(config, tmp_path):
    native = configs.replaced(
        config, data={"input": "native", "crop_size": (48, 72)}, stages=(Stage((24, 36), 1),)
    )
    assert sheet(native, tmp_path / "sheet.jpg").shape[2] == 3


@pytest.mark.parametrize("name", ["sheet.docx", "sheet", "no/folder/sheet.png"])
def test_a_file_that_cannot_be_written_is_reported(config, tmp_path, name):
    with pytest.raises(OutputError, match="cannot be written"):
        preview_sheet.draw(config, tmp_path / name)


def test_no_photograph_to_show_is_reported(config, tmp_path):
    for file in tmp_path.glob("*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(UsageError, match="no training photograph with a field of view"):
        preview_sheet.draw(config, tmp_path / "sheet.png")
