"""Reviews: drafts, final ones, blind first grades; the worklist; the export for training."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.data.annotations import formats
from fundoscope.errors import OutputError, UsageError
from fundoscope.serve.export import LABELS, export
from fundoscope.serve.store import audit, retention

from .conftest import NO_GRADE, Clinic, photograph
from .test_readings import problem

Start = Callable[..., Clinic]
BOX = {"kind": "haemorrhage", "x0": 10.0, "y0": 20.0, "x1": 30.0, "y1": 40.5}
FINAL = {"grade": 2, "comment": "dots", "confidence": 4, "changed_mind": False, "boxes": [BOX]}


def test_a_review_is_kept_with_the_reading(clinic: Clinic) -> None:
    id_ = clinic.upload(3)
    answer = clinic.review(id_, **FINAL)
    assert answer.status_code == 201
    body = clinic.get(f"/v1/readings/{id_}").json()
    assert body == answer.json()
    assert {key: body["review"][key] for key in FINAL} == FINAL
    assert (body["review"]["reader"], body["draft"]) == ("local", None)
    assert body["reading"]["grade"]["icdr"] == 3


def test_a_draft_is_resumed_and_ends_with_the_final_review(clinic: Clinic) -> None:
    id_ = clinic.upload(1)
    clinic.review(id_, draft=True, comment="first")
    clinic.review(id_, draft=True, comment="second", boxes=[BOX])
    body = clinic.get(f"/v1/readings/{id_}").json()
    assert (body["draft"]["comment"], body["review"]) == ("second", None)
    assert clinic.get("/v1/worklist").json()["items"][0]["draft"] is True
    body = clinic.review(id_, grade=1).json()
    assert (body["draft"], body["review"]["grade"]) == (None, 1)


def test_a_later_review_leaves_the_earlier_one(clinic: Clinic) -> None:
    id_ = clinic.upload(1)
    clinic.review(id_, grade=1)
    body = clinic.review(id_, ungradable=True).json()
    assert [review["grade"] for review in body["reviews"]] == [1, None]
    assert body["review"]["ungradable"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"grade": 5},
        {"grade": True},
        {"grade": "2"},
        {"grade": 2, "ungradable": True},
        {"grade": 2, "confidence": 0},
        {"grade": 2, "surprise": 1},
        {"grade": 2, "comment": "a\x00b"},
        {"grade": 2, "comment": "x" * 4001},
        {"grade": 2, "boxes": [BOX | {"kind": "freckle"}]},
        {"grade": 2, "boxes": [BOX | {"x1": 5.0}]},
        {"grade": 2, "boxes": [BOX | {"y1": 120.5}]},
        {"grade": 2, "boxes": [BOX | {"x0": -1.0}]},
        {"grade": 2, "boxes": [BOX] * 2001},
    ],
)
def test_wrong_reviews_are_refused(clinic: Clinic, body: dict[str, Any]) -> None:
    id_ = clinic.upload()
    answer = clinic.review(id_, **body)
    assert answer.status_code == 422
    assert clinic.get(f"/v1/readings/{id_}").json()["reviews"] == []


def test_a_body_that_is_no_json_or_too_large(clinic: Clinic) -> None:
    path = f"/v1/readings/{clinic.upload()}/review"
    json_type = {"Content-Type": "application/json"}
    problem(clinic.client.post(path, content=b"{", headers=json_type), 422, "invalid")
    not_utf8 = clinic.client.post(path, content=b'{"comment":"\xff"}', headers=json_type)
    problem(not_utf8, 422, "invalid")
    problem(clinic.client.post(path, content=b"{}"), 415, "not_json")
    large = clinic.client.post(path, content=b" " * 2**21, headers=json_type)
    problem(large, 413, "too_large")


def test_a_blind_reader_sees_the_software_after_the_own_grade(start: Start) -> None:
    clinic = start(blind=True)
    answer = clinic.post(photograph(3)).json()
    id_ = answer["id"]
    assert (answer["reading"], answer["withheld"]) == (None, True)
    assert clinic.get(f"/v1/readings/{id_}").json()["reading"] is None
    for rest in ("overlay.png", "report.pdf", "annotations.xml"):
        problem(clinic.get(f"/v1/readings/{id_}/{rest}"), 403, "withheld")
    assert clinic.get(f"/v1/readings/{id_}/photograph").status_code == 200
    item = clinic.get("/v1/worklist").json()["items"][0]
    assert (item["withheld"], item["grade"], item["referable"]) == (True, None, None)
    assert clinic.get("/v1/worklist", grade=3).json()["total"] == 0

    assert clinic.review(id_, draft=True, comment="looking").json()["withheld"] is True
    body = clinic.review(id_, draft=True, grade=1).json()
    assert (body["reading"]["grade"]["icdr"], body["first_grade"]) == (3, 1)
    assert clinic.get("/v1/worklist", grade=3).json()["total"] == 1
    body = clinic.review(id_, grade=3, changed_mind=True).json()
    assert (body["first_grade"], body["review"]["grade"]) == (1, 3)


def test_the_worklist_is_filtered_and_sorted(clinic: Clinic) -> None:
    ids = {grade: clinic.upload(grade, patient=f"p{9 - grade}") for grade in (2, 0, 4, 1)}
    ids[9] = str(clinic.post(photograph(red=NO_GRADE)).json()["id"])
    clinic.post(b"no picture")
    clinic.review(ids[4], grade=4)

    def listed(**wanted: Any) -> list[str]:
        return [item["id"] for item in clinic.get("/v1/worklist", **wanted).json()["items"]]

    assert listed() == [ids[9], ids[1], ids[4], ids[0], ids[2]]
    assert listed(sort="created") == [ids[2], ids[0], ids[4], ids[1], ids[9]]
    assert listed(sort="-grade") == [ids[4], ids[2], ids[1], ids[0], ids[9]]
    assert listed(sort="certainty")[0] == ids[4]
    assert listed(sort="patient") == [ids[4], ids[2], ids[1], ids[0], ids[9]]
    assert listed(grade=2) == [ids[2]]
    assert listed(ungradable=True) == [ids[9]]
    assert listed(needs_reader=True) == [ids[1]]
    assert listed(reviewed=True) == [ids[4]]
    assert ids[4] not in listed(reviewed=False)
    assert listed(patient="p7") == [ids[2]]
    assert listed(patient="P7") == []
    assert listed(patient_part="P7") == [ids[2]]
    assert len(listed(status="refused")) == 1
    assert listed(limit=2, offset=1) == [ids[1], ids[4]]
    assert clinic.get("/v1/worklist", limit=1).json()["total"] == 5
    problem(clinic.get("/v1/worklist", sort="colour"), 422, "invalid")
    problem(clinic.get("/v1/worklist", offset=10**30), 422, "invalid")
    umlaut = clinic.upload(3, patient="MÜLLER")
    assert listed(patient_part="müll") == [umlaut]


@pytest.mark.parametrize("form", ["voc", "coco", "labelstudio"])
def test_reviews_come_back_from_every_format(clinic: Clinic, tmp_path: Path, form: str) -> None:
    corrected, empty = clinic.upload(2, shade=1), clinic.upload(0, shade=2, patient="7", eye="left")
    graded_only = clinic.upload(1, shade=3)
    clinic.review(corrected, grade=1, boxes=[])
    clinic.review(corrected, **FINAL)
    clinic.review(empty, grade=0, boxes=[])
    clinic.review(graded_only, grade=1)
    clinic.review(graded_only, draft=True, grade=4, boxes=[BOX])
    out = tmp_path / "out"
    done = export(clinic.store, out, form, by="test", patients=True)
    assert (done.photographs, done.graded, done.boxed) == (3, 3, 2)
    read = formats.read(out, form=form)
    boxes = {photo.image: [item.box for item in photo.annotations] for photo in read.photos}
    assert sorted(boxes.values()) == [[], [(10.0, 20.0, 30.0, 40.5)]]
    rows = list(csv.DictReader((out / "labels.csv").read_text("utf-8").splitlines()))
    assert sorted(row["grade"] for row in rows) == ["0", "1", "2"]
    assert {row["patient"] for row in rows} == {"", "7"}
    stored = {path.read_bytes() for path in clinic.files}
    assert {(out / row["image"]).read_bytes() for row in rows} == stored
    with pytest.raises(UsageError, match="earlier run"):
        export(clinic.store, out, form, by="test")
    export(clinic.store, out, form, by="test", overwrite=True)


@pytest.mark.parametrize("form", ["voc", "coco", "labelstudio"])
def test_a_deleted_photograph_leaves_the_next_export(
    clinic: Clinic, tmp_path: Path, form: str
) -> None:
    kept, gone = clinic.upload(2, shade=1), clinic.upload(1, shade=2)
    clinic.review(kept, grade=2)
    clinic.review(gone, **FINAL)
    name = clinic.get(f"/v1/readings/{gone}").json()["photograph"][:16]
    out = tmp_path / "out"
    export(clinic.store, out, form, by="test")
    own = out / "JPEGImages" / "mine.jpg"
    own.write_bytes(b"somebody's own file")
    retention.remove(clinic.store, [gone], by="test")
    export(clinic.store, out, form, by="test", overwrite=True)
    (row,) = csv.DictReader((out / "labels.csv").read_text("utf-8").splitlines())
    assert {path.name for path in own.parent.iterdir()} == {Path(row["image"]).name, own.name}
    files = [path for path in out.rglob("*") if path.is_file()]
    assert not [path for path in files if name in path.name or name.encode() in path.read_bytes()]
    retention.remove(clinic.store, [kept], by="test")
    with pytest.raises(UsageError, match="no finished review") as raised:
        export(clinic.store, out, form, by="test", overwrite=True)
    assert "delete the earlier export" in raised.value.remedy


def test_a_photograph_found_ungradable_later_is_not_exported_with_its_earlier_grade(
    clinic: Clinic, tmp_path: Path
) -> None:
    first, second = clinic.upload(2, shade=1), clinic.upload(1, shade=2)
    clinic.review(first, grade=2)
    clinic.review(first, ungradable=True)
    clinic.review(second, ungradable=True)
    clinic.review(second, grade=1)
    done = export(clinic.store, tmp_path / "out", "voc", by="test")
    assert (done.photographs, done.graded) == (1, 1)
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").read_text("utf-8").splitlines()))
    assert [row["grade"] for row in rows] == ["1"]


def test_an_export_that_fails_is_in_the_log(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photographs may have left the store before the disk was full."""

    def full(*_: object, **__: object) -> None:
        raise OutputError(LABELS, "cannot be written (No space left on device)", "make space")

    monkeypatch.setattr("fundoscope.serve.export.write_files", full)
    clinic.review(clinic.upload(2), grade=2)
    with pytest.raises(OutputError):
        export(clinic.store, tmp_path / "out", "voc", by="test")
    last = list(audit.entries(clinic.store.engine))[-1]
    assert (last.who, last.what) == ("test", audit.EXPORTED)


def test_without_reviews_there_is_nothing_to_export(clinic: Clinic, tmp_path: Path) -> None:
    clinic.upload(2)
    with pytest.raises(UsageError, match="no finished review"):
        export(clinic.store, tmp_path / "out", "voc", by="test")


def test_annotations_are_the_reviewed_boxes_else_the_softwares(clinic: Clinic) -> None:
    id_ = clinic.upload(2)
    software = clinic.get(f"/v1/readings/{id_}/annotations.xml").text
    assert ("<xmin>61</xmin>" in software, "fake" in software) == (True, False)
    clinic.review(id_, grade=2)
    assert "<xmin>61</xmin>" in clinic.get(f"/v1/readings/{id_}/annotations.xml").text
    clinic.review(id_, **FINAL)
    assert "<xmin>11</xmin>" in clinic.get(f"/v1/readings/{id_}/annotations.xml").text


def test_the_review_of_the_document_is_accepted(clinic: Clinic) -> None:
    document = clinic.get("/openapi.json").json()
    operation = document["paths"]["/v1/readings/{id}/review"]["post"]
    (name,) = operation["requestBody"]["content"]["application/json"]["examples"]
    example = document["components"]["examples"][name]["value"]
    assert json.dumps(example["boxes"])
    answer = clinic.review(clinic.upload(2), **example | {"boxes": []})
    assert answer.status_code == 201
