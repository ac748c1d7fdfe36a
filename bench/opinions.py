"""What do the lesions alone tell of the grade, and is the grade wrong where the two opinions part?

    python bench/opinions.py --labels TABLE --split val --cache DIR [--detector BUNDLE]

Prints, of the photographs of bench/both_opinions.py, with 95 % intervals by patient:

1. the grade by lesions alone (the model of the detector's bundle): quadratic kappa, AUC;
2. the International rules alone: AUC of the count behind them, sensitivity and specificity;
3. both opinions combined by stacking, cross-validated, against the plain grader, paired;
4. how often the grade is wrong, by how far the two opinions lie apart.

The rules and the counts see the lesions that are drawn: those of eyes that look healthy are
withheld, as in a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from both_opinions import REFERABLE, Both, area_of, load, show
from scipy.optimize import minimize
from scipy.special import expit

from fundoscope.calibrate.clinic import FOLDS, folds
from fundoscope.calibrate.presence import equal_sources
from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.intervals import numbered
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import contradictions, heads


def confusion(labels: Ints, given: Ints, weights: Floats) -> Floats:
    """Weights by label and given grade, ``(R, 5, 5)``."""
    cell = labels * heads.GRADE_COUNT + given
    hot = np.eye(heads.GRADE_COUNT**2)[cell]
    return (weights @ hot).reshape(len(weights), heads.GRADE_COUNT, heads.GRADE_COUNT)


def figures(p: Floats, labels: Ints) -> Callable[[Floats], Floats]:
    """A statistic of resampled weights ``(R, N)``: kappa and AUC, ``(R, 2)``."""
    from fundoscope.evaluate.grading.figures import quadratic_kappa

    given, score, referable = heads.most_probable(p), heads.referable(p), labels >= REFERABLE

    def statistic(weights: Floats) -> Floats:
        kappa = quadratic_kappa(confusion(labels, given, weights))
        return np.column_stack([kappa, area_under_curve(referable, score, weights)])

    return statistic


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


def of_source(both: Both, name: str) -> tuple[Flags, Ints]:
    """The photographs of a source, or all, and the numbers of their patients."""
    chosen = np.array([not name or other == name for other in both.names])
    return chosen, numbered([key for key, kept in zip(both.keys, chosen, strict=True) if kept])


def each_alone(both: Both) -> None:
    """The grader, the grade by lesions and the rules, each alone."""
    supported = np.array([each.supported for each in both.found]) * both.drawn
    counts = np.array([each.beyond_mild for each in both.found], dtype=np.float64) * both.drawn
    for name in ("", *sorted(set(both.names))):
        chosen, patients = of_source(both, name)
        title = f"{name or 'all'} ({chosen.sum()})"
        for opinion, q in (("grader", both.p), ("lesions alone", both.by_lesions)):
            statistic = figures(q[chosen], both.labels[chosen])
            show(f"{title}, {opinion}", ("kappa", "AUC"), patients, statistic)
        referable = both.labels[chosen] >= REFERABLE
        positive = (supported >= REFERABLE)[chosen]
        show(
            f"{title}, rules alone, boxes beyond microaneurysms",
            ("AUC",),
            patients,
            area_of(referable, counts[chosen]),
        )
        print(
            f"{title}, rules alone: sensitivity {positive[referable].mean():.3f},"
            f" specificity {(~positive[~referable]).mean():.3f}"
        )


def together(both: Both) -> None:
    """Both opinions combined, against the grader."""
    parts = folds(both.labels >= REFERABLE, both.keys)
    joined = combined(both.p, both.by_lesions, both.labels, both.names, parts)
    for name in ("", *sorted(set(both.names))):
        chosen, patients = of_source(both, name)
        new, old = (figures(q[chosen], both.labels[chosen]) for q in (joined, both.p))
        show(
            f"{name or 'all'}, combined - grader",
            ("kappa", "AUC"),
            patients,
            difference(new, old),
            signed=True,
        )


def main() -> None:
    both = load(__doc__)
    each_alone(both)
    together(both)
    agreement = [each.agreement for each in both.found]
    by_distance(both.p, both.by_lesions, both.labels, agreement)


if __name__ == "__main__":
    main()
