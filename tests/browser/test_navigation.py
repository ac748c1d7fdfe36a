"""What a slow or failing service, or a hasty reader, must not do to a review."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from playwright.sync_api import expect

from fundoscope.serve.store import retention, tokens

from .conftest import Site, running

Open = Callable[..., Any]
LONGER_THAN_A_DRAFT_WAITS_MS = 4_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of these tests alone: what they upload and review must not reach the others."""
    with running(tmp_path_factory.mktemp("navigation")) as started:
        yield started


def drag(page: Any, across: float) -> None:
    """Drag from the middle of the photograph to the right."""
    box = page.locator(".view").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across / 2, y)
    page.mouse.move(x + across, y)
    page.mouse.up()


def id_of(page: Any) -> str:
    return str(page.url.rpartition("/")[2])


def opened(page: Any, site: Any, *photograph: Any) -> str:
    """Open a photograph; its id."""
    site.open(page, site.photograph(*photograph))
    return id_of(page)


def go_to(page: Any, site: Any, id_: str) -> None:
    """Go to a reading without waiting for it."""
    page.evaluate("address => { location.hash = address; }", f"#/reading/{id_}")


def drafts(page: Any, id_: str) -> Any:
    """The draft of a reading, as the service has it."""
    return page.evaluate(f"fetch('/v1/readings/{id_}').then(answer => answer.json())")["draft"]


def test_after_a_review_is_saved_a_drag_moves_the_photograph(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    id_ = opened(page, site, 3, "right", 21)
    page.keyboard.press("r")
    page.get_by_role("radio", name="3 severe NPDR").check()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    before = page.locator("canvas[role=img]").first.screenshot()
    drag(page, 80)
    assert page.locator("canvas[role=img]").first.screenshot() != before
    page.wait_for_timeout(LONGER_THAN_A_DRAFT_WAITS_MS)
    assert drafts(page, id_) is None


def test_an_answer_that_comes_late_does_not_replace_the_reading_that_is_shown(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    first = opened(page, site, 1, "right", 22)
    page.goto(site.address)
    second = opened(page, site, 4, "right", 23)
    page.goto(site.address)
    page.locator(".worklist a").first.wait_for()
    held = list[Any]()
    page.route(f"**/v1/readings/{first}", lambda route: held.append(route))
    go_to(page, site, first)
    page.wait_for_timeout(300)
    go_to(page, site, second)
    page.locator(".eye[data-loaded]").wait_for()
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_timeout(500)
    expect(page.locator(".panel h2").first).to_contain_text("4 PDR")
    assert page.locator(".eye").count() == 1


def test_the_link_to_the_content_stays_in_the_reading(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    id_ = opened(page, site, 3, "right", 21)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert id_of(page) == id_
    assert page.locator(".eye").count() == 1
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_draft_that_the_service_does_not_take_is_sent_again(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    id_ = opened(page, site, 2, "right", 24)
    failing = threading.Event()
    failing.set()

    def answer(route: Any) -> None:
        route.abort() if failing.is_set() else route.continue_()

    page.route("**/review", answer)
    page.get_by_role("radio", name="2 moderate NPDR").check()
    page.wait_for_timeout(LONGER_THAN_A_DRAFT_WAITS_MS)
    failing.clear()
    expect(page.get_by_text("Draft saved.")).to_be_visible()
    assert drafts(page, id_)["grade"] == 2


def test_uploads_that_fail_while_a_reading_is_shown_are_not_forgotten(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    good = site.photograph(3, "right", 25)
    bad = site.file("bad.jpg", b"not a photograph")
    held = list[Any]()
    site.upload(page, good)
    page.route("**/v1/readings", lambda route: held.append(route))
    page.set_input_files("#files", [str(bad)])
    page.wait_for_timeout(300)
    page.locator(".uploads a").first.click()
    page.locator(".eye[data-loaded]").wait_for()
    held[0].continue_()
    expect(page.locator("#status")).to_contain_text("bad.jpg")
    page.locator(".head a").click()
    expect(page.locator(".uploads .error")).to_have_count(1)


def test_a_reading_that_is_waited_for_comes_although_one_look_fails(
    site: Any, open_page: Open
) -> None:
    """Why the photograph itself cannot be shown stays in place when the reading comes."""
    page = open_page(site.address)
    site.upload(page, site.photograph(3, "right", 30))
    looks = 0

    def answer(route: Any) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            known = route.fetch()
            route.fulfill(
                response=known, json=known.json() | {"status": "waiting", "reading": None}
            )
        elif looks == 2:
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r"/v1/readings/[^/?]+$"), answer)
    page.route("**/photograph*", lambda route: route.abort())
    page.locator(".uploads a").first.click()
    expect(page.locator(".eye .error")).to_be_visible()
    expect(page.locator(".panel")).to_contain_text("severe")
    expect(page.locator(".eye .error")).to_be_visible()
    assert looks >= 3


def test_the_list_keeps_the_reader_at_the_same_patient(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.upload(page, site.photograph(1, "left", 26), site.photograph(2, "left", 27))
    rows = len(page.evaluate("fetch('/v1/worklist').then(answer => answer.json())")["items"])
    expect(page.locator(".worklist tbody tr")).to_have_count(rows)
    link = page.locator(".worklist tbody a").nth(1)
    link.focus()
    address = link.get_attribute("href")
    site.upload(page, site.photograph(3, "left", 28))
    expect(page.locator(".worklist tbody tr")).to_have_count(rows + 1)
    page.locator(f'.worklist a[href="{address}"]').focus()
    site.upload(page, site.photograph(4, "left", 29))
    expect(page.locator(".worklist tbody tr")).to_have_count(rows + 2)
    focused = page.evaluate("document.activeElement.getAttribute('href')")
    assert focused == address


def test_a_corner_may_be_dragged_past_the_opposite_one_and_back(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    opened(page, site, 3, "right", 21)
    boxes = page.evaluate(
        """async () => {
          const { Boxes } = await import('/page/boxes.js');
          const boxes = new Boxes([{ kind: 'haemorrhage', x0: 100, y0: 100, x1: 140, y1: 140 }],
            { width: 800, height: 600 }, () => {});
          const [box] = boxes.boxes;
          boxes.stretch(box, { x1: 20, y1: 20 });
          const past = { ...box };
          boxes.stretch(box, { x1: 150, y1: 160 });
          return [past, box];
        }"""
    )
    assert [boxes[0][side] for side in ("x0", "y0", "x1", "y1")] == [100, 100, 101, 101]
    assert [boxes[1][side] for side in ("x0", "y0", "x1", "y1")] == [100, 100, 150, 160]


def test_a_correction_by_a_colleague_is_seen_with_the_next_answer(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("007")
    id_ = opened(page, site, 2, "left", 61)
    colleague = """([id, patient]) => fetch(`/v1/readings/${id}`, {
        method: 'PATCH',
        headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({patient}),
    })"""
    page.evaluate(colleague, [id_, "008"])
    page.get_by_role("radio", name="2 moderate NPDR").check()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    expect(page.locator(".head")).to_contain_text("Patient: 008")


def test_a_photograph_deleted_while_it_is_waited_for_says_so(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    id_ = opened(page, site, 2, "left", 62)
    waiting = page.evaluate(f"fetch('/v1/readings/{id_}').then(answer => answer.json())")
    waiting |= {"status": "waiting", "reading": None}
    page.route(f"**/v1/readings/{id_}", lambda route: route.fulfill(json=waiting))
    page.reload()
    expect(page.get_by_text("waiting to be read")).to_be_visible()
    retention.remove(site.store, [id_], by="a colleague")
    page.unroute(f"**/v1/readings/{id_}")
    expect(page.get_by_text("there is no reading with this id").first).to_be_visible()


def test_the_list_is_drawn_anew_after_the_service_did_not_answer(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    site.upload(page, site.photograph(1, "left", 63))
    expect(page.locator(".worklist tbody a").first).to_be_visible()
    page.route("**/v1/worklist", lambda route: route.abort())
    expect(page.locator("#total")).to_contain_text("the service does not answer")
    page.unroute("**/v1/worklist")
    page.route("**/v1/worklist", lambda route: route.fulfill(json={"total": 0, "items": []}))
    expect(page.get_by_text("No photograph matches.")).to_be_visible()
    expect(page.locator("#total")).to_have_text("Photographs: 0")


def test_no_address_names_a_patient(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.get_by_label("Patient").first.fill("Dobrowolski")
    opened(page, site, 1, "right", 64)
    page.goto(f"{site.address}/#/")
    page.locator(".filters input").fill("Dobrowolski")
    expect(page.locator("#total")).to_have_text("Photographs: 1")
    assert addresses
    assert not [address for address in addresses if "Dobrowolski" in address]


def test_a_filter_that_is_chosen_before_the_first_answer_comes_wins(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    opened(page, site, 1, "left", 65)
    held: list[Any] = []
    page.route("**/v1/worklist", lambda route: held.append(route))
    page.evaluate("location.hash = '#/'")
    page.locator(".filters select").first.wait_for()
    page.locator(".filters select").first.select_option("4")
    for _ in range(200):
        if len(held) > 1:
            break
        page.wait_for_timeout(50)
    assert len(held) == 2
    for route in held[:2]:
        route.continue_()
        page.wait_for_timeout(300)  # `open_page` fails the test for an error of a script
    page.unroute("**/v1/worklist")
    expect(page.locator("#total")).to_contain_text("Photographs: ")
    expect(page.locator(".worklist tbody")).not_to_contain_text("1 mild NPDR")


def test_an_address_that_was_copied_wrongly_says_so(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.evaluate("location.hash = '#/reading/%E0%A4'")
    expect(page.locator("main .error")).to_be_visible()


def test_keys_that_a_keyboard_writes_with_altgr(site: Any, open_page: Open) -> None:
    """Windows says Ctrl and Alt for AltGr, by which a German keyboard writes brackets."""
    page = open_page(site.address)
    opened(page, site, 3, "right", 66)
    before = page.locator("#threshold").input_value()
    press = """(target) => {
        const event = new KeyboardEvent('keydown', { key: ']', ctrlKey: true, altKey: true,
            modifierAltGraph: true, bubbles: true, cancelable: true });
        document.querySelector(target).dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert page.evaluate(press, "canvas[role=img]")
    assert float(page.locator("#threshold").input_value()) > float(before)
    assert not page.evaluate(press, "textarea")  # there it is a letter


def test_escape_leaves_a_photograph_that_could_not_be_read(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    with page.expect_response("**/v1/readings") as answered:
        page.set_input_files("#files", [str(site.file("worse.jpg", b"not a photograph"))])
    go_to(page, site, answered.value.json()["id"])
    expect(page.locator("main > div > .error")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()


def test_blanks_of_other_programs_make_no_other_patient(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("Anna\u00a0Nowak\u3000")
    opened(page, site, 1, "right", 67)
    expect(page.locator(".head")).to_contain_text("Patient: Anna Nowak")


def test_a_page_is_not_closed_over_a_draft_that_could_not_be_saved(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    opened(page, site, 2, "right", 68)
    asks = "() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    page.route("**/review", lambda route: route.abort())
    page.get_by_role("radio", name="2 moderate NPDR").check()
    expect(page.locator(".review [role=status]")).to_contain_text("does not answer")
    assert page.evaluate(asks)
    page.unroute("**/review")
    expect(page.get_by_text("Draft saved.")).to_be_visible()
    assert not page.evaluate(asks)
    page.locator(".head a").click()
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
    assert not page.evaluate(asks)


def test_a_comment_of_a_blind_reader_is_kept_and_shows_nothing(
    blind_site: Any, open_page: Open
) -> None:
    token = tokens.add(blind_site.store, "blind-reader", tokens.ROLES, by="test")
    page = open_page(blind_site.address)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    opened(page, blind_site, 3, "right", 69)
    address = page.url
    page.get_by_role("radio", name="1 mild NPDR").check()
    page.get_by_label("Comment").fill("typed before the grade")
    page.locator("canvas").first.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
    page.goto(address)
    expect(page.get_by_label("Comment")).to_have_value("typed before the grade")
    expect(page.get_by_text("after you have given a grade")).to_be_visible()
    page.get_by_label("Comment").fill("more")
    page.get_by_role("radio", name="2 moderate NPDR").check()
    expect(page.get_by_text("Saved as a draft, without the grade")).to_be_visible()
    page.get_by_role("button", name="Give this grade").click()
    expect(page.get_by_role("heading", name="3 severe NPDR")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("more")
    expect(page.get_by_role("radio", name="2 moderate NPDR")).to_be_checked()


def test_an_upload_that_fails_for_now_says_so_and_is_tried_again(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    passing = {
        "status": 503, "code": "deadline", "id": "6f0e5c1e-0000-4000-8000-000000000000",
        "detail": "the photograph was not read within 60 seconds", "remedy": "send it again",
    }  # fmt: skip
    sent: list[Any] = []

    def answer(route: Any) -> None:
        sent.append(route)
        route.fulfill(status=503, json=passing, headers={"Retry-After": "1"})

    page.route("**/v1/readings", answer)
    page.set_input_files("#files", [str(site.photograph(1, "right", 79))])
    expect(page.locator(".uploads .error")).to_contain_text("not read within 60 seconds")
    page.wait_for_timeout(1_500)
    assert len(sent) == 1  # it is no queue that is full: nobody waits for it in vain
    page.unroute("**/v1/readings")
    page.locator(".uploads").get_by_role("button", name="Try again").click()
    expect(page.locator(".uploads a")).to_contain_text("1 mild NPDR")
    expect(page.locator(".uploads .error")).to_have_count(0)
