from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from fundoscope.cli import main
from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.models.correction import GradeCorrection
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import export, photographs, reproduce
from fundoscope.train.grading import training as grader
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import Stage

NAME = "tiny"


SIDE, PHOTOGRAPHS = 96, 12


def draw_disc(grade, random):
    """A reddish disc, darker the higher the grade."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    inside = np.hypot(x, y) < SIDE * 0.45
    pixels = np.zeros((SIDE, SIDE, 3))
    pixels[inside] = np.array((180, 90, 40)) * (1 - 0.1 * grade)
    pixels[inside] += random.normal(0, 4, (int(inside.sum()), 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module", autouse=True)
def traced_once():
    """Tracing a network takes seconds: each that is the same is traced once."""
    known, trace = {}, onnx_graph.to_onnx

    def to_onnx(network, *args, **kwargs):
        content = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
        key = hashlib.sha256(content).hexdigest()
        if key not in known:
            known[key] = trace(network, *args, **kwargs)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "to_onnx", to_onnx)
        yield


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A folder with a label table, a run of two epochs on it, and the run's bundle."""
    # Two folders down: other tests' tables lie beside the first, where further ones are looked for.
    folder, random = tmp_path_factory.mktemp("origin") / "set", np.random.default_rng(7)
    folder.mkdir()
    lines = ["image,grade,split,source"]
    for i in range(PHOTOGRAPHS):
        draw_disc(i % 5, random).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{i % 5},{'train' if i % 3 else 'val'},{'ab'[i % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fundoscope.photo.retina.plausible", lambda *_: True)
        grader.train(configuration(folder), folder / "run")
        export.export(folder / "run", folder / "given", name=NAME)
    return folder


def configuration(folder, **changes):
    config = configs.GraderConfig(
        data=configs.Data(str(folder / "labels.csv"), str(folder / "cache"), crop_size=32),
        stages=(Stage(32, 2),),
        network=configs.NetworkChoice(name="sequential-spp", init="none"),
        optimiser=Optimiser(batch=4, rate=1e-3),
        threads=1,
    )
    return msgspec.structs.replace(config, **changes)


@pytest.fixture
def labels(origin):
    return origin / "labels.csv"


@pytest.fixture
def run(origin, tmp_path):
    return Path(shutil.copytree(origin / "run", tmp_path / "run"))


@pytest.fixture
def bundle(origin, tmp_path):
    return Path(shutil.copytree(origin / "given", tmp_path / "given"))


def rewritten(folder, **changes):
    """The bundle with another manifest."""
    content = bundles.load(folder)
    bundles.write(folder, replace(content.manifest, **changes), content.model, "")
    return folder


def test_the_export_states_its_figures(bundle):
    manifest = bundles.load(bundle).manifest
    assert set(manifest.validation) == {"a", "b", "together", "gradable", "mean of sources"}
    assert manifest.validation["together"]["n"] == 4
    assert "n" not in manifest.validation["mean of sources"]
    assert -1 <= manifest.validation["together"]["kappa"] <= 1


def test_the_same_machine_makes_the_same_bundle(bundle, labels, tmp_path):
    done = reproduce.reproduce(bundle, tmp_path / "again", data=labels, cache=tmp_path / "cache")
    assert done.trained
    assert done.made.model_sha256 == done.given.model_sha256
    assert done.made.name == "tiny-again"
    assert done.made.trained_on.configuration == done.given.trained_on.configuration
    compared = done.comparison
    assert compared.photographs == 4
    assert compared.largest_difference == compared.mean_difference == 0
    assert compared.other_grade == 0
    assert compared.before.table() == compared.after.table()
    assert compared.from_card == pytest.approx(0, abs=1e-12)


def test_a_finished_run_is_only_compared(bundle, run, monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(grader, "train", train)
    assert not reproduce.reproduce(bundle, run).trained


def test_a_run_begun_elsewhere_is_the_same_run(bundle, run):
    """Paths, threads and the licence's wording differ from machine to machine."""
    path = run / "config.json"
    stored = json.loads(path.read_text())
    stored["config"]["threads"] = 7
    stored["config"]["data"]["licence"] = "another"
    path.write_text(json.dumps(stored))
    done = reproduce.reproduce(bundle, run)
    assert not done.trained
    assert (done.threads, done.config.threads) == (1, 7)


def test_an_unfinished_run_is_resumed(bundle, run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text(lines[0] + "\n")
    assert reproduce.reproduce(bundle, run).trained


@pytest.mark.parametrize(
    ("patience", "scores", "finished"),
    [
        (2, (0.5, 0.4, None), True),
        (2, (None, None, None), True),
        (2, (0.5, 0.4), False),
        (2, (0.5, 0.4, 0.6), False),
        (2, (), False),
        (0, (0.5, 0.4, 0.3), False),
        (0, (0.5, 0.4, 0.3, 0.2), True),
    ],
)
def test_a_run_that_patience_ended_is_finished(tmp_path, patience, scores, finished):
    config = configuration(tmp_path, patience=patience, stages=(Stage(32, 4),))
    lines = [json.dumps({"epoch": epoch, "score": score}) for epoch, score in enumerate(scores)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert reproduce.finished(config, tmp_path) == finished


def test_a_table_must_be_named_to_start(bundle, tmp_path):
    with pytest.raises(UsageError, match=r"--data: is missing: .* trained on labels\.csv"):
        reproduce.reproduce(bundle, tmp_path / "again")


def test_another_run_is_refused(bundle, run, origin):
    grader.train(configuration(origin, seed=5), run, resume=False)
    with pytest.raises(UsageError, match="holds a run with another configuration"):
        reproduce.reproduce(bundle, run)


def test_another_table_is_refused(bundle, labels, tmp_path):
    stated = bundles.load(bundle).manifest.trained_on.manifest_sha256
    other = labels.with_name("other.csv")
    other.write_text(labels.read_text() + "\n")
    with pytest.raises(UsageError, match="has the sha256") as caught:
        reproduce.reproduce(bundle, tmp_path / "again", data=other)
    assert stated[:12] in str(caught.value)
    assert not (tmp_path / "again").exists()


def test_a_bundle_that_does_not_say_is_refused(bundle, tmp_path):
    trained_on = replace(bundles.load(bundle).manifest.trained_on, configuration={})
    with pytest.raises(UsageError, match="does not state how it was trained"):
        reproduce.reproduce(rewritten(bundle, trained_on=trained_on), tmp_path / "again")


def test_an_average_says_which_commands_make_it_again(bundle, tmp_path):
    averaged = {"first": 0.25, "second": 0.75}
    trained_on = replace(bundles.load(bundle).manifest.trained_on, averaged=averaged)
    with pytest.raises(UsageError, match="is the average of the runs first") as caught:
        reproduce.reproduce(rewritten(bundle, trained_on=trained_on), tmp_path / "again")
    told = str(caught.value)
    assert "docs/results.md" in told
    assert (
        "fundoscope train average runs/first runs/second --share 0.25 --share 0.75 --size 32"
        in told
    )
    assert told.count("\n") == 0


class StoppedError(Exception):
    """Everything is settled, and training would begin."""


@pytest.fixture
def begun(monkeypatch):
    """The configuration that would be trained; nothing is."""
    configurations = []

    def train(config, *_, **__):
        configurations.append(config)
        raise StoppedError

    monkeypatch.setattr(grader, "train", train)
    return configurations


def with_settings(bundle, sha256=None, **sections):
    """The bundle with other settings of its training."""
    trained_on = bundles.load(bundle).manifest.trained_on
    settings = msgspec.to_builtins(trained_on.configuration)
    for name, changes in sections.items():
        settings[name] |= changes
    sha256 = sha256 or trained_on.manifest_sha256
    return rewritten(
        bundle, trained_on=replace(trained_on, configuration=settings, manifest_sha256=sha256)
    )


@pytest.mark.parametrize("began", ["best.pt", {"network": {"init": "imagenet"}, "seed": 7}])
def test_what_a_bundle_began_at_is_asked_for(bundle, labels, tmp_path, begun, began):
    later = with_settings(bundle, network={"init": began})
    with pytest.raises(UsageError, match=r"the starting weights best\.pt: .*best\.pt with --init"):
        reproduce.reproduce(later, tmp_path / "again", data=labels)
    with pytest.raises(StoppedError):
        reproduce.reproduce(later, tmp_path / "again", data=labels, init="elsewhere/start.pt")
    assert begun[0].network.init == "elsewhere/start.pt"


def test_further_tables_are_found_and_count(bundle, labels, tmp_path, begun, origin):
    (origin / "more").mkdir(exist_ok=True)
    further = origin / "more" / "further.csv"
    further.write_text("image,grade\n../1.png,1\n")
    table, more = photographs.read(labels), photographs.read(further)
    later = with_settings(
        bundle, photographs.sha256(table, (more,)), data={"also": ["further.csv"]}
    )
    with pytest.raises(UsageError, match=r"further\.csv: is not found near"):
        reproduce.reproduce(later, tmp_path / "again", data=labels)
    # Sets lie beside each other, each in its folder.
    moved = Path(shutil.copytree(origin, tmp_path / "sets" / "first"))
    shutil.move(moved / "more", tmp_path / "sets" / "more")
    further = tmp_path / "sets" / "more" / "further.csv"
    further.write_text("image,grade\n../first/1.png,1\n")
    data = moved / "labels.csv"
    more = photographs.read(further)
    later = with_settings(
        bundle, photographs.sha256(table, (more,)), data={"also": ["further.csv"]}
    )
    with pytest.raises(StoppedError):
        reproduce.reproduce(later, tmp_path / "again", data=data)
    assert begun[0].data.also == (str(further),)
    further.write_text("image,grade\n../first/1.png,2\n")
    with pytest.raises(UsageError, match="has the sha256"):
        reproduce.reproduce(later, tmp_path / "again", data=data)


def test_boxes_for_maps_are_found_beside_the_table(bundle, labels, tmp_path, begun, origin):
    later = with_settings(bundle, maps={"boxes": "seen.jsonl"})
    with pytest.raises(UsageError, match=r"seen\.jsonl: is not found near"):
        reproduce.reproduce(later, tmp_path / "again", data=labels)
    boxes = origin / "seen.jsonl"
    boxes.write_text("")
    with pytest.raises(StoppedError):
        reproduce.reproduce(later, tmp_path / "again", data=labels)
    boxes.unlink()
    assert begun[0].maps.boxes == str(boxes)
    elsewhere = configs.replaced(begun[0], maps={"boxes": "another/seen.jsonl"})
    assert reproduce._essence(elsewhere) == reproduce._essence(begun[0])


def test_an_older_bundle_states_no_figures(bundle, run):
    """Those of version 0.1 do not, and their configuration says ``pretrained``."""
    trained_on = bundles.load(bundle).manifest.trained_on
    settings = msgspec.to_builtins(trained_on.configuration)
    del settings["network"]["init"]
    settings["network"]["pretrained"] = False
    settings["jitter"] = {}
    older = rewritten(bundle, validation={}, trained_on=replace(trained_on, configuration=settings))
    assert reproduce.reproduce(older, run).comparison.from_card is None


def test_every_bundle_is_evaluated_with_its_own_values(bundle, run):
    given = bundles.load(bundle).manifest
    always = GradeCorrection(slope=0.1, offsets=(9.0, 9.0, 9.0, 9.0))
    never = rewritten(bundle, correction=always, referable_threshold=1.0)
    done = reproduce.reproduce(never, run)
    assert done.comparison.before.pooled.sensitivity == 0
    assert done.comparison.before.fitted.correction == always
    assert done.comparison.after.fitted.threshold == given.referable_threshold
    assert done.comparison.after.fitted.correction == given.correction
    assert done.comparison.from_card > 0
    # The networks are the same; the corrections make the expected grades differ.
    assert done.comparison.largest_difference > 0


def test_the_command(bundle, run, labels, capsys):
    code = main.run(["reproduce", "grader", "--bundle", str(bundle), "--out", str(run)])
    out = capsys.readouterr().out
    assert code == 0
    assert "it was not trained again" in out
    assert "threads: 1 then and now" in out
    assert "versions: the same" in out
    assert "4 validation photographs" in out
    assert "photographs with another grade: 0 of 4" in out
    kappa = next(line for line in out.splitlines() if line.startswith("quadratic kappa, together"))
    before, after, difference = map(float, kappa.split()[-3:])
    assert before == after
    assert difference == 0
    assert not np.isnan(before)


def test_the_command_says_that_threads_differ(bundle, labels, tmp_path, capsys):
    words = ["--bundle", bundle, "--data", labels, "--out", tmp_path / "r", "--threads", "2"]
    words += ["--cache", tmp_path / "cache"]
    assert main.run(["reproduce", "grader", *map(str, words)]) == 0
    assert "threads: 1 then, 2 now; their number" in capsys.readouterr().out
