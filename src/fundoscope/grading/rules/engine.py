"""Apply a rule set to the evidence of a photograph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fundoscope.grading.rules import conditions, rulesets
from fundoscope.grading.rules.conditions import Verdict
from fundoscope.grading.rules.evidence import Evidence
from fundoscope.grading.rules.rulesets import Level, Rule, RuleSet
from fundoscope.opinions import FiredRule, OpenRule, RuleGrade


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule set says about a photograph.

    Attributes:
        ruleset: the set.
        level: the level that the lesions support at least.
        fired: the rules that are met, mildest level first, with their boxes.
        open: the rules of higher levels that may be met, with what is missing to decide.
        highest: the highest level that cannot be excluded, at least the set's ``not_excluded``.
    """

    ruleset: RuleSet
    level: Level
    fired: tuple[tuple[Rule, frozenset[int]], ...]
    open: tuple[tuple[Rule, frozenset[str]], ...]
    highest: Level


def apply(ruleset: RuleSet, evidence: Evidence) -> Outcome:
    """Apply a rule set.

    Args:
        ruleset: from :mod:`fundoscope.grading.rules.rulesets`.
        evidence: of one photograph.
    """
    verdicts = _verdicts(ruleset, evidence)
    ordered = sorted(ruleset.rules, key=lambda rule: ruleset.rank(rule.level))
    fired = tuple((rule, verdicts[rule.id].boxes) for rule in ordered if verdicts[rule.id].met)
    level = max((ruleset.rank(rule.level) for rule, _ in fired), default=0)
    unknown = tuple(
        (rule, verdicts[rule.id].missing)
        for rule in ordered
        if verdicts[rule.id].met is None and ruleset.rank(rule.level) > level
    )
    highest = max((ruleset.rank(rule.level) for rule, _ in unknown), default=level)
    if ruleset.not_excluded is not None:
        highest = max(highest, ruleset.rank(ruleset.not_excluded))
    return Outcome(ruleset, ruleset.levels[level], fired, unknown, ruleset.levels[highest])


def rule_grade(outcome: Outcome) -> RuleGrade:
    """The outcome as a Reading reports it."""
    level = outcome.level
    return RuleGrade(
        ruleset=outcome.ruleset.id,
        title=outcome.ruleset.title,
        year=outcome.ruleset.year,
        level=level.id,
        name=level.name,
        icdr=level.icdr,
        refer=level.refer,
        recall=level.recall,
        fired=tuple(
            FiredRule(rule.id, rule.level, rule.title, tuple(sorted(boxes)))
            for rule, boxes in outcome.fired
        ),
        open=tuple(
            OpenRule(rule.id, rule.level, rule.title, tuple(sorted(missing)))
            for rule, missing in outcome.open
        ),
        highest=outcome.highest.id,
    )


def _verdicts(ruleset: RuleSet, evidence: Evidence) -> Mapping[str, Verdict]:
    """The verdict on every rule, each after those that it refers to."""
    rules = {rule.id: rule for rule in ruleset.rules}
    verdicts: dict[str, Verdict] = {}
    for name in rulesets.in_order(rules):
        condition = rules[name].when
        verdicts[name] = conditions.evaluate(
            condition, evidence, verdicts.__getitem__, partial(_reaches, evidence)
        )
    return verdicts


def _reaches(evidence: Evidence, name: str, level: str) -> Verdict:
    """Whether another set, which refers to no further one, reaches a level."""
    other = rulesets.shipped(name)
    rank = other.rank(level)
    if rank == 0:
        return Verdict(True)
    verdicts = _verdicts(other, evidence)
    return conditions.any_of(
        [verdicts[rule.id] for rule in other.rules if other.rank(rule.level) >= rank]
    )
