from __future__ import annotations

import hashlib
import json
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope import limits
from fundoscope.errors import BundleError, OutputError
from fundoscope.models import bundle
from fundoscope.models.bundle import DetectorManifest, GraderManifest, TrainedOn
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.models.presence import PresenceModel

MODEL = b"not really a graph"
MANIFEST = GraderManifest(
    name="test",
    task="grading",
    input_size=32,
    head="cumulative",
    classes=("0", "1", "2", "3", "4"),
    cut_points=(0.5, 1.5, 2.5, 3.5),
    temperature=1.0,
    referable_threshold=0.5,
    minimum_radius=50.0,
    opset=17,
    model_sha256=hashlib.sha256(MODEL).hexdigest(),
    trained_on=TrainedOn(manifest_sha256="0" * 64, photographs={"a": 3}, seed=1),
    licence="research use",
    versions={"torch": "2"},
)

DETECTOR = DetectorManifest(
    name="test",
    task="detection",
    input_size=(96, 128),
    head="boxes",
    classes=("microaneurysm", "optic_disc"),
    thresholds={"microaneurysm": 0.4, "optic_disc": 0.9},
    minimum_radius={"microaneurysm": 300.0},
    radius=1000.0,
    overlap=64,
    step=32,
    suppress=0.3,
    opset=18,
    model_sha256=hashlib.sha256(MODEL).hexdigest(),
    trained_on=TrainedOn(manifest_sha256="0" * 64, photographs={"a": 3}, seed=1),
    licence="research use",
    versions={"torch": "2"},
)


def unsealed(folder: Path, *, without: tuple[str, ...] = (), **fields: object) -> Path:
    """Make the bundle one of version 0.1, which has no seal, with other fields."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text()) | fields
    for name in ("sealed", *without):
        content.pop(name, None)
    path.write_text(json.dumps(content))
    (folder / "bundle.sha256").unlink(missing_ok=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle.write(tmp_path / "b", MANIFEST, MODEL, "# Card")
    return tmp_path / "b"


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return path


def test_what_was_written_is_read_again(folder: Path) -> None:
    loaded = bundle.load(folder)
    assert loaded.manifest == MANIFEST
    assert loaded.model == MODEL


def test_a_zip_file_is_a_bundle_too(folder: Path) -> None:
    assert bundle.load(zipped(folder)) == bundle.load(folder)


def test_writing_again_replaces_and_leaves_nothing_behind(folder: Path) -> None:
    bundle.write(folder, replace(MANIFEST, name="second"), MODEL, "# Card")
    assert bundle.load(folder).manifest.name == "second"
    files = {"model.onnx", "bundle.json", "bundle.sha256", "card.md"}
    assert {file.name for file in folder.iterdir()} == files


def test_a_changed_model_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(MODEL + b"!")
    with pytest.raises(BundleError, match="is damaged"):
        bundle.load(folder)


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json"])
def test_an_incomplete_bundle_says_what_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"has no {name}"):
        bundle.load(folder)
    with pytest.raises(BundleError, match=f"has no {name}"):
        bundle.load(zipped(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', "\x00"])
def test_a_broken_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        bundle.load(folder)


def test_another_format_is_refused(folder: Path) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(content | {"format": "fundoscope.bundle/9"}))
    with pytest.raises(BundleError, match="bundle/9"):
        bundle.load(folder)


def test_the_working_folder_is_named_in_messages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last part of the path ``.`` is empty, so messages began with a colon."""
    monkeypatch.chdir(folder)
    (folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"^\.: is damaged or was edited"):
        bundle.load(".")
    (folder / "bundle.json").unlink()
    with pytest.raises(BundleError, match=r"^\.: has no bundle\.json"):
        bundle.load(".")


def test_a_path_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    for path in (tmp_path / "nothing", tmp_path / "text.txt"):
        with pytest.raises(BundleError, match="is not a bundle"):
            bundle.load(path)


def test_bounds_are_checked_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_BUNDLE_JSON_BYTES", 10)
    for path in (folder, zipped(folder)):
        with pytest.raises(BundleError, match="has more than"):
            bundle.load(path)


def test_a_damaged_zip_file(folder: Path) -> None:
    path = zipped(folder)
    data = bytearray(path.read_bytes())
    data[data.index(MODEL) : data.index(MODEL) + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))
    with pytest.raises(BundleError):
        bundle.load(path)


def test_a_bundle_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.load(folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        bundle.write(tmp_path / "file", MANIFEST, MODEL, "")


def test_a_manifest_for_another_model_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model_sha256"):
        bundle.write(tmp_path / "b", MANIFEST, b"other", "")


def test_an_installation_without_bundles_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    with pytest.raises(BundleError, match="does not come with this installation"):
        bundle.shipped("grading")


@pytest.mark.parametrize(("size", "sides"), [(224, (224, 224)), ((200, 300), (200, 300))])
def test_a_size_is_a_side_or_height_and_width(
    tmp_path: Path, size: int | tuple[int, int], sides: tuple[int, int]
) -> None:
    manifest = replace(MANIFEST, input_size=size, input="squash")
    bundle.write(tmp_path / "b", manifest, MODEL, "")
    loaded = bundle.load(tmp_path / "b").manifest
    assert loaded == manifest
    assert loaded.height_width == sides


def test_a_bundle_of_version_0_1_says_nothing_of_its_input_and_takes_crops(folder: Path) -> None:
    unsealed(folder, without=("input",))
    assert bundle.load(folder).manifest.input == "crop"
    assert not bundle.load(folder).sealed


@pytest.mark.parametrize("size", ["wide", [200], [1, 2, 3], 2.5])
def test_a_size_that_is_none_is_refused(folder: Path, size: object) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"input_size": size}))
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        bundle.load(folder)


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    bundle.write(tmp_path / "d", DETECTOR, MODEL, "# Card")
    return tmp_path / "d"


def changed(folder: Path, **fields: object) -> Path:
    """The bundle with other fields in its bundle.json."""
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return folder


def test_a_detector_that_was_written_is_read_again(detector: Path) -> None:
    for path in (detector, zipped(detector)):
        loaded = bundle.load_detector(path)
        assert loaded.manifest == DETECTOR
        assert loaded.model == MODEL
    assert bundle.load(detector).manifest == DETECTOR


def test_a_bundle_of_the_other_task_is_refused(folder: Path, detector: Path) -> None:
    assert bundle.load_grader(folder).manifest == MANIFEST
    with pytest.raises(BundleError, match="b: is a grading bundle, not a detection bundle"):
        bundle.load_detector(folder)
    with pytest.raises(BundleError, match="d: is a detection bundle, not a grading bundle"):
        bundle.load_grader(detector)


def test_a_grader_that_calls_itself_a_detector_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        bundle.load(changed(folder, task="detection"))


def test_an_unknown_task_is_refused(detector: Path) -> None:
    with pytest.raises(BundleError, match="does 'segmentation'; this version reads"):
        bundle.load(changed(detector, task="segmentation"))


@pytest.mark.parametrize(
    "fields",
    [
        {"thresholds": [0.4, 0.9]},
        {"thresholds": {"microaneurysm": "high"}},
        {"classes": "microaneurysm"},
        {"minimum_radius": None},
        {"overlap": 6.5},
        {"radius": "large"},
    ],
)
def test_a_detector_with_a_wrong_field_is_refused(
    detector: Path, fields: dict[str, object]
) -> None:
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        bundle.load(changed(detector, **fields))


@pytest.mark.parametrize("field", ["thresholds", "classes", "radius", "overlap", "suppress"])
def test_a_detector_without_a_field_is_refused(detector: Path, field: str) -> None:
    path = detector / "bundle.json"
    content = json.loads(path.read_text())
    del content[field]
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=rf"wrong bundle\.json.*{field}"):
        bundle.load(detector)


def test_an_installation_without_a_detector_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    with pytest.raises(BundleError, match="detection bundle: does not come with this installation"):
        bundle.shipped(bundle.DETECTION)


def test_a_bundle_is_sealed_when_it_is_written(folder: Path, detector: Path) -> None:
    for path in (folder, zipped(folder), detector, zipped(detector)):
        assert bundle.load(path).sealed
    lines = (folder / "bundle.sha256").read_text().splitlines()
    names = {"bundle.json": 0, "card.md": 0, "model.onnx": 0}
    for line in lines:
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        del names[name]
    assert not names


def test_the_bundles_that_ship_are_sealed() -> None:
    assert all(bundle.load(bundle.shipped(task)).sealed for task in bundle.MANIFESTS)


@pytest.mark.parametrize("file", ["bundle.json", "card.md", "bundle.sha256"])
def test_every_flipped_bit_is_noticed(file: str, folder: Path) -> None:
    """1,500 bits by seed in each file; bundle.json of a detector that ships, with its records."""
    shipped = bundle.shipped(bundle.DETECTION)
    for name in ("bundle.json", "card.md"):
        (folder / name).write_bytes((shipped / name).read_bytes())
    content = json.loads((folder / "bundle.json").read_text())
    content["model_sha256"] = hashlib.sha256(MODEL).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(content, indent=2))
    bundle.seal(folder, overwrite=True)
    path = folder / file
    whole = path.read_bytes()
    draw = random.Random(30)
    bits = draw.sample(range(8 * len(whole)), min(1500, 8 * len(whole)))
    for bit in bits:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(changed))
        with pytest.raises(BundleError):
            bundle.load(folder)
    path.write_bytes(whole)
    assert bundle.load(folder).sealed


def test_an_edited_threshold_is_noticed_and_can_be_sealed_again(folder: Path) -> None:
    edited = changed(folder, referable_threshold=0.25)
    with pytest.raises(BundleError, match=r"was edited: bundle\.json .* bundle seal BUNDLE"):
        bundle.load(edited)
    with pytest.raises(BundleError, match="was edited"):
        bundle.seal(edited)
    assert bundle.seal(edited, overwrite=True).sealed
    assert bundle.load_grader(edited).manifest.referable_threshold == 0.25


def test_a_lost_seal_is_noticed(folder: Path) -> None:
    (folder / "bundle.sha256").unlink()
    for path in (folder, zipped(folder)):
        with pytest.raises(BundleError, match=r"has no bundle\.sha256"):
            bundle.load(path)


def test_a_bundle_of_version_0_1_has_no_seal_and_gets_one(folder: Path) -> None:
    unsealed(folder, unknown={"of": "a later version"})
    assert not bundle.load(folder).sealed
    assert bundle.seal(folder).manifest == MANIFEST
    assert json.loads((folder / "bundle.json").read_text())["unknown"] == {"of": "a later version"}
    with pytest.raises(BundleError, match="is not a folder"):
        bundle.seal(zipped(folder))


@pytest.mark.parametrize("text", ["", "0" * 64, "hello\n", f"{'0' * 64}  card.md\n", "\udcff"])
def test_a_wrong_seal_is_refused(folder: Path, text: str) -> None:
    (folder / "bundle.sha256").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BundleError, match=r"has a wrong bundle\.sha256"):
        bundle.load(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"referable_threshold": 5.0},
        {"referable_threshold": -0.1},
        {"temperature": 0.0},
        {"temperature": 1e9},
        {"cut_points": [0.5, 2.5, 1.5, 3.5]},
        {"cut_points": [-1.0, 1.5, 2.5, 3.5]},
        {"cut_points": [0.5, 1.5, 2.5, 4.5]},
        {"minimum_radius": -1.0},
        {"minimum_radius": 1e9},
        {"input_size": 0},
        {"input_size": [320, 100_000]},
        {"classes": ["0", "1"]},
        {"classes": ["0", "1", "2", "3", "\x1b[31m"]},
        {"opset": -1},
        {"name": ""},
        {"name": "x" * 10_000},
        {"name": "grader\n"},
        {"model_sha256": "ABC"},
        {"validation": {"idrid": {"kappa": 1e300}}},
    ],
)
def test_a_grader_with_a_figure_out_of_its_range_is_refused(
    folder: Path, fields: dict[str, object]
) -> None:
    with pytest.raises(BundleError, match=r"wrong bundle\.json") as caught:
        bundle.load(unsealed(folder, **fields))
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "fields",
    [
        {"thresholds": {"microaneurysm": 1.5, "optic_disc": 0.9}},
        {"minimum_radius": {"microaneurysm": -3.0}},
        {"levels": {"microaneurysm": 2.0}},
        {"radius": 0.0},
        {"radius": 1e9},
        {"overlap": -1},
        {"step": 0},
        {"suppress": 1.5},
        {"classes": []},
        {"classes": ["microaneurysm", "microaneurysm"]},
        {"input_size": [0, 128]},
    ],
)
def test_a_detector_with_a_figure_out_of_its_range_is_refused(
    detector: Path, fields: dict[str, object]
) -> None:
    with pytest.raises(BundleError, match=r"wrong bundle\.json"):
        bundle.load(unsealed(detector, **fields))


def test_a_figure_out_of_its_range_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="referable_threshold is 5"):
        bundle.write(tmp_path / "b", replace(MANIFEST, referable_threshold=5.0), MODEL, "")
    assert not (tmp_path / "b").exists()


DIGITS = "1" * 5000


@pytest.mark.parametrize(
    "hostile",
    [
        f'"trained_on": {{"configuration": {{"a": {DIGITS}}}, "seed": 1, "photographs": {{}},'
        ' "manifest_sha256": ""}',
        f'"temperature": {DIGITS}',
        f'"opset": {DIGITS}',
        '"temperature": 1e999',
        f'"versions": {"[" * 100_000}',
        f'"trained_on": {{"configuration": {{"a": {"[" * 100_000}',
        '"name": "\udcff"',
        '"task": "' + "x" * 100_000 + '"',
        '"format": "\u001b[2J"',
    ],
)
def test_hostile_json_is_one_line(folder: Path, hostile: str) -> None:
    path = unsealed(folder) / "bundle.json"
    text = path.read_text().rstrip("}") + f", {hostile}}}"
    path.write_bytes(text.encode(errors="surrogateescape"))
    for bundled in (folder, zipped(folder)):
        with pytest.raises(BundleError) as caught:
            bundle.load(bundled)
        assert len(str(caught.value)) < 800
        assert str(caught.value).isprintable()


def test_any_damage_of_a_zip_file_is_one_line(folder: Path) -> None:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    whole, draw = path.read_bytes(), random.Random(1)
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            bundle.load(path)
        except BundleError as error:
            assert len(str(error)) < 1000  # noqa: PT017


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_an_impossible_path_is_no_bundle(name: str) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        bundle.load(name)


@pytest.mark.parametrize(
    ("field", "value"),
    [("floor", 0.0), ("floor", 1.0), ("limit", 1.5), ("top_score", -0.1), ("intercept", 1e9)],
)
def test_presence_out_of_its_range_is_refused(tmp_path: Path, field: str, value: float) -> None:
    valid = PresenceModel(intercept=-2.0, top_score=0.5, boxes=1.0, floor=0.2, limit=0.5)
    kind = "microaneurysm"
    manifest = replace(DETECTOR, presence={kind: replace(valid, **{field: value})})
    with pytest.raises(BundleError, match=f"presence.{kind}.{field}"):
        bundle.write(tmp_path / "bundle", manifest, MODEL, "# card")


def test_presence_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    model = PresenceModel(intercept=-2.0, top_score=0.5, boxes=1.0, floor=0.2, limit=0.5)
    manifest = replace(DETECTOR, presence={"irma": model})
    with pytest.raises(BundleError, match="not among its classes"):
        bundle.write(tmp_path / "bundle", manifest, MODEL, "# card")


LESION_GRADE = LesionGradeModel(
    features=("a", "b"),
    centre=(0.0, 1.0),
    spread=(1.0, 2.0),
    weights=(1.0, 2.0),
    missing=(0.0, 0.0),
    intercepts=(2.0, 1.0, 0.0, -1.0),
    fitted_on={"clinic": 300},
)


def test_a_grade_by_lesions_survives_the_bundle(tmp_path: Path) -> None:
    written = replace(DETECTOR, lesion_grade=LESION_GRADE)
    bundle.write(tmp_path / "b", written, MODEL, "# card")
    assert bundle.load_detector(tmp_path / "b").manifest.lesion_grade == LESION_GRADE


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"features": ("a", "a")}, "different names"),
        ({"centre": (0.0,)}, "centre does not have a number for each feature"),
        ({"weights": (1.0, 2.0, 3.0)}, "weights does not have a number for each feature"),
        ({"missing": (1.0,)}, "missing does not have a number for each feature"),
        ({"intercepts": (0.0,) * 5}, "not 4 numbers in descending order"),
        ({"intercepts": (0.0, 1.0, 2.0, 3.0)}, "not 4 numbers in descending order"),
        ({"spread": (1.0, 0.0)}, "not above 0"),
        ({"centre": (0.0, 1e9)}, "not within 10000 of 0"),
    ],
)
def test_a_grade_by_lesions_out_of_its_range_is_refused(
    tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    manifest = replace(DETECTOR, lesion_grade=replace(LESION_GRADE, **changes))
    with pytest.raises(BundleError, match=fault):
        bundle.write(tmp_path / "b", manifest, MODEL, "# card")
