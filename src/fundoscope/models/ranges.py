"""The ranges of every figure in a ``bundle.json``.

A figure out of its range would change decisions without a word: with a referable threshold of 5,
no photograph is referable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fundoscope import limits
from fundoscope.models import correction, judge, lesion_grade, presence, sets
from fundoscope.models.manifest import (
    LANDMARK_NAMES,
    BundleManifest,
    DetectorManifest,
    GraderManifest,
    LandmarksManifest,
    TrainedOn,
)

Figure = tuple[str, object, float, float]
"""Name, value, lowest and highest valid value."""

SHA256: Final = re.compile("[0-9a-f]{64}")
GRADES: Final = 5
HIGHEST_GRADE: Final = GRADES - 1
ABOVE_ALL: Final = 1.01
"""The highest threshold on a probability or score: no score reaches it, so nothing counts. Exports
write it for a kind that was never found on validation, and have since version 0.1."""
COUNTS: Final = 1e12
"""Highest number of photographs, of minutes, and of anything that is only counted."""
SEEDS: Final = 2**64
FIGURES: Final = 1e15
"""Highest absolute value of a figure that decides nothing, such as one of validation."""
LOG_ODDS: Final = 10.0
"""Largest correction of log-odds: more would turn the least likely score into a certain one."""
SIZE_EXPONENTS: Final = (0.1, 10.0)
"""Exponents of a correction by size. At 0 a photograph of full size would be corrected, too."""
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3
"""Temperatures; those that are fitted lie between 0.05 and 20."""
OPSETS: Final = 1000
"""Highest version of ONNX operators; in 2026 there are 26."""
MAX_SHOWN: Final = 60
"""Characters of a value or a name that a message repeats."""


def fault(manifest: BundleManifest) -> str | None:
    """The first value of a manifest that is not valid, in words; ``None`` if all are valid.

    Args:
        manifest: of any task, of the right types.
    """
    for name, value, low, high in _figures(manifest):
        if not _within(value, low, high):
            return f"{_short(name)} is {_short(value)}, not a number from {low:g} to {high:g}"
    return next(_faults(manifest), None)


def _within(value: object, low: float, high: float) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return low <= value <= high  # false for NaN


def _figures(manifest: BundleManifest) -> Iterator[Figure]:
    """Every number of a manifest, with its range."""
    sides = manifest.input_size
    for side in (sides,) if isinstance(sides, int) else sides:
        yield "input_size", side, 1, limits.MAX_SIDE
    yield "opset", manifest.opset, 1, OPSETS
    yield from _of_training(manifest.trained_on)
    for group, figures in manifest.validation.items():
        yield from _unknown(f"validation.{group}", _defined(figures), -FIGURES, FIGURES)
    if manifest.stored is not None:
        yield from _unknown("stored.cost", _defined(manifest.stored.cost), -FIGURES, FIGURES)
    if isinstance(manifest, GraderManifest):
        yield from _of_grader(manifest)
    elif isinstance(manifest, DetectorManifest):
        yield from _of_detector(manifest)
    elif isinstance(manifest, LandmarksManifest):
        yield from _of_landmarks(manifest)


def _of_training(trained_on: TrainedOn) -> Iterator[Figure]:
    yield from _unknown("trained_on.photographs", trained_on.photographs, 0, COUNTS)
    yield "trained_on.seed", trained_on.seed, 0, SEEDS
    yield from _unknown("trained_on", {"minutes": trained_on.minutes}, 0, COUNTS)
    yield from _unknown("trained_on.averaged", trained_on.averaged or {}, 0, 1)


def _of_grader(manifest: GraderManifest) -> Iterator[Figure]:
    for cut in manifest.cut_points or ():
        yield "cut_points", cut, 0, HIGHEST_GRADE
    yield "temperature", manifest.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE
    yield "referable_threshold", manifest.referable_threshold, 0, ABOVE_ALL
    yield "minimum_radius", manifest.minimum_radius, 0, limits.MAX_SIDE
    fitted = manifest.recalibrated
    if fitted is not None:
        yield "recalibrated.photographs", fitted.photographs, 0, COUNTS
        yield "recalibrated.referable", fitted.referable, 0, COUNTS
        yield "recalibrated.sensitivity", fitted.sensitivity, 0, 1
        yield "recalibrated.folds", fitted.folds, 0, COUNTS
        for figures in (*fitted.before.values(), *fitted.after.values()):
            interval = dict(zip(("value", "low", "high"), figures, strict=True))
            yield from _unknown("recalibrated", _defined(interval), -FIGURES, FIGURES)


def _of_detector(manifest: DetectorManifest) -> Iterator[Figure]:
    yield from _unknown("thresholds", manifest.thresholds, 0, ABOVE_ALL)
    yield from _unknown("minimum_radius", manifest.minimum_radius, 0, limits.MAX_SIDE)
    yield from _unknown("levels", manifest.levels, 0, 1)
    yield from _unknown("size_correction", manifest.size_correction, -LOG_ODDS, LOG_ODDS)
    yield "size_exponent", manifest.size_exponent, *SIZE_EXPONENTS
    yield "radius", manifest.radius, 1, limits.MAX_SIDE
    yield "overlap", manifest.overlap, 0, limits.MAX_SIDE
    yield "step", manifest.step, 1, limits.MAX_SIDE
    yield "suppress", manifest.suppress, 0, 1


def _of_landmarks(manifest: LandmarksManifest) -> Iterator[Figure]:
    yield from _unknown("found", manifest.found, 0, ABOVE_ALL)
    yield from _unknown("estimated", manifest.estimated, 0, ABOVE_ALL)
    yield "minimum_radius", manifest.minimum_radius, 0, limits.MAX_SIDE


def _defined(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Figures without those that are undefined. NaN is written as null."""
    return {key: v for key, v in figures.items() if v is not None and not math.isnan(v)}


def _unknown(
    name: str, figures: Mapping[str, float | None], low: float, high: float
) -> Iterator[Figure]:
    """Figures by key; those that are ``None`` are not known."""
    for key, value in figures.items():
        if value is not None:
            yield f"{name}.{key}", value, low, high


def is_word(text: str) -> bool:
    """Whether a text can be a name: printable, neither empty nor too long."""
    return 0 < len(text) <= limits.MAX_NAME_CHARACTERS and text.isprintable()


def _faults(manifest: BundleManifest) -> Iterator[str]:
    """Faults of values that are not numbers."""
    if not SHA256.fullmatch(manifest.model_sha256):
        yield "model_sha256 is not a SHA-256"
    for name, word in _words(manifest):
        if not is_word(word):
            yield f"{name} {_short(word)} is empty, too long or not printable"
    if isinstance(manifest, GraderManifest):
        if len(manifest.classes) != GRADES:
            yield f"classes are {len(manifest.classes)} names, not {GRADES}"
        cuts = list(manifest.cut_points or ())
        if cuts != sorted(cuts):
            yield "cut_points do not ascend"
        fault_of_correction = correction.fault(manifest.correction)
        if fault_of_correction is not None:
            yield fault_of_correction
        fault_of_sets = sets.fault(manifest.conformal)
        if fault_of_sets is not None:
            yield fault_of_sets
        fault_of_judge = judge.fault(manifest.judge)
        if fault_of_judge is not None:
            yield fault_of_judge
    if isinstance(manifest, DetectorManifest):
        if not 1 <= len(manifest.classes) <= limits.MAX_CLASSES:
            yield f"classes are {len(manifest.classes)} names, not 1 to {limits.MAX_CLASSES}"
        if len(set(manifest.classes)) != len(manifest.classes):
            yield "classes name a kind twice"
        fault_of_presence = presence.fault(manifest.presence)
        if fault_of_presence is not None:
            yield fault_of_presence
        if not manifest.presence.keys() <= set(manifest.classes):
            yield "presence has a kind that is not among its classes"
        fault_of_grade = lesion_grade.fault(manifest.lesion_grade)
        if fault_of_grade is not None:
            yield fault_of_grade
    if isinstance(manifest, LandmarksManifest):
        yield from _faults_of_landmarks(manifest)


def _faults_of_landmarks(manifest: LandmarksManifest) -> Iterator[str]:
    wanted = sorted(LANDMARK_NAMES)
    for name, scores in (("found", manifest.found), ("estimated", manifest.estimated)):
        if sorted(scores) != wanted:
            yield f"{name} has scores of other landmarks than {' and '.join(LANDMARK_NAMES)}"
    lower = manifest.estimated
    if any(lower.get(key, 0) > score for key, score in manifest.found.items()):
        yield "estimated needs a higher score than found"


def _words(manifest: BundleManifest) -> Iterator[tuple[str, str]]:
    """Names, which are shown in results and messages."""
    yield "name", manifest.name
    if isinstance(manifest, GraderManifest | DetectorManifest):
        yield "head", manifest.head
        yield from _each("classes", manifest.classes)
    yield from _each("trained_on.photographs", filter(None, manifest.trained_on.photographs))
    yield from _each("versions", (*manifest.versions, *manifest.versions.values()))


def _each(name: str, words: Iterable[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        yield name, word


def _short(value: object) -> str:
    """A value in a message: escaped, and not longer than :data:`MAX_SHOWN`."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
