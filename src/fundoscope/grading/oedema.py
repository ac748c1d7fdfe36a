"""Macular oedema, as far as a flat photograph shows it: hard exudates near the fovea.

Screening programmes use hard exudates within one disc diameter of the fovea's centre as a surrogate
(``rulesets/oedema-risk.toml`` names the sources). It is never a diagnosis: oedema without
exudates is not seen.
"""

from __future__ import annotations

from typing import Final

from fundoscope.grading.rules import engine, rulesets
from fundoscope.grading.rules.conditions import DISC, EDGE, FOVEA, WITHHELD
from fundoscope.grading.rules.evidence import Evidence
from fundoscope.opinions import MacularOedema

RULESET: Final = "oedema-risk"
NEAR: Final = "2"
"""The level of exudates within one disc diameter."""
HARD_EXUDATE: Final = "hard_exudate"
POSSIBLE, NOT_SEEN, CANNOT_TELL = "possible", "no_exudates_near", "cannot_tell"
NOT_ASSESSED: Final = "not_assessed"
"""Why it cannot be told: hard exudates were not assessed. The other reasons are those of rules."""
REASONS: Final = (FOVEA, DISC, EDGE, WITHHELD)


def oedema(evidence: Evidence) -> MacularOedema:
    """Whether hard exudates lie near the fovea.

    Args:
        evidence: of one photograph. If only lesions that are not drawn may lie near the fovea,
            nobody can say that there are none.
    """
    outcome = engine.apply(rulesets.shipped(RULESET), evidence)
    distance = min(
        (
            lesion.distance
            for lesion in evidence.lesions
            if lesion.kind == HARD_EXUDATE
            and lesion.distance is not None
            and (evidence.has_ruler or not lesion.distance)
        ),
        default=None,
    )
    if outcome.level.id == NEAR:
        return MacularOedema(POSSIBLE, distance)
    missing = {each for rule, wanted in outcome.open if rule.level == NEAR for each in wanted}
    if not missing:
        return MacularOedema(NOT_SEEN, distance)
    known = [reason for reason in REASONS if reason in missing]
    reason = NOT_ASSESSED if HARD_EXUDATE in missing or not known else known[0]
    return MacularOedema(CANNOT_TELL, distance, reason)
