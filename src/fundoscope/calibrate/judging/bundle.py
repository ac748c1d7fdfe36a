"""Write a bundle whose judge, or whose limits of quality, are new. The network stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.calibrate import cards
from fundoscope.calibrate.judging.fit import KEPT, KEPT_REASON
from fundoscope.errors import UsageError
from fundoscope.grading import judge as judging
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.judge import Head, Judge
from fundoscope.quality import Quality

TITLE: Final = "## What is judged before a grade"
MIN_PHOTOGRAPHS: Final = 50
"""Least photographs of a clinic: with fewer, the limit depends on the worst one."""


def with_judge(given: Path, folder: Path, judge: Judge) -> GraderManifest:
    """Write a bundle with a new judge.

    Args:
        given: the bundle; it is not changed unless it is ``folder``.
        folder: of the new bundle.
        judge: its heads.

    Raises:
        BundleError: the given bundle cannot be read, or a head is not valid.
        OutputError: the new one cannot be written.
    """
    bundle = bundles.load_grader(given)
    manifest = replace(bundle.manifest, judge=judge)
    bundles.write(folder, manifest, bundle.model, card_of(bundles.card(given), judge))
    return manifest


def for_clinic(judge: Judge, qualities: Sequence[Quality], title: str) -> Judge:
    """The same heads with limits of quality that keep a clinic's gradable photographs.

    No limit becomes lower: 2 % of the best photographs would then be called not gradable.

    Args:
        judge: of the bundle that read the photographs.
        qualities: of the photographs.
        title: of their folder, for the message.

    Raises:
        UsageError: they are too few.
    """
    scores = [quality.score for quality in qualities if quality.score is not None]
    if len(scores) < MIN_PHOTOGRAPHS:
        raise UsageError(
            title,
            f"has {len(scores)} photographs of a retina, too few to fit limits to",
            f"give at least {MIN_PHOTOGRAPHS} that can be graded; a few hundred are better",
        )
    of_reason: dict[str, list[float]] = {reason: [] for reason in judge.reasons}
    for quality in qualities:
        for each in quality.scores or ():
            of_reason[each.reason].append(each.score)
    return replace(
        judge,
        ungradable=_limited(judge.ungradable, scores, KEPT),
        reasons={
            reason: _limited(head, of_reason[reason], KEPT_REASON)
            for reason, head in judge.reasons.items()
        },
        clinic=len(scores),
    )


def refused(judge: Judge, qualities: Sequence[Quality]) -> int:
    """How many photographs a judge calls not gradable, as in a reading.

    Args:
        judge: whose limits count.
        qualities: of photographs of a retina, with scores of its heads.
    """
    return sum(not _limited_quality(judge, quality).gradable for quality in qualities)


def _limited_quality(judge: Judge, quality: Quality) -> Quality:
    """What a judge with other limits says of the same scores."""
    assert quality.score is not None
    reasons = tuple(
        replace(each, limit=judge.reasons[each.reason].limit) for each in quality.scores or ()
    )
    return judging.quality(quality.score, judge.ungradable.limit, reasons)


def _limited(head: Head, scores: Sequence[float], share: float) -> Head:
    """A head with a limit that keeps this share of the scores, and no lower one than it had."""
    return replace(head, limit=max(head.limit, float(np.quantile(scores, share))))


def card_of(card: str, judge: Judge) -> str:
    """The card of the given bundle with a section about its judge.

    Args:
        card: of the given bundle.
        judge: its heads.
    """
    sources = ", ".join(f"{name} {count}" for name, count in judge.fitted_on.items())
    clinic = (
        ""
        if judge.clinic is None
        else (
            f"\nThe limits of quality were then fitted to {judge.clinic} photographs of a clinic.\n"
        )
    )
    section = f"""{TITLE}

Small heads on the {judge.features} features of the network decide whether the picture is a retina,
whether it can be graded and why not, and whether it is like the photographs that the grader learnt
from. They were fitted to photographs of {sources}, to copies of them with known faults, and to
pictures of other things. Limits hold for each source when its photographs were left out of the fit.
{clinic}"""
    return cards.with_section(card, section)
