"""How long do all intervals of an evaluation take, and are they exact?

    python bench/intervals.py [--photographs 10000] [--resamples 2000] [--threads 2]

Draws photographs of patients with two eyes, their labels and a grader's probabilities; no data are
needed. Prints the seconds and the processor's seconds of all figures with intervals (by patient,
resampled anew), then the largest difference to scikit-learn's figures and scipy's percentiles on
some of the same resamples.
"""

from __future__ import annotations

import os
import time

import numpy as np
from arguments import parser_of

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.grading import certainty
from fundoscope.evaluate.grading.evaluation import scores_of_grades
from fundoscope.evaluate.grading.figures import COLUMNS, Scores, figures
from fundoscope.evaluate.grading.summary import ScoredPhotographs, summarise
from fundoscope.evaluate.intervals import SEED, bootstrap, numbered, resampled_weights
from fundoscope.reading import Grade, Referable

SHARES = (0.55, 0.1, 0.23, 0.06, 0.06)
"""Of the grades, as in the five test sets together."""
THRESHOLD = 0.44
UNGRADED = 0.01
COMPARED = 20
"""Resamples that scikit-learn computes as well; it takes them one by one."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--photographs", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    labels, grades, clusters = drawn(args.photographs)
    scores = scores_of_grades(labels.tolist(), grades)
    wall, processor = time.perf_counter(), time.process_time()
    summarise(ScoredPhotographs(scores, tuple(clusters.tolist()), {}), resamples=args.resamples)
    certainty.evaluate(labels, grades, clusters.tolist(), {}, resamples=args.resamples)
    print(
        f"{args.photographs:,} photographs, {args.resamples:,} resamples by patient:"
        f" {time.perf_counter() - wall:.1f} s ({time.process_time() - processor:.1f} s of"
        f" processor; {os.cpu_count()} processors)"
    )
    print(f"largest difference to scikit-learn and scipy: {difference(scores, clusters):.1e}")


def drawn(n: int, seed: int = 33) -> tuple[Ints, list[Grade], Ints]:
    """Labels, a grader's grades and patients of photographs, two of each patient."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(5, size=n, p=SHARES)
    logits = 2.0 - 1.3 * np.abs(labels[:, None] - np.arange(5)) + generator.normal(0, 1, (n, 5))
    odds = np.exp(logits)
    chances = (odds / odds.sum(axis=1, keepdims=True)).round(6)
    chances /= chances.sum(axis=1, keepdims=True)
    grades = [grade(p) for p in chances.tolist()]
    for place in np.flatnonzero(generator.random(n) < UNGRADED):
        grades[place] = Grade()
    return labels, grades, np.arange(n) // 2


def grade(chances: list[float]) -> Grade:
    """What a grader says with these probabilities."""
    referable = min(sum(chances[2:]), 1.0)
    called = Referable(referable, referable >= THRESHOLD, THRESHOLD)
    best = int(np.argmax(chances))
    p0, p1, p2, p3, p4 = chances
    return Grade(best, (p0, p1, p2, p3, p4), None, called, (best,), 0.9, False)


def difference(scores: Scores, clusters: Ints) -> float:
    """The largest difference to scikit-learn's areas, kappa and accuracy, and to scipy's interval.

    Args:
        scores: of N photographs.
        clusters: ``(N,)``.
    """
    from scipy.stats.mstats import mquantiles
    from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score

    graded = scores.where(scores.given < 5)
    own = numbered(clusters[scores.given < 5].tolist())
    (weights,) = resampled_weights(own, None, COMPARED, np.random.default_rng(SEED))
    ours = bootstrap(lambda w: figures(graded, w), own, resamples=COMPARED)
    largest = 0.0
    for drawn_weights, row in zip(weights, ours, strict=True):
        places = np.repeat(np.arange(len(graded)), drawn_weights.astype(int))
        label, given = graded.label[places], graded.given[places]
        theirs = {
            "accuracy": accuracy_score(label, given),
            "quadratic_kappa": cohen_kappa_score(label, given, weights="quadratic"),
            "referable_auc": roc_auc_score(label >= 2, graded.referable[places]),
            "vision_threatening_auc": roc_auc_score(label >= 3, graded.vision_threatening[places]),
        }
        found = [abs(row[COLUMNS.index(name)] - value) for name, value in theirs.items()]
        largest = max(largest, *found)
    column: Floats = ours[:, COLUMNS.index("referable_auc")]
    scipys = mquantiles(column, [0.025, 0.975], alphap=1, betap=1)
    return max(largest, float(np.abs(np.percentile(column, [2.5, 97.5]) - scipys).max()))


if __name__ == "__main__":
    main()
