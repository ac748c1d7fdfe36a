"""How far the fovea lies from its usual place beside the optic disc.

Uses hand marks of disc and fovea (``bench/reference/disc_and_fovea.csv``), validation photographs
of several cameras, and prints the constants of ``fundoscope.lesions.anatomy``.

    python bench/fovea.py
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

MARKS = Path(__file__).parent / "reference" / "disc_and_fovea.csv"


def offsets(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the fovea from the disc's centre in disc diameters, and their sources.

    Returns:
        ``float64 (N, 2)``: towards the temporal side and downwards; and N names.
    """
    rows, sources = [], []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if not row["fovea_x"] or not row["disc_x"]:
                continue
            values = {key: float(row[key]) for key in row if key.split("_")[0] in ("disc", "fovea")}
            # A disc is about round: on a squeezed photograph its sides give the stretch.
            across = (values["fovea_x"] - values["disc_x"]) / values["disc_width"]
            down = (values["fovea_y"] - values["disc_y"]) / values["disc_height"]
            rows.append((abs(across), down))
            sources.append(row["source"])
    return np.array(rows), np.array(sources)


def main() -> None:
    """Print the usual place and the distances from it."""
    given, sources = offsets(MARKS)
    usual = np.median(given, axis=0)
    print(f"{len(given)} photographs; the fovea lies {usual[0]:.2f} disc diameters temporal of the")
    print(f"disc's centre and {usual[1]:.2f} below it (medians)")
    far = np.hypot(*(given - usual).T)
    for name in [*sorted(set(sources)), "all"]:
        of_source = far[(sources == name) | (name == "all")]
        median, most = np.percentile(of_source, [50, 95])
        print(f"{name}: {len(of_source)} photographs, error median {median:.2f}, 95 % {most:.2f}")


if __name__ == "__main__":
    main()
