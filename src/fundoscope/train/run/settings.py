"""What the configurations of all tasks share: reading TOML, replacing values, checking them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from fundoscope.errors import UsageError
from fundoscope.train.run import optimisers

MESSAGE: Final = 300
"""Characters of a parser's message that are repeated."""
SYNTAX_LINE: Final = re.compile(r"\(at line (\d+)")
PLACE: Final = re.compile(r"at `(?:key in )?\$([^`]*)`")
UNKNOWN_KEY: Final = re.compile(r"unknown field `([^`]*)`")
"""Parts of the messages of tomllib and msgspec."""
TABLE: Final = re.compile(r"\s*(\[+)\s*([^\]]+?)\s*\]")
ARRAY: Final = "[["
INDEX: Final = re.compile(r"\[.*?\]")
"""The number of a table in an array of tables, as in ``stages[0].size``."""
KEY: Final = re.compile(r"\s*([\w\"'-]+(?:\.[\w\"'-]+)*)\s*=")
"""The beginning of a table and of a key in TOML."""
_Config = TypeVar("_Config", bound=msgspec.Struct)

PRECISIONS: Final = ("auto", "32-true", "bf16-mixed", "64-true")
"""Of Lightning Fabric. "16-mixed" is left out: it scales the loss by a number that no check-point
holds."""
HARDWARE: Final = ("threads", "devices", "precision")
"""Settings that say where a run is computed. A run may be resumed with other values of them."""
TRAINING: Final[dict[str, tuple[str, ...]]] = {
    "precision": PRECISIONS,
    "optimiser.name": optimisers.NAMES,
    "optimiser.schedule": optimisers.SCHEDULES,
}
"""The words that each of these keys takes, in every configuration."""
TRAINING_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "optimiser.batch": (1, math.inf),
    "optimiser.momentum": (0, 0.9999),
    "optimiser.weight_decay": (0, math.inf),
    "optimiser.warm_up": (0, 1),
    "optimiser.clip": (0, math.inf),
    "optimiser.ema": (0, 0.999999),
    "patience": (0, math.inf),
    "seed": (0, math.inf),
    "devices": (1, math.inf),
    "threads": (0, math.inf),
    "checkpoint_every": (1, math.inf),
}
"""The lowest and the highest valid value of each of these keys, in every configuration."""


class SettingError(UsageError):
    """A setting has a value that is not valid.

    Attributes:
        key: of the setting, e.g. ``"optimiser.rate"`` or ``"stages[0].size"``.
    """

    def __init__(self, what: str, why: str, remedy: str, *, key: str) -> None:
        """Describe what is wrong.

        Args:
            what: the configuration, the setting and its value.
            why: what is wrong with it.
            remedy: what to do about it.
            key: of the setting.
        """
        super().__init__(what, why, remedy)
        self.key = key


class Hardware(Protocol):
    """The part of a configuration that says where a run is computed; see :data:`HARDWARE`."""

    @property
    def threads(self) -> int:
        """CPU threads; 0: all."""

    @property
    def devices(self) -> int:
        """Number of devices of the fastest kind available (GPUs, else processes)."""

    @property
    def precision(self) -> str:
        """One of :data:`PRECISIONS`; ``auto``: bf16 on a GPU, else float32."""


def read(
    path: Path, form: type[_Config], kind: str, *, check: Callable[[_Config, str], None]
) -> _Config:
    """Read a TOML configuration, and check its values.

    Args:
        path: the file.
        form: the type of the configuration.
        kind: what it configures, ``"grader"`` or ``"detector"``.
        check: rejects invalid values of a configuration with this title.

    Raises:
        UsageError: the file cannot be read, or holds an unknown key or a value that is not valid;
            it names the line.
    """
    text = ""
    try:
        text = path.read_bytes().decode()
        config = msgspec.toml.decode(text, type=form)
        check(config, path.name)
    except OSError as error:
        raise UsageError(
            path.name,
            f"cannot be read ({error.strerror})",
            "name a configuration file; `fundoscope train config` lists those that ship",
        ) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        line = _line(text, str(error))
        raise UsageError(
            path.name if line is None else f"{path.name}, line {line}",
            f"is not a configuration of a {kind} ({str(error)[:MESSAGE]})",
            f"compare it with: fundoscope train config {kind}",
        ) from None
    except SettingError as error:
        line = _line_of(text, error.key.split("."))
        if line is None:
            raise
        setting = error.what.removeprefix(f"{path.name}, ")
        what = f"{path.name}, line {line}, {setting}"
        raise UsageError(what, error.why, error.remedy) from None
    return config


def _line(text: str, message: str) -> int | None:
    """The line that a message about a TOML file means, from 1; ``None`` if it cannot be found."""
    syntax = SYNTAX_LINE.search(message)
    if syntax is not None:
        return int(syntax[1])
    place = PLACE.search(message)
    keys = [] if place is None else [key for key in place[1].split(".") if key]
    unknown = UNKNOWN_KEY.search(message)
    if unknown is not None:
        keys.append(unknown[1])
    return _line_of(text, keys)


def _line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line of a key, from 1, else that of the table that it belongs to.

    Args:
        text: of a TOML file.
        keys: the parts of the dotted key; tables of an array may be numbered (``stages[1]``).
    """
    lines = list(_keys(text))
    for wanted in (".".join(keys[:end]) for end in range(len(keys), 0, -1)):
        for number, key in lines:
            if key == wanted:
                return number
        for number, key in lines:
            if INDEX.sub("", key) == INDEX.sub("", wanted):
                return number
    return None


def _keys(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a TOML file that begin a key or a table, with its dotted name.

    Tables of an array are numbered from 0.
    """
    table, counts = "", Counter[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = TABLE.match(line), KEY.match(line)
        if header is not None:
            table = header[2]
            if header[1] == ARRAY:
                counts[table] += 1
                table = f"{table}[{counts[table] - 1}]"
            yield number, table
        elif key is not None:
            name = key[1].strip("\"'")
            yield number, f"{table}.{name}" if table else name


def convert(stored: Mapping[str, Any], form: type[_Config], kind: str) -> _Config:
    """A configuration from plain values, such as those that a run folder or a bundle stores.

    Args:
        stored: the values by key; keys that are missing take their defaults.
        form: the type of the configuration.
        kind: what it configures, ``"grader"`` or ``"detector"``.

    Raises:
        UsageError: the values are not a valid configuration.
    """
    try:
        return msgspec.convert(dict(stored), form)
    except msgspec.ValidationError as error:
        raise UsageError(
            "the stored configuration", f"is not a {kind}'s ({error})", "train it again"
        ) from None


def replaced(config: _Config, changes: Mapping[str, Any]) -> _Config:
    """The configuration with other values.

    Args:
        config: a configuration.
        changes: new values by name; ``None`` changes nothing, a mapping changes values of a part.
    """

    def value(name: str, change: Any) -> Any:
        return replaced(getattr(config, name), change) if isinstance(change, dict) else change

    given = {name: value(name, each) for name, each in changes.items() if each is not None}
    return msgspec.structs.replace(config, **given)


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width in pixels of a size that may be written as the side of a square."""
    return (size, size) if isinstance(size, int) else size


def require_training(config: msgspec.Struct, title: str) -> None:
    """Check the settings that every task has: optimiser, seed, devices, threads, precision.

    Args:
        config: a configuration with the keys of :data:`TRAINING` and :data:`TRAINING_BOUNDS`.
        title: how messages call the configuration.

    Raises:
        UsageError: names the key and the values that it takes.
    """
    require_known(config, TRAINING, title)
    require_within(config, TRAINING_BOUNDS, title)
    rate = value_of(config, "optimiser.rate")
    require(0 < rate < math.inf, title, "optimiser.rate", rate, "write a positive number")
    # Each device takes an equal part of a batch.
    batch, devices = value_of(config, "optimiser.batch"), value_of(config, "devices")
    require(batch % devices == 0, title, "optimiser.batch", batch, f"write a multiple of {devices}")


def require_within(
    config: msgspec.Struct, bounds: Mapping[str, tuple[float, float]], title: str
) -> None:
    """Check numbers against the lowest and the highest valid value of each key.

    Raises:
        UsageError: names the key and the values that it takes.
    """
    for key, (low, high) in bounds.items():
        value = value_of(config, key)
        wanted = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
        require(low <= value <= high, title, key, value, f"write {wanted}")


def require_known(config: msgspec.Struct, known: Mapping[str, tuple[str, ...]], title: str) -> None:
    """Check words against those that each key takes.

    Raises:
        UsageError: names the key and the words that it takes.
    """
    for key, words in known.items():
        value = value_of(config, key)
        require(value in words, title, key, value, f"write one of {', '.join(words)}")


def require(valid: bool, title: str, key: str, value: object, remedy: str) -> None:
    """Reject a value that is not valid.

    Args:
        valid: whether the value is.
        title: how the message calls the configuration.
        key: of the value.
        value: shown in the message.
        remedy: what to write instead.

    Raises:
        SettingError: the value is not valid.
    """
    if not valid:
        raise SettingError(f"{title}, {key} = {value}", "is not valid", remedy, key=key)


def value_of(config: msgspec.Struct, key: str) -> Any:
    """The value at a dotted key, e.g. ``"optimiser.rate"``."""
    return reduce(getattr, key.split("."), config)
