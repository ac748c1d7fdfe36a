"""A service whose reader obeys the first pixel of a photograph, without worker processes."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("httpx2", reason="needs the extra [test]")

from PIL import Image
from starlette.testclient import TestClient

from fundoscope.batch.jobs import Job, Refusal
from fundoscope.batch.workers import WorkerLimits
from fundoscope.errors import PhotoError
from fundoscope.photo.decode import decode_file
from fundoscope.quality import Quality
from fundoscope.reading import (
    FieldOfView,
    Grade,
    Lesion,
    ModelUsed,
    NextStep,
    Reading,
    Referable,
)
from fundoscope.serve import app
from fundoscope.serve.pictures import Pictures
from fundoscope.serve.settings import Settings
from fundoscope.serve.store import store as stores
from fundoscope.serve.store.store import Store

MODEL = ModelUsed("grading", "fake-1", "f" * 64)
STEP = 40
"""The first pixel's red is the grade times this."""
NO_GRADE, KILLS = 5 * STEP, 6 * STEP
"""The red of a photograph without a grade, and of one that kills its worker."""
WIDTH, HEIGHT = 160, 120


def photograph(grade: int = 0, *, red: int | None = None, shade: int = 0) -> bytes:
    """A PNG file whose reading has this grade; ``shade`` makes files differ."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[20:100, 40:120] = (180, 90, 40)
    pixels[0, 0] = (grade * STEP if red is None else red, shade % 256, shade // 256)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Pool:
    """Reads on one thread. While ``gate`` is closed, photographs wait; ``slow`` refuses them."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.slow = False
        self.read = 0
        self._executor = ThreadPoolExecutor(1)

    def submit(self, job: Job) -> Future[Reading | Refusal]:
        return self._executor.submit(self._read, job)

    def close(self) -> None:
        self.gate.set()
        self._executor.shutdown()

    def _read(self, job: Job) -> Reading | Refusal:
        self.gate.wait(20)
        self.read += 1
        if self.slow:
            return Refusal("x", "took too long to read", "try again", "deadline")
        try:
            photo = decode_file(str(job.source))
        except PhotoError as error:
            return Refusal(error.what, error.why, error.remedy, error.code)
        red = int(photo.pixels[0, 0, 0])
        if red == KILLS:
            return Refusal("x", "ended the process that read it", "report it", "worker_died")
        reading = Reading(
            photo.facts, FieldOfView(False, reason="no_disc"), Quality(), Grade(), (), (MODEL,),
            (), "fundoscope test", next_step=NextStep("retake", "no_field", "no field was found"),
        )  # fmt: skip
        return reading if red == NO_GRADE else graded(reading, red // STEP)


def graded(reading: Reading, grade: int) -> Reading:
    shares = [0.05] * 5
    shares[grade] = 0.8 - grade / 100
    shares[(grade + 1) % 5] += grade / 100
    probability = sum(shares[2:])
    return replace(
        reading,
        field=FieldOfView(True, (80.0, 60.0), 40.0, 1.0),
        grade=Grade(
            grade,
            tuple(shares),
            float(np.dot(shares, range(5))),
            Referable(probability, probability >= 0.4, 0.4),
        ),
        lesions=(Lesion("haemorrhage", (60.0, 40.0, 70.0, 50.0), 0.9),) if grade else (),
        next_step=NextStep("reader" if grade == 1 else "refer", "referable", "it is referable"),
    )


@dataclass
class Clinic:
    """A running service, and what a test does with it."""

    client: TestClient
    store: Store
    settings: Settings
    pool: Pool
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, content: bytes | None = None, name: str = "a.png", **fields: Any) -> Any:
        """Upload a photograph."""
        headers = self.headers | fields.pop("headers", {})
        files = {"photograph": (name, photograph() if content is None else content, "image/png")}
        return self.client.post("/v1/readings", files=files, data=fields, headers=headers)

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(path, params=parameters, headers=self.headers)

    def upload(self, grade: int = 0, **fields: Any) -> str:
        """Upload a photograph of a grade; the id of its reading."""
        answer = self.post(photograph(grade, shade=fields.pop("shade", 0)), **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def review(self, id_: str, **body: Any) -> Any:
        headers = self.headers
        return self.client.post(f"/v1/readings/{id_}/review", json=body, headers=headers)

    @property
    def files(self) -> list[Path]:
        """All files of photographs, those that are arriving included."""
        folders = [self.settings.data / name for name in ("photographs", "incoming")]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


@contextmanager
def running(data: Path, *, database: str | None = None, **settings: Any) -> Iterator[Clinic]:
    settings = {"reserve_bytes": 0} | settings
    chosen = Settings(data=data, database=database, **settings)
    pool = Pool()
    with (
        stores.opened(data, database, make=True) as store,
        Pictures(WorkerLimits(deadline_s=60.0)) as pictures,
    ):
        web = app.make(chosen, store, pool, pictures)
        with TestClient(web, base_url="http://localhost") as client:
            try:
                yield Clinic(client, store, chosen, pool)
            finally:
                pool.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Clinic]]:
    """Start a service with given settings; it is stopped at the end of the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(tmp_path / "data", **settings))


@pytest.fixture
def clinic(start: Callable[..., Clinic]) -> Clinic:
    """A service with the usual settings."""
    return start()
