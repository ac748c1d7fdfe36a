"""What a detector finds on many photographs, as boxes that an annotator corrects."""

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
from fundoscope.batch.run import INTERNAL_ERROR, PhotoReader, examine, in_order
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, Loss
from fundoscope.data.annotations.voc.document import NOT_IN_XML
from fundoscope.errors import FundoscopeError, PhotoError
from fundoscope.geometry import Box
from fundoscope.kinds import OPTIC_DISC
from fundoscope.models.bundle import DETECTION
from fundoscope.reading import Lesion, PhotoFacts, Reading
from fundoscope.report.wording import NotAssessed, not_assessed

DIGITS: Final = 4
"""Decimals of scores: enough to sort by."""
TOO_SMALL: Final = {
    "code": "too_small",
    "reason": "is too small for the lesions that this detector knows",
    "remedy": "give the original photograph",
}


@dataclass(frozen=True, slots=True)
class Annotated:
    """What became of one photograph.

    Attributes:
        input: what was to be annotated.
        photo: its boxes; ``None`` where there are none to correct.
        reading: what was read from it; ``None`` where it was refused or left alone.
        trouble: code, reason and remedy where nobody could look for lesions.
        kept: whether it had annotations already, and was left alone.
    """

    input: Input
    photo: AnnotatedPhoto | None = None
    reading: Reading | None = None
    trouble: dict[str, str] = field(default_factory=dict)
    kept: bool = False


@dataclass(slots=True)
class AnnotationTally:
    """What a run came to.

    Attributes:
        photographs: how many there were.
        annotated, kept, troubled: how many were, had annotations already, could not be.
        boxes: how many of each kind were written.
        unseen: what was not looked for, and on how many of the annotated ones.
        losses: what the format could not hold.
        faulty: whether something failed that is a fault of ours.
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

    def add(self, one: Annotated) -> None:
        """Count one photograph."""
        self.kept += one.kept
        self.troubled += bool(one.trouble)
        self.faulty |= one.trouble.get("code") == INTERNAL_ERROR
        if one.photo is not None and one.reading is not None:
            self.annotated += 1
            self.boxes.update(item.kind for item in one.photo.annotations)
            self.unseen.update(not_assessed(one.reading))

    @property
    def done(self) -> int:
        """How many photographs have been dealt with."""
        return self.annotated + self.kept + self.troubled

    @property
    def exit_code(self) -> int:
        """0 when all have annotations, 3 when some have not, 1 after a fault of ours."""
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

    No more than a few photographs are in memory.

    Args:
        photographs: what to annotate, each once.
        names: what each is called in the annotations, by its path.
        reader: with a detector; used from several threads at once.
        files: where the boxes go.
        disc: whether the optic disc is boxed too.
        workers: photographs read at a time, at least 1.
        show: called with what became of each in the calling thread: of those that have annotations
            already first, then of the others in order.
        stop: once set, the run ends after the photograph at hand; what was finished is written.

    Raises:
        OutputError: annotations could not be written.
        FundoscopeError: reading failed in a way that is no fault of one photograph.
    """
    tally = AnnotationTally(len(photographs))
    kept = [one for one in photographs if files.keeps(one)]
    for made in (Annotated(one, kept=True) for one in kept):
        tally.add(made)
        show(made)
    waiting = [_checked(one, names[one.path]) for one in photographs if one not in kept]
    with closing(in_order(waiting, partial(examine, reader=reader), workers)) as outcomes:
        for outcome in outcomes:
            made = _annotated(outcome, names[outcome.input.path], disc=disc)
            if made.photo is not None:
                files.add(outcome.input, made.photo)
            tally.add(made)
            show(made)
            if stop.is_set():
                break
    tally.losses = files.finish()
    tally.interrupted = tally.done < tally.photographs
    return tally


def _checked(one: Input, name: str) -> Input:
    """A photograph; with a problem where no file of annotations can hold its name."""
    if one.problem is not None or not NOT_IN_XML.search(name):
        return one
    why = "has a character in its name that annotations cannot hold"
    return replace(one, problem=PhotoError(one.image, why, "rename it", code="unusable_name"))


def _annotated(outcome: Outcome, name: str, *, disc: bool) -> Annotated:
    reading = outcome.reading
    if reading is None or not reading.field.found:
        return Annotated(outcome.input, trouble=trouble(outcome))
    looked = any(one.assessed for one in reading.lesion_summary)
    if not looked and not (disc and reading.anatomy.disc.found is not None):
        return Annotated(outcome.input, trouble=TOO_SMALL)
    return Annotated(outcome.input, boxes(reading, name, disc=disc), reading)


def boxes(reading: Reading, name: str, *, disc: bool) -> AnnotatedPhoto:
    """The lesions of a reading as boxes of whole pixels, with their scores.

    Args:
        reading: of a photograph on which lesions were looked for.
        name: what the photograph is called in the annotations.
        disc: whether the optic disc is boxed too.
    """
    facts, found = reading.photo, list(reading.lesions)
    ring = reading.anatomy.disc
    if disc and ring.box is not None and ring.score is not None:
        found.append(Lesion(OPTIC_DISC.key, ring.box, ring.score))
    author = next((model.name for model in reading.models if model.task == DETECTION), "")
    return AnnotatedPhoto(
        image=name,
        width=facts.width,
        height=facts.height,
        annotations=tuple(
            Annotation(
                kind=one.kind,
                box=_whole(one.box, facts),
                score=round(one.score, DIGITS),
                author=author,
            )
            for one in found
        ),
    )


def _whole(box: Box, facts: PhotoFacts) -> Box:
    """The box to whole pixels, one at least, within the photograph: what labelImg can show."""
    x0, x1 = _whole_side(box[0], box[2], facts.width)
    y0, y1 = _whole_side(box[1], box[3], facts.height)
    return (x0, y0, x1, y1)


def _whole_side(low: float, high: float, size: int) -> tuple[float, float]:
    start = min(max(round(low), 0), size - 1)
    return float(start), float(min(max(round(high), start + 1), size))
