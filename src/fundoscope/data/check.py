"""Check labelled photographs before training on them.

The check finds files that are missing or cannot be read, duplicates, contradictory labels, patients
in several splits, and grades that size, shape, border or source alone predict. Boxes have their own
check in :mod:`fundoscope.data.annotations.faults`; the report includes its result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.checked_photographs import CheckedPhotograph
from fundoscope.data.duplicates import SAME, Link, groups, near_duplicates
from fundoscope.data.fingerprint import Fingerprint, Refusal
from fundoscope.data.fingerprint_cache import FingerprintResult, fingerprints
from fundoscope.data.leaks import split_leaks
from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.data.shortcuts import Audit, audit
from fundoscope.quoting import as_json

if TYPE_CHECKING:
    from fundoscope.data.annotations.faults import Fault

VERSION: Final = "fundoscope.data-check/1"
MISSING: Final = "not_found"
"""The code of a missing file; see :mod:`fundoscope.photo.decode`."""
NO_RETINA: Final = ("shows no retina that could be graded", "look at it, and leave it out if so")
"""Reason and remedy; for the code see :data:`fundoscope.reading.NO_FIELD_REASONS`."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A photograph that cannot be used.

    Attributes:
        image: as the table or folder names it.
        line: of the table; 0 without a table.
        code: a stable word for the reason.
        reason: why it cannot be used.
        remedy: what to do about it.
    """

    image: str
    line: int
    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Member:
    """A photograph in a group, with its labels as far as they are known."""

    image: str
    grade: int | None = None
    split: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two duplicates: their names, their correlation, and whether one is the mirror image."""

    first: str
    second: str
    correlation: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """A group of duplicates.

    Attributes:
        members: two or more.
        exact: whether all files are identical.
        pairs: the near-duplicates among them; identical files are represented by one of them.
        declared: whether all have the same value in the column ``group`` of the table.
    """

    members: tuple[Member, ...]
    exact: bool
    pairs: tuple[Pair, ...]
    declared: bool


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that is in several splits.

    Attributes:
        by: ``patient``, ``group`` (columns of the table) or ``duplicates`` (found here).
        name: the patient or group; the first photograph of duplicates.
        splits: the splits that it is in.
        members: its photographs.
    """

    by: str
    name: str
    splits: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a check.

    Attributes:
        photographs: the number of photographs.
        missing: files that do not exist.
        unreadable: files that cannot be decoded.
        no_retina: photographs that open but show no retina, with the reason.
        duplicates: groups of duplicates, including those that the table declares.
        contradictions: duplicates, found here or declared by the column ``group``, with different
            grades; ``excluded`` rows do not count.
        leaks: patients, groups and duplicates in several splits.
        counts: source to split to grade to count.
        shapes: ``"768 x 512"`` to count, the commonest first.
        shortcuts: see :mod:`fundoscope.data.shortcuts`.
        faults: of the boxes, where they were checked.
        version: of the report's format.
    """

    photographs: int
    missing: tuple[Trouble, ...] = ()
    unreadable: tuple[Trouble, ...] = ()
    no_retina: tuple[Trouble, ...] = ()
    duplicates: tuple[Duplicates, ...] = ()
    contradictions: tuple[tuple[Member, ...], ...] = ()
    leaks: tuple[Leak, ...] = ()
    counts: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    shapes: Mapping[str, int] = field(default_factory=dict)
    shortcuts: tuple[Audit, ...] = ()
    faults: tuple[Fault, ...] = ()
    version: str = VERSION

    @property
    def findings(self) -> dict[str, int]:
        """The number of problems of each kind that need attention.

        Duplicates that the table declares as one ``group`` do not count: splits respect groups.
        """
        return {
            "missing": len(self.missing),
            "unreadable": len(self.unreadable),
            "no retina": len(self.no_retina),
            "duplicates": sum(not group.declared for group in self.duplicates),
            "contradictory labels": len(self.contradictions),
            "on two sides": len(self.leaks),
            "shortcuts": sum(bool(audit.telling) for audit in self.shortcuts),
            "faults of boxes": len(self.faults),
        }


def check(
    photographs: Sequence[CheckedPhotograph],
    *,
    faults: Sequence[Fault] = (),
    cache: Path | None = None,
    workers: int = 1,
    same: float = SAME,
    on_done: Callable[[], None] = lambda: None,
) -> Report:
    """Check photographs and their labels.

    Args:
        photographs: the photographs.
        faults: of their boxes, for the report.
        cache: folder of fingerprints; see :func:`fundoscope.data.fingerprint_cache.fingerprints`.
        workers: photographs decoded at a time.
        same: lowest correlation of near-duplicates, 0 to 1.
        on_done: called after each photograph, for progress.

    Raises:
        OutputError, UsageError: of the cache.
        ModuleNotFoundError: scikit-learn is not installed, and there are labels.
    """
    paths = [photograph.path for photograph in photographs]
    results = fingerprints(paths, cache=cache, workers=workers, on_done=on_done)
    troubles = tuple(_troubles(photographs, results))
    linked = _linked(results, same)
    rows = [photograph.row for photograph in photographs if photograph.row is not None]
    labelled = len(rows) == len(photographs)
    return Report(
        photographs=len(photographs),
        missing=tuple(trouble for trouble in troubles if trouble.code == MISSING),
        unreadable=tuple(trouble for trouble in troubles if trouble.code != MISSING),
        no_retina=tuple(_without_retina(photographs, results)),
        duplicates=tuple(_duplicates(photographs, linked)),
        contradictions=tuple(_contradictions(photographs, linked)),
        leaks=(*_declared_leaks(rows), *_found_leaks(photographs, linked)),
        counts=_counts(rows),
        shapes=_shapes(results),
        shortcuts=audit(rows, [_fingerprint(result) for result in results]) if labelled else (),
        faults=tuple(faults),
    )


@dataclass(frozen=True, slots=True)
class _Linked:
    """Places of duplicates: of identical files, of near-duplicates, and the groups of both."""

    equal: tuple[tuple[int, ...], ...]
    alike: tuple[Link, ...]
    groups: tuple[tuple[int, ...], ...]


def to_json(report: Report) -> bytes:
    """A report as JSON: all of its fields, and ``findings``."""
    import msgspec

    content = msgspec.to_builtins(report) | {"findings": report.findings}
    return as_json(content)


def _fingerprint(result: FingerprintResult) -> Fingerprint | None:
    return result if isinstance(result, Fingerprint) else None


def _troubles(
    photographs: Sequence[CheckedPhotograph], results: Sequence[FingerprintResult]
) -> Iterator[Trouble]:
    for photograph, result in zip(photographs, results, strict=True):
        if isinstance(result, Refusal):
            yield _trouble(photograph, result.code, result.reason, result.remedy)


def _without_retina(
    photographs: Sequence[CheckedPhotograph], results: Sequence[FingerprintResult]
) -> Iterator[Trouble]:
    for photograph, result in zip(photographs, results, strict=True):
        if isinstance(result, Fingerprint) and result.field.reason is not None:
            yield _trouble(photograph, result.field.reason, *NO_RETINA)


def _trouble(photograph: CheckedPhotograph, code: str, reason: str, remedy: str) -> Trouble:
    line = photograph.row.line if photograph.row else 0
    return Trouble(photograph.image, line, code, reason, remedy)


def _linked(results: Sequence[FingerprintResult], same: float) -> _Linked:
    """Find duplicates; of identical files one is compared, or copies would make many pairs."""
    by_hash: dict[str, list[int]] = {}
    for place, result in enumerate(results):
        if isinstance(result, Fingerprint):
            by_hash.setdefault(result.sha256, []).append(place)
    equal = tuple(tuple(places) for places in by_hash.values() if len(places) > 1)
    crops = [b""] * len(results)
    for places in by_hash.values():
        result = results[places[0]]
        crops[places[0]] = result.crop if isinstance(result, Fingerprint) else b""
    alike = near_duplicates(crops, same=same)
    pairs = [(places[0], other) for places in equal for other in places[1:]]
    pairs += [(link.first, link.second) for link in alike]
    return _Linked(equal, alike, groups(len(results), pairs))


def _duplicates(photographs: Sequence[CheckedPhotograph], linked: _Linked) -> Iterator[Duplicates]:
    equal = set(linked.equal)
    by_first: dict[int, list[Link]] = {}
    for link in linked.alike:
        by_first.setdefault(link.first, []).append(link)
    for places in linked.groups:
        pairs = tuple(
            Pair(
                photographs[link.first].image,
                photographs[link.second].image,
                link.correlation,
                link.mirrored,
            )
            for place in places
            for link in by_first.get(place, ())
        )
        rows = (photographs[place].row for place in places)
        names = {row.group if row else "" for row in rows}
        declared = len(names) == 1 and "" not in names
        yield Duplicates(_members(photographs, places), places in equal, pairs, declared)


def _members(photographs: Sequence[CheckedPhotograph], places: Sequence[int]) -> tuple[Member, ...]:
    return tuple(_member(photographs[place].image, photographs[place].row) for place in places)


def _member(image: str, row: Row | None) -> Member:
    return Member(image) if row is None else Member(image, row.grade, row.split, row.patient)


def _contradictions(
    photographs: Sequence[CheckedPhotograph], linked: _Linked
) -> Iterator[tuple[Member, ...]]:
    declared: dict[str, list[int]] = {}
    for place, photograph in enumerate(photographs):
        if photograph.row is not None and photograph.row.group:
            declared.setdefault(photograph.row.group, []).append(place)
    pairs = [
        (places[0], other)
        for places in (*linked.groups, *declared.values())
        for other in places[1:]
    ]
    for places in groups(len(photographs), pairs):
        members = _members(
            photographs, [place for place in places if _counts_as_labelled(photographs[place])]
        )
        if len({member.grade for member in members}) > 1:
            yield members


def _counts_as_labelled(photograph: CheckedPhotograph) -> bool:
    return photograph.row is not None and photograph.row.split != EXCLUDED


def _declared_leaks(rows: Sequence[Row]) -> Iterator[Leak]:
    for leak in split_leaks(rows):
        members = tuple(_member(row.image, row) for row in leak.rows)
        yield Leak(leak.column, leak.name, leak.splits, members)


def _found_leaks(photographs: Sequence[CheckedPhotograph], linked: _Linked) -> Iterator[Leak]:
    for places in linked.groups:
        members = _members(
            photographs, [place for place in places if _counts_as_labelled(photographs[place])]
        )
        splits = tuple(sorted({member.split for member in members if member.split}))
        if len(splits) > 1:
            yield Leak("duplicates", members[0].image, splits, members)


def _counts(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (source, split, grade), n in sorted(
        Counter((row.source, row.split, row.grade) for row in rows).items()
    ):
        counts.setdefault(source, {}).setdefault(split, {})[str(grade)] = n
    return counts


def _shapes(results: Sequence[FingerprintResult]) -> dict[str, int]:
    sizes = Counter(
        (result.width, result.height) for result in results if isinstance(result, Fingerprint)
    )
    return {f"{width} x {height}": n for (width, height), n in sizes.most_common()}
