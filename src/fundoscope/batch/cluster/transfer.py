"""What travels to the machines of a cluster: how a reader is made, and photographs.

Those machines may not see the disk of this one, so files travel as their content: bundles and rule
sets with the hash of each file, photographs as bytes. Photographs in a store travel as their URLs.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fundoscope import limits
from fundoscope.batch.jobs import Job, PhotoReader, Refusal, unchanged
from fundoscope.errors import BundleError, PhotoError, UsageError
from fundoscope.grading.rules import rulesets
from fundoscope.models import bundle, files
from fundoscope.photo.decode import name_of, read_bytes
from fundoscope.regular import size_of

BUNDLES: Final = ("grader", "detector")
"""Options of a reader that may name a bundle."""
RULES: Final = "rules"
"""The option of a reader that names rule sets, some of them files."""
BUNDLE_FILES: Final = {
    bundle.MANIFEST: limits.MAX_BUNDLE_JSON_BYTES,
    bundle.MODEL: limits.MAX_MODEL_BYTES,
    bundle.CARD: limits.MAX_CARD_BYTES,
    bundle.SEAL: limits.MAX_SEAL_BYTES,
}
"""The files of a bundle that travel, and the most bytes of each."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on its way.

    Attributes:
        name: its bare name.
        content: its bytes.
        sha256: of the content, where it was packed.
    """

    name: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """How a reader is made on another machine.

    Attributes:
        make: a class or function of a module.
        options: what it is called with, but for what is packed.
        bundles: the files of each bundle, by the option that names it, with the bundle's name.
        rules: the names of rule sets, and the files of others.
    """

    make: Callable[..., PhotoReader]
    options: Mapping[str, object]
    bundles: Mapping[str, tuple[str, tuple[File, ...]]]
    rules: tuple[str | File, ...]


def reader_spec(make: Callable[..., PhotoReader], options: Mapping[str, object]) -> ReaderSpec:
    """How a reader is made, with the files that it needs.

    Args:
        make: a class or function of a module, such as :class:`fundoscope.reader.Reader`.
        options: what it is called with.

    Raises:
        BundleError: a bundle cannot be read.
        UsageError: a file of rules cannot be read.
    """
    plain = {name: value for name, value in options.items() if name not in (*BUNDLES, RULES)}
    given = {name: Path(str(options[name])) for name in BUNDLES if options.get(name) is not None}
    rules = options.get(RULES, ())
    names = rules if isinstance(rules, list | tuple) else ()
    return ReaderSpec(
        make,
        plain,
        {name: (path.name, tuple(_of_bundle(path))) for name, path in given.items()},
        tuple(_rule(str(name)) for name in names),
    )


def reader(spec: ReaderSpec) -> PhotoReader:
    """Make the reader that was packed; its files are on this machine's disk meanwhile only.

    Raises:
        FundoscopeError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="fundoscope-") as folder:
        options = dict(spec.options)
        for place, (option, (name, content)) in enumerate(spec.bundles.items()):
            options[option] = _written(Path(folder) / str(place) / name, content)
        if spec.rules:
            options[RULES] = tuple(
                str(_written(Path(folder) / f"rules-{place}", (rule,)) / rule.name)
                if isinstance(rule, File)
                else rule
                for place, rule in enumerate(spec.rules)
            )
        return spec.make(**options)


def with_content(job: Job) -> Job | Refusal:
    """A job that needs no file of this machine; a refusal if its file cannot be read."""
    if not isinstance(job.source, str):
        return job
    path = Path(job.source)
    try:
        return replace(job, source=unchanged(path, read_bytes), name=name_of(path))
    except PhotoError as error:
        return Refusal(error.what, error.why, error.remedy, error.code)


def _of_bundle(path: Path) -> list[File]:
    read = files.reader(path)
    content = []
    for name, bound in BUNDLE_FILES.items():
        try:
            content.append(_file(name, read(name, bound)))
        except files.MissingFileError:
            continue  # Loading it says whether that matters.
    return content


def _rule(name: str) -> str | File:
    """The name of a rule set that ships, or the file of another."""
    if not name.endswith(rulesets.SUFFIX):
        return name
    path = Path(name)
    try:
        if size_of(path) > limits.MAX_RULESET_BYTES:
            raise UsageError(path.name, "is too large for a rule set", "give another file")
        return _file(path.name, path.read_bytes())
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        raise UsageError(path.name, why, "check the path") from error


def _file(name: str, content: bytes) -> File:
    return File(name, content, hashlib.sha256(content).hexdigest())


def _written(folder: Path, content: tuple[File, ...]) -> Path:
    """Write files into a new folder, and return it.

    Raises:
        BundleError: the content of one is not what was packed.
    """
    folder.mkdir(parents=True)
    for file in content:
        if hashlib.sha256(file.content).hexdigest() != file.sha256:
            why = f"its {file.name} did not arrive whole"
            raise BundleError(folder.name, why, "run the command again")
        (folder / file.name).write_bytes(file.content)
    return folder
