"""A person corrects patient or eye of a photograph, or deletes one that was uploaded by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from playwright.sync_api import expect

from .conftest import Site, running

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of these tests alone."""
    with running(tmp_path_factory.mktemp("identity")) as started:
        yield started


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def answer(page: Any) -> dict[str, Any]:
    """What the service has of the photograph that is open."""
    id_ = page.url.rpartition("/")[2]
    return dict(page.evaluate(f"fetch('/v1/readings/{id_}').then(answer => answer.json())"))


def test_patient_and_eye_are_corrected_and_a_draft_is_kept(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("007")
    page.get_by_label("Eye").first.select_option("right")
    site.open(page, site.photograph(2, "left", 51))
    expect(page.locator(".head")).to_contain_text("Patient: 007")
    expect(page.locator(".eye h2")).to_contain_text("Right eye")
    page.get_by_label("Comment").fill("as before")
    press(page, "Correct patient or eye")
    form = page.get_by_role("form", name="Correct patient or eye")
    expect(form.get_by_label("Patient")).to_be_focused()
    form.get_by_label("Patient").fill("008")
    form.get_by_label("Eye").select_option("left")
    press(page, "Save correction")
    expect(page.locator(".head")).to_contain_text("Patient: 008")
    expect(page.locator(".eye h2")).to_contain_text("Left eye")
    expect(page.get_by_text("2 moderate NPDR").first).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("as before")
    assert (answer(page)["patient"], answer(page)["eye"]) == ("008", "left")
    page.goto(f"{site.address}/#/")
    expect(page.locator(".worklist")).to_contain_text("008")
    expect(page.locator(".worklist")).not_to_contain_text("007")


def test_a_correction_can_be_left_by_keyboard_and_changes_nothing(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph(1, "right", 52))
    page.get_by_role("button", name="Correct patient or eye").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("r")  # typed into the patient, and no key of the page
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("form", name="Correct patient or eye")).to_have_count(0)
    expect(page.get_by_role("button", name="Correct patient or eye")).to_be_focused()
    assert answer(page)["patient"] is None
    expect(page.locator("#edit-boxes")).to_be_visible()


def test_a_photograph_uploaded_by_mistake_is_deleted_after_a_question(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("by mistake")
    site.open(page, site.photograph(3, "right", 53))
    address = page.url
    page.get_by_label("Comment").fill("goes with it")
    press(page, "Correct patient or eye")
    press(page, "Delete this photograph")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    press(page, "Keep it")
    press(page, "Delete this photograph")
    press(page, "Delete for good")
    page.locator(".worklist").wait_for()
    expect(page.locator(".worklist")).not_to_contain_text("by mistake")
    expect(page.locator("main > .error")).to_have_count(0)
    page.goto(address)
    expect(page.get_by_text("there is no reading with this id")).to_be_visible()


def test_what_is_reviewed_stays(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph(3, "left", 54))
    page.get_by_role("radio", name="3 severe NPDR").check()
    press(page, "Save review")
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    press(page, "Correct patient or eye")
    expect(page.get_by_role("button", name="Save correction")).to_be_visible()
    expect(page.get_by_role("button", name="Delete this photograph")).to_have_count(0)


def test_a_photograph_that_could_not_be_read_is_deleted(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("not a picture")
    with page.expect_response("**/v1/readings") as answered:
        page.set_input_files("#files", [str(site.file("text.jpg", b"not a photograph"))])
    page.goto(f"{site.address}/#/reading/{answered.value.json()['id']}")
    press(page, "Delete this photograph")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    press(page, "Keep it")
    press(page, "Cancel")
    expect(page.get_by_role("button", name="Delete this photograph")).to_be_focused()
    press(page, "Delete this photograph")
    press(page, "Delete for good")
    page.locator(".worklist").wait_for()
    expect(page.locator("main > .error")).to_have_count(0)
    page.get_by_label("Status").select_option("refused")
    expect(page.get_by_text("No photograph matches.")).to_be_visible()
