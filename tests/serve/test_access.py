"""Who may call: tokens, roles, hosts, origins; what every answer and no log line holds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import jsonschema
import pytest
from sqlalchemy import text

from fundoscope.errors import UsageError
from fundoscope.serve.app import make
from fundoscope.serve.service import COOKIE
from fundoscope.serve.store import audit, tokens
from fundoscope.serve.store.database import writing

from .conftest import Clinic, photograph
from .test_readings import problem

Start = Callable[..., Clinic]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_tokens_have_names_and_roles(clinic: Clinic) -> None:
    id_ = clinic.upload(1)
    camera = tokens.add(clinic.store, "camera-1", [tokens.UPLOAD])
    smith = tokens.add(clinic.store, "a.smith", [tokens.LOOK, tokens.REVIEW])
    answer = clinic.get("/v1/worklist")
    problem(answer, 401, "token")
    assert answer.headers["www-authenticate"] == "Bearer"
    problem(clinic.post(headers=bearer("fs_wrong")), 401, "token")
    problem(clinic.post(headers={"Authorization": "Basic abc"}), 401, "token")

    uploaded = clinic.post(photograph(2), headers=bearer(camera))
    assert uploaded.json()["uploaded_by"] == "camera-1"
    clinic.headers = bearer(camera)
    problem(clinic.get(f"/v1/readings/{id_}"), 403, "role")
    problem(clinic.review(id_, grade=1), 403, "role")
    problem(clinic.get("/metrics"), 403, "role")
    clinic.headers = bearer(smith)
    assert clinic.review(id_, grade=1).json()["review"]["reader"] == "a.smith"
    # A proxy in front may ask for a password of its own.
    cookie = {"Authorization": "Basic abc", "Cookie": f"{COOKIE}={smith}"}
    assert clinic.client.get("/v1/worklist", headers=cookie).status_code == 200
    problem(clinic.post(), 403, "role")

    tokens.revoke(clinic.store, "a.smith")
    problem(clinic.get("/v1/worklist"), 401, "token")
    assert clinic.client.get("/livez").status_code == 200
    assert clinic.client.get("/readyz").status_code == 200


def test_tokens_are_stored_as_hashes_and_wrong_names_are_refused(clinic: Clinic) -> None:
    token = tokens.add(clinic.store, "a.smith", tokens.ROLES)
    database = (clinic.settings.data / "fundoscope.db").read_bytes()
    log = (clinic.settings.data / "fundoscope.db-wal").read_bytes()
    assert token.encode() not in database + log
    for name in ("", "A Smith", "local", "fundoscope", "x" * 65, "../x"):
        with pytest.raises(UsageError, match="cannot be used"):
            tokens.add(clinic.store, name, tokens.ROLES)
    with pytest.raises(UsageError, match="has or had a token"):
        tokens.add(clinic.store, "a.smith", tokens.ROLES)
    with pytest.raises(UsageError, match="'king': is not known"):
        tokens.add(clinic.store, "b", ["king"])
    with pytest.raises(UsageError, match="has no role"):
        tokens.add(clinic.store, "b", [])
    with pytest.raises(UsageError, match="no valid token"):
        tokens.revoke(clinic.store, "nobody")


def test_a_browser_signs_in_with_a_cookie_that_scripts_cannot_read(clinic: Clinic) -> None:
    token = tokens.add(clinic.store, "a.smith", [tokens.LOOK])
    problem(clinic.get("/v1/session"), 401, "token")
    problem(clinic.client.post("/v1/session", json={"token": "wrong"}), 401, "token")
    answer = clinic.client.post("/v1/session", json={"token": token})
    assert (answer.json()["person"], answer.json()["roles"]) == ("a.smith", ["look"])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert clinic.get("/v1/worklist").status_code == 200
    assert clinic.client.delete("/v1/session").status_code == 204
    problem(clinic.get("/v1/worklist"), 401, "token")


def test_the_cookie_of_another_service_locks_nobody_out(clinic: Clinic) -> None:
    """Browsers tell cookies apart by host, not by port: those of two services meet."""
    cookie = {"Cookie": f"{COOKIE}=fs_of_another_service"}
    assert clinic.client.get("/v1/session", headers=cookie).json()["person"] == "local"
    clinic.headers = {"Authorization": "Bearer fs_of_another_service"}
    problem(clinic.get("/v1/session"), 401, "token")
    token = tokens.add(clinic.store, "a.smith", tokens.ROLES)
    problem(clinic.client.get("/v1/session", headers=cookie), 401, "token")
    cookie = {"Cookie": f"{COOKIE}={token}"}
    assert clinic.client.get("/v1/session", headers=cookie).json()["person"] == "a.smith"


def test_without_tokens_whoever_sits_there_may_do_everything(clinic: Clinic) -> None:
    session = clinic.get("/v1/session").json()
    assert (session["person"], session["token_needed"]) == ("local", False)
    assert session["roles"] == list(tokens.ROLES)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8766", 200),
        ("127.0.0.1", 200),
        ("[::1]:8766", 200),
        ("192.168.1.7", 200),
        ("Clinic.Example:443", 200),
        ("evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_only_our_names_are_answered(start: Start, host: str, status: int) -> None:
    clinic = start(names=("clinic.example",))
    answer = clinic.client.get("/livez", headers={"Host": host})
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://localhost"}, 201),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:9"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_sites_change_nothing(clinic: Clinic, headers: dict[str, str], status: int) -> None:
    assert clinic.post(headers=headers).status_code == status
    assert len(clinic.files) == (status == 201)


def test_every_answer_has_the_security_headers(clinic: Clinic) -> None:
    for path in ("/livez", "/nothing", "/v1/worklist", "/openapi.json"):
        headers = clinic.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) == 32
        assert "strict-transport-security" not in headers


def test_no_log_line_and_no_figure_names_anybody(
    clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fundoscope")
    id_ = clinic.post(photograph(2), name="Smith.png", patient="P-1950", keep_name="true").json()[
        "id"
    ]
    clinic.get("/v1/worklist", patient="P-1950")
    clinic.get("/Smith/P-1950")
    clinic.review(id_, grade=7, comment="Smith")
    clinic.post(b"no picture", name="Smith.png", patient="P-1950")
    figures = clinic.get("/metrics").text
    log = "".join(entry.detail for entry in audit.entries(clinic.store.engine))
    for said in (caplog.text, figures, log):
        assert "Smith" not in said
        assert "P-1950" not in said
    assert "GET /v1/worklist 200" in caplog.text
    assert 'fundoscope_photographs_total{outcome="read"} 1.0' in figures
    assert 'fundoscope_photographs_total{outcome="not_an_image"} 1.0' in figures
    assert "fundoscope_photographs_in_service 0.0" in figures


def looks(clinic: Clinic) -> list[tuple[str, str]]:
    """Who looked at which reading, as the audit log has it."""
    log = audit.entries(clinic.store.engine)
    return [(entry.who, entry.about) for entry in log if entry.what == "looked"]


def test_the_log_names_who_looked_once_an_hour(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = clinic.upload(1, shade=1), clinic.upload(2, shade=2)
    clinic.get("/v1/worklist")
    assert looks(clinic) == []
    for rest in ("", "", "/photograph", "/annotations.xml"):
        assert clinic.get(f"/v1/readings/{first}{rest}").status_code == 200
    assert clinic.get(f"/v1/readings/{second}/photograph").status_code == 200
    assert looks(clinic) == [("local", first), ("local", second)]
    clinic.headers |= bearer(tokens.add(clinic.store, "a.smith", [tokens.LOOK]))
    clinic.get(f"/v1/readings/{first}")
    monkeypatch.setattr("fundoscope.serve.looks.AGAIN_S", 0)
    clinic.get(f"/v1/readings/{first}")
    assert looks(clinic)[2:] == [("a.smith", first), ("a.smith", first)]
    assert audit.verify(clinic.store.engine).faults == ()


def test_what_cannot_be_logged_is_not_shown(clinic: Clinic) -> None:
    id_ = clinic.upload(1)
    with writing(clinic.store.engine) as connection:
        connection.execute(text("alter table audit rename to gone"))
    for rest in ("", "/photograph", "/annotations.xml"):
        assert clinic.get(f"/v1/readings/{id_}{rest}").status_code == 503


def test_of_many_looks_the_oldest_is_forgotten(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.serve.looks.MAX_REMEMBERED", 1)
    first, second = clinic.upload(1, shade=1), clinic.upload(2, shade=2)
    for id_ in (first, first, second, first):
        clinic.get(f"/v1/readings/{id_}")
    assert [about for _, about in looks(clinic)] == [first, second, first]


def test_an_internal_error_is_a_problem_and_says_nothing_else(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("Smith")

    monkeypatch.setattr("fundoscope.serve.routes.worklist.lists.worklist", fails)
    answer = clinic.get("/v1/worklist")
    problem(answer, 500, "internal_error")
    assert "ZeroDivisionError" in answer.json()["detail"]
    assert "ZeroDivisionError at" in caplog.text
    assert "Smith" not in answer.text + caplog.text
    assert answer.headers["x-request-id"] in caplog.text


def test_the_document_fits_the_answers(clinic: Clinic) -> None:
    document = clinic.get("/openapi.json").json()
    body = clinic.post(photograph(2)).json()
    reference = {"$ref": "#/components/schemas/ReadingAnswer"}
    jsonschema.validate(body, reference | {"components": document["components"]})
    examples = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    for name in content.get("examples", {}):
                        examples += 1
                        schema = content["schema"] | {"components": document["components"]}
                        example = document["components"]["examples"][name]["value"]
                        jsonschema.validate(example, schema)
    assert examples >= 8


def test_the_documents_reading_is_the_published_one(clinic: Clinic) -> None:
    from fundoscope.reading import schema

    published = schema()["$defs"]["Reading"]["properties"]
    shown = clinic.get("/openapi.json").json()["components"]["schemas"]["Reading"]["properties"]
    assert shown.keys() == published.keys()


def test_tls_asks_browsers_to_insist_on_it(clinic: Clinic, start: Start) -> None:
    from dataclasses import replace
    from pathlib import Path

    from starlette.testclient import TestClient

    from fundoscope.serve.pictures import Pictures

    settings = replace(clinic.settings, certificate=Path("c.pem"), key=Path("k.pem"))
    web = make(settings, clinic.store, clinic.pool, Pictures(settings.limits))
    answer = TestClient(web, base_url="https://localhost").get("/livez")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_a_page_that_shows_somebody_else_writes_nothing(clinic: Clinic) -> None:
    """Two windows of a browser share a cookie; one signs in as another person."""
    id_ = clinic.upload(2)
    ada, bob = (tokens.add(clinic.store, name, tokens.ROLES) for name in ("ada", "bob"))
    where = f"/v1/readings/{id_}/review"
    as_ada = {"Fundoscope-Person": "ada"}
    for token, status in ((ada, 201), (bob, 409)):
        clinic.client.post("/v1/session", json={"token": token})
        answer = clinic.client.post(where, json={"grade": 1, "draft": True}, headers=as_ada)
        assert answer.status_code == status
    assert answer.json()["code"] == "other_person"
    assert clinic.client.get("/v1/worklist", headers=as_ada).status_code == 409
    assert clinic.client.get(f"/v1/readings/{id_}").json()["draft"] is None
