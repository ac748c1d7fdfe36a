"""What a person does on the page: upload, read, look closely, correct, save."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from PIL import Image
from playwright.sync_api import expect

from fundoscope.grading.oedema import NOT_ASSESSED, REASONS
from fundoscope.kinds import KINDS
from fundoscope.lesions import discs
from fundoscope.opinions import MacularOedema
from fundoscope.photo import advice, jpeg, reasons
from fundoscope.report.languages import codes, language
from fundoscope.report.languages.warnings import translated
from fundoscope.report.paper import sentences
from fundoscope.serve import app, export
from fundoscope.serve.store import tokens

Open = Callable[..., Any]


def colour_of(page: Any, kind: str) -> int:
    """The number of pixels of the canvas that have a kind's colour."""
    with Image.open(BytesIO(page.locator("canvas[role=img]").first.screenshot())) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(pixels - KINDS[kind].colour).max(axis=2) < 12).sum())


def zoom_of(page: Any) -> float:
    return float(page.locator(".view").first.get_attribute("data-zoom"))


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def hide_boxes(page: Any) -> None:
    """Switch off all kinds that were found: a new box is then not drawn onto an old one."""
    for key in "mhxs":
        page.keyboard.press(key)


def middle_of(page: Any) -> tuple[float, float]:
    box = page.locator(".view").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def boxes_of(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".boxes li").all_inner_texts()]


def test_from_upload_to_export(site: Any, open_page: Open, tmp_path: Path) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    whole = zoom_of(page)
    x, y = middle_of(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    expect(page.locator(".view").first).not_to_have_attribute("data-zoom", f"{whole:.4f}")
    assert zoom_of(page) > 1.5 * whole
    page.keyboard.press("0")
    expect(page.locator(".view").first).to_have_attribute("data-zoom", f"{whole:.4f}")
    page.keyboard.press("r")
    before = boxes_of(page)
    assert len(before) == len(site.reading().lesions)
    hide_boxes(page)
    page.locator("#box-kind").select_option("neovascularisation")
    drag(page, (x - 40, y - 30), (x + 40, y + 30))
    expect(page.locator(".boxes li")).to_have_count(len(before) + 1)
    (drawn,) = set(boxes_of(page)) - set(before)
    assert drawn.startswith("neovascularisation")
    page.get_by_role("radio", name="3 severe NPDR").check()
    page.get_by_role("group", name="How sure are you?").get_by_label("4").check()
    page.get_by_role("group", name="Did the software").get_by_label("no").check()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    done = export.export(site.store, tmp_path / "out", "voc", by="test")
    assert done.boxed == 1
    (file,) = (tmp_path / "out").rglob("*.xml")
    text = file.read_text(encoding="utf-8")
    assert text.count("<object>") == len(before) + 1
    left, top, right, bottom = (int(number) for number in re.findall(r"\d+", drawn))
    found = re.search(
        r"neovascularisation</name>.*?<xmin>([\d.]+)</xmin>\s*<ymin>([\d.]+)</ymin>"
        r"\s*<xmax>([\d.]+)</xmax>\s*<ymax>([\d.]+)</ymax>",
        text,
        re.DOTALL,
    )
    assert found is not None
    corners = [float(number) for number in found.groups()]
    # The page shows whole pixels; the first pixel of Pascal VOC is 1.
    assert np.abs(np.subtract(corners, (left + 1, top + 1, right, bottom))).max() <= 0.6


def test_two_fingers_zoom(site: Any, open_page: Open) -> None:
    page = open_page(site.address, has_touch=True)
    site.open(page, site.photograph())
    whole, (x, y) = zoom_of(page), middle_of(page)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": x + side, "y": y, "id": number} for number, side in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -50, 50)
    for apart in (60, 80, 100):
        fingers("touchMove", -apart, apart)
    fingers("touchEnd")
    expect(page.locator(".view")).not_to_have_attribute("data-zoom", f"{whole:.4f}")
    assert zoom_of(page) == pytest.approx(2 * whole, rel=0.15)


def test_what_is_not_saved_survives_another_language(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    page.get_by_label("Comment").fill("look at the disc")
    page.get_by_role("combobox").first.select_option("zh")
    expect(page.get_by_label(language("zh").say("page.comment"))).to_have_value("look at the disc")


@pytest.mark.parametrize("code", codes())
def test_the_page_translates_warnings_as_reports_do(site: Any, open_page: Open, code: str) -> None:
    warnings = [
        advice.sentence(("out_of_focus", "too_dark"), forced=False),
        advice.sentence((), forced=True),
        reasons.sentence("framed"),
        discs.TURNED,
        jpeg.FAULTY.format("3 extraneous bytes (of 10)"),
        "the picture shows only 55% of the field of view; the rest is cut off",
        "a warning of a later version",
    ]
    translate = """async ([code, warnings]) => {
        const language = await import('/page/language.js');
        await language.load(code);
        return warnings.map((warning) => language.translated(warning));
    }"""
    shown = open_page(site.address).evaluate(translate, [code, warnings])
    assert shown == [translated(warning, language(code)) for warning in warnings]


def test_the_page_knows_all_kinds_and_languages() -> None:
    folder = Path(app.__file__).parent / "page"
    drawn = (folder / "viewer" / "lesions.js").read_text(encoding="utf-8")
    colours = dict(re.findall(r"(\w+): '(#[0-9a-f]{6})'", drawn))
    assert colours == {
        key: "#{:02x}{:02x}{:02x}".format(*kind.colour) for key, kind in KINDS.items()
    }
    spoken = (folder / "language.js").read_text(encoding="utf-8")
    (listed,) = re.findall(r"LANGUAGES = \[(.*)\]", spoken)
    assert tuple(re.findall(r"'(\w+)'", listed)) == codes()


def test_every_text_that_the_page_names_exists() -> None:
    folder = Path(app.__file__).parent / "page"
    scripts = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.js"))
    named = set(re.findall(r"say\(\s*'([\w.]+)'", scripts))
    assert len(named) > 90
    assert named <= language().texts.keys()


def test_lesions_are_switched_on_and_off_by_kind(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    assert colour_of(page, "microaneurysm") > 50
    page.locator("[data-kind=microaneurysm]").click()
    assert colour_of(page, "microaneurysm") == 0
    assert colour_of(page, "haemorrhage") > 50
    page.keyboard.press("m")
    assert colour_of(page, "microaneurysm") > 50
    page.keyboard.press("b")
    assert colour_of(page, "haemorrhage") == 0


def test_the_threshold_leaves_out_weaker_boxes(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    counts = page.locator(".kinds .count")
    everything = sum(map(int, counts.all_inner_texts()))
    page.locator("#threshold").fill("0.8")
    stronger = [each for each in site.reading().lesions if each.score >= 0.8]
    assert sum(map(int, counts.all_inner_texts())) == len(stronger) < everything


def test_filters_and_grids_change_the_picture(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    canvas = page.locator("canvas[role=img]").first

    def pixels() -> np.ndarray:
        with Image.open(BytesIO(canvas.screenshot())) as picture:
            return np.asarray(picture.convert("RGB")).astype(int)

    page.keyboard.press("b")
    page.keyboard.press("d")
    plain = pixels()
    middle = (slice(200, 400), slice(300, 500))
    assert (plain[middle][..., 0] > plain[middle][..., 2] + 20).mean() > 0.9
    page.keyboard.press("g")
    page.locator(".eye[data-filtered=true-false]").wait_for()
    green = pixels()
    assert np.abs(green[middle][..., 0] - green[middle][..., 2]).max() < 12
    page.keyboard.press("c")
    page.locator(".eye[data-filtered=true-true]").wait_for()
    strong = pixels()
    assert strong[middle][..., 1].std() > 1.3 * green[middle][..., 1].std()
    for key, name in (
        ("e", "ETDRS grid"),
        ("q", "Quadrants"),
        ("d", "Disc and fovea"),
        ("a", "Where the grader looked"),
    ):
        before = pixels()
        page.keyboard.press(key)
        assert page.get_by_role("button", name=name).get_attribute("aria-pressed") == "true"
        assert (np.abs(pixels() - before).max(axis=2) > 40).sum() > 200


def test_zoom_without_smoothing_shows_the_pixels(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    page.keyboard.press("b")
    for _ in range(9):
        page.keyboard.press("+")
    canvas = page.locator("canvas[role=img]").first

    def equal_neighbours() -> float:
        with Image.open(BytesIO(canvas.screenshot())) as picture:
            pixels = np.asarray(picture.convert("RGB"))[100:-100, 100:-100]
        return float((pixels[:, 1:] == pixels[:, :-1]).all(axis=2).mean())

    smooth = equal_neighbours()
    page.keyboard.press("z")
    assert equal_neighbours() > smooth + 0.1


def test_the_page_says_what_the_report_says(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    reading = site.reading()
    for code in codes():
        page.get_by_role("combobox").first.select_option(code)
        words = language(code)
        grade = page.locator(".panel h2").first
        expect(grade).to_contain_text(sentences.grade(reading, words))
        panel = page.locator(".panel").inner_text()
        assert sentences.step(reading, words) in panel
        for name, text in sentences.rows(reading, words):
            assert name in panel
            assert text in panel
        assert sentences.missing(reading, words) in panel
        for note in sentences.notes(reading, words):
            assert note in panel
        assert words.say("disclaimer") in page.locator("footer").inner_text()


def test_the_page_writes_probabilities_and_reasons_as_the_report_does(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address, locale="en")
    site.open(page, site.photograph())
    pairs = [[0.3702, 0.37], [0.9999, 0.996], [0.99997, 0.9997], [0.00002, 0.0004]]
    causes = [NOT_ASSESSED, *REASONS, "of_a_later_version"]
    written, why = page.evaluate(
        """async ([pairs, causes]) => {
            const { apart } = await import('/page/language.js');
            const { oedema } = await import('/page/words.js');
            const cannotTell = { state: 'cannot_tell', distance: null };
            const why = (reason) => oedema({ oedema: { ...cannotTell, reason } });
            return [pairs.map((each) => apart(...each)), causes.map(why)];
        }""",
        [pairs, causes],
    )
    words, blank = language(), site.reading()
    assert written == [list(words.apart(*each)) for each in pairs]
    readings = [replace(blank, oedema=MacularOedema("cannot_tell", None, r)) for r in causes]
    assert why == [sentences.oedema(each, words) for each in readings]


@pytest.mark.parametrize("code", codes())
def test_every_text_is_in_the_language(site: Any, open_page: Open, code: str) -> None:
    page = open_page(site.address, locale=code)
    assert page.locator("html").get_attribute("lang") == code
    site.open(page, site.photograph())
    page.keyboard.press("r")
    page.keyboard.press("?")
    said = page.locator("body").inner_text()
    assert language(code).say("page.keys_elsewhere") in said
    assert not re.search(r"\bpage[._]\w+|undefined|\{\w+\}", said)


def test_problems_are_said_in_the_language(site: Any, open_page: Open) -> None:
    page = open_page(site.address, locale="zh")
    page.set_input_files("#files", [str(site.file("bad.jpg", b"no photograph"))])
    expect(page.locator(".uploads .error")).to_contain_text(
        language("zh").say("problem.not_an_image")
    )
    page.goto(f"{site.address}/#/reading/00000000-0000-0000-0000-000000000000")
    expect(page.get_by_text(language("zh").say("problem.no_such_reading"))).to_be_visible()


def test_both_eyes_stand_beside_each_other(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.get_by_label("Patient").first.fill("007")
    site.upload(page, site.photograph(2, "left"), site.photograph(1, "right"))
    page.locator(".uploads a", has_text="2 moderate NPDR").click()
    page.get_by_role("button", name="Both eyes").click()
    expect(page.locator(".eye[data-loaded]")).to_have_count(2)
    titles = page.locator(".eye h2").all_inner_texts()
    assert [title.split()[0] for title in titles] == ["Right", "Left"]
    first, second = (page.locator(".view").nth(place).bounding_box() for place in (0, 1))
    assert first["x"] + first["width"] <= second["x"]
    page.keyboard.press("y")
    expect(page.locator(".eye")).to_have_count(1)


def test_a_draft_resumes_where_it_stopped(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph(2, "left"))
    page.keyboard.press("r")
    boxes = boxes_of(page)
    page.locator(".boxes button").first.click()
    page.keyboard.press("Delete")
    page.get_by_role("radio", name="2 moderate NPDR").check()
    page.get_by_label("Comment").fill("new vessels at the disc")
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_text("Draft saved.")).to_be_visible()
    page.reload()
    page.locator(".eye[data-loaded]").wait_for()
    expect(page.get_by_role("radio", name="2 moderate NPDR")).to_be_checked()
    expect(page.get_by_label("Comment")).to_have_value("new vessels at the disc")
    expect(page.locator(".boxes li")).to_have_count(len(boxes) - 1)


def test_boxes_of_a_finished_review_are_where_the_next_one_begins(
    site: Any, open_page: Open
) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph(3, "right", 32))
    page.keyboard.press("r")
    boxes = boxes_of(page)
    page.locator(".boxes button").first.click()
    page.keyboard.press("Delete")
    page.get_by_role("radio", name="3 severe NPDR").check()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    page.locator("#edit-boxes").click()
    expect(page.locator(".boxes li")).to_have_count(len(boxes) - 1)


def test_boxes_are_moved_resized_and_brought_back(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    page.keyboard.press("r")
    x, y = middle_of(page)
    hide_boxes(page)
    page.locator("#box-kind").select_option("laser_scar")
    drag(page, (x - 50, y - 50), (x + 50, y + 50))
    scars = page.locator(".boxes li", has_text="laser scars")
    first = scars.inner_text()
    drag(page, (x, y), (x - 30, y))
    moved = scars.inner_text()
    assert moved != first
    drag(page, (x + 22, y + 52), (x + 62, y + 92))
    resized = scars.inner_text()
    assert resized.split("–")[0] == moved.split("–")[0]
    assert resized != moved
    page.keyboard.press("Control+z")
    assert scars.inner_text() == moved
    page.keyboard.press("Control+z")
    assert scars.inner_text() == first
    page.keyboard.press("Control+z")
    expect(scars).to_have_count(0)


def test_what_cannot_be_read_says_why_and_harms_nothing(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    page.get_by_label("Keep the names of the files").check()
    bad = site.file("<img src=x onerror=alert(1)>.jpg", b"not a photograph")
    good = site.photograph()
    page.set_input_files("#files", [str(bad), str(good)])
    expect(page.locator(".uploads .error")).to_have_count(1)
    expect(page.locator(".uploads a")).to_have_count(1)
    error = page.locator(".uploads .error").inner_text()
    assert "<img src=x" in error
    assert "is not an image" in error
    assert page.locator("main img").count() == 0
    error_line = page.locator(".uploads .error")
    error_line.get_by_role("button").click()
    expect(error_line).to_have_count(0)


def test_whose_photograph_it_is_is_asked_before_the_file(site: Any, open_page: Open) -> None:
    """A file is sent as soon as it is chosen; and times are written as in the reader's country."""
    page = open_page(site.address)
    patient = page.get_by_label("Patient").first.bounding_box()
    assert patient["y"] < page.locator("#files").bounding_box()["y"]
    site.upload(page, site.photograph())
    expect(page.locator(".worklist tbody td").last).to_have_text(re.compile(r"^\d+ \w+ \d{4}"))


def test_files_are_dropped_onto_the_page(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    file = site.photograph()
    data = page.evaluate_handle(
        """async ([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/jpeg' }));
            return transfer;
        }""",
        ["dropped.jpg", list(file.read_bytes())],
    )
    page.get_by_label("Patient").first.fill("007")
    page.dispatch_event("section.upload", "drop", {"dataTransfer": data})
    # The next photograph may be of somebody else.
    expect(page.get_by_label("Patient").first).to_have_value("")
    expect(page.locator(".uploads a")).to_have_text(
        "3 severe NPDR · Referable · Refer: more than mild retinopathy is likely enough"
    )
    assert "the same file was read before" in page.locator(".uploads").inner_text()


def test_the_worklist_is_sorted_and_filtered(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.upload(page, site.photograph(1), site.photograph(3), site.photograph(2, "left"))
    page.get_by_role("button", name="Grade").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Grade ▼")

    def grades() -> list[str]:
        return [
            text[:1] for text in page.locator(".worklist tbody td:nth-child(4)").all_inner_texts()
        ]

    expect(page.locator(".worklist tbody td:nth-child(4)").first).to_have_text(re.compile("^3"))
    assert grades() == sorted(grades(), reverse=True)
    page.get_by_label("Grade").first.select_option("2")
    expect(page.locator(".worklist tbody td:nth-child(4)").first).to_have_text(re.compile("^2"))
    assert set(grades()) == {"2"}
    page.reload()
    expect(page.get_by_label("Grade").first).to_have_value("2")


def test_everything_can_be_done_by_keyboard(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.upload(page, site.photograph(1))
    keys = page.keyboard
    page.locator(".worklist tbody a").first.wait_for()
    keys.press("j")
    keys.press("Enter")
    page.locator(".eye[data-loaded]").wait_for()
    whole = zoom_of(page)
    keys.press("+")
    expect(page.locator(".view")).not_to_have_attribute("data-zoom", f"{whole:.4f}")
    keys.press("ArrowLeft")
    keys.press("r")
    before = len(boxes_of(page))
    keys.press("n")
    expect(page.locator(".boxes li")).to_have_count(before + 1)
    page.locator(".boxes button[aria-pressed=true]").focus()
    placed = page.locator(".boxes button[aria-pressed=true]").inner_text()
    keys.press("ArrowRight")
    keys.press("Shift+ArrowDown")
    assert page.locator(".boxes button[aria-pressed=true]").inner_text() != placed
    focus(page, "input[name=grade][value='0']")
    keys.press("Space")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(page.locator("input[name=grade][value='2']")).to_be_checked()
    keys.press("Control+s")
    expect(page.get_by_text("Saved. The review is part of the next export.")).to_be_visible()
    keys.press("Escape")
    expect(page.locator("h1")).to_have_text("Worklist")


def focus(page: Any, wanted: str) -> None:
    """Go to a control with the Tab key, as somebody without a mouse does."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.locator(f"{wanted}:focus").count():
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def test_single_letters_can_be_switched_off(site: Any, open_page: Open) -> None:
    page = open_page(site.address)
    site.open(page, site.photograph())
    page.keyboard.press("?")
    page.get_by_role("button", name="Keys of a single letter").click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    assert page.locator("[data-switch=boxes]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()


def test_nothing_scrolls_sideways_at_twice_the_size(site: Any, open_page: Open) -> None:
    page = open_page(site.address, viewport={"width": 640, "height": 400})
    site.open(page, site.photograph())
    page.keyboard.press("r")
    for address in ("", f"#{page.url.partition('#')[2]}"):
        page.goto(f"{site.address}/{address}")
        page.locator("h1").wait_for()
        wide, room = page.evaluate(
            "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room


def test_a_blind_reader_signs_in_and_grades_before_the_software(
    blind_site: Any, open_page: Open
) -> None:
    token = tokens.add(blind_site.store, "ada", tokens.ROLES, by="test")
    page = open_page(blind_site.address)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("the token is not valid")).to_be_visible()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out ada")).to_be_visible()
    blind_site.upload(page, blind_site.photograph())
    assert "severe" not in page.locator(".worklist").inner_text()
    page.locator(".uploads a").click()
    page.locator(".eye[data-loaded]").wait_for()
    assert "shown after you have given a grade" in page.locator(".panel").inner_text()
    assert colour_of(page, "microaneurysm") == 0
    page.get_by_role("radio", name="1 mild NPDR").check()
    page.get_by_role("button", name="Give this grade").click()
    expect(page.get_by_role("heading", name="3 severe NPDR")).to_be_visible()
    assert colour_of(page, "microaneurysm") > 50
    page.get_by_role("button", name="Sign out ada").click()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator(".view")).to_have_count(0)
