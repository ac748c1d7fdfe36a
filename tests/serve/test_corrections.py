"""A wrong patient, eye or photograph is corrected or deleted, and the log says by whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from fundoscope.serve.store import audit, corrections, retention, tokens
from fundoscope.serve.store.database import looking

from .conftest import Clinic, photograph
from .test_access import bearer
from .test_readings import ASYNC, Start, problem, until


def correct(clinic: Clinic, id_: str, **body: Any) -> Any:
    return clinic.client.patch(f"/v1/readings/{id_}", json=body, headers=clinic.headers)


def delete(clinic: Clinic, id_: str) -> Any:
    return clinic.client.delete(f"/v1/readings/{id_}", headers=clinic.headers)


def last(clinic: Clinic) -> audit.Entry:
    return list(audit.entries(clinic.store.engine))[-1]


def test_another_patient_keeps_the_reading(clinic: Clinic) -> None:
    id_ = clinic.upload(2, patient="P-1950", eye="left")
    clinic.review(id_, grade=2)
    answer = correct(clinic, id_, patient="P-1951")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["patient"], body["eye"], body["status"]) == ("P-1951", "left", "read")
    assert body["reading"]["grade"]["icdr"] == 2
    assert len(body["reviews"]) == 1
    assert clinic.pool.read == 1
    assert clinic.get("/v1/worklist", patient="P-1950").json()["total"] == 0
    assert clinic.get("/v1/worklist", patient="P-1951").json()["total"] == 1


def test_with_another_eye_the_photograph_is_read_again(clinic: Clinic) -> None:
    id_ = clinic.upload(2, eye="left")
    clinic.review(id_, grade=3)
    body = correct(clinic, id_, eye="right").json()
    assert clinic.pool.read == 2
    assert (body["eye"], body["reading"]["grade"]["icdr"], len(body["reviews"])) == ("right", 2, 1)
    assert (last(clinic).what, json.loads(last(clinic).detail)["fields"]) == ("corrected", ["eye"])
    assert audit.verify(clinic.store.engine).faults == ()


def test_if_it_cannot_be_read_again_nothing_is_lost(clinic: Clinic) -> None:
    id_ = clinic.upload(2, eye="left", patient="P-1")
    clinic.review(id_, grade=3)
    before = clinic.get(f"/v1/readings/{id_}").json()
    hidden = [(path, path.read_bytes()) for path in clinic.files]
    for path, _ in hidden:
        path.write_bytes(b"a disk that fails")
    body = problem(correct(clinic, id_, eye="right", patient="P-2"), 503, "not_an_image")
    assert body["detail"].startswith("nothing was corrected")
    for path, content in hidden:
        path.write_bytes(content)
    assert clinic.get(f"/v1/readings/{id_}").json() == before
    assert correct(clinic, id_, eye="right").status_code == 200


def test_who_corrects_at_the_same_time_is_told(clinic: Clinic) -> None:
    id_ = clinic.upload(2, eye="left")
    assert corrections.correct(clinic.store, id_, {"eye": "right"}, by="x") is None
    assert clinic.get(f"/v1/readings/{id_}").json()["eye"] == "left"


def test_a_photograph_deleted_while_it_is_read_again_is_gone(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = clinic.upload(2, eye="right")
    submit = clinic.pool.submit

    def deleted(job: Any) -> Any:
        retention.remove(clinic.store, [id_], by="b.jones")
        return submit(job)

    monkeypatch.setattr(clinic.pool, "submit", deleted)
    problem(correct(clinic, id_, eye="left"), 404, "no_such_reading")


def test_a_correction_of_the_eye_shows_a_blind_reader_nothing(start: Start) -> None:
    clinic = start(blind=True)
    id_ = clinic.upload(2, eye="left")
    clinic.headers |= bearer(tokens.add(clinic.store, "first", list(tokens.ROLES)))
    clinic.review(id_, grade=3, comment="mine")
    clinic.headers |= bearer(tokens.add(clinic.store, "second", list(tokens.ROLES)))
    body = correct(clinic, id_, eye="right").json()
    assert (body["withheld"], body["reading"], body["reviews"]) == (True, None, [])


def test_nothing_is_said_of_the_eye_any_more(clinic: Clinic) -> None:
    id_ = clinic.upload(2, eye="left", patient="P-1")
    assert correct(clinic, id_, eye=None, patient=None).status_code == 200
    body = clinic.get(f"/v1/readings/{id_}").json()
    assert (body["eye"], body["patient"]) == (None, None)


def test_the_log_names_the_fields_and_no_value(clinic: Clinic) -> None:
    id_ = clinic.upload(2, patient="P-1950", eye="left")
    correct(clinic, id_, patient="P-1951", eye="left")
    corrected = [each for each in audit.entries(clinic.store.engine) if each.what == "corrected"]
    assert [(each.who, each.about) for each in corrected] == [("local", id_)]
    assert json.loads(corrected[0].detail) == {"fields": ["patient"]}
    assert audit.verify(clinic.store.engine).faults == ()


def test_what_is_right_already_is_not_logged(clinic: Clinic) -> None:
    id_ = clinic.upload(2, eye="left")
    assert correct(clinic, id_, eye="left").status_code == 200
    assert "corrected" not in {each.what for each in audit.entries(clinic.store.engine)}
    assert clinic.pool.read == 1
    assert clinic.upload(1)  # its place in the queue was given back


def test_the_earlier_patient_stays_in_no_file(clinic: Clinic) -> None:
    id_ = clinic.upload(2, patient="Dobrowolski-1950")
    correct(clinic, id_, patient="P-2")
    content = b"".join(
        path.read_bytes() for path in clinic.settings.data.rglob("*") if path.is_file()
    )
    assert b"Dobrowolski" not in content


@pytest.mark.parametrize(
    "body",
    [{"patient": ""}, {"patient": "a\nb"}, {"patient": "x" * 129}, {"eye": "both"}, {"name": "x"}],
)
def test_wrong_corrections_are_refused(clinic: Clinic, body: dict[str, Any]) -> None:
    id_ = clinic.upload(2, patient="P-1")
    problem(correct(clinic, id_, **body), 422, "invalid")
    assert clinic.get(f"/v1/readings/{id_}").json()["patient"] == "P-1"


def test_what_was_refused_or_never_there_cannot_be_corrected(clinic: Clinic) -> None:
    refused = clinic.post(b"no picture").json()["id"]
    problem(correct(clinic, refused, patient="P-1"), 409, "not_read")
    problem(
        correct(clinic, "8f2f4a52-4b0c-4f0e-9d3c-0d8f7a3f9a10", patient="P"), 404, "no_such_reading"
    )


def test_who_corrects_must_be_allowed_to_look(clinic: Clinic) -> None:
    id_ = clinic.upload(2)
    clinic.headers |= bearer(tokens.add(clinic.store, "camera-1", [tokens.UPLOAD]))
    problem(correct(clinic, id_, patient="P-1"), 403, "role")
    clinic.headers |= bearer(tokens.add(clinic.store, "reader-1", [tokens.LOOK, tokens.REVIEW]))
    problem(correct(clinic, id_, patient="P-1"), 403, "role")
    clinic.headers |= bearer(tokens.add(clinic.store, "nurse", [tokens.LOOK, tokens.UPLOAD]))
    assert correct(clinic, id_, patient="P-1").status_code == 200
    assert last(clinic).who == "nurse"


def test_a_wrong_photograph_is_deleted_by_who_uploaded_it(clinic: Clinic) -> None:
    clinic.headers |= bearer(tokens.add(clinic.store, "nurse", [tokens.LOOK, tokens.UPLOAD]))
    id_ = clinic.upload(2, patient="P-1")
    nurse = dict(clinic.headers)
    clinic.headers |= bearer(tokens.add(clinic.store, "other", [tokens.LOOK, tokens.UPLOAD]))
    problem(delete(clinic, id_), 403, "not_yours")
    clinic.headers = nurse
    assert delete(clinic, id_).status_code == 204
    assert clinic.get(f"/v1/readings/{id_}").status_code == 404
    assert clinic.files == []
    assert (last(clinic).who, last(clinic).what) == ("nurse", "deleted")
    problem(delete(clinic, id_), 404, "no_such_reading")


def test_what_is_reviewed_is_not_deleted_but_a_draft_is_no_review(clinic: Clinic) -> None:
    drafted, reviewed = clinic.upload(1, shade=1), clinic.upload(2, shade=2)
    clinic.review(drafted, grade=1, draft=True)
    clinic.review(reviewed, grade=2)
    assert delete(clinic, drafted).status_code == 204
    problem(delete(clinic, reviewed), 409, "reviewed")
    with looking(clinic.store.engine) as connection:
        assert connection.execute(text("select count(*) from reviews")).scalar() == 1
    assert audit.verify(clinic.store.engine).faults == ()


def test_a_photograph_that_waits_can_be_deleted(clinic: Clinic) -> None:
    clinic.pool.gate.clear()
    id_ = clinic.post(photograph(2), headers=ASYNC).json()["id"]
    assert delete(clinic, id_).status_code == 204
    clinic.pool.gate.set()
    until(lambda: clinic.pool.read)
    assert clinic.get(f"/v1/readings/{id_}").status_code == 404


def test_a_draft_shows_no_reading_to_who_may_not_look(clinic: Clinic) -> None:
    id_ = clinic.upload(2)
    clinic.headers |= bearer(tokens.add(clinic.store, "writer", [tokens.REVIEW]))
    problem(clinic.review(id_, draft=True), 403, "role")


def test_a_review_is_a_look(clinic: Clinic) -> None:
    id_ = clinic.upload(2)
    clinic.review(id_, draft=True)
    assert (last(clinic).who, last(clinic).what, last(clinic).about) == ("local", "looked", id_)
