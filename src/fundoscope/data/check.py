"""Everything that can be wrong with labelled photographs before anybody trains on them.

Files that are missing or cannot be read, photographs that are there twice, labels that contradict
each other, patients on two sides of a split, and grades that the frame gives away. Boxes have their
own check in :mod:`fundoscope.data.annotations.faults`, whose result stands in the same report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.duplicates import SAME, Link, groups, near_duplicates
from fundoscope.data.fingerprint import Fingerprint, Refusal
from fundoscope.data.fingerprint_cache import Found, fingerprints
from fundoscope.data.leaks import torn
from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.data.shortcuts import Audit, audit
from fundoscope.data.subjects import Subject

if TYPE_CHECKING:
    from fundoscope.data.annotations.faults import Fault

VERSION: Final = "fundoscope.data-check/1"
MISSING: Final = "not_found"
"""The code of a file that is not there; see :mod:`fundoscope.photo.decode`."""
NO_RETINA: Final = ("shows no retina that could be graded", "look at it, and leave it out if so")
"""Reason and remedy; the code says more, see :data:`fundoscope.reading.NO_FIELD_REASONS`."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A photograph that cannot be used, and why; ``line`` of the table, 0 without one."""

    image: str
    line: int
    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Member:
    """A photograph in a group of several; its labels as far as they are known."""

    image: str
    grade: int | None = None
    split: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs that are one: names, correlation, and whether one is the mirror image."""

    first: str
    second: str
    correlation: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Photographs that are one.

    Attributes:
        members: two or more.
        exact: whether all their files are the same, byte for byte.
        pairs: the near duplicates among them, one file standing for all that equal it.
        declared: whether the table knows: all have one value in its column ``group``.
    """

    members: tuple[Member, ...]
    exact: bool
    pairs: tuple[Pair, ...]
    declared: bool


@dataclass(frozen=True, slots=True)
class Leak:
    """What stands on two sides of a split.

    Attributes:
        by: ``patient``, ``group`` (columns of the table) or ``duplicates`` (found here).
        name: the patient or group; of duplicates, the first photograph.
        splits: where it stands.
        members: its photographs.
    """

    by: str
    name: str
    splits: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        photographs: how many were looked at.
        missing, unreadable: files that are not there or cannot be decoded.
        no_retina: photographs that open but show no retina, with the reason.
        duplicates: groups of photographs that are one, the table's own among them.
        contradictions: photographs that are one, found here or by the column ``group``, and have
            different grades; ``excluded`` rows do not count.
        leaks: on two sides of a split.
        counts: source to split to grade to how many.
        shapes: ``"768 x 512"`` to how many, the commonest first.
        shortcuts: see :mod:`fundoscope.data.shortcuts`.
        faults: of the boxes, where they were checked.
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
        """How many of each kind ask for something to be done.

        Duplicates that the table declares in one ``group`` do not: splits respect groups.
        """
        return {
            "missing": len(self.missing),
            "unreadable": len(self.unreadable),
            "no retina": len(self.no_retina),
            "duplicates": sum(not group.declared for group in self.duplicates),
            "contradictory labels": len(self.contradictions),
            "on two sides": len(self.leaks),
            "shortcuts": sum(bool(one.telling) for one in self.shortcuts),
            "faults of boxes": len(self.faults),
        }


def check(
    of: Sequence[Subject],
    *,
    faults: Sequence[Fault] = (),
    cache: Path | None = None,
    workers: int = 1,
    same: float = SAME,
    on_done: Callable[[], None] = lambda: None,
) -> Report:
    """Check photographs and their labels.

    Args:
        of: the photographs.
        faults: of their boxes, which stand in the report.
        cache: folder of fingerprints; see :func:`fundoscope.data.fingerprint_cache.fingerprints`.
        workers: photographs decoded at a time.
        same: least correlation of near duplicates.
        on_done: called after each photograph, for progress.

    Raises:
        OutputError, UsageError: of the cache.
        ModuleNotFoundError: scikit-learn is not installed, and there are labels.
    """
    found = fingerprints([one.path for one in of], cache=cache, workers=workers, on_done=on_done)
    troubles = tuple(_troubles(of, found))
    linked = _linked(found, same)
    rows = [one.row for one in of if one.row is not None]
    labelled = len(rows) == len(of)
    return Report(
        photographs=len(of),
        missing=tuple(one for one in troubles if one.code == MISSING),
        unreadable=tuple(one for one in troubles if one.code != MISSING),
        no_retina=tuple(_without_retina(of, found)),
        duplicates=tuple(_duplicates(of, linked)),
        contradictions=tuple(_contradictions(of, linked)),
        leaks=(*_declared_leaks(rows), *_found_leaks(of, linked)),
        counts=_counts(rows),
        shapes=_shapes(found),
        shortcuts=audit(rows, [_seen(one) for one in found]) if labelled else (),
        faults=tuple(faults),
    )


@dataclass(frozen=True, slots=True)
class _Linked:
    """Which places hold one photograph: by equal bytes, by likeness, and both together."""

    equal: tuple[tuple[int, ...], ...]
    alike: tuple[Link, ...]
    groups: tuple[tuple[int, ...], ...]


def to_json(report: Report) -> bytes:
    """A report for programs: all of its fields, and ``findings``."""
    import msgspec

    content = msgspec.to_builtins(report) | {"findings": report.findings}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _seen(found: Found) -> Fingerprint | None:
    return found if isinstance(found, Fingerprint) else None


def _troubles(of: Sequence[Subject], found: Sequence[Found]) -> Iterator[Trouble]:
    for one, refusal in zip(of, found, strict=True):
        if isinstance(refusal, Refusal):
            yield _trouble(one, refusal.code, refusal.reason, refusal.remedy)


def _without_retina(of: Sequence[Subject], found: Sequence[Found]) -> Iterator[Trouble]:
    for one, seen in zip(of, found, strict=True):
        if isinstance(seen, Fingerprint) and seen.field.reason is not None:
            yield _trouble(one, seen.field.reason, *NO_RETINA)


def _trouble(one: Subject, code: str, reason: str, remedy: str) -> Trouble:
    return Trouble(one.image, one.row.line if one.row else 0, code, reason, remedy)


def _linked(found: Sequence[Found], same: float) -> _Linked:
    """Equal files are compared with others but once: a thousand copies make no million pairs."""
    by_hash: dict[str, list[int]] = {}
    for place, one in enumerate(found):
        if isinstance(one, Fingerprint):
            by_hash.setdefault(one.sha256, []).append(place)
    equal = tuple(tuple(places) for places in by_hash.values() if len(places) > 1)
    crops = [b""] * len(found)
    for places in by_hash.values():
        one = found[places[0]]
        crops[places[0]] = one.crop if isinstance(one, Fingerprint) else b""
    alike = near_duplicates(crops, same=same)
    pairs = [(places[0], other) for places in equal for other in places[1:]]
    pairs += [(link.first, link.second) for link in alike]
    return _Linked(equal, alike, groups(len(found), pairs))


def _duplicates(of: Sequence[Subject], linked: _Linked) -> Iterator[Duplicates]:
    equal = set(linked.equal)
    by_first: dict[int, list[Link]] = {}
    for link in linked.alike:
        by_first.setdefault(link.first, []).append(link)
    for places in linked.groups:
        pairs = tuple(
            Pair(of[link.first].image, of[link.second].image, link.correlation, link.mirrored)
            for place in places
            for link in by_first.get(place, ())
        )
        names = {one.row.group if one.row else "" for one in (of[place] for place in places)}
        declared = len(names) == 1 and "" not in names
        yield Duplicates(_members(of, places), places in equal, pairs, declared)


def _members(of: Sequence[Subject], places: Sequence[int]) -> tuple[Member, ...]:
    return tuple(_member(of[place].image, of[place].row) for place in places)


def _member(image: str, row: Row | None) -> Member:
    return Member(image) if row is None else Member(image, row.grade, row.split, row.patient)


def _contradictions(of: Sequence[Subject], linked: _Linked) -> Iterator[tuple[Member, ...]]:
    declared: dict[str, list[int]] = {}
    for place, one in enumerate(of):
        if one.row is not None and one.row.group:
            declared.setdefault(one.row.group, []).append(place)
    pairs = [
        (places[0], other)
        for places in (*linked.groups, *declared.values())
        for other in places[1:]
    ]
    for places in groups(len(of), pairs):
        members = _members(of, [place for place in places if _counts_as_labelled(of[place])])
        if len({member.grade for member in members}) > 1:
            yield members


def _counts_as_labelled(one: Subject) -> bool:
    return one.row is not None and one.row.split != EXCLUDED


def _declared_leaks(rows: Sequence[Row]) -> Iterator[Leak]:
    for one in torn(rows):
        members = tuple(_member(row.image, row) for row in one.rows)
        yield Leak(one.column, one.name, one.splits, members)


def _found_leaks(of: Sequence[Subject], linked: _Linked) -> Iterator[Leak]:
    for places in linked.groups:
        members = _members(of, [place for place in places if _counts_as_labelled(of[place])])
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


def _shapes(found: Sequence[Found]) -> dict[str, int]:
    seen = Counter(
        (one.width, one.height) for one in found if isinstance(one, Fingerprint)
    ).most_common()
    return {f"{width} x {height}": n for (width, height), n in seen}
