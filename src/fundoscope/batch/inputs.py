"""What to read: files, folders and tables as one list of photographs in a stable order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope import limits
from fundoscope.batch.sources import archives, patterns, remote
from fundoscope.batch.sources.remote import Url
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.data.columns import name_in, names_of
from fundoscope.data.table import read_table
from fundoscope.errors import PhotoError, TableError, UsageError
from fundoscope.quoting import shown

IMAGE: Final = "image"
RESULTS: Final = ("run.json", "readings.csv")
"""Files by which a folder of results is known."""
UNFINISHED_RUN: Final = "unfinished/ledger.sqlite"
"""The file by which the folder of a run that was killed is known: it holds pictures, too."""
OWN_RESULTS: Final = "folder of results"
SUFFIXES: Final = (*PHOTOGRAPH_SUFFIXES, *(suffix.upper() for suffix in PHOTOGRAPH_SUFFIXES))
"""Suffixes that a cell may leave out."""


@dataclass(frozen=True, slots=True)
class Input:
    """One photograph to read.

    Attributes:
        image: as the user named it, and as every result names it: the path on the command line or
            below the folder given there, or the cell of the table.
        path: of its file.
        id: as in the table; ``""`` where unknown.
        patient: as in the table; ``""`` where unknown.
        eye: as in the table; ``""`` where unknown.
        from_table: whether it is a row of a table.
        problem: why it cannot be read, if that is known before it is opened.
        archive: the zip or tar file that holds it; then ``path`` is the archive's path and, below
            it, the name in the archive. ``""`` for a file of its own.
        place: in the archive, see :func:`fundoscope.batch.sources.archives.members`.
        url: where a store holds it, see :mod:`fundoscope.batch.sources.remote`; then ``path`` is
            not a path of this machine. ``""`` for a file of this machine.
        listed: whether its folder had it when the folder was listed.
    """

    image: str
    path: Path
    id: str = ""
    patient: str = ""
    eye: str = ""
    from_table: bool = False
    problem: PhotoError | None = None
    archive: str = ""
    place: int = 0
    url: str = ""
    listed: bool = False

    @property
    def member(self) -> str:
        """Its name in the archive."""
        return self.path.relative_to(self.archive).as_posix()


@dataclass(frozen=True, slots=True)
class Inputs:
    """The photographs that a command reads.

    Attributes:
        photographs: in order: arguments as given, folders sorted by name, tables row by row.
        passed_over: counts of skipped files in the folders, by suffix; they are not photographs.
    """

    photographs: tuple[Input, ...]
    passed_over: dict[str, int] = field(default_factory=dict)


def gather(paths: Sequence[Path], *, leave_out: Path | None = None) -> Inputs:
    """List the photographs of files, folders (with all below) and tables.

    Args:
        paths: as for :func:`stream`.
        leave_out: as for :func:`stream`.

    Raises:
        UsageError: as :func:`stream`.
        TableError: a table is not valid.
    """
    passed_over: Counter[str] = Counter()
    photographs = tuple(stream(paths, passed_over, leave_out=leave_out))
    return Inputs(photographs, dict(sorted(passed_over.items())))


def stream(
    paths: Sequence[Path | Url], passed_over: Counter[str], *, leave_out: Path | None = None
) -> Iterator[Input]:
    """Yield the photographs of files, folders (with all below), lists, archives and tables.

    A file or folder that is reached twice is read once; each row of a table counts.

    Args:
        paths: photographs of any name; folders; patterns such as ``eyes/*.jpg``; lists (.txt) with
            a path a line, relative to the list; archives (.zip, .tar, .tar.gz, …); tables (see
            :func:`fundoscope.data.table.read_table`) with a column ``image``, or another name of
            :data:`fundoscope.data.columns.SYNONYMS`, and optionally ``id``, ``patient`` and
            ``eye``, image paths relative to the table. Photographs, folders and patterns may be
            URLs, and lists and tables may name URLs of photographs.
        passed_over: gets the counts of skipped files in folders and archives, by suffix.
        leave_out: a folder that is not entered (where the results go).

    Raises:
        UsageError: a path does not exist, a folder or archive holds no photograph, or is
            ``leave_out``.
        TableError: a table is not valid.
    """
    seen: set[Path | str] = set()
    given = list(_expanded(paths, leave_out, passed_over))
    single = len(given) == 1 and (
        isinstance(given[0], Url) or given[0].suffix.lower() != patterns.LIST_SUFFIX
    )
    for path in given:
        if (
            isinstance(path, Path)
            and path.suffix.lower() in patterns.TABLE_SUFFIXES
            and not _is_folder(path)
        ):
            yield from _of_table(path)
            continue
        for photograph in _of_path(path, leave_out, passed_over):
            # A single folder or archive reaches nothing twice, and may hold very many photographs.
            if single or _first_time(photograph, seen):
                yield photograph


def _expanded(
    paths: Sequence[Path | Url], leave_out: Path | None, passed_over: Counter[str]
) -> Iterator[Path | Url]:
    """Replace patterns by what they match, without folders of results.

    A pattern that matches the folder of results, too, could not be resumed otherwise.
    """
    for path in paths:
        if isinstance(path, Url):
            yield path
            continue
        found = list(patterns.expanded([path]))
        kept = [each for each in found if each == path or not _is_of_results(each, leave_out)]
        if not kept:
            raise UsageError(str(path), "matches folders of results only", "check the pattern")
        if kept != found:
            passed_over[OWN_RESULTS] += len(found) - len(kept)
        yield from kept


def _is_of_results(path: Path, leave_out: Path | None) -> bool:
    if not _is_folder(path):
        return False
    is_out = leave_out is not None and leave_out.is_dir() and path.samefile(leave_out)
    return is_out or _holds_results(path)


def _first_time(photograph: Input, seen: set[Path | str]) -> bool:
    identity = photograph.url or photograph.path.absolute()
    new = identity not in seen
    seen.add(identity)
    return new


def _of_path(
    path: Path | Url, leave_out: Path | None, passed_over: Counter[str]
) -> Iterator[Input]:
    others: Counter[str] = Counter()
    if isinstance(path, Url):
        urls = remote.photographs(path, PHOTOGRAPH_SUFFIXES, others)
        yield from _some(path.text, map(_of_url, urls), others)
        passed_over.update(others)
    elif _is_folder(path):
        if _holds_results(path):
            why = "holds the results of an earlier run, not photographs"
            raise UsageError(str(path), why, "name the folder of the photographs")
        entered = {_identity(path)}
        if leave_out is not None and leave_out.is_dir():
            entered.add(_identity(leave_out))
            if len(entered) == 1:
                # The next run would read the pictures of this run as photographs.
                why = "is also the folder of the photographs"
                raise UsageError(f"--out {leave_out}", why, "name another folder")
        yield from _some(str(path), _of_folder(path, entered, others), others)
        passed_over.update(others)
    elif not _exists(path):
        raise UsageError(str(path), "does not exist", "check the path")
    elif archives.is_archive(path):
        members = archives.members(path, PHOTOGRAPH_SUFFIXES, others)
        named = (
            Input(f"{path}/{name}", path / name, archive=str(path), place=place)
            for place, name in members
        )
        yield from _some(str(path), named, others)
        passed_over.update(others)
    elif path.suffix.lower() == patterns.LIST_SUFFIX:
        yield from _some(str(path), _of_list(path), others)
    else:
        yield Input(str(path), path)


def _of_url(url: Url) -> Input:
    return Input(url.text, url.path, url=url.text)


def _of_list(path: Path) -> Iterator[Input]:
    for number, name in enumerate(patterns.lines(path), 1):
        if remote.is_url(name):
            yield _of_url(_url(name, f"{path.name}, entry {number}"))
        else:
            blanks = not _exists(path.parent / name) and _exists(path.parent / name.strip())
            kept = name.strip() if blanks else name
            yield Input(kept, path.parent / kept)


def _url(text: str, where: str) -> Url:
    """A URL in a list or table.

    Raises:
        TableError: it is not valid.
    """
    try:
        return remote.url(text)
    except UsageError as error:
        raise TableError(where, f"{error.what} {error.why}", error.remedy) from None


def _some(path: str, photographs: Iterator[Input], others: Counter[str]) -> Iterator[Input]:
    """Yield photographs, and complain where there is none."""
    first = next(photographs, None)
    if first is None:
        raise UsageError(path, _emptiness(others), "name a folder with photographs")
    yield first
    yield from photographs


def _emptiness(others: Counter[str]) -> str:
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    wanted = " ".join(PHOTOGRAPH_SUFFIXES)
    return f"holds no photograph ({wanted})" + (f", only other files: {kinds}" if kinds else "")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # No permission: reading it as a file reports that.
        return False


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # Reading it as a file reports what is wrong.
        return True
    return True


def _identity(folder: Path) -> tuple[int, int]:
    """An identity of a folder however it is reached, because links may form a cycle."""
    status = folder.stat()
    return (status.st_dev, status.st_ino)


def _holds_results(folder: Path) -> bool:
    """Whether an earlier run wrote its results into a folder."""
    try:
        written = all((folder / file).is_file() for file in RESULTS)
        return written or (folder / UNFINISHED_RUN).is_file()
    except OSError:  # No permission: entering it reports that.
        return False


def _of_folder(
    folder: Path, entered: set[tuple[int, int]], others: Counter[str]
) -> Iterator[Input]:
    try:
        entries = _entries(folder)
    except OSError as error:
        yield _closed(folder, error)
        return
    for name, is_folder in entries:
        entry = folder / name
        if is_folder:
            if _holds_results(entry):
                others[OWN_RESULTS] += 1  # Their pictures are no photographs.
                continue
            try:
                identity = _identity(entry)
            except OSError as error:
                yield _closed(entry, error)
                continue
            if identity not in entered:
                entered.add(identity)
                yield from _of_folder(entry, entered, others)
        elif entry.suffix.lower() in PHOTOGRAPH_SUFFIXES:
            yield Input(str(entry), entry, listed=True)
        else:
            others[entry.suffix.lower() or "(no suffix)"] += 1


def _closed(folder: Path, error: OSError) -> Input:
    reason = f"is a folder that cannot be opened ({error.strerror})"
    problem = PhotoError(folder.name, reason, "change its permissions", code="no_permission")
    return Input(str(folder), folder, problem=problem)


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """The names in a folder in order, each with whether it is a folder; hidden ones are left out.

    A folder of 100,000 photographs is listed without a look at each of them.
    """
    with os.scandir(folder) as entries:
        return sorted(
            (entry.name, _leads_to_folder(entry))
            for entry in entries
            if not entry.name.startswith(".")
        )


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # No permission: reading it as a file reports that.
        return False


def _of_table(path: Path) -> Iterator[Input]:
    table = read_table(path, required=())
    names = names_of(table.columns)
    if IMAGE not in names:
        existing = shown(", ".join(table.columns), limits.MAX_NAME_CHARACTERS)
        raise TableError(
            f"{path.name}, line 1",
            f"has no column {IMAGE} (it has: {existing})",
            f"name the column of the photographs {IMAGE} in the header",
        )
    columns = {column: names.get(column, column) for column in ("id", "patient", "eye")}
    pictures: list[Pictures] = []
    for line, cells in table.rows:
        image = cells[names[IMAGE]]
        if not image or "\0" in image:
            raise TableError(
                f"{path.name}, line {line}, column {IMAGE}",
                "does not name a photograph",
                "write the path of the photograph, relative to the table",
            )
        url = _url(image, f"{path.name}, line {line}") if remote.is_url(image) else None
        yield Input(
            image,
            _listed(path.parent, image, pictures) if url is None else url.path,
            id=cells.get(columns["id"], ""),
            patient=name_in(cells.get(columns["patient"], "")),
            eye=cells.get(columns["eye"], ""),
            from_table=True,
            url="" if url is None else url.text,
        )


def _listed(folder: Path, image: str, pictures: list[Pictures]) -> Path:
    r"""The photograph that a cell names: as written, with ``\`` as ``/``, or without its suffix.

    A name without folders may also be that of a single photograph further below.

    Args:
        folder: of the table.
        image: the cell.
        pictures: gets the photographs below the folder, once they have been listed.
    """
    written = folder / image
    turned = folder / PurePosixPath(image.replace("\\", "/"))
    existing = next((path for path in (written, turned) if _exists(path)), None)
    if existing is not None:
        return existing
    suffixed = (Path(f"{turned}{suffix}") for suffix in SUFFIXES)
    existing = next((path for path in suffixed if _exists(path)), None)
    if existing is not None:
        return existing
    if turned.parent == folder:
        if not pictures:
            pictures.append(Pictures.of(folder))
        index = pictures[0]
        known = index.find(turned.name) or index.with_stem(turned.name)
        if known is not None:
            return folder / known
    return written
