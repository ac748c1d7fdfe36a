"""``fundoscope rules``: list, show, check and apply rule sets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.grading.rules.rulesets import RuleSet

WIDTH: Final = 100

app = typer.Typer(
    help="List, show, check and apply the published rules that grade an eye by its lesions.",
    no_args_is_help=True,
)


@app.callback()
def root() -> None:
    """List, show, check and apply the published rules that grade an eye by its lesions."""


@app.command("list")
def list_sets() -> None:
    """List the rule sets that come with fundoscope: name, title and year.

    Exit codes: 0 if done, 1 for any failure.
    """
    from fundoscope.grading.rules import rulesets

    names = rulesets.names()
    width = max(map(len, names))
    for name in names:
        ruleset = rulesets.shipped(name)
        typer.echo(f"{name:{width}}  {ruleset.title}, {ruleset.year}")


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="Name of a rule set, or a .toml file.")
    ],
) -> None:
    """Show a rule set: its source, its levels and its rules.

    Exit codes: 0 if done, 2 if there is no such set or the file is not valid.
    """
    from fundoscope.grading.rules import rulesets
    from fundoscope.quoting import printable

    for line in _lines(rulesets.load(name)):
        typer.echo(printable(line))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .toml file with a rule set.")],
) -> None:
    """Check a rule set of your own, without reading a photograph.

    Exit codes: 0 if it is valid, 2 if it is not; the message names the place.
    """
    from fundoscope.errors import UsageError
    from fundoscope.grading.rules import rulesets
    from fundoscope.quoting import printable

    if file.suffix != rulesets.SUFFIX:
        raise UsageError(file.name, "is not a .toml file", "give a file that ends in .toml")
    ruleset = rulesets.load(str(file))
    typer.echo(
        printable(f"{file.name}: {len(ruleset.rules)} rules, {len(ruleset.levels)} levels: valid")
    )


@app.command()
def apply(
    readings: Annotated[
        Path,
        typer.Argument(
            metavar="READINGS", help="readings.jsonl of a run, or a Reading as one line of JSON."
        ),
    ],
    rules: Annotated[
        list[str],
        typer.Option(metavar="NAME|FILE", help="Rule set to apply. Repeat it for several."),
    ],
    image: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the photograph of this file name.")
    ] = None,
    acuity: Annotated[
        str | None,
        typer.Option(
            metavar="6/12|0.5",
            help="Best corrected visual acuity of the eye: Snellen fraction (6/12, 20/40) or"
            " decimal (0.5).",
        ),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=yes|no",
            help="Your answer to a question of a rule set (fundoscope rules show NAME lists them)."
            " Repeat it for several.",
        ),
    ] = None,
) -> None:
    """Apply rule sets to photographs that were read, with what a person knows of the eye.

    The boxes come from the Readings; no network runs.

    Exit codes: 0 if done, 2 for wrong use or a file without such a Reading.
    """
    from fundoscope.batch import earlier
    from fundoscope.errors import UsageError
    from fundoscope.grading.rules import answers, engine, places, rulesets
    from fundoscope.quoting import printable
    from fundoscope.report.by_lesions import rules_in_words

    sets = [rulesets.load(name) for name in rules]
    decimal = None if acuity is None else answers.acuity(acuity)
    facts = answers.facts(fact or (), sets)
    found = [each for each in earlier.readings_of(readings) if image in (None, each.photo.name)]
    if not found:
        wanted = "no Reading" if image is None else f"no Reading of {image}"
        raise UsageError(readings.name, f"has {wanted}", "give readings.jsonl of a run")
    for reading in found:
        typer.echo(printable(reading.photo.name or reading.photo.sha256))
        if not any(kind.assessed for kind in reading.lesion_summary):
            typer.echo("  no kind of lesion was assessed")
            continue
        evidence = places.evidence(
            reading.lesions, reading.lesion_summary, reading.anatomy, reading.field,
            size=(reading.photo.width, reading.photo.height), acuity=decimal, facts=facts,
        )  # fmt: skip
        evidence = replace(evidence, withheld=places.not_drawn(reading.lesion_summary))
        for ruleset in sets:
            grade = engine.rule_grade(engine.apply(ruleset, evidence))
            typer.echo(f"  {printable(rules_in_words(grade))}")


def _lines(ruleset: RuleSet) -> Iterator[str]:
    yield f"{ruleset.id}: {ruleset.title}, {ruleset.year}"
    yield from _wrapped(f"source: {ruleset.citation}", "")
    for note in ruleset.notes:
        yield from _wrapped(f"note: {note}", "")
    for level in ruleset.levels:
        yield ""
        facts = [level.name]
        if level.refer is not None:
            facts.append("refer" if level.refer else "do not refer")
        if level.recall:
            facts.append(f"next examination: {level.recall}")
        yield f"{level.id}  {', '.join(facts)}"
        for rule in ruleset.rules:
            if rule.level == level.id:
                yield from _wrapped(f"{rule.title} [{rule.id}]", "  - ")
    if ruleset.facts:
        yield ""
        yield "Only a person can answer:"
        for key, question in ruleset.facts.items():
            yield from _wrapped(f"{key}: {question}", "  - ")


def _wrapped(text: str, mark: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark) or "  "
    )
