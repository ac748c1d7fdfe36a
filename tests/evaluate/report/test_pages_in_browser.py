"""The pages of reports and monitors in a browser: rules of WCAG, no request, a working slider."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from fundoscope.cli.main import run
from fundoscope.evaluate.report import prevalence

api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
pytest.importorskip("axe_playwright_python", reason="needs axe-core (axe-playwright-python)")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("FUNDOSCOPE_CHROMIUM") or next(
    filter(None, map(shutil.which, NAMES)), None
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
RUN = """() => axe.run({resultTypes: ['violations'],
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"""
SERIOUS = ("serious", "critical")
LARGEST = 5_000_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, named_reader: Any) -> dict[str, Path]:
    """A report on two graders and a detector, and a monitor that has seen a change."""
    from fundoscope import reader

    folder = tmp_path_factory.mktemp("pages")
    labels = [
        (f"{i:02}-says{(i * 3 + (i % 4 == 0)) % 5}.jpg", i * 3 % 5, f"p{i // 2}") for i in range(24)
    ]
    picture(folder / labels[12][0])  # called without need
    for name, _, _ in labels:
        (folder / name).touch()
    lines = [f"{name},{grade},{patient},{'RL'[n % 2]},{'xy'[n % 3 > 0]}"
             for n, (name, grade, patient) in enumerate(labels)]  # fmt: skip
    table = folder / "labels.csv"
    table.write_text("\n".join(["image,grade,patient,eye,source", *lines]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "Reader", named_reader)
        run(["evaluate", "grading", str(table), "--out", str(folder / "a"), "--by", "source"])
    words = ["--predictions", str(folder / "a" / "predictions.csv"), "--out", str(folder / "b")]
    run(["evaluate", "grading", str(table), *words])
    detector(folder / "c")
    found = {"report": folder / "report.html", "monitor": folder / "monitor.html"}
    results = [str(folder / name) for name in "abc"]
    options = ["--photographs", str(folder), "--out", str(found["report"])]
    assert run(["evaluate", "report", *results, *options]) == 0
    watched = [str(runs(folder / "w", 40, 600)), "--against", str(runs(folder / "r", 60, 400))]
    assert run(["monitor", *watched, "--out", str(found["monitor"])]) == 0
    return found


def picture(path: Path) -> None:
    from PIL import Image

    from fundoscope import phantom
    from fundoscope.phantom import PhantomSpec

    Image.fromarray(phantom.draw(PhantomSpec(seed=1, width=256, height=224))[0]).save(path)


def detector(folder: Path) -> None:
    """What ``fundoscope evaluate lesions`` writes, as far as a report reads it."""
    folder.mkdir()
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    rates = {str(rate): figure for rate in (0.125, 1, 8, 32)}
    kind = {"lesions": 12, "precision": figure, "recall": figure, "f1": figure}
    kind |= {"froc": {"sensitivity": rates, "mean": figure}}
    metrics = {"photographs": 9, "classes": {"microaneurysm": kind}, "overall": kind}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    document = {
        "command": "evaluate lesions",
        "arguments": {},
        "thresholds": {"microaneurysm": 0.6},
    }
    document["models"] = [{"task": "detection", "name": "finder", "sha256": "b" * 64}]
    (folder / "run.json").write_text(json.dumps(document | {"annotations_sha256": "c" * 64}))


def runs(folder: Path, number: int, width: int) -> Path:
    folder.mkdir()
    lines = ["image,status,icdr,referable,referable_probability,width,height,sha256,familiar"]
    lines += [
        f"{i}.jpg,read,{i % 5},{str(i % 5 > 1).lower()},{i % 10 / 10},{width},300,{i:064x},true"
        for i in range(number)
    ]
    (folder / "readings.csv").write_text("\n".join(lines) + "\n")
    document = {"command": "read", "started": "2026-11-29T08:00:00+00:00", "models": []}
    (folder / "run.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def opened(chromium: Any, pages: dict[str, Path]) -> Iterator[Any]:
    """Opens a page; an error of its script or a request to anywhere fails the test."""
    faults: list[str] = []
    contexts: list[Any] = []

    def open_(name: str, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text))
        page.on("request", lambda asked: faults.append(asked.url) if outside(asked.url) else None)
        page.goto(pages[name].as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def outside(address: str) -> bool:
    return not address.startswith(("data:", "file:"))


@pytest.mark.parametrize("name", ["report", "monitor"])
def test_axe_finds_nothing_serious_and_nothing_is_requested(opened: Any, name: str) -> None:
    page = opened(name, bypass_csp=True)  # the page's own policy forbids axe-core's script
    script = resources.files("axe_playwright_python") / "axe.min.js"
    page.add_script_tag(content=script.read_text(encoding="utf-8"))
    found = page.evaluate(RUN)
    serious = [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]
    assert serious == []


@pytest.mark.parametrize("name", ["report", "monitor"])
def test_pictures_have_words_and_fit(opened: Any, pages: dict[str, Path], name: str) -> None:
    page = opened(name)
    pictures = page.evaluate("[...document.images].map((i) => [i.alt, i.naturalWidth])")
    assert len(pictures) > 5
    assert all(len(alt) > 20 and width > 0 for alt, width in pictures)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert pages[name].stat().st_size < LARGEST


def test_a_narrow_window_scrolls_tables_not_the_page(opened: Any) -> None:
    page = opened("report")
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_slider_says_what_the_table_says(opened: Any) -> None:
    page = opened("report")
    box = page.locator("fieldset").first
    sensitivity, specificity = (
        float(box.get_attribute(f"data-{name}")) for name in ("sensitivity", "specificity")
    )
    slider = box.locator("input")
    for percent in (10, 2, 30):
        slider.fill(str(percent))
        of = prevalence.expected(sensitivity, specificity, percent / 100)
        said = {
            name: box.locator(f'[data-value="{name}"]').inner_text()
            for name in ("prevalence", "ppv", "npv", "referred", "missed")
        }
        assert said == {
            "prevalence": f"{percent} %",
            "ppv": prevalence.percent(of.ppv),
            "npv": prevalence.percent(of.npv),
            "referred": f"{of.referred:.0f}",
            "missed": f"{of.missed:.1f}",
        }
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert box.locator('[data-value="prevalence"]').inner_text() == "30.5 %"


def test_the_report_has_every_part(pages: dict[str, Path]) -> None:
    html = pages["report"].read_text()
    titles = re.findall(r"<h2 [^>]*>([^<]*)</h2>", html)
    assert {"Certainty", "Lesions", "Worst errors", "Curves"} <= set(titles)
    assert "FROC curves of c. microaneurysm: 0.50 at 0.125" in html
    assert "Accuracy over the share referred to a reader" in html
    assert html.count("image/jpeg") == 2  # each grader's
    assert "cannot be read here" in html
