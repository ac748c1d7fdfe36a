"""``fundoscope bundle``: wrong arguments are reported, also where Keras is not installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--input", "squash", "--classes", "0,one"), "--classes 0,one: is invalid"),
        (("--input", "squash", "--classes", ""), "--classes: has an empty value"),
        (("--input", "squash", "--size", "300"), "--size 300: is invalid"),
        (("--input", "squash", "--size", "0x300"), "--size 0x300: is invalid"),
        (("--input", "squash", "--size", "300x200x3"), "height first"),
    ],
)
def test_invalid_numbers(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path, fundoscope: Command
) -> None:
    said = fundoscope("bundle", "from-keras", tmp_path / "m.h5", tmp_path / "out", *arguments)
    assert said.code == 2
    assert complaint in said.err
    assert len(said.complaints) == 1
    assert not (tmp_path / "out").exists()


def test_the_input_must_be_given(tmp_path: Path, fundoscope: Command) -> None:
    said = fundoscope("bundle", "from-keras", tmp_path / "m.h5", tmp_path / "out")
    assert said.code == 2
    assert "--input" in said.err


@pytest.mark.parametrize(
    "arguments",
    [("to-keras", "bundle", "out.h5"), ("from-keras", "m.h5", "out", "--input", "crop")],
)
def test_without_keras(
    arguments: tuple[str, ...], fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = fundoscope("bundle", *arguments)
    assert said.code == 2
    assert 'pip install "fundoscope[keras]"' in said.err
    assert len(said.complaints) == 1
