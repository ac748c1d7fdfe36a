"""What the configurations of graders and detectors share: reading TOML, replacing, refusing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fundoscope.errors import UsageError

_Config = TypeVar("_Config", bound=msgspec.Struct)


def read(path: Path, form: type[_Config], kind: str) -> _Config:
    """Read a TOML configuration.

    Args:
        path: the file.
        form: what it holds.
        kind: what it configures, ``"grader"`` or ``"detector"``; ``configs/KIND.toml`` shows one.

    Raises:
        UsageError: it cannot be read, or holds an unknown key or a value of another type.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=form)
    except OSError as error:
        raise UsageError(
            path.name, f"cannot be read ({error.strerror})", "name a configuration file"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            path.name, f"is no configuration of a {kind} ({error})", f"see configs/{kind}.toml"
        ) from None


def replaced(config: _Config, changes: Mapping[str, Any]) -> _Config:
    """The configuration with other values.

    Args:
        config: a configuration.
        changes: by name; a value of ``None`` changes nothing, a mapping changes values of a part.
    """

    def value(name: str, change: Any) -> Any:
        return replaced(getattr(config, name), change) if isinstance(change, dict) else change

    given = {name: value(name, each) for name, each in changes.items() if each is not None}
    return msgspec.structs.replace(config, **given)


def require_within(
    config: msgspec.Struct, bounds: Mapping[str, tuple[float, float]], title: str
) -> None:
    """Check numbers against the lowest and the highest value of each key.

    Raises:
        UsageError: names the key and what may stand there.
    """
    for key, (low, high) in bounds.items():
        found = value_of(config, key)
        wanted = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
        require(low <= found <= high, title, key, found, f"write {wanted}")


def require_known(config: msgspec.Struct, known: Mapping[str, tuple[str, ...]], title: str) -> None:
    """Check words against those that may stand at each key.

    Raises:
        UsageError: names the key and what may stand there.
    """
    for key, words in known.items():
        found = value_of(config, key)
        require(found in words, title, key, found, f"write one of {', '.join(words)}")


def require(fine: bool, title: str, key: str, value: object, remedy: str) -> None:
    """Refuse a value.

    Raises:
        UsageError: it is not fine.
    """
    if not fine:
        raise UsageError(f"{title}, {key} = {value}", "cannot be", remedy)


def value_of(config: msgspec.Struct, key: str) -> Any:
    """What stands at a key, e.g. ``"optimiser.rate"``."""
    return reduce(getattr, key.split("."), config)
