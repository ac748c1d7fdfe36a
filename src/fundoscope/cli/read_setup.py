"""From the options of ``fundoscope read`` to what its run needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import UsageError
from fundoscope.quoting import shown

if TYPE_CHECKING:
    from threading import Event

    from fundoscope.batch.engines import Engine
    from fundoscope.batch.inputs import Input
    from fundoscope.batch.ledger.noticed import Noticed
    from fundoscope.batch.sources.remote import Url
    from fundoscope.batch.worker_process import WorkerLimits

MAX_DEADLINE: Final = 86_400.0
"""Seconds. The system's timer takes no infinite time, and a worker would end on each photograph."""
SHARD: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


def reader_options(given: dict[str, Any]) -> dict[str, Any]:
    """What a :class:`fundoscope.reader.Reader` is made with, but for its bundles."""
    from fundoscope.reader import DEFAULT_RULES

    device, rules = given["device"], given["rules"]
    return {
        "lesions": given["lesions"],
        "referable_threshold": given["threshold"],
        "providers": None if device is None else [device],
        "rules": tuple(rules) if rules else DEFAULT_RULES,
        "force": given["force"],
        "heat_map": given["heat"],
    }


def engine(
    made_with: dict[str, Any],
    workers: int,
    photographs: int,
    deadline: float | None,
    _stop: Event,
) -> Engine:
    """What reads the photographs on this machine; it starts too soon to be stopped."""
    from fundoscope import reader
    from fundoscope.batch import engines, processors

    return engines.engine(
        reader.Reader,
        made_with,
        workers=workers,
        threads=processors.threads(workers, photographs),
        photographs=photographs,
        limits=_limits(deadline),
    )


def cluster(
    made_with: dict[str, Any],
    address: str | None,
    workers: int | None,
    deadline: float | None,
    stop: Event,
) -> Engine:
    """What reads the photographs on a Ray cluster."""
    from fundoscope import reader
    from fundoscope.batch.cluster.engine import Cluster

    return Cluster(
        reader.Reader,
        made_with,
        address=address,
        workers=workers,
        limits=_limits(deadline),
        stop=stop,
    )


def _limits(deadline: float | None) -> WorkerLimits:
    """The limits of one photograph.

    Raises:
        UsageError: the deadline is too late.
    """
    from fundoscope.batch.workers import WorkerLimits

    usual = WorkerLimits()
    if deadline is None:
        return usual
    if deadline > MAX_DEADLINE:
        why = f"is more than {MAX_DEADLINE:g} seconds (a day)"
        raise UsageError(f"--deadline {deadline:g}", why, "give fewer, or leave it out")
    return replace(usual, deadline_s=deadline)


def command(
    paths: list[Path | Url], grader: Path | None, detector: Path | None, given: dict[str, Any]
) -> dict[str, Any]:
    """What the results depend on, so that an unfinished run is known by it.

    Raises:
        BundleError: a bundle is missing.
        UsageError: a set of rules cannot be read.
    """
    from fundoscope._version import __version__

    files = {
        "paths": [str(path.absolute()) if isinstance(path, Path) else path.text for path in paths],
        "grader": _bundle(grader, "grading"),
        "detector": _bundle(detector, "detection") if given["lesions"] else None,
        "rules": dict(map(_ruleset_of, given["rules"] or ())),
    }
    return {"version": __version__, "files": files, "given": given}


def _bundle(path: Path | None, task: str) -> tuple[str | None, str]:
    """The path of a bundle and the SHA-256 of its manifest.

    A bundle that was calibrated again has the network of before, and other thresholds.
    """
    from fundoscope.models import bundle as bundles

    given = None if path is None else str(path.absolute())
    return given, bundles.manifest_sha256(path or bundles.shipped(task))


def _ruleset_of(name: str) -> tuple[str, str]:
    """A set of rules and, where it is a file, the SHA-256 of its content.

    Raises:
        UsageError: it cannot be read.
    """
    from fundoscope.grading.rules import rulesets

    rulesets.load(name)
    in_file = name.endswith(rulesets.SUFFIX)
    return name, hashlib.sha256(Path(name).read_bytes()).hexdigest() if in_file else ""


def shard(text: str | None) -> tuple[int, int]:
    """The part of the photographs in an option's value, such as ``2/20``.

    Raises:
        UsageError: it is not one.
    """
    if text is None:
        return (1, 1)
    match = SHARD.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        why = "is not a valid part: I must be 1 to N"
        raise UsageError(f"--shard {shown(text)}", why, "write I/N, such as 2/20")
    return int(match[1]), int(match[2])


def named(
    paths: list[Path | Url],
    out: Path | None,
    grader: Path | None,
    detector: Path | None,
    *,
    paths_too: bool,
) -> dict[str, Any]:
    """The files and folders of the command, as ``run.json`` names them."""
    from fundoscope.batch.shown import FOLDER, named

    bundles = {"grader": grader, "detector": detector}
    return {
        "paths": [named(path, paths=paths_too) for path in paths],
        "out": None if out is None else str(out) if paths_too else FOLDER,
        **{
            task: None if path is None else named(path, paths=paths_too, bundle=True)
            for task, path in bundles.items()
        },
    }


def inputs(
    paths: list[Path | Url],
    out: Path | None,
    names: str | None,
    noticed: Noticed,
    at_least: int,
    *,
    overwrite: bool,
) -> tuple[int, Iterator[Input]]:
    """The photographs to read, with what the names of their files say of them, and their number.

    Not all are counted: only ``at_least``, and as many as decide between threads and processes.

    Raises:
        UsageError, TableError: a path, a table or ``names`` is not valid, or the folder of results
            is in use.
    """
    from fundoscope.batch import engines
    from fundoscope.batch import names as naming
    from fundoscope.batch.inputs import stream
    from fundoscope.batch.results import check_folder

    from_names = () if names is None else naming.chosen(names)
    given = stream(paths, noticed.passed_over, leave_out=out)
    inputs = naming.completed(given, from_names, noticed.doubts)
    first = list(islice(inputs, max(at_least, engines.PROCESSES_FROM)))
    if out is not None:
        check_folder(out, overwrite=overwrite)
    return len(first), chain(first, inputs)
