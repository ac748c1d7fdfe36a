from __future__ import annotations

import hashlib
import json

import msgspec
import numpy as np
import pytest
import torch

from fundoscope.cli import main
from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train import export as exporting
from fundoscope.train import grader, loop, onnx_graph


@pytest.fixture
def run(config, tmp_path):
    folder = tmp_path / "run"
    grader.train(config, folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def exported_once():
    """Tracing a network takes seconds: each that is the same is traced once."""
    known = {}
    trace = onnx_graph.to_onnx

    def to_onnx(network, size):
        weights = b"".join(v.numpy().tobytes() for v in network.state_dict().values())
        key = (hashlib.sha256(weights).hexdigest(), size)
        if key not in known:
            known[key] = trace(network, size)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "to_onnx", to_onnx)
        yield


def test_a_run_leaves_all_that_is_needed(run, config, labels):
    stored, sha256 = grader.stored_run(run)
    assert stored == config
    assert len(sha256) == 64
    lines = [json.loads(text) for text in (run / loop.METRICS).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert [line["size"] for line in lines] == [32, 32, 64, 64]
    assert set(lines[0]["by_source"]) == {"a", "b"}
    assert (run / "validation-003.npz").is_file()
    surroundings = json.loads((run / grader.RUN).read_text())
    assert set(surroundings["packages"]) == {"torch", "timm", "lightning", "numpy"}


def test_a_killed_run_gives_the_same_network(run, config, tmp_path):
    def kill(report):
        if report.step == 5:
            raise KeyboardInterrupt

    other = tmp_path / "other"
    with pytest.raises(KeyboardInterrupt):
        grader.train(config, other, watcher=grader.Watcher(step=kill))
    grader.train(config, other)
    ours = torch.load(run / loop.CHECKPOINT, weights_only=True)
    theirs = torch.load(other / loop.CHECKPOINT, weights_only=True)
    for part in ("network", "average"):
        for name, value in ours[part].items():
            assert torch.equal(value, theirs[part][name])


def test_a_run_is_not_continued_with_other_settings(run, config):
    other = msgspec.structs.replace(config, seed=2)
    with pytest.raises(UsageError, match="another configuration"):
        grader.train(other, run)
    grader.train(other, run, resume=False)
    assert grader.stored_run(run)[0].seed == 2


def test_smoothed_targets():
    targets = grader.targets(torch.tensor([0, 2, 4]), 0.1)
    assert torch.allclose(targets[0], torch.full((4,), 0.1))
    assert torch.allclose(targets[1], torch.tensor([0.9, 0.9, 0.1, 0.1]))
    assert torch.allclose(targets[2], torch.full((4,), 0.9))


def test_no_validation_is_an_error(config, labels, tmp_path):
    labels.write_text(labels.read_text().replace(",val,", ",train,"))
    with pytest.raises(UsageError, match="has no row of split val"):
        grader.train(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no configuration"),
        ('stages = []\n[data]\nmanifest = "a.csv"\n', "has no stage"),
        ('[data]\nmanifest = "a.csv"\nspeed = 3\n', "speed"),
        ("[data", "is no configuration"),
    ],
)
def test_a_wrong_configuration_is_told(tmp_path, text, why):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        grader.read_config(path)


def test_a_missing_configuration_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        grader.read_config(tmp_path / "none.toml")


def test_the_shipped_configurations_are_whole():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "configs"
    names = [path.name for path in sorted(folder.glob("grader*.toml"))]
    assert "grader.toml" in names
    for name in names:
        assert grader.read_config(folder / name).data.manifest.startswith("../shared/data/")


def test_an_exported_bundle_says_what_torch_says(run, labels, tmp_path):
    found = exporting.export(run, tmp_path / "bundle")
    assert found.torch_difference < exporting.MAX_DIFFERENCE
    assert found.halved == (max(found.half_kappa, found.half_auc) <= exporting.MAX_MOVE)
    bundle = bundles.load(tmp_path / "bundle")
    assert bundle.manifest.input_size in (32, 64)
    assert bundle.manifest.opset == onnx_graph.OPSET
    assert bundle.manifest.trained_on.photographs == {"a": 4, "b": 4}
    everything = (tmp_path / "bundle" / bundles.MANIFEST).read_text()
    card = (tmp_path / "bundle" / bundles.CARD).read_text()
    for text in (everything, card, bundle.model.decode("latin-1")):
        assert str(tmp_path) not in text
        assert "site-packages" not in text
    assert "| a | 2 |" in card


def test_a_bundle_reads_a_photograph(run, tmp_path):
    from fundoscope.reader import Reader

    folder = tmp_path / "bundle"
    exporting.export(run, folder, name="tiny-1")
    manifest = bundles.load(folder).manifest
    assert manifest.name == "tiny-1"
    # The synthetic photographs are smaller than any that the real graders were trained on.
    bundles.write(
        folder,
        msgspec.convert(
            {**msgspec.to_builtins(manifest), "minimum_radius": 10.0}, bundles.BundleManifest
        ),
        bundles.load(folder).model,
        "",
    )
    reading = Reader(grader=folder).read(tmp_path / "4.png")
    assert reading.grade.icdr in range(5)


def test_halved_weights_are_half_as_large_and_nearly_the_same(run):
    from fundoscope.models import runtime

    network, _, size = exporting._best(run, grader.stored_run(run)[0])
    whole = onnx_graph.to_onnx(network, size)
    half = onnx_graph.halve(whole)
    assert len(half) < 0.55 * len(whole)
    for count in (1, 3):
        pixels = np.random.default_rng(0).integers(0, 255, (count, size, size, 3), np.uint8)
        ours, theirs = (
            runtime.run(runtime.open_graph(model, "test"), pixels) for model in (whole, half)
        )
        assert ours.shape == (count, 4)
        assert np.allclose(ours, theirs, atol=0.01)


def test_what_cannot_be_exported_is_told(run, labels, tmp_path):
    with pytest.raises(UsageError, match="is no run of train grader"):
        exporting.export(tmp_path, tmp_path / "bundle")
    labels.write_text(labels.read_text() + "1.png,0,test,a,\n")
    with pytest.raises(UsageError, match="has changed since the run began"):
        exporting.export(run, tmp_path / "bundle")


def test_photographs_without_a_crop_are_told(run, tmp_path, capsys):
    (tmp_path / "0.png").write_bytes(b"no picture")
    arguments = [run, tmp_path / "bundle", "--cache", tmp_path / "new"]
    assert main.run(["train", "export", *map(str, arguments)]) == 0
    out = capsys.readouterr().out
    assert "left out: 0.png: is not an image" in out
    assert "validation, together: n 3" in out


def test_a_run_without_an_epoch_cannot_be_exported(run, tmp_path):
    (run / loop.BEST).unlink()
    with pytest.raises(UsageError, match="no finished epoch"):
        exporting.export(run, tmp_path / "bundle")


def test_a_graph_that_differs_is_refused(run, tmp_path, monkeypatch):
    from fundoscope.errors import FundoscopeError

    monkeypatch.setattr(exporting, "MAX_DIFFERENCE", 0.0)
    with pytest.raises(FundoscopeError, match="differs from torch by"):
        exporting.export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_weights_that_suffer_stay_whole(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_MOVE", -1.0)
    found = exporting.export(run, tmp_path / "bundle")
    assert not found.halved
    assert "full precision" in (tmp_path / "bundle" / bundles.CARD).read_text()


def test_the_commands(config, save_config, tmp_path, capsys):
    toml, run, bundle = save_config(config), tmp_path / "run", tmp_path / "bundle"
    cache = tmp_path / "elsewhere"
    code = main.run(
        ["train", "grader", str(toml), "--out", str(run), "--threads", "1", "--cache", str(cache)]
    )
    out = capsys.readouterr().out
    assert code == 0
    assert "crops 12/12" in out
    assert "epoch 3: kappa" in out
    assert list(cache.iterdir())
    assert main.run(["train", "export", str(run), str(bundle)]) == 0
    out = capsys.readouterr().out
    assert "largest difference of a probability" in out
    assert "validation, together: n 4" in out
    assert main.run(["train", "grader", str(toml), "--out", str(run)]) == 2
    assert "holds a run with another configuration" in capsys.readouterr().err
