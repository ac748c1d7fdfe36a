"""Find lesions on many photographs, as boxes for an annotator to correct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

from fundoscope.batch.annotation_files import AnnotationFiles
from fundoscope.batch.inputs import Input
from fundoscope.batch.outcome import Outcome, trouble
from fundoscope.batch.run import INTERNAL_ERROR, PhotoReader, examine
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, Loss
from fundoscope.data.annotations.xml_text import NOT_IN_XML
from fundoscope.errors import FundoscopeError, PhotoError
from fundoscope.geometry import Box
from fundoscope.kinds import OPTIC_DISC
from fundoscope.models.bundle import DETECTION
from fundoscope.ordered import in_order
from fundoscope.reading import Lesion, PhotoFacts, Reading
from fundoscope.report.wording import NotAssessed, not_assessed

DIGITS: Final = 4
"""Decimals of scores: enough for sorting."""
TOO_SMALL: Final = {
    "code": "too_small",
    "reason": "is too small for the lesions that this detector finds",
    "remedy": "give the original photograph",
}
OVEREXPOSED: Final = {
    "code": "overexposed",
    "reason": "is overexposed, so that lesions cannot be seen on it",
    "remedy": "retake it with less flash",
}


@dataclass(frozen=True, slots=True)
class Annotated:
    """The result of one photograph.

    Attributes:
        input: the photograph.
        photo: its boxes; ``None`` where there is nothing to correct.
        reading: its Reading; ``None`` where it was refused or skipped.
        trouble: code, reason and remedy where lesions could not be looked for.
        kept: whether it was skipped because it had annotations already.
    """

    input: Input
    photo: AnnotatedPhoto | None = None
    reading: Reading | None = None
    trouble: dict[str, str] = field(default_factory=dict)
    kept: bool = False


@dataclass(slots=True)
class AnnotationTally:
    """Counts over a run.

    Attributes:
        photographs: the number of photographs.
        annotated: the number that were annotated.
        kept: the number that had annotations already.
        troubled: the number that could not be annotated.
        boxes: the number of boxes of each kind.
        unseen: what was not looked for, and on how many annotated photographs.
        losses: what the format could not hold.
        faulty: whether there was an internal error.
        interrupted: whether the run was stopped before its end.
    """

    photographs: int
    annotated: int = 0
    kept: int = 0
    troubled: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    unseen: Counter[NotAssessed] = field(default_factory=Counter)
    losses: tuple[Loss, ...] = ()
    faulty: bool = False
    interrupted: bool = False

    def add(self, result: Annotated) -> None:
        """Count one photograph."""
        self.kept += result.kept
        self.troubled += bool(result.trouble)
        self.faulty |= result.trouble.get("code") == INTERNAL_ERROR
        if result.photo is not None and result.reading is not None:
            self.annotated += 1
            self.boxes.update(item.kind for item in result.photo.annotations)
            self.unseen.update(not_assessed(result.reading))

    @property
    def done(self) -> int:
        """The number of photographs that are done."""
        return self.annotated + self.kept + self.troubled

    @property
    def exit_code(self) -> int:
        """0 if all have annotations, 3 if some do not, 1 after an internal error."""
        if self.faulty:
            return FundoscopeError.exit_code
        return PhotoError.exit_code if self.troubled else 0


def annotate(
    photographs: Sequence[Input],
    names: Mapping[Path, str],
    reader: PhotoReader,
    files: AnnotationFiles,
    *,
    disc: bool,
    workers: int,
    show: Callable[[Annotated], None],
    stop: Event,
) -> AnnotationTally:
    """Find lesions on photographs and write their boxes, in the order of the photographs.

    Only a few photographs are in memory at a time.

    Args:
        photographs: what to annotate, each once.
        names: the name of each in the annotations, by its path.
        reader: with a detector; used from several threads at once.
        files: where the boxes are written.
        disc: whether the optic disc gets a box too.
        workers: photographs read at a time, at least 1.
        show: called with each result in the calling thread: first those that have annotations
            already, then the others in order.
        stop: once set, the run ends after the current photograph; finished results are written.

    Raises:
        OutputError: annotations could not be written.
        FundoscopeError: reading failed for a reason that concerns all photographs.
    """
    tally = AnnotationTally(len(photographs))
    waiting = []
    for photograph in photographs:
        if files.keeps(photograph):
            result = Annotated(photograph, kept=True)
            tally.add(result)
            show(result)
        else:
            waiting.append(_checked(photograph, names[photograph.path]))
    with closing(in_order(waiting, partial(examine, reader=reader), workers)) as outcomes:
        for outcome in outcomes:
            result = _annotated(outcome, names[outcome.input.path], disc=disc)
            if result.photo is not None:
                files.add(outcome.input, result.photo)
            tally.add(result)
            show(result)
            if stop.is_set():
                break
    tally.losses = files.finish()
    tally.interrupted = tally.done < tally.photographs
    return tally


def _checked(photograph: Input, name: str) -> Input:
    """A photograph, with a problem where XML cannot hold its name."""
    if photograph.problem is not None or not NOT_IN_XML.search(name):
        return photograph
    why = "has a character in its name that annotations cannot hold"
    problem = PhotoError(photograph.image, why, "rename it", code="unusable_name")
    return replace(photograph, problem=problem)


def _annotated(outcome: Outcome, name: str, *, disc: bool) -> Annotated:
    reading = outcome.reading
    if reading is None or not reading.field.found:
        return Annotated(outcome.input, trouble=trouble(outcome))
    looked = any(summary.assessed for summary in reading.lesion_summary)
    if not looked and not (disc and reading.anatomy.disc.found is not None):
        return Annotated(outcome.input, trouble=_why_not_looked(outcome, reading))
    return Annotated(outcome.input, boxes(reading, name, disc=disc), reading)


def _why_not_looked(outcome: Outcome, reading: Reading) -> dict[str, str]:
    """Why no lesion could be looked for on a photograph with a field of view."""
    if reading.quality.gradable is False:
        return trouble(outcome)
    if any(summary.reason == "overexposed" for summary in reading.lesion_summary):
        return OVEREXPOSED
    return TOO_SMALL


def boxes(reading: Reading, name: str, *, disc: bool) -> AnnotatedPhoto:
    """The lesions of a reading as boxes of whole pixels, with their scores.

    Args:
        reading: of a photograph on which lesions were looked for.
        name: of the photograph in the annotations.
        disc: whether the optic disc gets a box too.
    """
    facts, objects = reading.photo, list(reading.lesions)
    optic_disc = reading.anatomy.disc
    if disc and optic_disc.box is not None and optic_disc.score is not None:
        objects.append(Lesion(OPTIC_DISC.key, optic_disc.box, optic_disc.score))
    author = next((model.name for model in reading.models if model.task == DETECTION), "")
    return AnnotatedPhoto(
        image=name,
        width=facts.width,
        height=facts.height,
        annotations=tuple(
            Annotation(
                kind=item.kind,
                box=_whole(item.box, facts),
                score=round(item.score, DIGITS),
                author=author,
            )
            for item in objects
        ),
    )


def _whole(box: Box, facts: PhotoFacts) -> Box:
    """The box in whole pixels, at least one, within the photograph, as labelImg can show it."""
    x0, x1 = _whole_side(box[0], box[2], facts.width)
    y0, y1 = _whole_side(box[1], box[3], facts.height)
    return (x0, y0, x1, y1)


def _whole_side(low: float, high: float, size: int) -> tuple[float, float]:
    start = min(max(round(low), 0), size - 1)
    return float(start), float(min(max(round(high), start + 1), size))
