"""``fundoscope models``: bundles are listed and verified."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.models import bundle

Command = Callable[..., Any]
GRAPH = b"not a real graph; its hash is what counts here"
LICENCE = "research use only"


Make = Callable[..., Path]


@pytest.fixture
def make_bundle(grader_manifest: Callable[..., bundle.GraderManifest]) -> Make:
    """Write the bundle of a grader."""

    def make(folder: Path, name: str = "grader-test-1") -> Path:
        trained_on = bundle.TrainedOn(
            manifest_sha256="0" * 64, photographs={"idrid": 351, "aptos": 2591}, seed=1
        )
        manifest = grader_manifest(
            GRAPH, name=name, referable_threshold=0.321, trained_on=trained_on, licence=LICENCE
        )
        bundle.write(folder, manifest, GRAPH, "# card")
        return folder

    return make


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where bundles that come with the package lie; empty."""
    shelf = tmp_path / "shipped"
    shelf.mkdir()
    monkeypatch.setattr(bundle, "SHIPPED", shelf)
    return shelf


def test_shipped_and_named_bundles_are_listed(
    shelf: Path, tmp_path: Path, fundoscope: Command, make_bundle: Make
) -> None:
    make_bundle(shelf / "grading", "shipped-1")
    said = fundoscope("models", make_bundle(tmp_path / "mine", "mine-1"))
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("shipped-1: verified, ")
    assert f"mine-1: verified, {tmp_path / 'mine'}" in lines
    assert "  referable from a probability of 0.321" in lines
    assert "  trained on 2942 photographs (idrid 351, aptos 2591)" in lines
    assert "  licence: research use only" in lines


def test_a_detector_says_which_kinds_it_finds_from_which_score_and_size(
    shelf: Path,
    fundoscope: Command,
    detector_manifest: Callable[..., bundle.DetectorManifest],
) -> None:
    manifest = detector_manifest(
        GRAPH,
        input_size=(704, 1120),
        classes=("microaneurysm", "irma"),
        thresholds={"microaneurysm": 0.545, "irma": 0.4},
        minimum_radius={"microaneurysm": 800.0},
    )
    bundle.write(shelf / "detection", manifest, GRAPH, "# card")
    said = fundoscope("models")
    assert said.code == 0
    assert said.out.splitlines()[1:4] == [
        "  detection at 704 x 1120 px, 0.0 MB, sha256 " + hashlib.sha256(GRAPH).hexdigest()[:12],
        "  microaneurysm from a score of 0.545, if the retina has a radius of at least 800 px",
        "  irma from a score of 0.400, on no photograph",
    ]


def test_as_json(shelf: Path, fundoscope: Command, make_bundle: Make) -> None:
    make_bundle(shelf / "grading")
    (one,) = json.loads(fundoscope("models", "--json").out)
    assert one["verified"]
    assert one["model_sha256"] == hashlib.sha256(GRAPH).hexdigest()
    assert one["model_bytes"] == len(GRAPH)


def test_a_bundle_whose_name_is_no_text(
    tmp_path: Path, fundoscope: Command, make_bundle: Make
) -> None:
    """msgspec refuses the bytes of such a name: it used to be an internal error."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    try:
        make_bundle(path)
    except OSError:
        pytest.skip("this disk has no such names")
    said = fundoscope("models", path, "--json")
    assert said.code == 0
    assert json.loads(said.out)[-1]["path"].endswith("\\udcff")


def test_a_wrong_hash_is_reported_and_the_others_are_listed(
    shelf: Path, tmp_path: Path, fundoscope: Command, make_bundle: Make
) -> None:
    make_bundle(shelf / "grading", "good-1")
    bad = make_bundle(tmp_path / "bad")
    (bad / "model.onnx").write_bytes(GRAPH + b"!")
    said = fundoscope("models", bad)
    assert said.code == 2
    assert said.out.startswith("good-1: verified")
    assert len(said.complaints) == 1
    assert "bad: is damaged" in said.err
    assert "get the bundle again" in said.err
    described = json.loads(fundoscope("models", bad, "--json").out)
    assert [one["verified"] for one in described] == [True, False]


def test_none_at_all(shelf: Path, fundoscope: Command) -> None:
    said = fundoscope("models")
    assert said.code == 2
    assert len(said.complaints) == 1
    assert "does not come with this installation" in said.err
