"""Further sets do not hold photographs of validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from fundoscope.errors import UsageError
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig, Partial


def test_a_photograph_of_validation_is_not_learnt_from_in_a_further_set(
    detector_config: DetectorConfig, save_lesions: Callable[..., Path]
) -> None:
    """It is known by what it shows, whatever its name."""
    photos = {f"scar{i}": {"laser_scar": 3, "haemorrhage": 2} for i in range(4)}
    names = list(photos)
    scars = save_lesions(photos, {"train": names[:3], "val": names[3:]}, "scars")
    partial = Partial(str(scars), ("laser_scar",), share=0.3)
    config = msgspec.structs.replace(detector_config, partial=(partial,))
    assert detector.read_data(config).partial
    main = Path(config.data.annotations) / "JPEGImages"
    Image.open(main / "eye08.png").save(scars / "JPEGImages" / "scar1.png", compress_level=1)
    with pytest.raises(UsageError, match=r"scars: shows .* validation: scar1\.png and eye08\.png"):
        detector.read_data(config)
