"""The store: audit log, migrations, deletion, and what a process that died left."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError as SqlError
from sqlalchemy.exc import OperationalError

from fundoscope.errors import FundoscopeError, MissingExtraError, UsageError
from fundoscope.reading import NextStep, Reading
from fundoscope.serve.store import audit, database, photographs, records, retention, store, tables
from fundoscope.serve.store.database import writing

from .conftest import Clinic, photograph, running


def unlocked(connection: Any) -> None:
    """As somebody who may do everything with the database file."""
    for change in ("update", "delete"):
        connection.execute(text(f"drop trigger if exists audit_no_{change}"))


def worked(clinic: Clinic) -> tuple[str, str]:
    """A clinic with two readings, one of them reviewed."""
    first, second = clinic.upload(1, shade=1), clinic.upload(2, shade=2)
    clinic.review(first, grade=2, boxes=[])
    return first, second


def test_the_log_says_who_did_what_with_which_model(clinic: Clinic) -> None:
    first, second = worked(clinic)
    log = list(audit.entries(clinic.store.engine))
    assert [(entry.who, entry.what) for entry in log] == [
        ("fundoscope", "started"),
        ("local", "accepted"),
        ("fundoscope", "read"),
        ("local", "accepted"),
        ("fundoscope", "read"),
        ("local", "reviewed"),
        ("local", "looked"),
    ]
    assert [entry.about for entry in log[1:5]] == [first, first, second, second]
    assert '"name":"fake-1"' in log[2].models
    verdict = audit.verify(clinic.store.engine)
    assert (verdict.entries, verdict.faults) == (7, ())
    assert verdict.head == log[-1].hash
    assert audit.verify(clinic.store.engine, noted=log[2].hash).faults == ()


@pytest.mark.parametrize("change", ["update audit set who = 'x'", "delete from audit"])
def test_the_database_refuses_to_change_the_log(clinic: Clinic, change: str) -> None:
    clinic.upload()
    with pytest.raises(SqlError, match="append-only"), clinic.store.engine.begin() as connection:
        connection.execute(text(change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update audit set who = 'x' where number = 2", "entry 2 was changed"),
        ("update audit set detail = '{}' where number = 6", "entry 6 was changed"),
        ("delete from audit where number = 3", "entry 3 is missing"),
        ("update audit set previous = hash where number = 4", "entry 4 does not follow"),
        ("update readings set reading = '{}' where grade = 1", "is not as it was logged"),
        ("update readings set status = 'waiting' where grade = 1", "is not as it was logged"),
        ("update reviews set content = '{}'", "review .* is not as it was logged"),
        ("delete from reviews", "does not say that it was deleted"),
        ("insert into reviews select 9, 'x', reading, reader, 0, saved, 3, '{}' from reviews",
         "review x is not as it was logged"),
    ],
)  # fmt: skip
def test_changes_behind_the_log_are_found(clinic: Clinic, change: str, words: str) -> None:
    worked(clinic)
    with writing(clinic.store.engine) as connection:
        unlocked(connection)
        connection.execute(text(change))
    faults = audit.verify(clinic.store.engine).faults
    assert any(re.search(words, fault) for fault in faults), faults


def test_a_log_that_was_cut_off_is_found_by_a_noted_hash(clinic: Clinic) -> None:
    worked(clinic)
    noted = audit.verify(clinic.store.engine).head
    with writing(clinic.store.engine) as connection:
        unlocked(connection)
        connection.execute(text("delete from audit where number >= 6"))
        connection.execute(text("delete from reviews"))
    assert audit.verify(clinic.store.engine).faults == ()
    assert "cut off" in audit.verify(clinic.store.engine, noted=noted).faults[0]


def test_deletion_takes_photograph_and_reviews_and_is_logged(clinic: Clinic) -> None:
    first, second = worked(clinic)
    assert retention.remove(clinic.store, [first, "unknown"], by="account:x") == 1
    assert clinic.get(f"/v1/readings/{first}").status_code == 404
    assert len(clinic.files) == 1
    last = list(audit.entries(clinic.store.engine))[-1]
    assert (last.who, last.what, last.about) == ("account:x", "deleted", first)
    assert audit.verify(clinic.store.engine).faults == ()
    assert clinic.get(f"/v1/readings/{second}").status_code == 200


def test_nothing_of_a_deleted_patient_stays_in_the_files(clinic: Clinic) -> None:
    id_ = clinic.upload(3, patient="the-patient-7")
    clinic.review(id_, grade=3, comment="a-word-about-her")
    with database.looking(clinic.store.engine):  # somebody else looks meanwhile
        pass
    retention.remove(clinic.store, [id_], by="x")
    files = sorted(clinic.settings.data.glob("fundoscope.db*"))
    assert files
    for file in files:
        content = file.read_bytes()
        assert b"the-patient-7" not in content, file.name
        assert b"a-word-about-her" not in content, file.name


def test_the_next_reading_of_a_file_becomes_the_earliest(clinic: Clinic) -> None:
    first, second, third = clinic.upload(3), clinic.upload(3), clinic.upload(3)
    retention.remove(clinic.store, [first], by="x")
    assert clinic.get(f"/v1/readings/{second}").json()["same_as"] is None
    assert clinic.get(f"/v1/readings/{third}").json()["same_as"] == second
    assert audit.verify(clinic.store.engine).faults == ()


def test_a_photograph_stays_while_another_reading_needs_it(clinic: Clinic) -> None:
    first, second = clinic.upload(3), clinic.upload(3)
    retention.remove(clinic.store, [first], by="x")
    assert len(clinic.files) == 1
    assert clinic.get(f"/v1/readings/{second}/photograph").status_code == 200
    retention.remove(clinic.store, [second], by="x")
    assert clinic.files == []


def test_retention_by_age_and_by_patient(clinic: Clinic) -> None:
    old, new = clinic.upload(0, shade=1, patient="a"), clinic.upload(0, shade=2, patient="b")
    before = (datetime.now(UTC) - timedelta(days=10)).isoformat(timespec="microseconds")
    with writing(clinic.store.engine) as connection:
        statement = text("update readings set created = :before where id = :id")
        connection.execute(statement, {"before": before, "id": old})
    assert retention.older_than(clinic.store, 9) == [old]
    assert retention.older_than(clinic.store, 11) == []
    assert retention.of_patient(clinic.store, "b") == [new]


def test_a_photograph_stays_if_its_row_cannot_be_deleted(clinic: Clinic) -> None:
    id_ = clinic.upload()
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table audit rename to gone"))
    with pytest.raises(database.DatabaseError):
        retention.remove(clinic.store, [id_], by="x")
    assert [path.suffix for path in clinic.files] == [""]


def test_a_deletion_that_was_killed_is_completed_or_undone(clinic: Clinic) -> None:
    id_ = clinic.upload(1, shade=1)
    kept = records.get(clinic.store, id_)
    assert kept is not None
    path = photographs.path_of(clinic.store.data, kept.photograph)
    path.rename(path.with_suffix(photographs.REMOVED))
    gone = path.with_name("f" * 64 + photographs.REMOVED)
    gone.write_bytes(b"its row is deleted")
    known = records.known_photographs(clinic.store)
    assert photographs.tidy(clinic.store.data, known) == 1
    assert clinic.files == [path]


def test_a_reading_that_is_deleted_while_it_waits_is_not_stored(clinic: Clinic) -> None:
    from .test_readings import ASYNC, until

    clinic.pool.gate.clear()
    id_ = clinic.post(headers=ASYNC).json()["id"]
    retention.remove(clinic.store, [id_], by="x")
    clinic.pool.gate.set()
    until(lambda: clinic.pool.read)
    assert clinic.get(f"/v1/readings/{id_}").status_code == 404
    assert audit.verify(clinic.store.engine).faults == ()


def test_a_commit_that_fails_leaves_no_photograph(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_connection: Any) -> None:
        raise OperationalError("commit", {}, sqlite3.OperationalError("database or disk is full"))

    event.listen(clinic.store.engine, "commit", fails)
    answer = clinic.post(photograph(1))
    event.remove(clinic.store.engine, "commit", fails)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    known = records.known_photographs(clinic.store)
    photographs.tidy(clinic.store.data, known)
    assert clinic.files == []
    assert clinic.upload(1)


def test_migrations_lead_to_the_tables(clinic: Clinic) -> None:
    with clinic.store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []


def test_a_database_of_a_later_version_is_refused(clinic: Clinic) -> None:
    with writing(clinic.store.engine) as connection:
        connection.execute(text("update alembic_version set version_num = 'z999'"))
    with (
        pytest.raises(UsageError, match="later version"),
        store.opened(clinic.settings.data),
    ):
        pass


def test_a_folder_has_one_service(tmp_path: Path) -> None:
    with (
        store.alone(tmp_path),
        pytest.raises(FundoscopeError, match="in use by another"),
        store.alone(tmp_path),
    ):
        pass
    with store.alone(tmp_path):
        pass


@pytest.mark.parametrize("name", ["eyes 100%20", "eyes?mode=ro", "eyes #1", "眼底 é"])
def test_the_database_is_in_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name) as clinic:
        assert clinic.upload()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "fundoscope.db").is_file()


def test_only_this_user_may_look_into_the_folder(clinic: Clinic) -> None:
    clinic.upload()
    for folder in (clinic.settings.data, clinic.settings.data / "photographs"):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a data folder"), store.opened(tmp_path / "none"):
        pass


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a URL"),
        ("mysql://x/y", "not PostgreSQL"),
        ("surely_not://x", "not PostgreSQL"),
    ],
)
def test_wrong_urls_are_refused(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words), store.opened(tmp_path, url, make=True):
        pass


def test_postgresql_without_its_driver_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with (
        pytest.raises(MissingExtraError, match=r"fundoscope\[postgresql\]"),
        store.opened(tmp_path, "postgresql://nobody@localhost/x", make=True),
    ):
        pass


@pytest.fixture
def postgresql() -> Any:
    """The URL of an empty PostgreSQL database, and the command that stops its server."""
    pytest.importorskip("psycopg", reason="needs the extra [postgresql]")
    control = shutil.which("pg_ctl")
    if control is None or os.name == "nt":
        pytest.skip("needs PostgreSQL's pg_ctl")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other accounts
    if user:
        shutil.chown(folder, "postgres")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    for command in (
        ["initdb", "-D", str(folder), "-o", "-U fundoscope -A trust"],
        ["-D", str(folder), "-w", "-l", str(folder / "log"), "-o", options, "start"],
    ):
        made = subprocess.run([*user, control, *command], capture_output=True, check=False)
        if made.returncode:
            shutil.rmtree(folder)
            pytest.skip(f"PostgreSQL cannot be started: {made.stderr.decode()[:200]}")
    stop = [*user, control, "-D", str(folder), "-m", "immediate", "stop"]
    try:
        yield f"postgresql://fundoscope@/postgres?host={folder}", stop
    finally:
        subprocess.run(stop, capture_output=True, check=False)
        shutil.rmtree(folder)


def test_postgresql_does_the_same(
    postgresql: tuple[str, list[str]], start: Callable[..., Clinic]
) -> None:
    url, stop = postgresql
    clinic = start(database=url)
    first, second = worked(clinic)
    assert clinic.post(photograph(1, shade=1)).json()["same_as"] == first
    assert clinic.get("/v1/worklist", sort="-grade").json()["items"][0]["id"] == second
    with pytest.raises(SqlError, match="append-only"), clinic.store.engine.begin() as connection:
        connection.execute(text("delete from audit"))
    assert retention.remove(clinic.store, [second], by="x") == 1
    with clinic.store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
    assert audit.verify(clinic.store.engine).faults == ()
    assert clinic.get("/v1/worklist", patient="a\x00b").status_code == 422
    subprocess.run(stop, capture_output=True, check=True)
    before = clinic.files
    answer = clinic.post(photograph(4))
    assert (answer.status_code, answer.json()["code"]) == (503, "database")
    assert clinic.files == before
    assert clinic.get("/readyz").status_code == 503
    assert clinic.get("/livez").status_code == 200


def test_an_eye_to_be_photographed_again_needs_a_person(clinic: Clinic) -> None:
    """Overexposed and grade 0: no lesion was looked for."""
    record = records.get(clinic.store, clinic.upload(0))
    assert record is not None
    reading = Reading.from_json(record.reading or "")
    assert not records.columns_of(replace(reading, next_step=None))["needs_reader"]
    step = NextStep("retake", "overexposed", "the photograph is overexposed")
    assert records.columns_of(replace(reading, next_step=step))["needs_reader"]
