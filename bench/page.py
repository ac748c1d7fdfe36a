"""How smooth is the page, and how long does a person wait for a reading?

    python bench/page.py [--photographs N]

Starts `fundoscope serve` with two workers in a folder of its own, and a headless Chromium without a
graphics card. Uploads N photographs of 12 megapixels on the page, and prints how long each took
until its reading stood there, and its first sight and its full size in the reading view. Then draws
500 boxes on one of them, zooms and moves it for some seconds at three sizes, and prints the frames
a second. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect, sync_playwright

from fundoscope.phantom import PhantomSpec, draw

WIDTH, HEIGHT = 4288, 2848
LESIONS = 500
KINDS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
PATIENCE_MS = 120_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
SECONDS = 4
MOVE = """async ([seconds, start]) => {
  const canvas = document.querySelector('canvas[role=img]');
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const key = (name) => canvas.dispatchEvent(
    new KeyboardEvent('keydown', { key: name, bubbles: true }));
  key('0');
  for (let step = 0; step < start; step += 1) key('+');
  const arrows = ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown'];
  const times = [];
  await new Promise((done) => {
    const frame = (now) => {
      times.push(now);
      const turn = times.length;
      if (turn % 2) {
        canvas.dispatchEvent(new WheelEvent('wheel', {
          deltaY: 90 * Math.sin(turn / 9), clientX: left + width / 2, clientY: top + height / 2,
          bubbles: true, cancelable: true,
        }));
      } else key(arrows[Math.floor(turn / 8) % 4]);
      if (now - times[0] < 1000 * seconds) requestAnimationFrame(frame);
      else done();
    };
    requestAnimationFrame(frame);
  });
  return times;
}"""
"""Zooms and moves once a frame, and returns when each frame began, in milliseconds."""


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The address of a running service."""
    command = [sys.executable, "-m", "fundoscope", "serve", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        for line in process.stdout or ():
            address = re.search(r"http://\S+", line)
            if address:
                yield address[0]
                break
    finally:
        process.terminate()
        process.wait()


def photographs(folder: Path, count: int) -> list[Path]:
    """Photographs of 12 megapixels: one phantom, whose corner makes the files differ."""
    pixels, _ = draw(PhantomSpec(seed=3, width=WIDTH, height=HEIGHT, grade=3))
    paths = []
    for number in range(count):
        changed = pixels.copy()
        changed[:16, :16] = number
        path = folder / f"{number}.jpg"
        Image.fromarray(changed).save(path, quality=92)
        paths.append(path)
    return paths


def uploaded(page: Page, path: Path, number: int) -> float:
    """Seconds from the choice of a file until its reading stands on the page."""
    begun = time.perf_counter()
    page.set_input_files("#files", str(path))
    expect(page.locator(".uploads a")).to_have_count(number, timeout=PATIENCE_MS)
    return time.perf_counter() - begun


def opened(page: Page) -> tuple[float, float]:
    """Seconds until the first sight of the latest photograph, and until all of it is there."""
    begun = time.perf_counter()
    page.locator(".uploads a").first.click()
    page.locator(".eye[data-sighted]").wait_for()
    first = time.perf_counter() - begun
    page.locator(".eye[data-loaded]").wait_for()
    return first, time.perf_counter() - begun


def crowd(route: Route) -> None:
    """Answer with 500 lesions in place of those that were found."""
    answer = route.fetch()
    body = answer.json()
    rng = np.random.default_rng(1)
    corners = rng.uniform((800, 300), (WIDTH - 900, HEIGHT - 400), (LESIONS, 2))
    sides = rng.uniform(10, 90, (LESIONS, 2))
    body["reading"]["lesions"] = [
        {
            "kind": KINDS[number % len(KINDS)],
            "box": [*map(float, corner), *map(float, corner + side)],
            "score": 0.9,
        }
        for number, (corner, side) in enumerate(zip(corners, sides, strict=True))
    ]
    route.fulfill(response=answer, body=json.dumps(body))


def frames(page: Page, start: int) -> str:
    """The frames a second while the photograph is zoomed and moved."""
    times = page.evaluate(MOVE, [SECONDS, start])
    gaps = np.diff(times)
    mean, slow = 1000 * len(gaps) / (times[-1] - times[0]), np.percentile(gaps, 95)
    return f"{mean:.1f} frames a second, 95 % of them within {slow:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=10)
    count = parser.parse_args().photographs
    browser_path = os.environ.get("FUNDOSCOPE_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        files = photographs(folder, count)
        size = io.StringIO()
        print(f"{files[0].stat().st_size / 2**20:.1f} MiB a photograph", file=size)
        with service(folder / "data") as address:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(address)
            page.locator("#files").wait_for()
            waits = [uploaded(page, path, number) for number, path in enumerate(files, 1)]
            first, whole = opened(page)
            print(size.getvalue(), end="")
            print(
                f"upload to reading: p50 {statistics.median(waits):.2f} s, most {max(waits):.2f} s"
            )
            print(f"first sight {first:.2f} s, full size {whole:.2f} s")
            page.route("**/v1/readings/*", crowd)
            page.reload()
            page.locator(".eye[data-loaded]").wait_for()
            for start, words in ((0, "whole photograph"), (7, "about 1:1"), (13, "about 4:1")):
                print(f"{words}: {frames(page, start)}")
            browser.close()


if __name__ == "__main__":
    main()
