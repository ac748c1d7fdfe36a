"""Titles of figures in reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TITLES: Final[Mapping[str, str]] = {
    "accuracy": "accuracy",
    "quadratic_kappa": "quadratic kappa",
    "linear_kappa": "linear kappa",
    "referable_auc": "AUC referable (grade 2 to 4)",
    "vision_threatening_auc": "AUC vision-threatening (grade 3 and 4)",
    "any_auc": "AUC any retinopathy (grade 1 to 4)",
    "referable_sensitivity": "sensitivity, referable",
    "referable_specificity": "specificity, referable",
    "severe_called_referable": "grade 3 and 4 called referable",
    "graded_share": "share graded",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity_at_specificity_90": "best sensitivity at specificity 0.90",
    "sensitivity_at_specificity_95": "best sensitivity at specificity 0.95",
    "specificity_at_sensitivity_90": "best specificity at sensitivity 0.90",
    "specificity_at_sensitivity_95": "best specificity at sensitivity 0.95",
    "set_coverage": "sets that hold the label",
    "set_size": "grades in a set, mean",
    "abstained_share": "share abstained from",
    "accuracy_of_the_rest": "accuracy of the rest",
    "gain": "gain of accuracy",
    "ap_hit": "AP by the hit rule",
    "ap_50": "AP at IoU 0.5",
    "aupr_pixels": "AUPR of pixels",
    "f1": "F1",
    "present_auc": "AUC present or not",
    "software_and_first": "quadratic kappa, software and first reader",
    "software_and_second": "quadratic kappa, software and second reader",
    "first_and_second": "quadratic kappa, first and second reader",
    "software_less_readers": "kappa of software and first reader less that of the readers",
    "equal_software_and_first": "equal grades, software and first reader",
    "equal_software_and_second": "equal grades, software and second reader",
    "equal_first_and_second": "equal grades, first and second reader",
}


def title(name: str) -> str:
    """Give a figure its title."""
    return TITLES.get(name, name.replace("_", " "))
