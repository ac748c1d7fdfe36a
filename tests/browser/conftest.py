"""The page in a real browser: Chromium, driven by Playwright, and a service whose reader knows the
phantoms that are uploaded. Where there is no Chromium, these tests are skipped and say so."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

import uvicorn
from playwright.sync_api import expect, sync_playwright

from fundoscope.batch.jobs import Job, Refusal
from fundoscope.batch.workers import WorkerLimits
from fundoscope.errors import PhotoError
from fundoscope.kinds import LESIONS
from fundoscope.opinions import HeatMap, MacularOedema
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.phantom.files import encoded
from fundoscope.photo.decode import decode_file
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
from fundoscope.serve import app
from fundoscope.serve.pictures import Pictures
from fundoscope.serve.settings import Settings
from fundoscope.serve.store import store as stores
from fundoscope.serve.store.store import Store

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(os.environ.get("FUNDOSCOPE_SCREENSHOTS", ROOT / "out" / "screenshots"))
"""Where the pictures of the page go, to be looked at."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 15_000
WIDTH, HEIGHT = 800, 600
GRADER = ModelUsed("grading", "grader-of-the-tests", "a" * 64)


@cache
def phantom(grade: int = 3, eye: str = "right", seed: int = 4) -> tuple[bytes, Reading]:
    """A photograph as a JPEG file, and the Reading that sees all that was drawn."""
    spec = PhantomSpec(seed=seed, width=WIDTH, height=HEIGHT, grade=grade, eye=eye)  # type: ignore[arg-type]
    pixels, truth = draw(spec)
    data = encoded(pixels, ".jpg")
    x, y = truth.optic_disc.centre
    r = truth.optic_disc.radius
    disc = OpticDisc(True, (x - r, y - r, x + r, y + r), (x, y), 2 * r, 0.98, "found")
    lesions = tuple(
        Lesion(each.kind, each.box, 0.95 - 0.6 * number / len(truth.lesions))
        for number, each in enumerate(truth.lesions)
    )
    kinds = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
    counts = {kind: sum(each.kind == kind for each in lesions) for kind in kinds}
    shares = [0.03] * 5
    shares[grade] = 0.88
    p = (shares[0], shares[1], shares[2], shares[3], shares[4])
    return data, Reading(
        PhotoFacts(None, hashlib.sha256(data).hexdigest(), WIDTH, HEIGHT),
        FieldOfView(True, truth.field.centre, truth.field.radius, truth.field.stretch),
        Quality(True, ()),
        Grade(grade, p, float(grade), Referable(sum(p[2:]), grade > 1, 0.4), (grade,), 0.9, False),
        lesions,
        (GRADER,),
        ("<b>a warning</b> with tags",),
        "fundoscope test",
        tuple(
            LesionSummary(kind, True, None, counts[kind], 1.0)
            if kind in counts
            else LesionSummary(kind, False, "unknown_to_detector")
            for kind in LESIONS
        ),
        Anatomy(disc, Fovea("found", truth.fovea, 0.9, 0.0), Laterality(eye, "image")),
        oedema=MacularOedema("possible", 0.42),
        agreement="one_apart",
        next_step=NextStep("refer", "referable", "more than mild retinopathy is likely enough"),
        heat=HeatMap(tuple(tuple(3.0 * column for column in range(6)) for _ in range(6))),
    )


class Pool:
    """Reads phantoms by heart; other files are decoded, and refused if they cannot be."""

    def __init__(self) -> None:
        self.known: dict[str, Reading] = {}
        self._executor = ThreadPoolExecutor(1)

    def submit(self, job: Job) -> Future[Reading | Refusal]:
        return self._executor.submit(self._read, Path(str(job.source)))

    def close(self) -> None:
        self._executor.shutdown()

    def _read(self, path: Path) -> Reading | Refusal:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 in self.known:
            return self.known[sha256]
        try:
            decode_file(path)
        except PhotoError as error:
            return Refusal(error.what, error.why, error.remedy, error.code)
        raise AssertionError("an unknown photograph")


@dataclass
class Site:
    """A running service."""

    address: str
    store: Store
    pool: Pool
    folder: Path

    def file(self, name: str, data: bytes) -> Path:
        """A file to upload."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def photograph(self, grade: int = 3, eye: str = "right", seed: int = 4) -> Path:
        """A photograph that the reader knows, in a file."""
        data, reading = phantom(grade, eye, seed)
        self.pool.known[reading.photo.sha256] = reading
        return self.file(f"{eye}-{grade}-{seed}.jpg", data)

    def reading(self, grade: int = 3, eye: str = "right", seed: int = 4) -> Reading:
        """What the reader says of that photograph."""
        return phantom(grade, eye, seed)[1]

    def upload(self, page: Any, *files: Path) -> None:
        """Upload photographs on a page and wait for their readings."""
        before = page.locator(".uploads a").count()
        page.set_input_files("#files", [str(file) for file in files])
        answered = page.locator(".uploads a")
        expect(answered).to_have_count(before + len(files), timeout=PATIENCE_MS)

    def open(self, page: Any, file: Path) -> None:
        """Upload a photograph and open its reading."""
        self.upload(page, file)
        page.locator(".uploads a").first.click()
        page.locator(".eye[data-loaded]").first.wait_for()


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Site]:
    """A service on a port of its own, in a thread of this process."""
    chosen = Settings(data=folder / "data", reserve_bytes=0, **settings)
    pool = Pool()
    with (
        stores.opened(chosen.data, None, make=True) as store,
        Pictures(WorkerLimits(deadline_s=60.0)) as pictures,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        web = app.make(chosen, store, pool, pictures)
        server = uvicorn.Server(uvicorn.Config(web, log_config=None, ws="none", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            port = listening.getsockname()[1]
            yield Site(f"http://127.0.0.1:{port}", store, pool, folder)
        finally:
            server.should_exit = True
            thread.join()
            pool.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. While it is there, Playwright's event loop runs, and no other can."""
    path = os.environ.get("FUNDOSCOPE_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if path is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=60_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service that asks nobody for a token, shared by the tests."""
    with running(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture(scope="session")
def blind_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service where readers grade before the software does."""
    with running(tmp_path_factory.mktemp("blind"), blind=True) as started:
        yield started


@pytest.fixture
def open_page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Open a page in a window of its own. An error of a script fails the test."""
    contexts: list[Any] = []
    faults: list[str] = []

    def open_(address: str, **options: Any) -> Any:
        usual = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
        context = chromium.new_context(**(usual | options))
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
        page.goto(address)
        page.locator("h1").first.wait_for()
        return page

    yield open_
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for number, context in enumerate(contexts):
        for page in context.pages:
            name = request.node.name.replace("/", "_")
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")
        context.close()
    assert faults == []


def is_fault(said: Any) -> bool:
    """Whether a line of the console is an error of ours; refused requests are expected ones."""
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text
