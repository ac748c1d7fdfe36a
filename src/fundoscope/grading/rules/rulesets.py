"""Rule sets as data: what a TOML file holds, and whether it is valid.

``docs/explanation/rules.md`` describes the format. The sets that ship lie in
``fundoscope/grading/rulesets``; a programme may add its own file.
"""

from __future__ import annotations

import graphlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import decoding, limits
from fundoscope.errors import UsageError
from fundoscope.grading.rules.conditions import Condition
from fundoscope.grading.rules.evidence import REGIONS
from fundoscope.kinds import LESIONS
from fundoscope.quoting import quoted
from fundoscope.regular import size_of

SUFFIX: Final = ".toml"
PACKAGE: Final = "fundoscope.grading"
FOLDER: Final = "rulesets"
ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
FACT: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
COUNTED: Final = ("kinds", "at_least", "within", "beyond", "divided", "in_each_of", "area_at_least")
"""Fields that belong to a condition on lesions."""
SORTS: Final = ("any", "all", "kinds", "acuity_at_most", "fact", "rule", "ruleset")
"""Fields of which a condition has exactly one."""
REMEDY: Final = "correct the file; docs/explanation/rules.md describes the format"
HIGHEST_ICDR: Final = 4
MAX_DEPTH: Final = 20
"""Nested conditions; the sets that ship need three."""


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One level of a rule set.

    Attributes:
        id: as reports name it, e.g. ``"R2"``.
        name: in words.
        icdr: the grade of the International scale that it is, 0 to 4; ``None`` if it has none.
        refer: whether the set refers an eye from here on; ``None`` if it says nothing.
        recall: the interval to the next examination in words; ``""`` if the set says nothing.
    """

    id: str
    name: str
    icdr: int | None = None
    refer: bool | None = None
    recall: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: a level, and the condition that supports it.

    Attributes:
        id: unique in the set.
        level: the id of a level.
        title: one sentence for a person.
        when: the condition.
    """

    id: str
    level: str
    title: str
    when: Condition


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule set.

    Attributes:
        id: its short name, that of the file.
        title: its name for a person.
        year: of the publication.
        citation: where it is published.
        levels: from the mildest; the first one holds where no rule is met.
        rules: in the order in which they are shown.
        facts: what only a person can know: key and question.
        notes: remarks for a person, such as how sure the source is.
        not_excluded: the level that one photograph never excludes, however much of it was
            assessed; ``None`` if there is none.
    """

    id: str
    title: str
    year: int
    citation: str
    levels: tuple[Level, ...]
    rules: tuple[Rule, ...]
    facts: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    not_excluded: str | None = None

    def rank(self, level: str) -> int:
        """The place of a level, 0 for the mildest."""
        return next(place for place, each in enumerate(self.levels) if each.id == level)


def names() -> tuple[str, ...]:
    """The ids of the sets that ship, in alphabetical order."""
    folder = resources.files(PACKAGE) / FOLDER
    return tuple(
        sorted(
            each.name.removesuffix(SUFFIX)
            for each in folder.iterdir()
            if each.name.endswith(SUFFIX)
        )
    )


@cache
def shipped(name: str) -> RuleSet:
    """A set that ships.

    Args:
        name: one of :func:`names`.

    Raises:
        UsageError: there is no set of that name.
    """
    if name not in names():
        raise UsageError(
            f"the rule set {quoted(name)}",
            "is unknown",
            f"give a file, or one of {', '.join(names())}",
        )
    text = (resources.files(PACKAGE) / FOLDER / f"{name}{SUFFIX}").read_bytes()
    return parse(text, f"{name}{SUFFIX}")


def load(name: str) -> RuleSet:
    """A set that ships by its name, or one in a file.

    Args:
        name: one of :func:`names`, or the path of a file that ends in ``.toml``.

    Raises:
        UsageError: there is no such set or file, or the file is not a valid set.
    """
    if not name.endswith(SUFFIX):
        return shipped(name)
    path = Path(name)
    try:
        if size_of(path) > limits.MAX_RULESET_BYTES:
            raise UsageError(path.name, "is too large for a rule set", "give another file")
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(
            path.name, f"cannot be read: {error.strerror or error}", "check the path"
        ) from error
    ruleset = parse(text, path.name)
    if ruleset.id in names():
        raise UsageError(
            path.name,
            f"has the id {quoted(ruleset.id)} of a set that comes with fundoscope",
            "give it an id of its own, so that reports name the right rules",
        )
    return ruleset


def parse(text: bytes, title: str) -> RuleSet:
    """A rule set from the text of a TOML file.

    Args:
        text: in UTF-8.
        title: the file's name, for messages.

    Raises:
        UsageError: it is not a valid set; the message names the place.
    """
    try:
        ruleset = decoding.converted(tomllib.loads(text.decode("utf-8")), RuleSet)
    except UnicodeDecodeError as error:
        raise UsageError(title, "is not text in UTF-8", "save it as UTF-8") from error
    except RecursionError as error:
        raise UsageError(title, "is nested too deeply", REMEDY) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise UsageError(title, f"is not a rule set: {_place(str(error))}", REMEDY) from error
    fault = next(_faults(ruleset), None)
    if fault is not None:
        raise UsageError(title, fault, REMEDY)
    return ruleset


def _place(message: str) -> str:
    """A parser's message with the place in words: ``$.rules[0].when`` is ``rules[0].when``."""
    return message.replace("`$.", "`")


def _faults(ruleset: RuleSet) -> Iterator[str]:
    yield from _faults_of_header(ruleset)
    levels = {level.id for level in ruleset.levels}
    rules = {rule.id: rule for rule in ruleset.rules}
    for rule in ruleset.rules:
        if rule.level not in levels:
            yield f"rule {quoted(rule.id)} has the unknown level {quoted(rule.level)}"
        for fault in _faults_of_condition(rule.when, ruleset, rules, 1):
            yield f"rule {quoted(rule.id)} {fault}"
    try:
        in_order(rules)
    except graphlib.CycleError as error:
        loop = error.args[1][:0:-1]  # It begins and ends with the same rule, referred to first.
        yield f"rules refer to each other in a loop: {', '.join(map(quoted, loop))}"


def _faults_of_header(ruleset: RuleSet) -> Iterator[str]:
    if not ID.fullmatch(ruleset.id):
        yield f"id {quoted(ruleset.id)} may have lower-case letters, digits and hyphens only"
    if not ruleset.levels:
        yield "has no level"
    for what, ids in (
        ("level", [level.id for level in ruleset.levels]),
        ("rule", [rule.id for rule in ruleset.rules]),
    ):
        twice = _first_twice(ids)
        if twice is not None:
            yield f"has the {what} {quoted(twice)} twice"
    for level in ruleset.levels:
        if level.icdr is not None and not 0 <= level.icdr <= HIGHEST_ICDR:
            yield f"level {quoted(level.id)} has icdr {level.icdr}, not 0 to {HIGHEST_ICDR}"
    if ruleset.not_excluded not in {None, *(level.id for level in ruleset.levels)}:
        yield f"has the unknown level {quoted(ruleset.not_excluded)} in not_excluded"
    for key in ruleset.facts:
        if not FACT.fullmatch(key):
            yield f"fact {quoted(key)} may have lower-case letters, digits and underscores only"


def _first_twice(ids: Sequence[str]) -> str | None:
    return next((each for place, each in enumerate(ids) if each in ids[:place]), None)


def _faults_of_condition(
    condition: Condition, ruleset: RuleSet, rules: Mapping[str, Rule], depth: int
) -> Iterator[str]:
    if depth > MAX_DEPTH:
        yield "has conditions that are nested too deeply"
        return
    given: dict[str, Any] = msgspec.structs.asdict(condition)
    sorts = [name for name in SORTS if given[name]]
    if len(sorts) != 1:
        named = ", ".join(sorts) or "none"
        yield f"has a condition that needs exactly one of {', '.join(SORTS)}; it has {named}"
        return
    if condition.kinds:
        yield from _faults_of_count(condition)
    elif any(given[name] != Condition.__struct_defaults__[_place_of(name)] for name in COUNTED):
        yield f"mixes a lesion count with {sorts[0]}: write two conditions, joined by all or any"
    acuity = condition.acuity_at_most
    if acuity is not None and not 0 < acuity <= limits.MAX_ACUITY:
        yield f"has acuity_at_most {acuity:g}, not more than 0 and at most {limits.MAX_ACUITY:g}"
    if condition.fact is not None and condition.fact not in ruleset.facts:
        yield f"asks for the fact {quoted(condition.fact)}, which [facts] does not have"
    if condition.rule is not None and condition.rule not in rules:
        yield f"refers to the unknown rule {quoted(condition.rule)}"
    if (condition.ruleset is None) != (condition.level is None):
        yield "needs both ruleset and level"
    elif condition.ruleset is not None:
        yield from _faults_of_reference(condition, ruleset)
    for part in (*condition.any, *condition.all):
        yield from _faults_of_condition(part, ruleset, rules, depth + 1)


def _place_of(name: str) -> int:
    return Condition.__struct_fields__.index(name)


def _faults_of_count(condition: Condition) -> Iterator[str]:
    unknown = [kind for kind in condition.kinds if kind not in LESIONS]
    if unknown:
        yield f"counts {quoted(unknown[0])}, which is not one of {', '.join(LESIONS)}"
    if condition.at_least < 1:
        yield f"has at_least {condition.at_least}, which is less than 1"
    yield from _faults_of_ways_to_count(condition)
    if (condition.divided is None) != (condition.in_each_of is None):
        yield "needs both divided and in_each_of, or neither"
    elif condition.divided is not None:
        regions = REGIONS.get(condition.divided)
        if regions is None:
            yield f"is divided by {quoted(condition.divided)}, not by {' or '.join(REGIONS)}"
        elif not 1 <= (condition.in_each_of or 0) <= len(regions):
            yield f"has in_each_of {condition.in_each_of}, not 1 to {len(regions)}"
    for name in ("within", "beyond", "area_at_least"):
        value = getattr(condition, name)
        if value is not None and not 0 <= value <= limits.MAX_DISC_DIAMETERS:
            yield f"has {name} {value:g}, not 0 to {limits.MAX_DISC_DIAMETERS:g}"


def _faults_of_ways_to_count(condition: Condition) -> Iterator[str]:
    """A condition counts in regions, or near the fovea, or measures an area; never two of them."""
    ways = {
        "divided": condition.divided is not None,
        "within or beyond": condition.within is not None or condition.beyond is not None,
        "area_at_least": condition.area_at_least is not None,
    }
    given = [name for name, used in ways.items() if used]
    if len(given) > 1:
        yield f"has {' and '.join(given)} in one condition: write two, in all or any"
    if condition.area_at_least is not None and condition.at_least != 1:
        yield "has at_least and area_at_least in one condition: write two, in all or any"
    within, beyond = condition.within, condition.beyond
    if within is not None and beyond is not None and beyond >= within:
        yield f"has beyond {beyond:g}, which is not less than within {within:g}"


def _faults_of_reference(condition: Condition, ruleset: RuleSet) -> Iterator[str]:
    """Only sets that ship can be referred to, and none that refers to others: no circle is left."""
    name = condition.ruleset or ""
    if name == ruleset.id or name not in names():
        yield f"refers to the unknown rule set {quoted(name)}; known are {', '.join(names())}"
        return
    other = shipped(name)
    if any(_references(rule.when) for rule in other.rules):
        yield f"refers to the rule set {quoted(name)}, which refers to others itself"
    if condition.level not in {level.id for level in other.levels}:
        yield f"refers to the unknown level {quoted(condition.level or '')} of {quoted(name)}"


def _references(condition: Condition) -> bool:
    if condition.ruleset is not None:
        return True
    return any(_references(part) for part in (*condition.any, *condition.all))


def in_order(rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """The ids of the rules, each after those that it refers to.

    Args:
        rules: by their ids.

    Raises:
        graphlib.CycleError: rules refer to each other in a loop.
    """
    named = {
        name: [each for each in _named(rule.when) if each in rules] for name, rule in rules.items()
    }
    return tuple(graphlib.TopologicalSorter(named).static_order())


def _named(condition: Condition) -> Iterator[str]:
    if condition.rule is not None:
        yield condition.rule
    for part in (*condition.any, *condition.all):
        yield from _named(part)
