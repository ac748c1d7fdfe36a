"""What do the lesions alone tell of the grade, and is the grade wrong where the two opinions part?

    python bench/opinions.py --labels TABLE --split val --cache DIR [--detector BUNDLE]

Reads the gradable photographs of a split on which at least one kind of lesion is assessed, and
which took no part in the detector's annotations (column lesion_photo). What was read is kept in
`--cache`, so that an interrupted run goes on. Prints, with 95 % intervals by patient:

1. the grade by lesions alone (the model of the detector's bundle): quadratic kappa, AUC;
2. the International rules alone: AUC of the count behind them, sensitivity and specificity;
3. both opinions combined by stacking, cross-validated, against the plain grader, paired;
4. how often the grade is wrong, by how far the two opinions lie apart;
5. macular oedema by exudates, against the columns dme (IDRiD) and dme_adjudicated (Messidor-2);
6. on how many healthy eyes a haemorrhage or an exudate is drawn; how well the lesions separate
   grade 0 from grade 2 and more; on how many photographs each kind is assessed.

The rules and the counts see the lesions that are drawn: those of eyes that look healthy are
withheld, as in a reading.
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
from scipy.optimize import minimize
from scipy.special import expit

from fundoscope.calibrate.clinic import FOLDS, folds
from fundoscope.calibrate.presence import equal_sources
from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import PhotoError
from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.intervals import estimate, numbered
from fundoscope.evaluate.photographs import in_order
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
from fundoscope.models.manifest import DetectorManifest
from fundoscope.photo import sources
from fundoscope.reader import Reader
from fundoscope.reading import FieldOfView, Grade

REFERABLE = heads.REFERABLE_GRADE
MICROANEURYSM = "microaneurysm"
LARGE = 768
"""Pixels of the width from which a photograph should have every kind assessed."""


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
    image: str, grade: Grade, findings: summary.Findings, fov: FieldOfView
) -> Opinions | None:
    """Both opinions; `None` where there is no grade or no kind was assessed."""
    features = lesion_grade.of_findings(findings, fov)
    if features is None or grade.probabilities is None:
        return None
    evidence = places.evidence(findings.lesions, findings.summary, findings.anatomy, fov)
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


class Looker:
    """The grader, the detector and the landmark network, one after the other."""

    def __init__(self, detector: Path | None) -> None:
        self.grader = Reader(lesions=False, force=True)
        self.detector = detectors.load(detector)
        self.landmarker = landmarks.load()

    def look(self, path: Path, image: str) -> Opinions | None:
        reading = self.grader.read(path)
        fov = reading.field
        if fov.radius is None:
            return None
        photo = sources.photo(sources.content(path), min_side=self.detector.decode_side)
        findings = looking.look(self.detector, self.landmarker, photo, fov)
        return opinions(image, reading.grade, findings, fov)


def key_of(manifest: DetectorManifest) -> str:
    """A name for what a detector with these thresholds sees."""
    parts = (
        manifest.model_sha256,
        manifest.thresholds,
        manifest.minimum_radius,
        manifest.size_correction,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read(
    table: Manifest, rows: Sequence[Row], looker: Looker, cache: Path, workers: int
) -> list[Opinions]:
    """The opinions of all rows that have both, from the cache where they are there."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"opinions-{key_of(looker.detector.manifest)}.jsonl"
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
        for image, entry in in_order(look, missing, workers=workers, on_done=lambda: None):
            kept[image] = entry
            stored: dict[str, Any] = {"image": image} if entry is None else asdict(entry)
            file.write(json.dumps(stored) + "\n")
            file.flush()
    return [found for row in rows if (found := kept[row.image]) is not None]


def confusion(labels: Ints, given: Ints, weights: Floats) -> Floats:
    """Weights by label and given grade, ``(R, 5, 5)``."""
    cell = labels * heads.GRADE_COUNT + given
    hot = np.eye(heads.GRADE_COUNT**2)[cell]
    return (weights @ hot).reshape(len(weights), heads.GRADE_COUNT, heads.GRADE_COUNT)


def figures(p: Floats, labels: Ints) -> Callable[[Floats], Floats]:
    """A statistic of resampled weights ``(R, N)``: kappa and AUC, ``(R, 2)``."""
    from fundoscope.evaluate.grading.figures import quadratic_kappa

    given, score, sick = heads.most_probable(p), heads.referable(p), labels >= REFERABLE

    def statistic(weights: Floats) -> Floats:
        kappa = quadratic_kappa(confusion(labels, given, weights))
        return np.column_stack([kappa, area_under_curve(sick, score, weights)])

    return statistic


def show(name: str, words: Sequence[str], patients: Ints, statistic: Callable[[Floats], Floats],
         *, signed: bool = False) -> None:  # fmt: skip
    shown = estimate(statistic, patients, [f"{word} is undefined" for word in words])
    values = "; ".join(
        f"{word} {figure.in_words(signed=signed)}"
        for word, figure in zip(words, shown, strict=True)
    )
    print(f"{name}: {values}", flush=True)


def stacked(grader: Floats, lesions: Floats, labels: Ints, sources_of: Sequence[str]) -> Floats:
    """The two weights and four offsets with the least logistic loss."""
    above = np.where(labels[:, None] > np.arange(heads.GRADE_COUNT - 1), 1.0, -1.0)
    weights = equal_sources(sources_of)

    def loss(values: Floats) -> float:
        z = values[0] * grader + values[1] * lesions + values[2:]
        return float(
            weights @ np.logaddexp(0.0, -above * z).sum(axis=1) + values[2:] @ values[2:] / 2
        )

    return minimize(loss, np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])).x


def area_of(sick: Flags, score: Floats) -> Callable[[Floats], Floats]:
    """A statistic of resampled weights ``(R, N)``: the area under the curve, ``(R, 1)``."""

    def statistic(weights: Floats) -> Floats:
        area: Floats = area_under_curve(sick, score, weights)[:, None]
        return area

    return statistic


def difference(
    new: Callable[[Floats], Floats], old: Callable[[Floats], Floats]
) -> Callable[[Floats], Floats]:
    """A statistic that is one statistic less another."""
    return lambda weights: new(weights) - old(weights)


def combined(p: Floats, by_lesions: Floats, labels: Ints, names: Sequence[str],
             parts: Ints) -> Floats:  # fmt: skip
    """Probabilities of both opinions together, each photograph by a fit without its part."""
    first, second = heads.log_odds(p), heads.log_odds(by_lesions)
    joined = np.empty_like(p)
    for part in range(FOLDS):
        out = parts == part
        kept_names = [name for name, left in zip(names, out, strict=True) if not left]
        values = stacked(first[~out], second[~out], labels[~out], kept_names)
        z = values[0] * first[out] + values[1] * second[out] + values[2:]
        joined[out] = heads.between(np.minimum.accumulate(expit(z), axis=1))
    everything = stacked(first, second, labels, names)
    print(f"weights: grader {everything[0]:.3f}, lesions {everything[1]:.3f}")
    return joined


def rates(name: str, chosen: Flags, wrong: Flags) -> None:
    if chosen.any():
        share, rate = chosen.mean(), wrong[chosen].mean()
        print(f"{name}: {chosen.sum()} photographs ({share:.3f}), grade wrong on {rate:.3f}")


def by_distance(p: Floats, by_lesions: Floats, labels: Ints, agreement: Sequence[str]) -> None:
    given, lesions = heads.most_probable(p), heads.most_probable(by_lesions)
    wrong, apart = given != labels, np.abs(given - lesions)
    for name, chosen in {
        "same": apart == 0,
        "one apart": apart == 1,
        "two or more": apart > 1,
    }.items():
        rates(f"grade by lesions, {name}", chosen, wrong)
    ratio = wrong[apart > 1].mean() / wrong[apart < 2].mean()
    print(f"error rate two or more apart over that of the others: {ratio:.2f}")
    referable = heads.referable(by_lesions)
    doubted = np.where(
        given >= REFERABLE,
        referable < contradictions.UNLIKELY,
        referable >= contradictions.LIKELY,
    )
    rates("needs a reader, for the lesions do not fit", doubted, wrong)
    rates("no such doubt", ~doubted, wrong)
    for code in sorted(set(agreement)):
        rates(f"by rules, {code or 'no agreement'}", np.array(agreement) == code, wrong)


def of_oedema(rows: Sequence[Row], found: Sequence[Opinions], drawn: Flags) -> None:
    near = np.array([each.features[lesion_features.NEAR_FOVEA] or 0.0 for each in found])
    for column, worst in (("dme", "2"), ("dme_adjudicated", "1")):
        chosen = [n for n, row in enumerate(rows) if row.text(column)]
        if not chosen:
            continue
        sick = np.array([rows[n].text(column) == worst for n in chosen])
        states = [found[n].oedema for n in chosen]
        told = np.array([state != "cannot_tell" for state in states])
        possible = np.array([state == "possible" for state in states]) & drawn[chosen]
        print(f"{column} = {worst}: {sick.sum()} of {len(sick)}; told on {told.sum()}", flush=True)
        if told.any():
            print(f"  accuracy where told: {(possible == sick)[told].mean():.3f}")
        patients = numbered(cluster_keys([rows[n] for n in chosen]))
        score = near[chosen]
        show(
            "  exudates near the fovea, weak boxes too",
            ("AUC",),
            patients,
            area_of(sick, score),
        )


def of_healthy(rows: Sequence[Row], found: Sequence[Opinions], drawn: Flags, p: Floats) -> None:
    """What is drawn on healthy eyes, and how well the lesions separate them from sick ones."""
    labels = np.array([row.grade for row in rows])
    names = np.array([row.source for row in rows])
    beyond = np.array([each.beyond_mild for each in found])
    large = np.array([int(row.text("width") or 0) >= LARGE for row in rows])
    areas = []
    for name in sorted(set(names.tolist())):
        of = names == name
        healthy, sick = of & (labels == 0), of & (labels >= REFERABLE)
        both = healthy | sick
        title = f"{name} ({healthy.sum()} of grade 0, {sick.sum()} of grade 2 or more)"
        alone, shown = (float((beyond[healthy] > 0)[kept].mean()) if kept.any() else 0.0
                        for kept in (np.ones(healthy.sum(), bool), drawn[healthy]))  # fmt: skip
        shown *= float(drawn[healthy].mean())
        print(f"{title}: beyond microaneurysms, drawn on {shown:.3f} of grade 0"
              f" ({alone:.3f} without withholding) and on"
              f" {((beyond > 0) & drawn)[sick].mean():.3f} of grade 2 or more")  # fmt: skip
        patients = numbered(
            cluster_keys([row for row, kept in zip(rows, both, strict=True) if kept])
        )
        s, q = sick[both], 1.0 - p[both, 0]
        areas.append(float(np.squeeze(area_under_curve(s, q, np.ones((1, len(s)))))))
        show("  grade 0 against grade 2 or more, by the lesions alone", ("AUC",), patients,
             area_of(s, q))  # fmt: skip
        seen = [each for each, kept in zip(found, of & large, strict=True) if kept]
        shares = [
            f"{kind} {np.mean([each.features[f'{kind}: assessed'] for each in seen]):.3f}"
            for kind in (lesion_features.KINDS if seen else ())
        ]
        print(
            f"  assessed on photographs of {LARGE} px and more ({len(seen)}): {', '.join(shares)}"
        )
    print(f"mean AUC of the sources, grade 0 against grade 2 or more: {np.mean(areas):.3f}")


def main() -> None:
    parser = parser_of(__doc__)
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
    found = read(table, rows, looker, args.cache, args.workers)
    of = {row.image: row for row in rows}
    rows = [of[each.image] for each in found]
    print(f"{len(found)} photographs of {args.split} with a grade and an assessed kind of lesion")
    labels, names = np.array([row.grade for row in rows]), [row.source for row in rows]
    keys = cluster_keys(rows)
    p = np.array([each.probabilities for each in found])
    values = np.array([lesion_features.vector(each.features, model.features) for each in found])
    by_lesions = heads.probabilities(lesion_grade.log_odds_of(model, values))
    drawn = np.array([
        withholding.are_drawn(bool(graded >= REFERABLE), 1.0 - healthy, model.drawn_from)
        for graded, healthy in zip(heads.most_probable(p), by_lesions[:, 0], strict=True)
    ])  # fmt: skip
    supported = np.array([each.supported for each in found]) * drawn
    counts = np.array([each.beyond_mild for each in found], dtype=np.float64) * drawn
    sick = labels >= REFERABLE
    for name in ("", *sorted(set(names))):
        of_source = np.array([not name or other == name for other in names])
        patients = numbered([key for key, kept in zip(keys, of_source, strict=True) if kept])
        title = f"{name or 'all'} ({of_source.sum()})"
        for opinion, q in (("grader", p), ("lesions alone", by_lesions)):
            statistic = figures(q[of_source], labels[of_source])
            show(f"{title}, {opinion}", ("kappa", "AUC"), patients, statistic)
        s, positive = sick[of_source], (supported >= REFERABLE)[of_source]
        show(
            f"{title}, rules alone, boxes beyond microaneurysms",
            ("AUC",),
            patients,
            area_of(s, counts[of_source]),
        )
        print(
            f"{title}, rules alone: sensitivity {positive[s].mean():.3f},"
            f" specificity {(~positive[~s]).mean():.3f}"
        )
    parts = folds(sick, keys)
    both = combined(p, by_lesions, labels, names, parts)
    for name in ("", *sorted(set(names))):
        of_source = np.array([not name or other == name for other in names])
        patients = numbered([key for key, kept in zip(keys, of_source, strict=True) if kept])
        new, old = (figures(q[of_source], labels[of_source]) for q in (both, p))
        show(
            f"{name or 'all'}, combined - grader",
            ("kappa", "AUC"),
            patients,
            difference(new, old),
            signed=True,
        )
    by_distance(p, by_lesions, labels, [each.agreement for each in found])
    of_oedema(rows, found, drawn)
    of_healthy(rows, found, drawn, by_lesions)


if __name__ == "__main__":
    main()
