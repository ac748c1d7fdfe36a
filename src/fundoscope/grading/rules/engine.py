"""Apply a rule set to the evidence of a photograph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fundoscope.grading.rules import conditions, rulesets
from fundoscope.grading.rules.conditions import Answer
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
    answers = _answers(ruleset, evidence)
    ordered = sorted(ruleset.rules, key=lambda rule: ruleset.rank(rule.level))
    fired = tuple((rule, answers[rule.id].boxes) for rule in ordered if answers[rule.id].met)
    level = max((ruleset.rank(rule.level) for rule, _ in fired), default=0)
    unknown = tuple(
        (rule, answers[rule.id].missing)
        for rule in ordered
        if answers[rule.id].met is None and ruleset.rank(rule.level) > level
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


def _answers(ruleset: RuleSet, evidence: Evidence) -> Mapping[str, Answer]:
    """The answer to every rule, each after those that it refers to."""
    rules = {rule.id: rule for rule in ruleset.rules}
    answers: dict[str, Answer] = {}
    for name in rulesets.in_order(rules):
        condition = rules[name].when
        answers[name] = conditions.evaluate(
            condition, evidence, answers.__getitem__, partial(_reaches, evidence)
        )
    return answers


def _reaches(evidence: Evidence, name: str, level: str) -> Answer:
    """Whether another set, which refers to no further one, reaches a level."""
    other = rulesets.shipped(name)
    rank = other.rank(level)
    if rank == 0:
        return Answer(True)
    answers = _answers(other, evidence)
    return conditions.any_of(
        [answers[rule.id] for rule in other.rules if other.rank(rule.level) >= rank]
    )
