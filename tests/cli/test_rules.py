"""``fundoscope rules``: rule sets are listed, shown and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fundoscope.grading.rules import rulesets
from fundoscope.kinds import LESIONS
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Fovea,
    Grade,
    Laterality,
    Lesion,
    LesionSummary,
    OpticDisc,
    PhotoFacts,
    Quality,
    Reading,
)

Command = Callable[..., Any]


def test_every_set_is_listed(fundoscope: Command) -> None:
    said = fundoscope("rules", "list")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(rulesets.names())


@pytest.mark.parametrize("name", rulesets.names())
def test_a_set_is_shown_with_its_source_and_every_rule(fundoscope: Command, name: str) -> None:
    said = fundoscope("rules", "show", name)
    assert said.code == 0
    ruleset = rulesets.shipped(name)
    assert "source: " in said.out
    assert str(ruleset.year) in said.out
    for rule in ruleset.rules:
        assert rule.title.split()[0] in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines()[1:])


def test_an_unknown_set_names_those_that_are_known(fundoscope: Command) -> None:
    said = fundoscope("rules", "show", "icrd")
    assert said.code == 2
    assert "the rule set 'icrd': is unknown; give a file, or one of ada-recall" in said.err


def test_a_file_of_ones_own_is_checked(fundoscope: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'id = "mine"\ntitle = "Ours"\nyear = 2026\ncitation = "our readers"\n'
        '[[levels]]\nid = "A"\nname = "nothing"\n'
        '[[rules]]\nid = "r"\nlevel = "A"\ntitle = "t"\nwhen = { kinds = ["irma"] }\n'
    )
    said = fundoscope("rules", "check", path)
    assert (said.code, said.out) == (0, "mine.toml: 1 rules, 1 levels: valid\n")
    path.write_text(path.read_text().replace("irma", "irmas"))
    said = fundoscope("rules", "check", path)
    assert said.code == 2
    assert "mine.toml: rule 'r' counts 'irmas'" in said.err
    assert fundoscope("rules", "check", tmp_path / "mine.txt").code == 2


def eye_with(tmp_path: Path, **changes: Any) -> Path:
    """A run's readings.jsonl: a right eye, a haemorrhage 0.5 disc diameters from the fovea."""
    disc = OpticDisc(True, (700.0, 450.0, 800.0, 550.0), (750.0, 500.0), 100.0, 0.9, "found")
    reading = Reading(
        photo=PhotoFacts("eye.jpg", "0" * 64, 1000, 1000),
        field=FieldOfView(True, (500.0, 500.0), 480.0, 1.0),
        quality=Quality(),
        grade=Grade(),
        lesions=(Lesion("haemorrhage", (420.0, 495.0, 430.0, 505.0), 0.9),),
        models=(),
        warnings=(),
        software="fundoscope",
        lesion_summary=tuple(LesionSummary(kind, True, None, 0, 0.0) for kind in LESIONS),
        anatomy=Anatomy(
            disc, Fovea("found", (480.0, 500.0), 0.9, 0.0), Laterality("right", "image")
        ),
    )
    path = tmp_path / "readings.jsonl"
    path.write_text(replace(reading, **changes).to_json() + "\n")
    return path


MACULOPATHY = ("--rules", "nhs-england-maculopathy")


def test_rules_are_applied_to_what_was_read(fundoscope: Command, tmp_path: Path) -> None:
    """England calls a haemorrhage near the fovea maculopathy with an acuity of 6/12 or worse."""
    path = eye_with(tmp_path)
    unknown = fundoscope("rules", "apply", path, *MACULOPATHY)
    good = fundoscope("rules", "apply", path, *MACULOPATHY, "--acuity", "6/9")
    poor = fundoscope("rules", "apply", path, *MACULOPATHY, "--acuity", "6/12")
    assert unknown.code == good.code == poor.code == 0
    assert unknown.out.startswith("eye.jpg\n")
    assert "cannot tell: acuity" in unknown.out
    assert "cannot tell" not in good.out
    assert "with an acuity of 6/12 or worse" not in good.out
    assert "with an acuity of 6/12 or worse" in poor.out


def test_an_answer_decides_what_only_a_person_can_tell(fundoscope: Command, tmp_path: Path) -> None:
    path = eye_with(tmp_path)
    key = next(iter(rulesets.shipped("etdrs-us").facts))
    asked = fundoscope("rules", "apply", path, "--rules", "etdrs-us")
    answered = fundoscope("rules", "apply", path, "--rules", "etdrs-us", "--fact", f"{key}=yes")
    assert key.replace("_", " ") in asked.out
    assert key.replace("_", " ") not in answered.out
    assert "severe" in answered.out


def test_a_photograph_without_assessed_lesions_says_so(fundoscope: Command, tmp_path: Path) -> None:
    none = tuple(LesionSummary(kind, False, "no_detector") for kind in LESIONS)
    path = eye_with(tmp_path, lesions=(), lesion_summary=none)
    applied = fundoscope("rules", "apply", path, *MACULOPATHY)
    assert "no kind of lesion was assessed" in applied.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image", "other.jpg"), "no Reading of other.jpg"),
        (("--acuity", "good"), "the acuity 'good'"),
        (("--fact", "stable=yes"), "they ask: nothing"),
    ],
)
def test_wrong_use_is_named(
    fundoscope: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    applied = fundoscope("rules", "apply", eye_with(tmp_path), *MACULOPATHY, *arguments)
    assert applied.code == 2
    assert message in applied.err


@pytest.mark.parametrize(
    "content", [b"{}", b"not json", b"\xff\xfe", b"[1]", b"[" * 100_000, b"1" * 5_000]
)
def test_a_file_of_something_else_is_refused_with_the_line(
    fundoscope: Command, tmp_path: Path, content: bytes
) -> None:
    path = eye_with(tmp_path)
    path.write_bytes(path.read_bytes() + content + b"\n")
    applied = fundoscope("rules", "apply", path, *MACULOPATHY)
    assert applied.code == 2
    assert "readings.jsonl, line 2: is not a Reading" in applied.err


def test_a_file_that_is_missing_is_refused(fundoscope: Command, tmp_path: Path) -> None:
    applied = fundoscope("rules", "apply", tmp_path / "none.jsonl", *MACULOPATHY)
    assert applied.code == 2
    assert "none.jsonl: cannot be read" in applied.err
