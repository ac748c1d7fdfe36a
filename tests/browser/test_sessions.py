"""Tokens on the page: who may only upload, and what is left for the next person at a computer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from playwright.sync_api import expect

from fundoscope.serve.store import records, reviews, tokens

from .conftest import Site, running

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service that asks for tokens."""
    with running(tmp_path_factory.mktemp("sessions")) as started:
        yield started


def token_of(site: Site, person: str, *roles: str) -> str:
    return tokens.add(site.store, person, roles or tokens.ROLES, by="test")


def sign_in(page: Any, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Token")).to_have_count(0)


def test_who_may_only_upload_uploads_and_sees_no_list(site: Any, open_page: Open) -> None:
    token = token_of(site, "camera", tokens.UPLOAD)
    page = open_page(site.address)
    sign_in(page, token)
    expect(page.get_by_role("heading", name="Upload photographs")).to_be_visible()
    page.set_input_files("#files", [str(site.photograph(3, "right", 71))])
    expect(page.locator(".uploads")).to_contain_text("3 severe NPDR")
    assert page.locator(".uploads a").count() == 0
    assert page.locator(".worklist").count() == 0
    assert page.locator(".error").count() == 0


def test_who_signed_out_in_another_window_is_asked_once(site: Any, open_page: Open) -> None:
    token = token_of(site, "ada")
    page = open_page(site.address)
    sign_in(page, token)
    site.upload(page, site.photograph(1, "right", 72), site.photograph(2, "right", 73))
    page.locator(".worklist tbody a").first.wait_for()
    page.context.clear_cookies()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator(".worklist")).to_have_count(0)
    page.wait_for_timeout(5_000)  # longer than the list waits for its next look
    expect(page.locator("dialog")).to_have_count(1)
    sign_in(page, token_of(site, "bob"))
    expect(page.locator(".worklist tbody a").first).to_be_visible()
    expect(page.locator(".uploads li")).to_have_count(0)


def test_a_waiting_upload_is_not_sent_by_the_next_person(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    sign_in(page, token_of(site, "carl"))
    busy = {"type": "x", "title": "x", "status": 503, "code": "busy", "detail": "busy"}
    sent: list[Any] = []

    def answer(route: Any) -> None:
        sent.append(route)
        route.fulfill(status=503, json=busy, headers={"Retry-After": "2"})

    page.route("**/v1/readings", answer)
    page.set_input_files("#files", [str(site.photograph(1, "right", 74))])
    expect(page.locator(".uploads")).to_contain_text("trying again")
    page.get_by_role("button", name="Sign out carl").click()
    page.unroute("**/v1/readings")
    sign_in(page, token_of(site, "dora"))
    page.wait_for_timeout(3_000)
    assert len(sent) == 1
    assert not [each for each in records.waiting(site.store) if each.uploaded_by == "dora"]
    expect(page.locator(".uploads li")).to_have_count(0)
    expect(page.locator("#status")).not_to_contain_text("right-1-74")


def open_reading(page: Any, site: Site, seed: int) -> str:
    """Upload a photograph, open its reading, and give its id."""
    site.open(page, site.photograph(3, "right", seed))
    return str(page.url.rpartition("/")[2])


def draft_of(site: Site, reading: str, reader: str) -> str | None:
    """The comment of a reader's draft."""
    draft = reviews.of_reading(site.store, reading, reader).draft
    return None if draft is None else draft.opinion.comment


def comment_while_signed_out(page: Any, site: Site, token: str, seed: int, words: str) -> str:
    """Open a photograph, lose the sign-in, and type a comment; gives the photograph's id."""
    sign_in(page, token)
    id_ = open_reading(page, site, seed)
    page.context.clear_cookies()
    page.get_by_label("Comment").fill(words)
    return id_


def test_a_draft_outlives_a_sign_out_in_another_window(site: Any, open_page: Open) -> None:
    token, page = token_of(site, "eva"), open_page(site.address)
    id_ = comment_while_signed_out(page, site, token, 75, "typed while signed out")
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.locator(".review").count() == 0
    sign_in(page, token)
    expect(page.get_by_label("Comment")).to_have_value("typed while signed out")
    assert draft_of(site, id_, "eva") == "typed while signed out"


def test_a_draft_left_by_escape_while_signed_out_waits_for_its_reader(
    site: Any, open_page: Open
) -> None:
    token, page = token_of(site, "finn"), open_page(site.address)
    id_ = comment_while_signed_out(page, site, token, 76, "of Finn")
    page.locator("canvas").first.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Token")).to_be_visible()
    sign_in(page, token_of(site, "gina"))
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
    assert draft_of(site, id_, "finn") is None
    assert draft_of(site, id_, "gina") is None
    page.get_by_role("button", name="Sign out gina").click()
    sign_in(page, token)
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
    assert draft_of(site, id_, "finn") == "of Finn"


def test_a_window_notices_who_signed_in_in_another_one(site: Any, open_page: Open) -> None:
    ada, bob = token_of(site, "hans"), token_of(site, "iris")
    page = open_page(site.address)
    sign_in(page, ada)
    id_ = open_reading(page, site, 77)
    other = page.context.new_page()
    other.goto(site.address)
    other.get_by_role("button", name="Sign out hans").click()
    sign_in(other, bob)
    page.get_by_label("Comment").fill("of Hans")
    expect(page.locator(".notice")).to_contain_text("You are now signed in as iris")
    expect(page.get_by_role("button", name="Sign out iris")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("")
    assert draft_of(site, id_, "iris") is None
    page.get_by_role("button", name="Sign out iris").click()
    sign_in(page, ada)
    expect(page.get_by_label("Comment")).to_have_value("of Hans")


def test_a_correction_while_signed_out_asks_who_is_there(site: Any, open_page: Open) -> None:
    token = token_of(site, "jana")
    page = open_page(site.address)
    sign_in(page, token)
    open_reading(page, site, 78)
    page.get_by_role("button", name="Correct patient or eye").click()
    page.get_by_role("textbox", name="Patient").fill("of somebody")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_label("Token")).to_be_visible()
    sign_in(page, token)
    expect(page.get_by_role("button", name="Correct patient or eye")).to_be_visible()
