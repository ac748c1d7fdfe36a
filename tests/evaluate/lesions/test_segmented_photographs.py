"""The area of pixels of a detector that segments, on drawn eyes, compared with scikit-learn's."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import average_precision_score

from fundoscope.evaluate.lesions import detections, evaluation
from fundoscope.evaluate.lesions.truth import Photograph, Truth
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import heads
from fundoscope.lesions.detector import Detector
from fundoscope.models.bundle import DetectorManifest, TrainedOn
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.photo import decode, field

KINDS = ("haemorrhage", "hard_exudate")
OTHER = "optic_disc"


class Segmenting:
    """Stands for a graph that segments what is dark, what is bright, and noise of its own."""

    def get_inputs(self):
        return [SimpleNamespace(shape=(2, "height", "width", 3), name="pixels")]

    def run(self, outputs, feeds):
        assert tuple(outputs) == (heads.MAPS,)
        green = feeds["pixels"][..., 1]
        return [np.stack([np.where(green > 0, 255 - green, 0), green, green // 3], axis=1)]


@pytest.fixture(scope="module")
def segmenter():
    kinds = (*KINDS, OTHER)
    manifest = DetectorManifest(
        name="segmenter",
        task="detection",
        input_size=128,
        head=heads.MASK,
        classes=kinds,
        thresholds=dict.fromkeys(kinds, 0.5),
        minimum_radius=dict.fromkeys(kinds, 10.0),
        radius=110.0,
        overlap=24,
        step=16,
        suppress=0.3,
        opset=18,
        model_sha256="0" * 64,
        trained_on=TrainedOn(manifest_sha256="0", photographs={}, seed=1),
        licence="none",
        versions={},
        levels=dict.fromkeys(kinds, 0.8),
    )
    return Detector(manifest, Segmenting())


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Three drawn eyes (one squashed, one a black picture) with masks of their lesions."""
    folder = tmp_path_factory.mktemp("eyes")
    specs = (
        PhantomSpec(seed=3, width=480, height=400, grade=3),
        PhantomSpec(seed=5, width=320, height=320, grade=3, stretch=1.4),
        PhantomSpec(seed=7, width=300, height=300, grade=3),
    )
    photographs = []
    for place, spec in enumerate(specs):
        pixels, truth = draw(spec)
        path = folder / f"{place}.png"
        Image.fromarray(pixels if place < 2 else np.zeros_like(pixels)).save(path)
        masks = {}
        for kind in KINDS:
            boxes = [each.box for each in truth.lesions if each.kind == kind]
            masks[kind] = (folder / f"{place}-{kind}.png",)
            Image.fromarray(discs(boxes, pixels.shape[:2])).save(masks[kind][0])
        photographs.append(Photograph(path.name, path, (spec.width, spec.height), masks=masks))
    return Truth(tuple(photographs), KINDS, "0")


def discs(boxes, shape):
    """The pixels of the ellipses in some boxes."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    covered = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes:
        across, down = (2 * x - x0 - x1) / (x1 - x0), (2 * y - y0 - y1) / (y1 - y0)
        covered |= across**2 + down**2 < 1
    return covered


def scores(segmenter, photograph):
    """The score of each pixel of a photograph, by kind."""
    width, height = photograph.size
    photo = decode.decode_file(photograph.path, min_side=segmenter.decode_side)
    fov = field.find(photo)
    if not fov.found:
        return dict.fromkeys(KINDS, np.zeros((height, width)))
    maps = detectors.with_maps(segmenter, photo, fov)[1]
    y, x = np.mgrid[:height, :width] + 0.5
    at = maps.to_view.points(np.stack([x.ravel(), y.ravel()], 1)) - 0.5
    inside = ((at > -0.5) & (at < np.array(maps.maps.shape[:0:-1]) - 0.5)).all(axis=1)
    return {
        kind: np.where(
            inside,
            ndimage.map_coordinates(plane.astype(float), at[:, ::-1].T, order=1, mode="nearest"),
            0,
        ).reshape(height, width)
        for kind, plane in zip(KINDS, maps.maps, strict=False)
    }


def test_the_area_of_all_pixels_is_that_of_scikit_learn(segmenter, known):
    result = evaluation.evaluate(
        known,
        lambda path: detections.detect(segmenter, path),
        segmenter.manifest.thresholds,
        has_maps=True,
        resamples=5,
    )
    assert [each.detections.status for each in result.photographs] == ["read", "read", "no_field"]
    assert result.has_maps
    expected = [scores(segmenter, photograph) for photograph in known.photographs]
    for kind in KINDS:
        masks = [np.array(Image.open(each.masks[kind][0])).ravel() for each in known.photographs]
        shown = [np.rint(each[kind]).ravel() for each in expected]
        assert np.concatenate(masks).sum() > 100
        area = average_precision_score(np.concatenate(masks), np.concatenate(shown))
        ours = result.figures.kinds[kind].figures["aupr_pixels"].value
        assert math.isclose(ours, area, abs_tol=0.003)
        assert 0 < ours < 1


def test_maps_do_not_stay_in_memory(segmenter, known):
    seen = detections.detect(segmenter, known.photographs[0].path)
    assert seen.maps.maps.shape[0] == len(KINDS) + 1
    kept = evaluation.compare(known.photographs[0], seen, KINDS, {})
    assert kept.detections.maps is None
    assert kept.detections.boxes is seen.boxes
    assert len(kept.pixels[KINDS[0]].score) == 256


def test_a_kind_that_is_not_assessed_has_no_pixels(segmenter, known):
    least = {**segmenter.manifest.minimum_radius, KINDS[0]: 1e6}
    blind = Detector(replace(segmenter.manifest, minimum_radius=least), Segmenting())
    seen = detections.detect(blind, known.photographs[0].path)
    counts = evaluation.compare(known.photographs[0], seen, KINDS, {}).pixels
    assert counts[KINDS[0]].score.tolist() == [0]
    assert len(counts[KINDS[1]].score) == 256
