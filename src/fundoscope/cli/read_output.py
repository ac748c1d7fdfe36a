"""What ``fundoscope read`` prints: a line a photograph, and the totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from fundoscope.cli.exit_codes import INTERRUPTED, PIPE_CLOSED

if TYPE_CHECKING:
    from fundoscope.batch.engines import Engine
    from fundoscope.batch.ledger.noticed import Noticed
    from fundoscope.batch.ledger.tally import Tally
    from fundoscope.batch.outcome import Outcome
    from fundoscope.cli.terminal import Terminal
    from fundoscope.reading import Reading

HASH_SHOWN: Final = 12
"""Characters of a hash that are printed."""
EQUAL_SHOWN: Final = 3
"""Pairs of equal photographs that are printed."""


def models(reader: Engine) -> Iterator[str]:
    """Lines about the bundles in use."""
    for model in reader.models:
        yield f"{model.task}: {model.name}, sha256 {model.sha256[:HASH_SHOWN]}"


def _details(reading: Reading) -> str:
    """The numbers behind a reading, on one line."""
    photo, fov, grade = reading.photo, reading.field, reading.grade
    parts = [f"{photo.width} x {photo.height} px", f"sha256 {photo.sha256[:HASH_SHOWN]}"]
    if fov.radius is not None:
        parts.append(f"radius of the field {fov.radius:.0f} px")
    if grade.probabilities is not None and grade.referable is not None:
        of_grades = ", ".join(f"{p:.3f}" for p in grade.probabilities)
        parts.append(f"probabilities {of_grades}")
        parts.append(f"referable from {grade.referable.threshold:.3f} on")
    if grade.icdr is not None and grade.set is None:
        parts.append("no set of plausible grades: it was not fitted for this grader")
    return "; ".join(parts)


def show(
    outcome: Outcome,
    screen: Terminal,
    *,
    json: bool,
    paths: bool,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Print a reading on standard output, or why there is no grade on standard error."""
    from fundoscope.batch.outcome import json_line, trouble
    from fundoscope.cli.terminal import JSON_ENCODING
    from fundoscope.quoting import printable
    from fundoscope.report.by_lesions import lesion_grade_in_words, rules_in_words
    from fundoscope.report.wording import summary

    image = printable(outcome.input.image)
    screen.advance()
    if json and outcome.reading is not None:
        screen.out(json_line(outcome, paths=paths), encoding=JSON_ENCODING)
    cause = trouble(outcome)
    if cause:
        screen.err(printable(f"{image}: {cause['reason']}; {cause['remedy']}"))
    elif not json and not quiet and outcome.reading is not None:
        screen.out(f"{image}: {summary(outcome.reading)}")
    if verbose and outcome.reading is not None:
        screen.err(f"  {_details(outcome.reading)}")
        for by_rules in outcome.reading.rules:
            screen.err(f"  {printable(rules_in_words(by_rules))}")
        if outcome.reading.lesion_grade is not None:
            assessed = any(kind.assessed for kind in outcome.reading.lesion_summary)
            words = lesion_grade_in_words(outcome.reading.lesion_grade, kind_assessed=assessed)
            screen.err(f"  {words}")


def conclude(
    tally: Tally,
    noticed: Noticed,
    screen: Terminal,
    out: Path | None,
    *,
    json: bool,
) -> int:
    """Print the totals, and return the exit code."""
    if screen.closed:
        return PIPE_CLOSED
    if tally.lost is not None:
        screen.err(str(tally.lost))
    if tally.interrupted:
        kept = f"; their results are in {out}" if out is not None else ""
        if out is not None:
            typer.echo("the same command resumes this run", err=True)
        done = f"{tally.done} of {tally.photographs} photographs were read"
        typer.echo(f"interrupted: {done}{kept}", err=True)
        return INTERRUPTED
    if noticed.doubts.joined:
        screen.err(_joined(noticed.doubts.joined))
    if noticed.doubts.unknown_eyes:
        screen.err(_unknown(noticed.doubts.unknown_eyes))
    if not json:
        for line in _totals(tally, noticed.passed_over, out):
            screen.out(line)
    return PIPE_CLOSED if screen.closed else tally.exit_code


def _totals(tally: Tally, passed_over: Mapping[str, int], out: Path | None) -> list[str]:
    from fundoscope.report.wording import DISCLAIMER, listed_over

    counts = tally.counts()
    noun = "photograph" if tally.photographs == 1 else "photographs"
    lines = [
        f"{tally.photographs} {noun}: {counts['read']} graded ({counts['referable']} referable), "
        f"{counts['not_graded']} not graded, {counts['refused']} refused"
    ]
    if passed_over:
        others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(passed_over.items()))
        lines.append(f"ignored, not photographs: {others}")
    if tally.unseen:
        lines.append(f"not assessed: {listed_over(tally.unseen, tally.opened)}")
    if tally.equal:
        lines.append(_equal(tally.equal))
    if out is not None:
        lines.append(f"results: {out}")
        lines.append(_by_patient(tally, out))
    return [*lines, DISCLAIMER]


def _joined(patients: Collection[str]) -> str:
    """A warning about patients who may be several people."""
    from fundoscope.quoting import shown

    some = ", ".join(shown(each) for each in sorted(patients)[:EQUAL_SHOWN])
    more = f", and {len(patients) - EQUAL_SHOWN} more" if len(patients) > EQUAL_SHOWN else ""
    return (
        "check that each of these is one person: photographs in several folders have the same name"
        f" of a patient ({some}{more}); if not, give a table with the column patient"
    )


def _unknown(eyes: Counter[str]) -> str:
    """A warning about words of a table that say neither eye."""
    from fundoscope.quoting import shown

    count, words = eyes.total(), sorted(eyes)
    some = ", ".join(shown(each) for each in words[:EQUAL_SHOWN])
    more = f", and {len(words) - EQUAL_SHOWN} more" if len(words) > EQUAL_SHOWN else ""
    verb = "photograph has" if count == 1 else "photographs have"
    return (
        f"{count} {verb} an eye that is not understood, and was read as if none was given"
        f" ({some}{more}); write left or right in the column eye"
    )


def _equal(equal: list[dict[str, str]]) -> str:
    """A line about photographs that were read more than once."""
    from fundoscope.quoting import printable

    pairs = [f"{pair['image']} = {pair['same_as']}" for pair in equal[:EQUAL_SHOWN]]
    more = f", and {len(equal) - EQUAL_SHOWN} more" if len(equal) > EQUAL_SHOWN else ""
    same = "photograph is the" if len(equal) == 1 else "photographs are each the"
    return printable(f"{len(equal)} {same} same file as an earlier one: {', '.join(pairs)}{more}")


def _by_patient(tally: Tally, out: Path) -> str:
    """A line about ``patients.csv``, or about how to get it."""
    from fundoscope.batch.results import PATIENTS_CSV

    if tally.patients:
        noun = "patient" if tally.patients == 1 else "patients"
        left = ""
        if tally.without_patient:
            one = tally.without_patient == 1
            left = (
                f"; {tally.without_patient} {'photograph' if one else 'photographs'} without a"
                f" patient {'is' if one else 'are'} not in it (referable or not graded:"
                f" {tally.without_patient_referable})"
            )
        return f"the worse eye decides: {out / PATIENTS_CSV} ({tally.patients} {noun}){left}"
    return f"for {PATIENTS_CSV}, give a table with the column patient, or --names eye,patient"
