"""What a referable call means at a prevalence: predictive values, referrals and missed eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fundoscope.evaluate.report.document import Calculator, Table

EYES: Final = 1000
PREVALENCES: Final = (0.02, 0.05, 0.10, 0.20, 0.30)
"""From a young, well controlled population to one that was never screened."""
FIRST: Final = 0.10
"""Where the slider of the page begins."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of :data:`EYES` eyes.

    Attributes:
        ppv: share of referred eyes that need it; ``None`` if none is referred.
        npv: share of others that are well; ``None`` if all are referred.
        referred: eyes that are referred.
        missed: eyes that need referral and are not referred.
    """

    ppv: float | None
    npv: float | None
    referred: float
    missed: float


def expected(sensitivity: float, specificity: float, prevalence: float) -> Expected:
    """Compute what to expect by Bayes' rule; all arguments are 0 to 1."""
    hits = EYES * prevalence * sensitivity
    missed = EYES * prevalence - hits
    alarms = EYES * (1.0 - prevalence) * (1.0 - specificity)
    passed = EYES * (1.0 - prevalence) * specificity
    referred, others = hits + alarms, passed + missed
    return Expected(
        hits / referred if referred > 0 else None,
        passed / others if others > 0 else None,
        referred,
        missed,
    )


def table(calculator: Calculator) -> Table:
    """Tabulate what to expect at some prevalences."""
    rows = []
    for prevalence in PREVALENCES:
        of = expected(calculator.sensitivity, calculator.specificity, prevalence)
        cells = (percent(of.ppv), percent(of.npv), f"{of.referred:.0f}", f"{of.missed:.1f}")
        rows.append((f"{100 * prevalence:.0f} %", *cells))
    caption = (
        f"{calculator.name}: of {EYES:,} eyes, at sensitivity {calculator.sensitivity:.3f} and"
        f" specificity {calculator.specificity:.3f}"
    )
    columns = ("prevalence of referable", "PPV", "NPV", "referred", "missed")
    return Table(caption, columns, tuple(rows))


def percent(share: float | None) -> str:
    """Write a share in per cent."""
    return "not given" if share is None else f"{100.0 * share:.1f} %"
