"""A photograph in, its reading out; and every way in which an upload goes wrong."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from fundoscope.batch.jobs import Refusal
from fundoscope.reading import Reading
from fundoscope.serve.store import audit, records
from fundoscope.serve.store.database import writing

from .conftest import KILLS, NO_GRADE, Clinic, photograph

Start = Callable[..., Clinic]
ASYNC = {"Prefer": "respond-async"}


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, which must be this one."""
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["remedy"]
    return dict(answer.json())


def until(happened: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return value


def test_an_upload_is_answered_with_its_reading(clinic: Clinic) -> None:
    answer = clinic.post(photograph(3), eye="right")
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/readings/{body['id']}"
    assert body["reading"]["grade"]["icdr"] == 3
    assert (body["status"], body["eye"], body["review"]) == ("read", "right", None)
    assert clinic.get(answer.headers["location"]).json() == body


def test_the_reading_is_that_of_the_library(clinic: Clinic) -> None:
    body = clinic.post(photograph(2)).json()
    reading = Reading.from_json(msgspec.json.encode(body["reading"]))
    assert reading.photo.sha256 == body["photograph"]
    assert reading.photo.name is None


def test_name_and_patient_are_kept_only_if_the_caller_asks(clinic: Clinic) -> None:
    silent = clinic.post(photograph(shade=1), name="Smith 1950.png").json()
    asked = clinic.post(
        photograph(shade=2), name="Smith 1950.png", keep_name="true", patient="7"
    ).json()
    assert (silent["name"], silent["patient"]) == (None, None)
    assert (asked["name"], asked["patient"]) == ("Smith 1950.png", "7")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../x.png", "x.png"),
        ("C:\\fotos\\x.png", "x.png"),
        ("<script>alert(1)</script>.png", "script>.png"),
        ("a" * 400, "a" * 255),
    ],
)
def test_a_name_is_never_a_path(clinic: Clinic, name: str, kept: str) -> None:
    body = clinic.post(name=name, keep_name="true").json()
    assert body["name"] == kept
    assert [path.name for path in clinic.files] == [body["photograph"]]


def test_the_same_photograph_is_stored_once_and_says_so(clinic: Clinic) -> None:
    first, second, third = (clinic.post(photograph(1)).json() for _ in range(3))
    assert first["same_as"] is None
    assert second["same_as"] == third["same_as"] == first["id"]
    assert len(clinic.files) == 1


def test_a_file_that_is_not_a_picture_is_refused_with_its_reason(clinic: Clinic) -> None:
    answer = clinic.post(b"hello")
    id_ = problem(answer, 422, "not_an_image")["id"]
    record = clinic.get(f"/v1/readings/{id_}").json()
    assert record["status"] == "refused"
    assert record["refusal"]["code"] == "not_an_image"
    assert record["reading"] is None
    problem(clinic.get(f"/v1/readings/{id_}/photograph"), 409, "refused")
    problem(clinic.get(f"/v1/readings/{id_}/overlay.png"), 409, "not_read")
    problem(clinic.review(id_, grade=0), 409, "refused")
    assert clinic.files == []


def test_a_photograph_that_kills_its_worker_costs_one_request(clinic: Clinic) -> None:
    problem(clinic.post(photograph(red=KILLS)), 503, "worker_died")
    assert clinic.post(photograph(2)).status_code == 201


def test_a_photograph_without_a_grade_is_read(clinic: Clinic) -> None:
    body = clinic.post(photograph(red=NO_GRADE)).json()
    assert body["reading"]["grade"]["icdr"] is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"eye": "both"}, "eye"),
        ({"patient": "x" * 129}, "patient"),
        ({"patient": "a\nb"}, "patient"),
        ({"patient": "Dobrowolski\u200e"}, "U+200E"),
        ({"patient": "x" * 5000}, "too long"),
        ({"keep_name": "maybe"}, "keep_name"),
        ({"surprise": "1"}, "'surprise'"),
    ],
)
def test_wrong_fields_are_named(clinic: Clinic, fields: dict[str, str], words: str) -> None:
    assert words in problem(clinic.post(**fields), 422, "invalid")["detail"]
    assert clinic.files == []


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> dict[str, Any]:
    """A form with these parts, as arguments of a request."""
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    return {"content": body + end, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


PART = b'name="photograph"; filename="a"\r\n\r\nabc'


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (form(PART, PART), 422, "invalid"),
        (form(b'name="eye"\r\n\r\nleft'), 422, "invalid"),
        (form(b'name="eye"\r\n\r\n\xff', PART), 422, "invalid"),
        (form(b'name="photograph"; filename="a"\r\n\r\n'), 422, "empty"),
        (form(PART, end=b""), 400, "incomplete"),
        ({"content": b"nonsense", "headers": form()["headers"]}, 422, "invalid"),
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "not_a_form"),
        ({"content": b""}, 415, "not_a_form"),
    ],
)
def test_wrong_forms_leave_nothing(
    clinic: Clinic, request_: dict[str, Any], status: int, code: str
) -> None:
    problem(clinic.client.post("/v1/readings", **request_), status, code)
    assert clinic.files == []
    assert records.waiting(clinic.store) == []


def test_an_upload_that_is_too_large_ends_while_it_arrives(start: Start) -> None:
    clinic = start(upload_bytes=1000)
    problem(clinic.post(b"x" * 1001), 413, "too_large")
    problem(clinic.post(b"x" * 200_000), 413, "too_large")

    def endless() -> Any:
        yield (
            form()["content"].removesuffix(b"--b--\r\n")
            + b"--b\r\nContent-Disposition: form-data; "
        )
        yield PART
        for _ in range(1000):
            yield b"x" * 1000

    answer = clinic.client.post("/v1/readings", content=endless(), headers=form()["headers"])
    problem(answer, 413, "too_large")
    assert clinic.files == []


def test_a_slow_upload_ends(start: Start) -> None:
    clinic = start(upload_s=0.0)
    problem(clinic.post(), 408, "slow_upload")
    assert clinic.files == []
    assert clinic.get("/metrics").text.count("photographs_in_service 0.0") == 1


def test_a_caller_need_not_wait(clinic: Clinic) -> None:
    clinic.pool.gate.clear()
    answer = clinic.post(photograph(4), headers=ASYNC)
    assert answer.status_code == 202
    where = answer.headers["location"]
    waiting = clinic.get(where)
    assert (waiting.json()["status"], waiting.headers["retry-after"]) == ("waiting", "1")
    problem(clinic.get(f"{where}/annotations.xml"), 409, "not_read")
    problem(clinic.review(waiting.json()["id"], grade=1), 409, "not_read")
    clinic.pool.gate.set()
    assert until(lambda: clinic.get(where).json()["reading"])["grade"]["icdr"] == 4


def test_who_finds_no_place_is_turned_away_at_once(start: Start) -> None:
    clinic = start(queue=2)
    clinic.pool.gate.clear()
    accepted = [clinic.post(photograph(shade=n), headers=ASYNC) for n in range(2)]
    began = time.monotonic()
    answer = clinic.post(photograph(shade=3))
    assert time.monotonic() - began < 10.0  # it does not wait for those that are read
    problem(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    clinic.pool.gate.set()
    for each in accepted:
        until(lambda each=each: clinic.get(each.headers["location"]).json()["reading"])
    assert clinic.post(photograph(shade=3)).status_code == 201


def test_many_at_once_are_read_or_turned_away(start: Start) -> None:
    clinic = start(queue=4)
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda n: clinic.post(photograph(shade=n)), range(20)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {201, 503}
    assert statuses.count(201) >= 4
    assert len(clinic.files) == statuses.count(201)


def test_every_photograph_is_read_once_however_busy_it_is(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.serve.queue.SWEEP_S", 0.02)
    clinic = start(queue=3)
    with ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(lambda n: clinic.post(photograph(shade=n)), range(30)))
    accepted = [answer.status_code for answer in answers].count(201)
    assert accepted >= 3
    assert clinic.pool.read <= accepted + 1  # one may be picked up just before its own request


def test_accepted_photographs_are_finished_at_the_stop(start: Start, tmp_path: Path) -> None:
    from .conftest import running

    with running(tmp_path / "other") as clinic:
        clinic.pool.gate.clear()
        id_ = clinic.post(headers=ASYNC).json()["id"]
        clinic.pool.gate.set()
    with running(tmp_path / "other") as clinic:
        assert clinic.get(f"/v1/readings/{id_}").json()["status"] == "read"


def test_what_was_accepted_before_a_crash_is_read_after_it(tmp_path: Path) -> None:
    from fundoscope.serve.store import photographs, store
    from fundoscope.serve.store.records import Given

    from .conftest import running

    data = tmp_path / "data"
    with store.opened(data, make=True) as opened, photographs.Incoming(data) as incoming:
        incoming.write(photograph(3))
        accepted = records.accept(opened, incoming, Given(), "local")
    (data / "incoming" / "half").write_bytes(b"half an upload")
    for folder in ("incoming/of somebody", f"photographs/{accepted.photograph[:2]}/of somebody"):
        (data / folder).mkdir()  # none of ours: it must not stop the start
    orphan = data / "photographs" / "ab" / ("ab" * 32)
    orphan.parent.mkdir()
    orphan.write_bytes(b"its row was never written")
    with running(data) as clinic:
        until(lambda: clinic.get(f"/v1/readings/{accepted.id}").json()["reading"])
        assert [path.name for path in clinic.files] == [accepted.photograph]


def test_a_photograph_that_is_not_to_blame_is_kept_and_read_after_the_next_start(
    tmp_path: Path,
) -> None:
    from .conftest import running

    with running(tmp_path / "data") as clinic:
        clinic.pool.slow = True
        answer = clinic.post(photograph(3))
        id_ = problem(answer, 503, "deadline")["id"]
        assert answer.headers["retry-after"]
        assert "in a minute" in answer.json()["remedy"]
        assert len(clinic.files) == 1
        assert clinic.get(f"/v1/readings/{id_}").json()["status"] == "refused"
    with running(tmp_path / "data") as clinic:
        until(lambda: clinic.get(f"/v1/readings/{id_}").json()["reading"])
        assert audit.verify(clinic.store.engine).faults == ()


def test_the_second_try_of_an_upload_is_no_second_photograph(clinic: Clinic) -> None:
    clinic.pool.slow = True
    first = problem(clinic.post(photograph(3), patient="7"), 503, "deadline")["id"]
    other = problem(clinic.post(photograph(3), patient="8"), 503, "deadline")["id"]
    assert first != other
    clinic.pool.slow = False
    again = clinic.post(photograph(3), patient="7")
    assert (again.status_code, again.json()["id"]) == (201, first)
    assert again.json()["reading"]["grade"]["icdr"] == 3
    assert clinic.get("/v1/worklist", patient="7").json()["total"] == 1
    assert clinic.upload(3, patient="7") != first  # it is read: now this is another upload
    assert audit.verify(clinic.store.engine).faults == ()


def test_what_waiting_does_not_mend_is_no_fault_of_the_file(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Refusal:
        return Refusal("x", "could not be read (internal error)", "report it", "internal_error")

    monkeypatch.setattr(clinic.pool, "_read", fails)
    body = problem(clinic.post(), 500, "internal_error")
    assert "who runs the service" in body["remedy"]


def test_an_upload_whose_reading_cannot_be_stored_is_accepted_all_the_same(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fundoscope.serve.store.database import DatabaseError

    def fails(*_arguments: object) -> None:
        raise DatabaseError

    monkeypatch.setattr("fundoscope.serve.queue.SWEEP_S", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr("fundoscope.serve.queue.records.finish", fails)
        answer = clinic.post(photograph(2))
    assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
    assert until(lambda: clinic.get(answer.headers["location"]).json()["reading"])
    assert clinic.get("/v1/worklist").json()["total"] == 1


def test_a_full_disk_stores_nothing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("fundoscope.serve.store.photographs.os.fsync", full)
        answer = clinic.post()
    problem(answer, 507, "disk_full")
    assert clinic.files == []
    assert records.waiting(clinic.store) == []
    assert clinic.post().status_code == 201


def test_a_disk_that_is_almost_full_takes_nothing(start: Start) -> None:
    clinic = start(reserve_bytes=2**60)
    problem(clinic.post(), 507, "disk_full")
    problem(clinic.get("/readyz"), 507, "disk_full")


def test_a_database_that_fails_stores_nothing(clinic: Clinic) -> None:
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table readings rename to gone"))
    answer = clinic.post()
    problem(answer, 503, "database")
    assert answer.headers["retry-after"]
    assert clinic.files == []
    problem(clinic.get("/v1/worklist"), 503, "database")
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table gone rename to readings"))
    assert clinic.post().status_code == 201


def test_a_database_that_fails_after_the_reading_costs_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.serve.queue.SWEEP_S", 0.05)
    clinic.pool.gate.clear()
    id_ = clinic.post(photograph(2), headers=ASYNC).json()["id"]
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table audit rename to gone"))
    clinic.pool.gate.set()
    until(lambda: clinic.pool.read)
    assert clinic.get(f"/v1/readings/{id_}").json()["status"] == "waiting"
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table gone rename to audit"))
    assert until(lambda: clinic.get(f"/v1/readings/{id_}").json()["reading"])


def test_unknown_readings_and_addresses(clinic: Clinic) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    for rest in ("", "/photograph", "/overlay.png", "/report.pdf", "/annotations.xml"):
        problem(clinic.get(f"/v1/readings/{unknown}{rest}"), 404, "no_such_reading")
    problem(clinic.review(unknown, grade=1), 404, "no_such_reading")
    problem(clinic.get("/v1/readings/x"), 422, "invalid")
    problem(clinic.get("/nothing"), 404, "not_found")
    wrong = clinic.client.put("/v1/session")
    problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "DELETE, GET, POST"
