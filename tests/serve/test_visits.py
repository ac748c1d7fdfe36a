"""The photographs of a patient at one visit; nothing older stands beside them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from fundoscope.serve.store import retention
from fundoscope.serve.store.database import writing

from .conftest import Clinic
from .test_readings import problem


def received(clinic: Clinic, id_: str, when: str) -> None:
    """Set when a photograph was received."""
    with writing(clinic.store.engine) as connection:
        change = text("update readings set created = :when where id = :id")
        connection.execute(change, {"when": f"{when}T09:30:00.000000+00:00", "id": id_})


def others(clinic: Clinic, id_: str) -> list[str]:
    items = clinic.get(f"/v1/readings/{id_}/same-visit").json()["items"]
    return [str(item["id"]) for item in items]


def search(clinic: Clinic, **body: Any) -> Any:
    return clinic.client.post("/v1/worklist", json=body, headers=clinic.headers)


def test_a_visit_is_two_weeks_of_one_patient(clinic: Clinic) -> None:
    now, soon, late = (clinic.upload(1, shade=shade, patient="P-1") for shade in range(3))
    other, nobody = clinic.upload(1, shade=4, patient="P-2"), clinic.upload(1, shade=5)
    received(clinic, now, "2026-03-01")
    received(clinic, soon, "2026-03-14")
    received(clinic, late, "2027-04-05")
    received(clinic, other, "2026-03-01")
    received(clinic, nobody, "2026-03-01")
    assert others(clinic, now) == [soon]
    assert others(clinic, soon) == [now]
    for alone in (late, other, nobody):
        assert others(clinic, alone) == []


def test_a_report_does_not_mix_visits_and_says_when_photographs_were_received(
    clinic: Clinic,
) -> None:
    now, late = (clinic.upload(0, shade=shade, patient="P-1") for shade in range(2))
    received(clinic, now, "2026-03-01")
    received(clinic, late, "2027-04-05")
    problem(clinic.get(f"/v1/readings/{now}/report.pdf", other=late), 409, "two_visits")
    received(clinic, late, "2026-03-01")
    assert clinic.get(f"/v1/readings/{now}/report.pdf", other=late).status_code == 200


def test_a_search_names_no_patient_in_its_address(clinic: Clinic) -> None:
    mild, severe = clinic.upload(1, patient="Müller"), clinic.upload(3, patient="Meyer")
    found = search(clinic, patient_part="müll").json()
    assert [item["id"] for item in found["items"]] == [mild]
    assert [item["id"] for item in search(clinic, grade=3).json()["items"]] == [severe]
    assert search(clinic).json() == clinic.get("/v1/worklist").json()
    problem(search(clinic, grade=7), 422, "invalid")
    problem(search(clinic, limit=1000), 422, "invalid")
    problem(search(clinic, colour="red"), 422, "invalid")


def test_blanks_around_a_patient_make_no_other_patient(clinic: Clinic) -> None:
    ids = [clinic.upload(1, shade=1, patient="Anna Nowak")]
    ids += [clinic.upload(2, shade=2, patient=" Anna  Nowak\t")]
    ids += [clinic.upload(3, shade=3, patient="wrong")]
    body = {"patient": "\u00a0Anna Nowak "}
    assert clinic.client.patch(f"/v1/readings/{ids[2]}", json=body).status_code == 200
    listed = clinic.get("/v1/worklist", patient=" Anna Nowak ").json()["items"]
    assert sorted(item["id"] for item in listed) == sorted(ids)
    assert {item["patient"] for item in listed} == {"Anna Nowak"}
    assert retention.of_patient(clinic.store, "Anna Nowak ") == ids
    problem(clinic.post(patient="  "), 422, "invalid")
