"""What grader and detector say of the photographs of a split, for the scripts that compare them.

Gradable photographs are read on which at least one kind of lesion is assessed, and which took no
part in the detector's annotations (column lesion_photo). What was read is kept in a folder, so that
an interrupted run can be resumed, and so that the scripts share it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from arguments import parser_of

from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import PhotoError
from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.intervals import estimate
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import (
    contradictions,
    heads,
    lesion_features,
    lesion_grade,
    oedema,
    withholding,
)
from fundoscope.grading.rules import engine, places, rulesets
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import landmarks, looking, summary
from fundoscope.models import bundle as bundles
from fundoscope.models.manifest import DetectorManifest, GraderManifest
from fundoscope.ordered import in_order
from fundoscope.photo import sources
from fundoscope.reader import Reader
from fundoscope.reading import FieldOfView, Grade

REFERABLE = heads.REFERABLE_GRADE
MICROANEURYSM = "microaneurysm"


@dataclass(frozen=True)
class Opinions:
    """What the two networks say of one photograph."""

    image: str
    probabilities: tuple[float, ...]
    features: dict[str, float | None]
    supported: int
    beyond_mild: int
    agreement: str
    oedema: str


def opinions(
    image: str,
    grade: Grade,
    findings: summary.Findings,
    fov: FieldOfView,
    size: tuple[int, int],
    manifest: DetectorManifest,
) -> Opinions | None:
    """Both opinions; `None` where there is no grade or no kind was assessed."""
    share = manifest.lesion_grade.size_share if manifest.lesion_grade else 1.0
    features = lesion_grade.of_findings(findings, fov, manifest, share)
    if features is None or grade.probabilities is None:
        return None
    evidence = places.evidence(findings.lesions, findings.summary, findings.anatomy, fov, size=size)
    rules = (engine.rule_grade(engine.apply(rulesets.load("icdr"), evidence)),)
    return Opinions(
        image,
        grade.probabilities,
        dict(features),
        rules[0].icdr or 0,
        sum(lesion.kind != MICROANEURYSM for lesion in findings.lesions),
        contradictions.agreement(grade, rules, findings.summary) or "",
        oedema.oedema(evidence).state or "",
    )


@dataclass(frozen=True)
class Both:
    """Both opinions on all photographs of a split that have them.

    Attributes:
        rows: their rows in the label table.
        found: what both say of each.
        labels: `int (N,)`, the readers' grades.
        names: their sources.
        keys: of their patients.
        p: `float (N, 5)`, the grader's probabilities.
        by_lesions: `float (N, 5)`, those by the lesions alone.
        drawn: `bool (N,)`, whether the lesions are drawn.
        drawn_from: the limit of the detector's bundle on the probability by the lesions.
    """

    rows: list[Row]
    found: list[Opinions]
    labels: Ints
    names: list[str]
    keys: tuple[tuple[str, ...], ...]
    p: Floats
    by_lesions: Floats
    drawn: Flags
    drawn_from: float


class Looker:
    """The grader, the detector and the landmark network, one after the other."""

    def __init__(self, detector: Path | None) -> None:
        self.grader = Reader(lesions=False, force=True)
        self.grading = bundles.load_grader(bundles.shipped(bundles.GRADING)).manifest
        self.detector = detectors.load(detector)
        self.landmarker = landmarks.load()

    def look(self, path: Path, image: str) -> Opinions | None:
        reading = self.grader.read(path)
        fov = reading.field
        if fov.radius is None:
            return None
        photo = sources.photo(sources.content(path), min_side=self.detector.decode_side)
        findings = looking.look(self.detector, self.landmarker, photo, fov)
        size = (photo.facts.width, photo.facts.height)
        return opinions(image, reading.grade, findings, fov, size, self.detector.manifest)


def key_of(manifest: DetectorManifest, grader: GraderManifest) -> str:
    """A name for what this grader, and a detector with these thresholds, say."""
    parts = (
        grader.model_sha256,
        grader.temperature,
        grader.correction,
        manifest.model_sha256,
        manifest.thresholds,
        manifest.minimum_radius,
        manifest.size_correction,
        manifest.size_exponent,
        manifest.lesion_grade.size_share if manifest.lesion_grade else 1.0,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _read(
    table: Manifest, rows: Sequence[Row], looker: Looker, cache: Path, workers: int
) -> list[Opinions]:
    """The opinions of all rows that have both, from the cache where they are there."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"opinions-{key_of(looker.detector.manifest, looker.grading)}.jsonl"
    kept: dict[str, Opinions | None] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            kept[entry["image"]] = Opinions(**entry) if "features" in entry else None

    def look(row: Row) -> tuple[str, Opinions | None]:
        try:
            return row.image, looker.look(table.photograph(row), row.image)
        except PhotoError as error:
            print(f"{error}", flush=True)
            return row.image, None

    missing = [row for row in rows if row.image not in kept]
    with path.open("a") as file:
        for image, entry in in_order(missing, look, workers):
            kept[image] = entry
            stored: dict[str, Any] = {"image": image} if entry is None else asdict(entry)
            file.write(json.dumps(stored) + "\n")
            file.flush()
    return [found for row in rows if (found := kept[row.image]) is not None]


def load(doc: str | None) -> Both:
    """Read the photographs that the command line asks for.

    Args:
        doc: the docstring of the script.
    """
    parser = parser_of(doc)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--source", action="append", help="only these sources; all by default")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    args: argparse.Namespace = parser.parse_args()
    table = manifests.read(args.labels)
    rows = [
        row
        for row in table.rows
        if row.split == args.split and row.gradable is not False and not row.text("lesion_photo")
        and (not args.source or row.source in args.source)
    ]  # fmt: skip
    looker = Looker(args.detector)
    model = looker.detector.manifest.lesion_grade
    if model is None:
        raise SystemExit("this detector does not grade by lesions: fit it with scripts/refit")
    found = _read(table, rows, looker, args.cache, args.workers)
    of = {row.image: row for row in rows}
    rows = [of[each.image] for each in found]
    print(f"{len(found)} photographs of {args.split} with a grade and an assessed kind of lesion")
    p = np.array([each.probabilities for each in found])
    values = np.array([lesion_features.vector(each.features, model.features) for each in found])
    by_lesions = heads.probabilities(lesion_grade.log_odds_of(model, values))
    drawn = np.array([
        withholding.are_drawn(bool(graded >= REFERABLE), 1.0 - healthy, model.drawn_from)
        for graded, healthy in zip(heads.most_probable(p), by_lesions[:, 0], strict=True)
    ])  # fmt: skip
    labels = np.array([row.grade for row in rows])
    names = [row.source for row in rows]
    return Both(
        rows, found, labels, names, cluster_keys(rows), p, by_lesions, drawn, model.drawn_from
    )


def show(name: str, words: Sequence[str], patients: Ints, statistic: Callable[[Floats], Floats],
         *, signed: bool = False) -> None:  # fmt: skip
    shown = estimate(statistic, patients, [f"{word} is undefined" for word in words])
    values = "; ".join(
        f"{word} {figure.in_words(signed=signed)}"
        for word, figure in zip(words, shown, strict=True)
    )
    print(f"{name}: {values}", flush=True)


def area_of(positive: Flags, score: Floats) -> Callable[[Floats], Floats]:
    """A statistic of resampled weights ``(R, N)``: the area under the curve, ``(R, 1)``."""

    def statistic(weights: Floats) -> Floats:
        area: Floats = area_under_curve(positive, score, weights)[:, None]
        return area

    return statistic
