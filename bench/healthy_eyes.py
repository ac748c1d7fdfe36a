"""On how many healthy eyes is a lesion drawn, and do lesions separate them from referable ones?

    python bench/healthy_eyes.py --labels TABLE --split val --cache DIR [--detector BUNDLE]

Prints for each source, of the photographs of bench/both_opinions.py:

- on how many eyes of grade 0, and of grade 2 and more, a haemorrhage or an exudate is drawn;
- the area under the curve of the grade by lesions for these two, with 95 % intervals by patient;
- on how many photographs of 768 pixels and more each kind is assessed;
- what would be drawn if less of a grade were enough to draw lesions that make retinopathy as likely
  as not: a probability of "referable", instead of grade 2 or more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from both_opinions import REFERABLE, Both, Opinions, area_of, load, show

from fundoscope.data.manifest import Row
from fundoscope.evaluate.arrays import Flags, Floats
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.intervals import numbered
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import heads, lesion_features, withholding

ENOUGH = (0.3, 0.2, 0.15, 0.1)
"""Probabilities of "referable" that are tried in place of grade 2."""
LARGE = 768
"""Pixels of the width from which a photograph should have every kind assessed."""


def of_healthy(rows: Sequence[Row], found: Sequence[Opinions], drawn: Flags, p: Floats) -> None:
    """What is drawn on healthy eyes, and how well the lesions separate them from referable ones."""
    labels = np.array([row.grade for row in rows])
    names = np.array([row.source for row in rows])
    beyond = np.array([each.beyond_mild for each in found])
    large = np.array([int(row.text("width") or 0) >= LARGE for row in rows])
    areas = []
    for name in sorted(set(names.tolist())):
        of = names == name
        healthy, referable = of & (labels == 0), of & (labels >= REFERABLE)
        both = healthy | referable
        title = f"{name} ({healthy.sum()} of grade 0, {referable.sum()} of grade 2 or more)"
        alone, shown = (float((beyond[healthy] > 0)[kept].mean()) if kept.any() else 0.0
                        for kept in (np.ones(healthy.sum(), bool), drawn[healthy]))  # fmt: skip
        shown *= float(drawn[healthy].mean())
        print(f"{title}: beyond microaneurysms, drawn on {shown:.3f} of grade 0"
              f" ({alone:.3f} without withholding) and on"
              f" {((beyond > 0) & drawn)[referable].mean():.3f} of grade 2 or more")  # fmt: skip
        patients = numbered(
            cluster_keys([row for row, kept in zip(rows, both, strict=True) if kept])
        )
        s, q = referable[both], 1.0 - p[both, 0]
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


def of_other_limits(both: Both, drawn_from: float) -> None:
    """What is drawn if a lower probability of "referable" is enough."""
    names = np.array(both.names)
    boxed = np.array([each.beyond_mild > 0 for each in both.found])
    for enough in ENOUGH:
        drawn = boxed & np.array([
            withholding.are_drawn(bool(referable >= enough), 1.0 - healthy, drawn_from)
            for referable, healthy in zip(heads.referable(both.p), both.by_lesions[:, 0],
                                          strict=True)
        ])  # fmt: skip
        shares = [
            f"{name} {drawn[(names == name) & (both.labels == 0)].mean():.3f} and"
            f" {drawn[(names == name) & (both.labels >= REFERABLE)].mean():.3f}"
            for name in sorted(set(both.names))
        ]
        print(f"drawn on grade 0 and on 2 or more, from {enough} of referable: {'; '.join(shares)}")


def main() -> None:
    both = load(__doc__)
    of_healthy(both.rows, both.found, both.drawn, both.by_lesions)
    of_other_limits(both, both.drawn_from)


if __name__ == "__main__":
    main()
