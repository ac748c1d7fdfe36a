"""What a report says, before it is laid out: texts in the language of the reader, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fundoscope.kinds import OPTIC_DISC
from fundoscope.quoting import printable
from fundoscope.reading import EYES, Laterality, ModelUsed, Reading
from fundoscope.report.languages import ENGLISH, Language, language
from fundoscope.report.paper import advice, sentences
from fundoscope.report.paper.advice import Advice
from fundoscope.report.paper.picture import Picture, draw
from fundoscope.report.wording import short_percent

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo

HASH_SHOWN: Final = 12
"""Characters of a hash that are printed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A photograph of the patient, and its Reading.

    Attributes:
        reading: ``None`` if the file could not be read.
        photo: the decoded photograph; ``None`` if there is none to show.
        trouble: why the file could not be read or shown, in words.
        eye: ``"right"`` or ``"left"`` where the caller knows it; else that of the Reading counts.
        received: the day on which a service received it, in ISO 8601; ``""`` prints none.
    """

    reading: Reading | None = None
    photo: Photo | None = None
    trouble: str = ""
    eye: str | None = None
    received: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who was photographed, as far as the caller says; nothing of it is printed otherwise.

    Attributes:
        patient: name or number.
        born: date of birth.
        taken: when the photographs were taken.
    """

    patient: str = ""
    born: str = ""
    taken: str = ""


NOBODY: Final = Identity()


@dataclass(frozen=True, slots=True)
class Row:
    """A name and what is said about it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The probability of a grade.

    Attributes:
        name: of the grade, its number.
        share: 0 to 1.
        text: the share in words.
        short: the share as a number, for the top of a bar.
        given: whether it is the grade that is given.
    """

    name: str
    share: float
    text: str
    short: str
    given: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the legend: a kind of lesion and how many were found."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Eye:
    """What is printed about one photograph.

    Attributes:
        title: which eye it is.
        grade: the grade in words, or that there is none.
        verdict: whether it is referable; ``""`` without a grade.
        picture: the photograph with its lesions; ``None`` if there is none.
        picture_in_words: for people who cannot see it.
        bars: the probabilities of the grades.
        rows: further findings.
        findings: the legend of the picture.
        missing: what was not assessed.
        notes: what is unusual.
        source: of the photograph: size, hash, and the day on which it was received.
    """

    title: str
    grade: str
    verdict: str
    picture: Picture | None
    picture_in_words: str
    bars: tuple[Bar, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    missing: str
    notes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report in words and pictures, ready to be laid out.

    Attributes:
        language: of its texts.
        identity: of the patient and the date, as far as they were given.
        advice: the next step for the patient.
        eyes: the photographs, those of the right eye first.
        models: the models and the software.
    """

    language: Language
    identity: tuple[Row, ...]
    advice: Advice
    eyes: tuple[Eye, ...]
    models: tuple[Row, ...]


def report(
    examined: Sequence[Examined],
    *,
    identity: Identity = NOBODY,
    date: str = "",
    spoken: str = ENGLISH,
) -> Report:
    """Put the readings of a patient into words.

    Args:
        examined: the photographs of the patient, usually one of each eye.
        identity: of the patient: what is to be printed.
        date: of the report; ``""`` prints none.
        spoken: the code of a language, one of :func:`fundoscope.report.languages.codes`.

    Raises:
        UsageError: there is no such language.
    """
    words = language(spoken)
    ordered = sorted(examined, key=lambda each: _place(eye_of(each)))
    given = (
        ("paper.patient", identity.patient),
        ("paper.born", identity.born),
        ("paper.taken", identity.taken),
        ("paper.date", date),
    )
    readings = [each.reading for each in ordered if each.reading is not None]
    return Report(
        language=words,
        identity=tuple(Row(words.say(key), printable(text)) for key, text in given if text),
        advice=advice.of([(eye_of(each), each.reading) for each in ordered], words),
        eyes=tuple(_eye(each, words) for each in ordered),
        models=tuple(_models(readings, words)),
    )


def eye_of(examined: Examined) -> str | None:
    """The eye of a photograph: ``"right"``, ``"left"``, or ``None`` where it is not known."""
    if examined.eye is not None or examined.reading is None:
        return examined.eye
    return examined.reading.anatomy.laterality.eye


def _place(eye: str | None) -> int:
    """The right eye stands first, on the left side of the page, as people sit opposite."""
    return EYES.index(eye) if eye in EYES else len(EYES)


def _eye(examined: Examined, words: Language) -> Eye:
    reading, eye = examined.reading, eye_of(examined)
    title = words.say(f"eye.{eye or 'unknown'}")
    if reading is None:
        return Eye(
            title, words.say("paper.refused"), "", None, "",
            (), (), (), "", _trouble(examined), "",
        )  # fmt: skip
    grade = sentences.grade(reading, words)
    return Eye(
        title=f"{title}{_source_of_eye(examined, words)}",
        grade=grade,
        verdict=sentences.verdict(reading, words),
        picture=None if examined.photo is None else draw(examined.photo, reading),
        picture_in_words=f"{words.say('paper.picture')}: {title}, {grade}",
        bars=tuple(_bars(reading, words)),
        rows=tuple(Row(*row) for row in sentences.rows(reading, words)),
        findings=tuple(_findings(reading, words)),
        missing=sentences.missing(reading, words),
        notes=(*sentences.notes(reading, words), *_trouble(examined)),
        source=_source(reading, examined.received, words),
    )


def _trouble(examined: Examined) -> tuple[str, ...]:
    return (printable(examined.trouble),) if examined.trouble else ()


def _source_of_eye(examined: Examined, words: Language) -> str:
    """In brackets, who says which eye it is, and whether the picture contradicts."""
    side = Laterality() if examined.reading is None else examined.reading.anatomy.laterality
    source = "given" if examined.eye is not None else side.source
    parts = [words.say(f"eye.{source}")] if source else []
    if side.contradiction:
        parts.append(words.say("eye.contradiction"))
    return f" ({'; '.join(parts)})" if parts else ""


def _bars(reading: Reading, words: Language) -> Iterator[Bar]:
    for icdr, share in enumerate(reading.grade.probabilities or ()):
        given = icdr == reading.grade.icdr
        yield Bar(str(icdr), share, words.percent(share), short_percent(share), given)


def _findings(reading: Reading, words: Language) -> Iterator[Finding]:
    for summary in reading.lesion_summary:
        if summary.assessed:
            kind = words.say(f"kind.{summary.kind}")
            yield Finding(summary.kind, f"{kind}: {sentences.count(summary, words)}")
    if reading.anatomy.disc.found:
        disc = words.say("paper.disc", kind=words.say(f"kind.{OPTIC_DISC.key}"))
        yield Finding(OPTIC_DISC.key, disc)


def _source(reading: Reading, received: str, words: Language) -> str:
    photo = reading.photo
    parts = [f"{photo.width} × {photo.height}", f"SHA-256 {photo.sha256[:HASH_SHOWN]}"]
    if received:
        parts.append(words.say("paper.received", day=received))
    return ", ".join(parts)


def _hashes(model: ModelUsed) -> str:
    """Of the network; and of ``bundle.json``, which holds what was calibrated."""
    network = f"SHA-256 {model.sha256[:HASH_SHOWN]}"
    if model.bundle_sha256 is None:
        return network
    return f"{network}, bundle.json {model.bundle_sha256[:HASH_SHOWN]}"


def _models(readings: Sequence[Reading], words: Language) -> Iterator[Row]:
    used: dict[ModelUsed, None] = {}
    software: dict[str, None] = {}
    for reading in readings:
        used |= dict.fromkeys(reading.models)
        software[reading.software] = None
    models = "; ".join(f"{printable(model.name)} ({_hashes(model)})" for model in used)
    if models:
        yield Row(words.say("paper.models"), models)
    if software:
        yield Row(words.say("paper.software"), ", ".join(map(printable, software)))
