"""Networks run by OpenVINO."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fundoscope import phantom
from fundoscope.errors import BundleError, MissingExtraError
from fundoscope.models import bundle, runtime
from fundoscope.models import openvino_session as openvino
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader

needed = pytest.mark.skipif(not openvino.installed(), reason="needs the extra [openvino]")


@pytest.fixture
def path() -> Path:
    return bundle.shipped(bundle.GRADING)


def test_without_the_package_the_device_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "installed", lambda: False)
    for name in ("openvino", "OpenVINO", "OpenVINOExecutionProvider"):
        with pytest.raises(MissingExtraError, match=r"pip install \"fundoscope\[openvino\]\""):
            runtime.session(bundle.load_grader(path), providers=[name])


def test_a_graph_that_it_cannot_load_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bytes) -> None:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(openvino, "installed", lambda: True)
    monkeypatch.setattr(openvino, "OpenVinoSession", refuse)
    with pytest.raises(BundleError, match=r"by OpenVINO \(no such operator\)"):
        runtime.session(bundle.load_grader(path), providers=["openvino"])


@needed
def test_its_outputs_are_those_of_onnx_runtime(path: Path) -> None:
    loaded = bundle.load_grader(path)
    theirs = runtime.session(loaded, providers=["openvino"])
    ours = runtime.session(loaded)
    assert isinstance(theirs, openvino.OpenVinoSession)
    assert [node.name for node in theirs.get_outputs()] == [n.name for n in ours.get_outputs()]
    batch = np.random.default_rng(5).integers(0, 256, (2, 320, 320, 3), dtype=np.uint8)
    names = [node.name for node in ours.get_outputs()][:2]
    for one, other in zip(
        runtime.outputs(theirs, batch, names), runtime.outputs(ours, batch, names), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert len(runtime.outputs(theirs, batch, None)) == len(ours.get_outputs())


@needed
def test_threads_share_it(path: Path) -> None:
    session = runtime.session(bundle.load_grader(path), providers=["openvino"])
    rng = np.random.default_rng(5)
    batches = [rng.integers(0, 256, (1, 320, 320, 3), dtype=np.uint8) for _ in range(8)]
    alone = [runtime.run(session, batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: runtime.run(session, batch), batches))
    assert all(map(np.array_equal, alone, together))


@needed
def test_a_photograph_gets_the_same_grade() -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=5, width=700, height=600, grade=3))
    theirs, ours = (Reader(providers=names).read(pixels) for names in (["openvino"], None))
    assert theirs.grade.icdr == ours.grade.icdr
    assert theirs.grade.probabilities == pytest.approx(ours.grade.probabilities, abs=1e-3)
    assert {lesion.kind for lesion in theirs.lesions} == {lesion.kind for lesion in ours.lesions}
