"""Do hard exudates near the fovea tell macular oedema?

    python bench/oedema.py --labels TABLE --split val --cache DIR [--detector BUNDLE]

Against the columns dme (IDRiD) and dme_adjudicated (Messidor-2), with 95 % intervals by patient.
The photographs are those of bench/both_opinions.py, and the exudates those that are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from both_opinions import Opinions, area_of, load, show

from fundoscope.data.manifest import Row
from fundoscope.evaluate.arrays import Flags
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.intervals import numbered
from fundoscope.grading import lesion_features


def of_oedema(rows: Sequence[Row], found: Sequence[Opinions], drawn: Flags) -> None:
    near = np.array([each.features[lesion_features.NEAR_FOVEA] or 0.0 for each in found])
    for column, worst in (("dme", "2"), ("dme_adjudicated", "1")):
        chosen = [n for n, row in enumerate(rows) if row.text(column)]
        if not chosen:
            continue
        has_oedema = np.array([rows[n].text(column) == worst for n in chosen])
        states = [found[n].oedema for n in chosen]
        told = np.array([state != "cannot_tell" for state in states])
        possible = np.array([state == "possible" for state in states]) & drawn[chosen]
        print(
            f"{column} = {worst}: {has_oedema.sum()} of {len(has_oedema)}; told on {told.sum()}",
            flush=True,
        )
        if told.any():
            print(f"  accuracy where told: {(possible == has_oedema)[told].mean():.3f}")
        patients = numbered(cluster_keys([rows[n] for n in chosen]))
        score = near[chosen]
        show(
            "  exudates near the fovea, weak boxes too",
            ("AUC",),
            patients,
            area_of(has_oedema, score),
        )


def main() -> None:
    both = load(__doc__)
    of_oedema(both.rows, both.found, both.drawn)


if __name__ == "__main__":
    main()
