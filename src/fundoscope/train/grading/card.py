"""The model card of a grader: what people should know before they use it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from fundoscope.grading import heads
from fundoscope.grading.inputs import CROP, NATIVE, SQUASH
from fundoscope.train.grading import config as configs
from fundoscope.train.grading.calibrate import SHARES, TARGET_SENSITIVITY, Calibration, Figures
from fundoscope.train.run.card_text import averaged_text, settings_table, stored_text

if TYPE_CHECKING:
    from fundoscope.grading.inputs import Input
    from fundoscope.models.bundle import GraderManifest
    from fundoscope.train.grading.exported import Exported

INPUTS = {
    CROP: "the field of view's square, not stretched, black around it",
    SQUASH: "the whole photograph brought to one shape, which stretches the retina",
    NATIVE: "the whole photograph in its own shape, brought to one area",
}
OUTPUTS = {
    heads.CUMULATIVE: 'four logits of "the grade is above 0, 1, 2, 3"',
    heads.CORN: 'four logits of "the grade is above k, given that it is above k - 1"',
    heads.SOFTMAX: "five logits, one a grade",
    heads.REGRESSION: "the grade as a number",
    heads.SIGMOID: "one logit, whose probability is read as the grade",
}

BEST_BY = {configs.KAPPA: "kappa", configs.AUC: "AUC"}
"""The words for what chose the best epoch."""


def text(manifest: GraderManifest, exported: Exported) -> str:
    """The card as Markdown."""
    parts = (
        _head(manifest),
        _data(manifest),
        _training(manifest, exported),
        _figures(exported.calibration),
        _fitted(manifest),
        _graph(manifest, exported),
        LIMITATIONS,
    )
    return "\n".join(parts)


def refitted(card: str, manifest: GraderManifest, calibration: Calibration) -> str:
    """The card of a bundle whose values were fitted again: new name, figures and fitted values.

    Args:
        card: of the earlier bundle.
        manifest: of the new bundle.
        calibration: its figures on validation.
    """
    parts = re.split(r"^(?=## )", card.partition("\n")[2], flags=re.MULTILINE)
    new = {part.partition("\n")[0]: part for part in (_figures(calibration), _fitted(manifest))}
    kept = [new.get(part.partition("\n")[0], part).rstrip("\n") for part in parts]
    return f"# {manifest.name}\n" + "\n\n".join(kept) + "\n"


def _head(manifest: GraderManifest) -> str:
    return f"""# {manifest.name}

Grades diabetic retinopathy on a photograph of the retina, 0 to 4 of the International Clinical
Diabetic Retinopathy scale. For research; it is not a medical device, and its
results are not a diagnosis.

Licence of the weights: {manifest.licence}.
"""


def _data(manifest: GraderManifest) -> str:
    photographs = manifest.trained_on.photographs
    rows = "\n".join(f"| {name or '(not named)'} | {n:,} |" for name, n in photographs.items())
    return f"""## Trained on

| source | photographs |
|---|---|
{rows}
| all | {sum(photographs.values()):,} |

Manifest sha256 `{manifest.trained_on.manifest_sha256}`.
Its input is {INPUTS[manifest.input]}. The same code makes it when the grader is used.
"""


def _training(manifest: GraderManifest, exported: Exported) -> str:
    trained = manifest.trained_on
    minutes = f"{trained.minutes:.0f} minutes" if trained.minutes is not None else "unknown time"
    versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
    return f"""## Training

{_chosen(manifest, exported)}
Seed {trained.seed}, {minutes}.
Versions: {versions}.

{settings_table(trained.configuration)}
"""


def _chosen(manifest: GraderManifest, exported: Exported) -> str:
    by = BEST_BY[str((manifest.trained_on.configuration or {}).get("best_by", configs.KAPPA))]
    averaged = manifest.trained_on.averaged
    if averaged is None:
        return f"Epoch {exported.epoch + 1}, chosen by validation {by} (mean over the sources)."
    return averaged_text(averaged, f"by validation\n{by}; shares and size were")


def _figures(fitted: Calibration) -> str:
    rows = [_row(name or "(not named)", figures) for name, figures in fitted.by_source.items()]
    means = (fitted.mean(key) for key in SHARES)
    rows.append(f"| mean of the sources | | {' | '.join(_number(value) for value in means)} |")
    rows.append(_row("together", fitted.pooled))
    rows.append(_row("together, gradable photographs", fitted.gradable))
    return (
        """## On validation

The epoch and all fitted values were chosen on the same photographs, so these figures are
optimistic.
Sensitivity and specificity are those of "referable" at the threshold.

| source | n | AUC referable | quadratic kappa | accuracy | sensitivity | specificity |
|---|---|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )


def _row(name: str, figures: Figures) -> str:
    values = (getattr(figures, key) for key in SHARES)
    return f"| {name} | {figures.n} | {' | '.join(_number(value) for value in values)} |"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _fitted(manifest: GraderManifest) -> str:
    return f"""## Fitted on validation

{_fitted_grades(manifest)}
- referable from a probability of {manifest.referable_threshold:.4f} (sensitivity \
{TARGET_SENSITIVITY:.2f} over the gradable photographs of all sources together)
{_fitted_sets(manifest)}"""


def _fitted_sets(manifest: GraderManifest) -> str:
    sets = manifest.conformal
    if sets is None:
        return ""
    limits = ", ".join(f"{limit:.3f}" for limit in sets.limits)
    return (
        f"- sets of grades that hold the true one with a probability of {sets.coverage:.2f}: limits"
        f" {limits}\n"
    )


def _fitted_grades(manifest: GraderManifest) -> str:
    if manifest.head == heads.SIGMOID:
        return "- no setting of the grade: the output is rounded, so that it is 0 or 1"
    temperature = (
        f"- temperature {manifest.temperature:.3f} (smallest negative log-likelihood of the five"
        " grades)"
    )
    if manifest.correction is None:
        return temperature
    offsets = ", ".join(f"{offset:.3f}" for offset in manifest.correction.offsets)
    return f"""{temperature}
- a correction of the log-odds that the grade is above 0, 1, 2, 3: times \
{manifest.correction.slope:.3f}, plus {offsets} (log-likelihood and kappa, mean over the \
sources); the grade is the most probable one after it"""


def _graph(manifest: GraderManifest, exported: Exported) -> str:
    stored = stored_text(manifest.stored)
    return f"""## Graph

Input: `uint8 (N, {_sides(exported.input)}, 3)` RGB, {INPUTS[exported.input.kind]}; the graph
normalises it. Output: {OUTPUTS[manifest.head]}. ONNX Runtime differs from torch by
{exported.torch_difference:.1e} at most in a probability, on {exported.compared} validation
photographs. {stored}
"""


def _sides(wanted: Input) -> str:
    return "H, W" if wanted.kind == NATIVE else f"{wanted.height}, {wanted.width}"


LIMITATIONS = """## Limitations

- In most sources one person graded each photograph, and some grades contradict each other.
- It does not look for macular oedema, glaucoma or any other disease.
- On cameras and populations that it was not trained on it can be much worse. Evaluate it on your
  own photographs first (`fundoscope evaluate grading`).
- In the public sets, some cameras have photographed sicker patients than others, so a network can
  guess the grade from the camera. Changing shape and colour at random in training makes that
  harder, but does not rule it out.
- Without a judge of image quality (`fundoscope calibrate judge`) it grades every photograph with a
  field of view, even one that is too poor to be graded. A judge does not find all of these.
"""
