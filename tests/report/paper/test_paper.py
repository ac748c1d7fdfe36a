"""A report on paper: what a person reads on it, and what it looks like."""

from __future__ import annotations

import importlib.util
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fundoscope.kinds import LESIONS
from fundoscope.opinions import MacularOedema
from fundoscope.photo.decode import from_array
from fundoscope.quality import QualityScore
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Fovea,
    Grade,
    Laterality,
    Lesion,
    LesionSummary,
    ModelUsed,
    NextStep,
    OpticDisc,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report.languages import codes, language
from fundoscope.report.paper import html, pdf, picture
from fundoscope.report.paper.content import Examined, Identity, report

has_extra = all(importlib.util.find_spec(name) for name in ("reportlab", "pypdf"))
needs_report = pytest.mark.skipif(not has_extra, reason="needs the extra [report], and pypdf")
RETINA = (180, 90, 40)


def examined(eye: str | None = "right", **fields: object) -> Examined:
    """A photograph of grade 2 with two haemorrhages and an optic disc."""
    pixels = np.zeros((600, 800, 3), np.uint8)
    y, x = np.mgrid[:600, :800]
    pixels[np.hypot(x - 400, y - 300) < 280] = RETINA
    photo = from_array(pixels)
    photo = replace(photo, facts=replace(photo.facts, name="secret_name.jpg"))
    known = {
        "haemorrhage": LesionSummary("haemorrhage", True, None, 2, 800.0, 0.1),
        "hard_exudate": LesionSummary("hard_exudate", True, None, 0, 0.0, 0.0),
        "microaneurysm": LesionSummary("microaneurysm", False, "photograph_too_small"),
    }
    disc = OpticDisc(True, (560.0, 260.0, 640.0, 340.0), (600.0, 300.0), 80.0, 0.99, "found")
    usual = Reading(
        photo.facts,
        FieldOfView(True, (400.0, 300.0), 280.0, 1.0),
        Quality(True, (), (QualityScore("too_dark", -3.0, 0.0),), -2.0, 0.0),
        Grade(2, (0.002, 0.1, 0.6, 0.2, 0.098), 2.29, Referable(0.898, True, 0.4), (2, 3), 0.9),
        (
            Lesion("haemorrhage", (300.0, 200.0, 340.0, 230.0), 0.9),
            Lesion("haemorrhage", (420.0, 400.0, 440.0, 415.0), 0.6),
        ),
        (ModelUsed("grading", "grader-test-1", "a" * 64),),
        ("a warning",),
        "fundoscope 9.9",
        tuple(
            known.get(kind, LesionSummary(kind, False, "unknown_to_detector")) for kind in LESIONS
        ),
        Anatomy(disc, Fovea("found", (400.0, 310.0), 0.9, 0.0), Laterality(eye, "image")),
        needs_reader=("unfamiliar",),
        oedema=MacularOedema("no_exudates_near"),
        agreement="same",
        next_step=NextStep("refer", "referable", "more than mild retinopathy is likely enough"),
    )
    return Examined(replace(usual, **fields), photo, eye=eye)  # type: ignore[arg-type]


class Words(HTMLParser):
    """The words of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page_of(*eyes: Examined, **options: object) -> Words:
    words = Words()
    words.feed(html.render(report(eyes, **options)))  # type: ignore[arg-type]
    return words


def text_of(*eyes: Examined, **options: object) -> tuple[str, int]:
    """The text of the PDF with single spaces, and the number of its pages."""
    import pypdf

    made = pdf.render(report(eyes, **options))  # type: ignore[arg-type]
    pages = pypdf.PdfReader(io.BytesIO(made)).pages
    text = " ".join(page.extract_text() for page in pages)
    return re.sub(r"\s+", " ", text), len(pages)


SAID = (
    "Next step: Refer",
    "Right eye",
    "2 moderate NPDR · Referable",
    "60 %; plausible: grades 2 to 3 (fitted to hold the true grade on 90 % of photographs)",
    "haemorrhages: 2",
    "hard exudates: none found",
    "microaneurysms (photograph too small)",
    "gradable",
    "lesions and grade agree",
    "no hard exudate within one disc diameter of the fovea",
    "a warning",
    "unlike those that the grader learnt from",
    "3 to 6 months",
    "International Council of Ophthalmology",
    "grader-test-1 (SHA-256 aaaaaaaaaaaa)",
    "fundoscope 9.9",
    "Research software, not a medical device. A person decides.",
    "Date, signature",
)


@needs_report
def test_the_pdf_says_all_that_a_clinician_needs_on_one_page() -> None:
    text, pages = text_of(examined("right"), examined("left"))
    assert [each for each in (*SAID, "Left eye", "Page 1 of 1") if each not in text] == []
    assert pages == 1


def test_the_html_says_the_same() -> None:
    text = re.sub(r"\s+", " ", " ".join(page_of(examined("right"), examined("left")).text))
    assert [each for each in SAID if each not in text] == []


@needs_report
def test_nobody_is_named_unless_the_caller_does() -> None:
    eyes = (examined("right"), examined("left"))
    assert "secret_name" not in text_of(*eyes)[0] + "".join(page_of(*eyes).text)
    assert "Patient" not in text_of(*eyes)[0]
    named = Identity("Zoë Müller", "1960-02-03", "2026-11-01")
    text, _ = text_of(*eyes, identity=named, date="2026-11-29")
    for each in ("Zoë Müller", "1960-02-03", "2026-11-01", "2026-11-29"):
        assert each in text


@needs_report
def test_the_file_itself_names_nobody_and_no_machine() -> None:
    import pypdf

    made = pdf.render(report([examined()], identity=Identity("Zoë Müller")))
    facts = pypdf.PdfReader(io.BytesIO(made)).metadata
    assert facts is not None
    assert not any("Zo" in str(fact) for fact in facts.values())
    assert facts.title == "Reading of retinal photographs"


@needs_report
def test_equal_reports_are_equal_files() -> None:
    assert pdf.render(report([examined()])) == pdf.render(report([examined()]))


@needs_report
@pytest.mark.parametrize("code", codes())
def test_every_language_can_be_printed(code: str) -> None:
    eyes = (
        examined("right"),
        examined("left", grade=Grade(), quality=Quality(False, ("too_dark",))),
    )
    text, _ = text_of(*eyes, spoken=code)
    spoken = language(code)
    # Text of a font of another script comes in pieces.
    plain = text.replace(" ", "")
    for key in ("disclaimer", "paper.title", "kind.haemorrhage", "quality.too_dark"):
        assert spoken.say(key).replace(" ", "") in plain
    page = page_of(*eyes, spoken=code)
    assert ("html", {"lang": code}) in page.tags


@needs_report
def test_a_name_in_another_script_is_printed_and_an_unknown_letter_does_no_harm() -> None:
    text, _ = text_of(examined(), identity=Identity("王小明 Привет 𓂀"))
    assert "王小明" in text.replace(" ", "")
    assert "?" in text
    assert "王小明 Привет 𓂀" in "".join(
        page_of(examined(), identity=Identity("王小明 Привет 𓂀")).text
    )


@needs_report
def test_a_hostile_name_is_text() -> None:
    name = "<script>alert(1)</script> & <b>\x1b[2J"
    page = page_of(examined(), identity=Identity(name))
    assert not any(tag == "script" for tag, _ in page.tags)
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert "<script>alert(1)</script>" in text_of(examined(), identity=Identity(name))[0]


def test_the_html_needs_nothing_else_and_runs_nothing() -> None:
    page = page_of(examined("right"), examined("left"))
    sources = [attributes.get("src") or "" for tag, attributes in page.tags if tag == "img"]
    assert len(sources) > 2
    assert all(source.startswith("data:image/") for source in sources)
    assert not any(tag in ("script", "link", "iframe") for tag, _ in page.tags)
    policies = [attributes.get("content") for tag, attributes in page.tags if tag == "meta"]
    assert html.POLICY in policies
    assert all(attributes.get("alt") is not None for tag, attributes in page.tags if tag == "img")


@needs_report
def test_an_eye_that_could_not_be_read_is_on_the_report() -> None:
    refused = Examined(trouble="b.jpg: is damaged; copy it again", eye="left")
    text, _ = text_of(examined("right"), refused)
    assert "Left eye: The photograph could not be read" in text
    assert "b.jpg: is damaged; copy it again" in text
    assert "The photograph could not be read" in "".join(page_of(refused).text)


@needs_report
def test_an_ungraded_photograph_has_no_grade_and_says_why() -> None:
    blank = examined(
        None,
        grade=Grade(),
        field=FieldOfView(False, reason="not_a_retina"),
        next_step=NextStep("retake", "not_graded", "the photograph could not be graded"),
        quality=Quality(),
        anatomy=Anatomy(),
        lesions=(),
        lesion_summary=(),
    )
    text, _ = text_of(blank)
    assert "Not graded: does not look like a retina" in text
    assert "Next step: Take another photograph" in text
    assert "Eye not known" in text
    assert "NPDR" not in text


@needs_report
def test_more_photographs_take_more_pages() -> None:
    text, pages = text_of(*(examined(eye) for eye in ("right", "left", "right", "left")))
    assert pages == 2
    assert "Page 2 of 2" in text


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("fovea", "the place of the fovea is not certain enough"),
        ("optic_disc", "the optic disc was not found, so distances are not known"),
        ("not_assessed", "hard exudates were not assessed"),
        ("of_a_later_version", "of a later version"),
    ],
)
def test_why_oedema_cannot_be_assessed(reason: str, why: str) -> None:
    blank = examined(oedema=MacularOedema("cannot_tell", None, reason))
    text = " ".join("".join(page_of(blank).text).split())
    assert f"cannot be assessed: {why}" in text


def test_lesions_of_an_eye_that_looks_healthy_are_counted_as_possible() -> None:
    withheld = LesionSummary("haemorrhage", True, None, 0, 0.0, 0.0, withheld=3)
    text = " ".join("".join(page_of(examined(lesion_summary=(withheld,))).text).split())
    assert ": none drawn, 3 possible" in text
    assert "Not drawn" in text


def test_the_right_eye_stands_first() -> None:
    made = report([examined("left"), examined("right"), examined(None)])
    assert [eye.title.split()[0] for eye in made.eyes] == ["Right", "Left", "Eye"]


def test_a_contradiction_about_the_eye_is_in_its_title() -> None:
    swapped = examined(anatomy=Anatomy(laterality=Laterality("right", "given", True)))
    assert "the photograph shows the other eye" in report([swapped]).eyes[0].title


def test_the_picture_is_retina_on_white_with_frames_around_the_lesions() -> None:
    one = examined()
    assert one.photo is not None
    assert one.reading is not None
    drawn = picture.draw(one.photo, one.reading)
    with Image.open(io.BytesIO(drawn.jpeg)) as opened:
        pixels = np.asarray(opened).astype(int)
    assert pixels.shape == (drawn.height, drawn.width, 3)
    assert drawn.width == picture.WIDTH
    corners = pixels[[5, 5, -5, -5], [5, -5, 5, -5]]
    assert (corners > 240).all()
    bare = picture.draw(one.photo, replace(one.reading, lesions=(), anatomy=Anatomy()))
    with Image.open(io.BytesIO(bare.jpeg)) as opened:
        without = np.asarray(opened).astype(int)
    changed = np.argwhere(np.abs(pixels - without).max(axis=2) > 60)
    scale = drawn.width / (2 * 280 * (1 + picture.MARGIN))
    # Of the first haemorrhage: 300 to 340, 200 to 230 in the photograph.
    left, top = (300 - 400) * scale + drawn.width / 2, (200 - 300) * scale + drawn.height / 2
    near = np.hypot(changed[:, 1] - left, changed[:, 0] - top)
    assert near.min() < 6


def test_a_photograph_without_a_field_is_shown_whole() -> None:
    one = examined(field=FieldOfView(False, reason="no_disc"), lesions=(), anatomy=Anatomy())
    assert one.photo is not None
    assert one.reading is not None
    drawn = picture.draw(one.photo, one.reading)
    assert drawn.width / drawn.height == pytest.approx(800 / 600, rel=0.01)


def test_facts_of_the_file_are_its_size_and_hash_only() -> None:
    one = examined()
    assert one.reading is not None
    facts = PhotoFacts("secret_name.jpg", "c" * 64, 800, 600)
    made = report([replace(one, reading=replace(one.reading, photo=facts))])
    assert made.eyes[0].source == "800 × 600, SHA-256 cccccccccccc"
