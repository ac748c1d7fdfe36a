"""Photographs in stores such as S3, named by URLs (``s3://bucket/folder``) and read through fsspec.

A URL that holds a password or a signature is refused before it is used, so none can reach a table,
a ledger or a message: a store takes its credentials from the environment.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from fundoscope import limits
from fundoscope.batch.sources import archives, patterns
from fundoscope.errors import (
    ConnectionLostError,
    FundoscopeError,
    MissingExtraError,
    PhotoError,
    UsageError,
)
from fundoscope.quoting import shown

PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "file": "fsspec"}
"""The protocols that are read, and what each needs in pip."""
EXTRA: Final = "remote"
"""The extra that installs what S3 needs."""
FORM: Final = re.compile(
    r"(?P<protocol>[A-Za-z][A-Za-z0-9+.:-]+)://(?P<authority>[^/]*)(?P<rest>.*)"
)
"""A URL. A letter alone before the colon is a drive of Windows."""
AS_A_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+:/")
"""How a URL begins once it was taken for a path, which has no doubled slashes."""
QUERY: Final = re.compile(r"\?[\w.-]+=")
"""Where a signature begins; a single ``?`` may belong to a pattern."""
SECRETS: Final = "give the store's credentials in the environment, see docs/how-to/read-many.md"
DISCONNECTED: Final = frozenset(
    (
        "ConnectionError", "TimeoutError", "HTTPClientError", "ClientConnectionError",
        "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError",
    )
)  # fmt: skip
"""Classes of errors of Python, botocore and aiohttp that concern every photograph of a store."""
FILE, FOLDER = "file", "directory"
"""Types of entries, in the words of fsspec."""
MIB: Final = 2**20
ATTEMPTS: Final = 3
"""To read a photograph that is replaced meanwhile."""


@dataclass(frozen=True, slots=True)
class Url:
    """A photograph, folder or pattern in a store, without any secret.

    Attributes:
        text: all of it.
    """

    text: str

    @property
    def path(self) -> Path:
        """What follows after the protocol; not a path of this machine."""
        return Path(self.text.partition("://")[2])


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return FORM.match(text) is not None


def url(text: str) -> Url:
    """Check a URL.

    Raises:
        UsageError: it holds a password, a key or a signature, or its protocol is not read. The
            message does not repeat what may be secret.
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise UsageError("a URL", "has a line break in it", "check the name")
    protocol, authority, rest = match["protocol"], match["authority"], match["rest"]
    if "@" in authority or ":" in authority or QUERY.search(rest):
        what = f"the URL {shown(protocol)}://…"
        raise UsageError(what, "holds a password, a key or a signature", f"leave it out; {SECRETS}")
    if protocol not in PACKAGES:
        known = ", ".join(f"{name}://" for name in PACKAGES)
        why = f"has an unsupported protocol (supported: {known})"
        raise UsageError(f"the URL {shown(protocol)}://…", why, "copy the photographs to a disk")
    return Url(text)


def place(text: str) -> Path | Url:
    """What an argument of the command line names.

    Raises:
        UsageError: as :func:`url`.
    """
    return url(text) if is_url(text) else Path(text)


def refuse(option: str, path: Path | None) -> None:
    """Refuse a URL where only this machine's disk will do.

    Raises:
        UsageError: the path was given as a URL.
    """
    if path is not None and AS_A_PATH.match(str(path)):
        why = "must be a folder on this computer, not a URL: its ledger is a database"
        raise UsageError(option, why, "name a folder, and copy it to the store when the run ends")


def photographs(given: Url, suffixes: Collection[str], others: Counter[str]) -> Iterator[Url]:
    """The photographs of a URL: itself, those below a folder, or those that match a pattern.

    They come in the order of those of a folder of this machine.

    Args:
        given: of a photograph, folder or pattern.
        suffixes: of photographs, in folders.
        others: gets the counts of other files in folders, by suffix.

    Raises:
        UsageError: there is nothing, or it is a table, list or archive.
        ConnectionLostError: the store cannot be reached.
    """
    try:
        with _explained(given):
            yield from _listed(given, suffixes, others)
    except PhotoError as error:
        raise UsageError(given.text, error.why, error.remedy) from None


def _listed(given: Url, suffixes: Collection[str], others: Counter[str]) -> Iterator[Url]:
    store, key = _opened(given)
    keys = [key]
    if glob.has_magic(key) and not store.exists(key):
        keys = sorted(map(str, store.glob(key)))
    if not keys:
        raise UsageError(given.text, "matches no file", "check the pattern")
    for each in keys:
        if store.info(each)["type"] == FOLDER:
            yield from _below(store, each, suffixes, others)
        else:
            yield _photograph(store, each)


def _photograph(store: Any, key: str) -> Url:
    found = Url(str(store.unstrip_protocol(key)))
    suffix = PurePosixPath(key).suffix.lower()
    if archives.is_archive(Path(key)) or suffix in (patterns.LIST_SUFFIX, *patterns.TABLE_SUFFIXES):
        why = "is a table, list or archive, which must be on this machine"
        raise UsageError(found.text, why, "copy it to this machine; it may name URLs")
    return found


def _below(
    store: Any, folder: str, suffixes: Collection[str], others: Counter[str]
) -> Iterator[Url]:
    entries = [
        (PurePosixPath(entry["name"]).name, entry["name"], entry["type"], entry.get("islink"))
        for entry in store.ls(folder, detail=True)
        if entry["name"].rstrip("/") != folder.rstrip("/")  # what marks an empty folder in S3
    ]
    for name, key, kind, is_link in sorted(entries, key=lambda entry: entry[:2]):
        if name.startswith("."):
            continue
        suffix = PurePosixPath(name).suffix.lower()
        if kind == FOLDER and not is_link:  # links may form a cycle
            yield from _below(store, key, suffixes, others)
        elif kind != FOLDER and suffix in suffixes:
            yield Url(str(store.unstrip_protocol(key)))
        elif kind != FOLDER:
            others[suffix or "(no suffix)"] += 1


def read(photograph: Url) -> bytes:
    """The bytes of a photograph; its size is checked before it is downloaded.

    Raises:
        PhotoError: there is none, it is too large, or it may not be read.
        ConnectionLostError: the store cannot be reached.
    """
    name = photograph.path.name
    with _explained(photograph):
        store, key = _opened(photograph)
        for _ in range(ATTEMPTS):
            size = _checked(store.info(key), name)
            data: bytes = store.cat_file(key, start=0, end=size + 1) if size else b""
            if len(data) == size:
                return data
    why, remedy = "changes while it is read", "read it again when it is complete"
    raise PhotoError(name, why, remedy, code="changing")


def _checked(entry: dict[str, Any], name: str) -> int:
    """The size of an object in bytes, if it can be a photograph."""
    if entry["type"] != FILE:
        why, remedy = "is not a file", "name the photographs in it"
        raise PhotoError(name, why, remedy, code="not_a_file")
    size = entry["size"] or 0
    if size > limits.MAX_FILE_BYTES:
        why = f"is larger than {limits.MAX_FILE_BYTES // MIB} MiB"
        raise PhotoError(name, why, "save it smaller", code="too_large")
    return int(size)


def _opened(given: Url) -> tuple[Any, str]:
    """The store of a URL, and the name in it.

    Raises:
        MissingExtraError, UsageError: a package that it needs is not installed.
    """
    protocol = given.text.partition(":")[0]
    try:
        import fsspec

        # Not url_to_fs: it takes "::" in a name for a chain of stores, up to this machine's disk.
        store: Any = fsspec.filesystem(protocol, use_listings_cache=False)
    except ImportError:
        if protocol in ("s3", "file"):
            raise MissingExtraError(f"reading {protocol}://", EXTRA) from None
        package = PACKAGES[protocol]
        why = f"needs the package {package}"
        raise UsageError(given.text, why, f"install it with: pip install {package}") from None
    return store, str(store._strip_protocol(given.text))


@contextmanager
def _explained(given: Url) -> Iterator[None]:
    """Turn the errors of a store into errors of ours.

    None of their text is repeated, as it might hold what is secret.
    """
    name = given.path.name
    try:
        yield
    except FundoscopeError:
        raise
    except FileNotFoundError:
        raise PhotoError(name, "does not exist", "check the URL", code="not_found") from None
    except PermissionError:
        raise PhotoError(name, "may not be read", SECRETS, code="no_permission") from None
    except Exception as error:  # noqa: BLE001 (each kind of store has its own)
        kind = type(error).__name__
        if any(each.__name__ in DISCONNECTED for each in type(error).__mro__):
            why, remedy = f"cannot be reached ({kind})", f"check the network; {SECRETS}"
            raise ConnectionLostError(given.text, why, remedy) from None
        why, remedy = f"cannot be read from its store ({kind})", "check the URL"
        raise PhotoError(name, why, remedy, code="unreadable") from None
