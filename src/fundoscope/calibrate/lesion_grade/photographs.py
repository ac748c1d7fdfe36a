"""The features of the lesions on labelled photographs, kept in a file so that a run can resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.calibrate import looking
from fundoscope.calibrate.lesion_grade.fit import SIZE_SHARE
from fundoscope.calibrate.looking import Networks, Unread
from fundoscope.calibrate.versions import version
from fundoscope.data.manifest import Manifest, Row
from fundoscope.evaluate.grading.evaluation import require_photographs
from fundoscope.evaluate.photographs import reported
from fundoscope.grading import lesion_features, lesion_grade
from fundoscope.grading.lesion_features import Features
from fundoscope.ordered import in_order

KEY_CHARACTERS: Final = 16
RULES: Final = "3"
"""Raise it whenever the same boxes give other features: a kept file is then not used any more."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one photograph.

    Attributes:
        image: as in the label table.
        features: of its lesions; ``None`` if the detector does not read such a small photograph,
            or if the file could not be read.
        problem: reason and remedy, two halves of a sentence, if it could not be read.
    """

    image: str
    features: Features | None = None
    problem: tuple[str, str] | None = None


def look(
    manifest: Manifest,
    rows: Sequence[Row],
    networks: Networks,
    cache: Path,
    *,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
) -> list[Looked]:
    """Look at the photographs of some rows, as ``fundoscope read`` does.

    Args:
        manifest: the label table.
        rows: the rows to read.
        networks: of the bundles in use.
        cache: folder that keeps the features; created if it does not exist. What was read with
            these networks before is taken from there.
        workers: photographs that are read at the same time.
        on_read: called after each photograph, to report progress.

    Returns:
        One for each row, in their order.

    Raises:
        UsageError: there is no row, or no row's photograph exists.
    """
    require_photographs(manifest, rows)
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{key(networks)}.jsonl"
    known = _kept(path)
    with path.open("a", encoding="utf-8") as file:

        def of_row(row: Row) -> tuple[str, Looked]:
            photograph = manifest.photograph(row)
            state = version(photograph)
            if state in known:
                return state, Looked(row.image, known[state])
            return state, _look(photograph, row.image, networks)

        looked = []
        for state, each in reported(in_order(rows, of_row, workers), on_read):
            looked.append(each)
            if state not in known and each.problem is None:
                file.write(json.dumps({"photograph": state, "features": each.features}) + "\n")
                file.flush()
    return looked


def key(networks: Networks) -> str:
    """A name for features of these bundles: other bundles or other features get another."""
    manifests = (
        networks.detector.manifest,
        networks.landmarker.manifest,
        networks.grader.manifest,
    )
    bundles = (msgspec.json.encode(each).decode() for each in manifests)
    parts = (RULES, *bundles, *lesion_features.NAMES)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:KEY_CHARACTERS]


def _kept(path: Path) -> dict[str, Features | None]:
    """The features in a file; a line that a stop cut off is left out."""
    if not path.exists():
        return {}
    kept = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "photograph" in entry:  # a cache of 0.1 named photographs by their cell of the table
            kept[entry["photograph"]] = entry["features"]
    return kept


def _look(path: Path, image: str, networks: Networks) -> Looked:
    seen = looking.look(path, image, networks)
    if isinstance(seen, Unread):
        return Looked(image, problem=(seen.reason, seen.remedy))
    manifest = networks.detector.manifest
    return Looked(image, lesion_grade.of_findings(*seen, manifest, SIZE_SHARE))
