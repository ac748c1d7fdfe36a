"""Pictures of a reading, drawn by a process that may die."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fundoscope.batch.workers import WorkerLimits
from fundoscope.serve.browsers import media_type
from fundoscope.serve.looks import Looks
from fundoscope.serve.pictures import (
    Page,
    Pictures,
    converted,
    overlay,
    reduced,
    report,
)
from fundoscope.serve.problems import Problem
from fundoscope.serve.store import retention

from .conftest import Clinic, photograph
from .test_readings import problem


def size(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def test_pictures_of_a_reading_are_made_on_another_process(clinic: Clinic) -> None:
    pytest.importorskip("reportlab", reason="needs the extra [report]")
    id_ = clinic.upload(2, patient="7", eye="right", shade=1)
    other = clinic.upload(1, patient="7", eye="left", shade=2)
    stranger = clinic.upload(0, patient="8", shade=3)
    where = f"/v1/readings/{id_}"
    picture = clinic.get(f"{where}/overlay.png", labels=True, heat=True)
    assert picture.headers["content-type"] == "image/png"
    assert size(picture.content)[0] >= 720
    first_sight = clinic.get(f"{where}/photograph", side=64)
    assert first_sight.headers["content-type"] == "image/jpeg"
    assert size(first_sight.content) == (85, 64)
    paper = clinic.get(f"{where}/report.pdf", other=other, language="zh")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF-")
    problem(clinic.get(f"{where}/report.pdf", other=stranger), 409, "two_patients")
    problem(clinic.get(f"{where}/report.pdf", other=id_), 422, "same_photograph")
    problem(clinic.get(f"{where}/report.pdf", language="tlh"), 422, "invalid")
    problem(clinic.get(f"{where}/photograph", side=1), 422, "invalid")


def test_a_photograph_is_served_as_it_is(clinic: Clinic) -> None:
    content = photograph(2)
    answer = clinic.get(f"/v1/readings/{clinic.upload(2)}/photograph")
    assert answer.content == content
    assert answer.headers["content-type"] == "image/png"


def test_what_browsers_do_not_show_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.open(io.BytesIO(photograph())).save(path, "TIFF")
    assert media_type(path) is None
    assert size(converted(path)) == (160, 120)
    path.write_bytes(b"\xff\xd8\xff")
    assert media_type(path) == "image/jpeg"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert media_type(path) is None


def test_what_browsers_would_show_otherwise_than_it_was_read_is_converted(tmp_path: Path) -> None:
    """12 of 16 bits are nearly black there, and boxes lie elsewhere if only we turn a picture."""
    path = tmp_path / "a"
    colours = Image.open(io.BytesIO(photograph(2))).convert("RGB")
    deep = Image.fromarray(np.full((120, 160), 4000, np.uint16))
    palette = colours.quantize(16)
    xmp = '<rdf:Description tiff:Orientation="%d"/>'
    exif, turned, upright = Image.Exif(), PngImagePlugin.PngInfo(), PngImagePlugin.PngInfo()
    exif[0x0112] = 6
    turned.add_itxt("XML:com.adobe.xmp", xmp % 6)
    upright.add_text("Comment", "a comment")
    for picture, form, options, plain in (
        (deep, "PNG", {}, False),
        (colours.convert("RGBA"), "PNG", {}, False),
        (palette, "PNG", {"transparency": 3}, False),
        (colours, "PNG", {"exif": exif}, False),
        (colours, "PNG", {"pnginfo": turned}, False),
        (colours, "JPEG", {"xmp": (xmp % 6).encode()}, False),
        (colours, "PNG", {"pnginfo": upright}, True),
        (palette, "PNG", {}, True),
        (colours.convert("L"), "PNG", {}, True),
        (colours, "JPEG", {"exif": exif}, True),
        (colours, "JPEG", {"xmp": (xmp % 1).encode()}, True),
    ):
        picture.save(path, form, **options)
        assert (media_type(path) is not None) is plain, (picture.mode, form, options)
    colours.save(path, "JPEG", xmp=(xmp % 6).encode())
    assert size(converted(path)) == (120, 160)


def test_drawing_functions_make_pictures(clinic: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(photograph(3))
    reading = clinic.post(photograph(3)).json()["id"]
    text = json.dumps(clinic.get(f"/v1/readings/{reading}").json()["reading"])
    assert size(overlay(path, text, labels=False, heat=True))[0] >= 720
    assert size(reduced(path, 4096)) == (160, 120)
    pytest.importorskip("reportlab", reason="needs the extra [report]")
    assert report([Page(path, text, "left", "2026-03-01")], "7", "2026-03-02", "en").startswith(
        b"%PDF-"
    )


@pytest.mark.parametrize("what", ["photograph", "photograph?side=64", "overlay.png"])
def test_what_is_deleted_while_it_is_drawn_is_gone(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    id_ = clinic.upload(2)
    note = Looks.note

    def deleted(looks: Looks, person: str, reading: str) -> None:
        note(looks, person, reading)
        retention.remove(clinic.store, [reading], by="b.jones")

    monkeypatch.setattr(Looks, "note", deleted)
    problem(clinic.get(f"/v1/readings/{id_}/{what}"), 404, "no_such_reading")


@pytest.mark.parametrize("what", ["photograph", "photograph?side=64", "overlay.png"])
def test_a_photograph_that_the_disk_lost_is_nothing_that_a_reader_mends(
    clinic: Clinic, what: str
) -> None:
    id_ = clinic.upload(2)
    for path in clinic.files:
        path.unlink()
    answer = clinic.get(f"/v1/readings/{id_}/{what}")
    assert answer.status_code == 500
    assert answer.json()["code"] in {"not_found", "unreadable"}
    assert answer.json()["remedy"] == "ask who runs the service"


def test_a_process_that_hangs_or_dies_is_replaced(tmp_path: Path) -> None:
    good, damaged = tmp_path / "a.png", tmp_path / "b.png"
    good.write_bytes(photograph())
    damaged.write_bytes(photograph()[:200])

    async def draw(pictures: Pictures) -> bytes:
        with pytest.raises(Problem, match="could not be drawn") as raised:
            await pictures.make(os._exit, 1)
        assert raised.value.status == 503
        assert raised.value.headers["Retry-After"]
        with pytest.raises(Problem, match="damaged"):
            await pictures.make(reduced, damaged, 64)
        return await pictures.make(reduced, good, 64)

    with Pictures(WorkerLimits()) as pictures:
        assert size(asyncio.run(draw(pictures))) == (85, 64)
    with (
        Pictures(WorkerLimits(deadline_s=0.1)) as pictures,
        pytest.raises(Problem, match="could not be drawn"),
    ):
        asyncio.run(pictures.make(time.sleep, 60))  # type: ignore[arg-type]


def test_the_time_of_a_picture_begins_when_it_is_drawn() -> None:
    """Five pictures of 0.4 seconds each wait for one another, longer than one may take."""

    async def draw(pictures: Pictures) -> list[bytes]:
        await pictures.make(time.sleep, 0)  # type: ignore[arg-type]
        pictures._limits = WorkerLimits(deadline_s=1.5)
        return await asyncio.gather(*(pictures.make(time.sleep, 0.4) for _ in range(5)))  # type: ignore[arg-type]

    with Pictures(WorkerLimits()) as pictures:
        assert len(asyncio.run(draw(pictures))) == 5
