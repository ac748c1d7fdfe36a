"""Fit what tells a retina from other pictures, and write src/fundoscope/photo/retina.json.

    python bench/fit_retina.py [--data ../shared/data/grading/grading.csv]

Positives: the train splits of the grading manifest, every second photograph; the validation split
only sets the two bounds. Negatives: pictures drawn by a program (``fundoscope.phantom.impostors``,
and dead leaves, the usual model of natural pictures). No natural picture takes part.
"""

from __future__ import annotations

import argparse
import csv
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from fundoscope.phantom import impostors
from fundoscope.photo import field, retina
from fundoscope.photo.decode import decode_file

ROBUST_ROUNDS = 5
ROBUST_SHARE = 0.99
REGULARISATION = 0.03
DEAD_LEAVES = 1500
IMPOSTOR_SEEDS = range(100, 106)
SLACK = 1.15
"""The bounds lie this much beyond the farthest real photograph of train and validation."""
SIDE = retina.SIDE
DISC = field.disc(SIDE)


def real(path: Path) -> np.ndarray | None:
    photo = decode_file(path, min_side=field.decode_side(SIDE))
    found = field.locate(photo)
    return retina.features(field.crop(photo, found, SIDE)) if found.found else None


def dead_leaves(rng: np.random.Generator) -> np.ndarray:
    """Opaque discs of power-law size and a common palette, with light and texture of their own."""
    centre = rng.uniform(20, 220, 3)
    spread = rng.uniform(5, 70)
    if rng.random() < 0.3:  # the colours of a retina
        centre = np.array([rng.uniform(120, 220), rng.uniform(60, 120), rng.uniform(10, 70)])
    picture = np.broadcast_to(centre, (SIDE, SIDE, 3)).astype(float)
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(int(rng.integers(3, 150))):
        radius = rng.uniform(2, 40) * rng.uniform(0.1, 1) ** 2 + 1.5
        cx, cy = rng.uniform(0, SIDE, 2)
        angle, aspect = rng.uniform(0, np.pi), rng.uniform(0.2, 1)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        colour = centre + rng.normal(0, spread) + rng.normal(0, spread * rng.uniform(0, 0.6), 3)
        leaf = (u**2 + (v / aspect) ** 2 < radius**2)[..., None]
        picture = np.where(leaf, colour + rng.normal(0, 0.05) * u[..., None], picture)
    slope = rng.normal(0, 0.4, 2)
    light = 1 + slope[0] * (x / SIDE - 0.5) + slope[1] * (y / SIDE - 0.5)
    picture = picture * np.clip(light, 0.2, 2)[..., None]
    blur = rng.choice([0, 0.5, 1, 2, 4])
    picture = ndimage.gaussian_filter(picture, (blur, blur, 0))
    picture += rng.normal(0, rng.uniform(0, 6), picture.shape)
    square = np.clip(picture, 0, 255).astype(np.uint8)
    square[~DISC] = 0
    return square


def squares() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    made = [dead_leaves(rng) for _ in range(DEAD_LEAVES)]
    for seed in IMPOSTOR_SEEDS:
        for _, picture in impostors.made(seed):
            side = min(picture.shape[:2])
            cut = round(side * rng.uniform(0.4, 1.0))
            top, left = (int(rng.integers(0, n - cut + 1)) for n in picture.shape[:2])
            square = np.array(
                Image.fromarray(picture[top : top + cut, left : left + cut]).resize(
                    (SIDE, SIDE), Image.Resampling.BOX
                )
            )
            square[~DISC] = 0
            made.append(square)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/grading/grading.csv"))
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    with args.data.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("train", "val")]
    train = [args.data.parent / row["image"] for row in rows if row["split"] == "train"][::2]
    validation = [args.data.parent / row["image"] for row in rows if row["split"] == "val"]
    with ProcessPoolExecutor(args.processes) as pool:
        positive = np.array([f for f in pool.map(real, train, chunksize=16) if f is not None])
        held_out = np.array([f for f in pool.map(real, validation, chunksize=16) if f is not None])
    negative = np.array([f for s in squares() if (f := retina.features(s)) is not None])

    kept = positive
    for _ in range(ROBUST_ROUNDS):
        mean, precision = kept.mean(axis=0), np.linalg.inv(np.cov(kept.T))
        centred = positive - mean
        distance = np.sqrt(np.einsum("ij,jk,ik->i", centred, precision, centred))
        kept = positive[distance < np.quantile(distance, ROBUST_SHARE)]
    scale = kept.std(axis=0)

    def terms(values: np.ndarray) -> np.ndarray:
        z = (values - mean) / scale
        upper = np.triu_indices(z.shape[1])
        return np.concatenate([z, z[:, upper[0]] * z[:, upper[1]]], axis=1)

    inputs = terms(np.concatenate([positive, negative]))
    spread = inputs.std(axis=0)
    classifier = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=5000)
    classifier.fit(inputs / spread, np.r_[np.zeros(len(positive)), np.ones(len(negative))])
    weights = classifier.coef_[0] / spread
    intercept = float(classifier.intercept_[0])

    every = np.concatenate([positive, held_out])
    centred = every - mean
    distance = np.sqrt(np.einsum("ij,jk,ik->i", centred, precision, centred))
    odds = terms(every) @ weights + intercept
    model = {
        "made_by": "bench/fit_retina.py",
        "features": list(retina.NAMES),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "precision": precision.tolist(),
        "weights": weights.tolist(),
        "intercept": intercept,
        "farthest": float(distance.max() * SLACK),
        "border": float(odds.max() + (SLACK - 1) * (odds.max() - np.median(odds))),
    }
    Path(retina.__file__).with_suffix(".json").write_text(json.dumps(model) + "\n")
    far = terms(negative) @ weights + intercept > model["border"]
    centred = negative - mean
    beyond = np.sqrt(np.einsum("ij,jk,ik->i", centred, precision, centred)) > model["farthest"]
    print(f"{len(positive)} train and {len(held_out)} validation photographs, {len(negative)} made")
    print("largest distances of real ones:", np.round(np.sort(distance)[-5:], 1))
    print("largest log-odds of real ones:", np.round(np.sort(odds)[-5:], 2))
    print(f"made ones refused: {(far | beyond).mean():.3f} (distance {beyond.mean():.3f}, odds {far.mean():.3f})")


if __name__ == "__main__":
    main()
