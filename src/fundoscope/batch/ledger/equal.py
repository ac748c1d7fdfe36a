"""Photographs whose file was read before in a run: they are not read again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from fundoscope import checksums
from fundoscope.batch import names
from fundoscope.batch.jobs import Answer, Job
from fundoscope.batch.ledger.database import Ledger
from fundoscope.batch.ledger.folder import kept_picture
from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.sources.remote import Url
from fundoscope.photo.decode import name_of
from fundoscope.reading import Reading


def answer(job: Job, size: int, ledger: Ledger, out: Path | None) -> Answer | None:
    """The answer that the same file had before; ``None`` if it must be read.

    Only a file of the size of an earlier one is looked into, and none of a store: that would
    download it.

    Args:
        job: what to read.
        size: of its file, in bytes.
        ledger: of the run.
        out: folder of results.
    """
    if isinstance(job.source, Url) or not ledger.has_size(size):
        return None
    try:
        sha256 = _hash(job.source)
        for facts, line in ledger.lines_with(sha256):
            if names.eye_of(facts.eye) == job.eye:
                return Answer(_renamed(line, job), _picture(facts, out) if job.picture else None)
    except OSError:  # Reading it says what is wrong.
        return None
    return None


def _hash(source: str | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    return checksums.of_file(Path(source))


def _renamed(line: bytes, job: Job) -> Reading:
    reading = Reading.from_json(line)
    name = name_of(Path(job.source)) if isinstance(job.source, str) else job.name
    return replace(reading, photo=replace(reading.photo, name=name))


def _picture(facts: Facts, out: Path | None) -> bytes | None:
    if out is None or not facts.picture:
        return None
    return kept_picture(out, facts.picture).read_bytes()
