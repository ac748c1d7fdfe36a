"""What can be wrong with the database, and what people are told of it."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from fundoscope.serve.store import store as stores
from fundoscope.serve.store.database import DatabaseError, forget

from .conftest import Clinic
from .test_readings import problem


def test_a_database_that_another_program_holds_says_when_to_try_again(clinic: Clinic) -> None:
    id_ = clinic.upload(2)
    file = clinic.settings.data / "fundoscope.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("begin immediate")
        clinic.store.engine.dispose()
        event.listen(
            clinic.store.engine, "connect", lambda raw, _: raw.execute("pragma busy_timeout=10")
        )
        answer = clinic.review(id_, grade=1)
    body = problem(answer, 503, "database_busy")
    assert answer.headers["retry-after"]
    assert body["detail"] == "the service is busy with its database"
    assert clinic.review(id_, grade=1).status_code == 201


@pytest.mark.parametrize(
    ("said", "status", "code", "words"),
    [
        ("attempt to write a readonly database", 500, "database_disk", "cannot write to its disk"),
        ("disk I/O error", 500, "database_disk", "cannot write to its disk"),
        ("unable to open database file", 500, "database_disk", "cannot write to its disk"),
        ("database disk image is malformed", 500, "database_damaged", "is damaged"),
        ("file is not a database", 500, "database_damaged", "is damaged"),
        ("database or disk is full", 507, "disk_full", "is full"),
        ("no such table: readings", 503, "database", "does not answer"),
    ],
)
def test_faults_of_the_database_are_said_in_plain_words(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, said: str, status: int, code: str, words: str
) -> None:
    id_ = clinic.upload(2)

    def fails(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(said)

    with monkeypatch.context() as patched:
        patched.setattr(clinic.store.engine, "begin", fails)
        patched.setattr(clinic.store.engine, "raw_connection", fails)
        body = problem(clinic.get(f"/v1/readings/{id_}"), status, code)
        with pytest.raises(DatabaseError):
            forget(clinic.store.engine)
    assert words in body["detail"]
    assert "who runs the service" in body["remedy"]


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.EIO, 503, "disk_busy"),
        (errno.ESTALE, 503, "disk_busy"),
        (errno.EROFS, 500, "database_disk"),
        (errno.ENOSPC, 507, "disk_full"),
    ],
)
def test_faults_of_the_disk_are_said_in_plain_words_and_nothing_is_stored(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("fundoscope.serve.store.photographs.os.fsync", fails)
        body = problem(clinic.post(), status, code)
    assert "who runs the service" in body["remedy"]
    assert clinic.files == []
    assert clinic.post().status_code == 201


def test_a_damaged_database_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with stores.opened(data, make=True):
        pass
    (data / "fundoscope.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(DatabaseError, match="is damaged") as raised, stores.opened(data):
        pass
    assert "copy" in raised.value.remedy
