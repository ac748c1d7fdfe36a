"""``fundoscope train detector``: what a person types and sees."""

from __future__ import annotations

import json
from types import SimpleNamespace

import msgspec
import pytest
from PIL import Image

from fundoscope.cli import main
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import export as detector_export


@pytest.fixture
def toml(detector_config, tmp_path):
    """The configuration of one epoch as a file."""
    settings = msgspec.to_builtins(configs.replaced(detector_config, epochs=1))
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items() if k not in tables]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def command(capsys):
    """Run the command line in this process; its exit code, output and complaints."""

    def run(*arguments):
        capsys.readouterr()
        code = main.run(["train", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def exports(monkeypatch, tmp_path):
    """What was asked of the export, which is tested elsewhere."""
    asked = []

    def export(run, folder, *, name=None, cache=None, progress=None, int8=False, overwrite=False):
        assert not int8
        assert not overwrite
        asked.append((run, folder, name, cache))
        return SimpleNamespace(
            folder=folder, megabytes=8.25, epoch=0, compared=40, pixel_difference=0.002,
            score_difference=5e-5, taken=True,
            tried=SimpleNamespace(weights="float16", cost={"haemorrhage": 0.0011, "irma": None}),
            validation={
                "haemorrhage": {"lesions": 9.0, "average_precision": 0.5, "precision": 0.75,
                                "recall": 0.625},
                "irma": {"lesions": 0.0, "average_precision": None, "precision": None,
                         "recall": None},
            },
        )  # fmt: skip

    monkeypatch.setattr(detector_export, "export", export)
    return asked


def test_other_annotations_come_without_further_photographs(toml, tmp_path, command):
    text = toml.read_text().replace('masks = ""', 'masks = "paintings"')
    further = {"tables = []": 'tables = ["all.csv"]', "partial = []\n": ""}
    for before, after in further.items():
        assert before in text
        text = text.replace(before, after)
    scars = '[[partial]]\nannotations = "scars"\nkinds = ["laser_scar"]\nshare = 0.1\n'
    toml.write_text(text + scars)
    code, out, err = command("detector", toml, "--data", tmp_path / "voc", "--dry-run")
    assert code == 0
    assert err == (
        "with --data, the configuration's data.masks, healthy.tables, partial do not apply\n"
    )
    assert "scars" not in out


def test_train_and_export(toml, tmp_path, command, exports):
    run, bundle, cache = tmp_path / "run", tmp_path / "bundle", tmp_path / "elsewhere"
    options = ("--out", run, "--threads", 1, "--cache", cache)
    code, out, err = command("detector", toml, *options, "--bundle", bundle)
    assert (code, err) == (0, "")
    for part in (
        "efficientnet_lite0: ",
        "pictures 11/11",
        "training: 8 photographs, boxes: 21 haemorrhage, 28 hard_exudate, 7 optic_disc",
        "validation: 3 photographs, boxes: 9 haemorrhage",
        "anchors, pixels: ",
        "epoch 1 training: loss ",
        "validation: average precision haemorrhage ",
        "mean of lesions ",
        f"trained; curves: {run / 'curves.png'}",
        "ONNX Runtime against torch on 40 boxes: largest difference 2.0e-03 px",
        "float16 in place of float32 costs: haemorrhage 0.0011, irma 0.0000: used",
        "validation, haemorrhage: 9 boxes, average precision 0.500, at the threshold precision"
        " 0.750 recall 0.625",
        "validation, irma: 0 boxes, average precision -",
        f"{bundle}: epoch 1, 8.2 MB",
    ):
        assert part in out
    assert (run / "curves.png").is_file()
    assert (run / "validation-000.jpg").is_file()
    assert exports == [(run, bundle, None, cache)]
    assert command("export", run, tmp_path / "b2", "--name", "mine")[0] == 0
    assert exports[-1] == (run, tmp_path / "b2", "mine", None)


def test_other_data_and_photographs_to_leave_out(toml, save_lesions, tmp_path, command):
    photos = {f"nv{i}": {"neovascularisation": 2} for i in range(4)}
    root = save_lesions(photos, folder="nv")
    (root / "Annotations" / "nv1.xml").write_text(
        (root / "Annotations" / "nv1.xml").read_text().replace("<width>240", "<width>99")
    )
    run = tmp_path / "run"
    code, out, err = command("detector", toml, "--data", root, "--out", run)
    assert code == 2
    assert "nv1.png (its annotations say 99 x 180" in err
    assert err.count("\n") == 1
    leave = tmp_path / "leave.txt"
    leave.write_text("nv1\n")
    options = ("--data", root, "--images", root / "JPEGImages", "--leave-out", leave)
    code, out, err = command("detector", toml, *options, "--out", run)
    assert (code, err) == (0, "")
    assert "validation: 1 photographs (held out), boxes: 2 neovascularisation" in out
    assert f"export it with: fundoscope train export {run} BUNDLE" in out
    assert configs.of_run(run)[0].data.left_out == ("nv1",)
    code, _, err = command("detector", toml, "--out", run)
    assert code == 2
    assert "holds a run with another configuration" in err


def test_a_preview_and_no_training(toml, tmp_path, command):
    sheet, run = tmp_path / "sheet.png", tmp_path / "run"
    code, out, _ = command("detector", toml, "--out", run, "--preview", sheet)
    assert code == 0
    assert out.endswith(f"{sheet}: drawn; check that the boxes hold what they should\n")
    with Image.open(sheet) as picture:
        assert min(picture.size) > 3 * 64
    assert not run.exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--init", "nonsense"), "nonsense: is not a file, a bundle or a known word"),
        (("--data", "nowhere"), "nowhere: does not exist"),
        (("--leave-out", "nobody.txt"), "nobody.txt"),
        (("--data", "broken"), "e2.xml: is not well-formed XML"),
        (("--devices", 3), "optimiser.batch = 2: is not valid; write a multiple of 3"),
    ],
)
def test_misuse_is_one_line(toml, options, why, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    annotations = tmp_path / "broken" / "Annotations"
    annotations.mkdir(parents=True)
    (annotations / "e2.xml").write_text("<annotation><filename>e2")
    code, _out, err = command("detector", toml, "--out", "run", *options)
    assert code == 2
    assert why in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_graders_configuration_is_no_detectors(config, save_config, command):
    code, _, err = command("detector", save_config(config))
    assert code == 2
    assert "is not a configuration of a detector" in err


def test_a_missing_extra_is_reported(toml, monkeypatch, command):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    code, _, err = command("detector", toml)
    assert code == 2
    assert "fundoscope[train]" in err


def test_a_terminal_shows_bars(toml, tmp_path, command, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    code, out, _ = command("detector", toml, "--out", tmp_path / "run")
    assert code == 0
    assert "tiles/s" in out
