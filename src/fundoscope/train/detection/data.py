"""What a detector is trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.train.detection.config import Anchors, DetectorConfig
from fundoscope.train.detection.views.coverage import MaskTargets
from fundoscope.train.detection.views.view import AnnotatedView, LeftOut

UNNAMED: Final = "healthy eyes"
"""Eyes without lesions from a label table that names no source."""


@dataclass(frozen=True, slots=True)
class DetectionData:
    """The photographs of a run at the working scale, with their lesions.

    Attributes:
        kinds: the class list; label 1 is its first.
        anchors: of the first stage, fitted to the training boxes; empty for a head without anchors.
        images: folder of the photographs.
        train, val: annotated photographs at the working scale.
        sha256: hash of all annotations and photographs, and of what else the head learns from.
        unseen: kinds without a box in validation, which are not used to choose the epoch.
        held_out: whether ``val`` was held out of the training photographs, as no list names it.
        warnings: decisions that the reader of the annotations had to make, as sentences.
        healthy, healthy_val: eyes without lesions, to learn from and to validate with.
        partial: training photographs of each further set, on which some kinds are annotated.
        coverage: the masks of ``train``, where lesions are put onto healthy eyes.
        left_out: photographs of eyes without lesions that cannot be used.
    """

    kinds: tuple[str, ...]
    anchors: Anchors
    images: Path
    train: tuple[AnnotatedView, ...]
    val: tuple[AnnotatedView, ...]
    sha256: str
    unseen: tuple[str, ...] = ()
    held_out: bool = False
    warnings: tuple[str, ...] = ()
    healthy: tuple[AnnotatedView, ...] = ()
    healthy_val: tuple[AnnotatedView, ...] = ()
    partial: tuple[tuple[AnnotatedView, ...], ...] = ()
    coverage: MaskTargets | None = None
    left_out: tuple[LeftOut, ...] = ()

    def photographs(self, config: DetectorConfig) -> dict[str, int]:
        """The number of training photographs of each source, those without lesions included."""
        counts = Counter({Path(config.data.annotations).name: len(self.train)})
        counts.update(each.source or UNNAMED for each in self.healthy)
        for settings, found in zip(config.partial, self.partial, strict=True):
            counts[Path(settings.annotations).name] += len(found)
        return dict(counts)

    @property
    def annotated(self) -> int:
        """The number of training photographs whose lesions were annotated."""
        return len(self.train) + sum(map(len, self.partial))

    def further(self, config: DetectorConfig) -> list[tuple[float, tuple[AnnotatedView, ...]]]:
        """The sets besides ``train``, each with its share of the training tiles."""
        shares = (config.healthy.share, *(each.share for each in config.partial))
        return list(zip(shares, (self.healthy, *self.partial), strict=True))
