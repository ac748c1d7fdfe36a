"""The sections of a bundle's card that an evaluation writes: use, figures, measured limits.

Training writes the other sections. Nobody writes a figure of a card by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.folder import GRADING, LESIONS, METRICS
from fundoscope.evaluate.grading import training
from fundoscope.evaluate.intervals import Figure
from fundoscope.evaluate.report.sources import figure_of
from fundoscope.evaluate.report.titles import title
from fundoscope.kinds import KINDS
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import BundleManifest, DetectorManifest, GraderManifest

USE, EVALUATION = "## Intended use", "## On test photographs"
"""The headings of the two sections."""
REFERABLE: Final = "referable"
"""The threshold of a grader, as ``run.json`` names it."""
LIMITATIONS: Final = "## Limitations"
HASH_SHOWN: Final = 12
LICENCE: Final = "The licence of the weights, at the top of this card, binds whoever uses them."
USES: Final[Mapping[str, str]] = {
    bundles.GRADING: """\
For research on photographs of the retina of people with diabetes, with a field of 45 to 50
degrees. It is for a second opinion beside a trained reader, never for a decision without one.
A person who is qualified to grade retinal photographs must supervise it and must look at each
photograph that is referable, has no grade, is abstained from, or is flagged `needs_reader`.
Macular oedema, glaucoma and other diseases need a reader in any case.""",
    bundles.DETECTION: """\
For research on photographs of the retina of people with diabetes, and to draw first boxes that a
person corrects. A box is not a finding until a person who is qualified to read retinal photographs
has confirmed it. An eye without boxes may still have lesions.""",
}
"""By task: what a bundle is for, and who must supervise it."""
GRADER_FIGURES: Final = (
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
    "quadratic_kappa",
    "accuracy",
)
"""The figures of each part of the photographs."""
WHOLE_FIGURES: Final = (
    *GRADER_FIGURES,
    "vision_threatening_auc",
    "any_auc",
    "severe_called_referable",
    "balanced_accuracy",
    "graded_share",
)
"""The figures of all photographs together."""
DETECTOR_FIGURES: Final = ("precision", "recall", "ap_hit", "ap_50")
SOURCE: Final = "source"
LEFT_OUT: Final = ("source_and_gradable",)
"""Columns of a record that only documents use."""
FEWEST: Final = 50
"""Photographs of a part for it to be named as the worst; fewer say little."""
UNREAD: Final = {
    GRADING: "What could not be read or graded counts as wrong and as called referable.",
    LESIONS: "The lesions of a photograph that could not be read count as missed.",
}
"""What unread photographs do to the figures, by the command."""


def written(card: str, manifest: BundleManifest, results: Path) -> str:
    """Write both sections into a card: the use comes first, the figures before the limitations.

    Args:
        card: Markdown; earlier sections of the same titles are replaced, all others stay.
        manifest: of the bundle.
        results: the folder of an evaluation, or of a record of one.

    Raises:
        UsageError: the folder does not hold an evaluation of this bundle.
    """
    use, figures = sections(manifest, results)
    head, *others = re.split(r"^(?=## )", card.rstrip("\n") + "\n", flags=re.MULTILINE)
    kept = [part for part in others if part.partition("\n")[0] not in (USE, EVALUATION)]
    end = next((n for n, part in enumerate(kept) if part.startswith(LIMITATIONS)), len(kept))
    parts = (head, use, *kept[:end], figures, *kept[end:])
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def sections(manifest: BundleManifest, results: Path) -> tuple[str, str]:
    """Write the two sections of a card from an evaluation of the bundle.

    Args:
        manifest: of the bundle.
        results: the folder of an evaluation, or of a record of one.

    Raises:
        UsageError: the folder does not hold an evaluation of this bundle.
    """
    run = folders.read(results).run
    used = [model for model in run.models if model.task == manifest.task]
    if [(m.name, m.sha256) for m in used] != [(manifest.name, manifest.model_sha256)]:
        names = ", ".join(model.name for model in used) or "no bundle of this task"
        raise UsageError(
            str(results), f"is of {names}, not of {manifest.name}", "evaluate this bundle"
        )
    _require_thresholds(run.thresholds, manifest, str(results))
    try:
        metrics = msgspec.json.decode((results / METRICS).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise folders.not_as_written(results, METRICS, error) from None
    parts = _grader(metrics) if run.command == GRADING else _detector(metrics)
    blocks = (EVALUATION, _head(run, metrics), *parts)
    use = f"{USE}\n\n{USES[manifest.task]}\n\n{LICENCE}\n"
    return use, "\n\n".join(blocks) + "\n"


def _require_thresholds(
    used: Mapping[str, float | None], manifest: BundleManifest, title: str
) -> None:
    """Check that an evaluation is at the thresholds of a bundle.

    A bundle that was calibrated again has the network, and often the name, of the one before.

    Raises:
        UsageError: a threshold is another one.
    """
    own: dict[str, float] = {}
    if isinstance(manifest, GraderManifest):
        own = {REFERABLE: manifest.referable_threshold}
    elif isinstance(manifest, DetectorManifest):
        own = dict(manifest.thresholds)
    for name, threshold in own.items():
        before = used.get(name)
        if before is not None and before != threshold:
            raise UsageError(
                title,
                f"is of {manifest.name} with the threshold {before:.4f} of {name}, not"
                f" {threshold:.4f}: it was calibrated since",
                "evaluate this bundle",
            )


def _head(run: folders.Run, metrics: Mapping[str, Any]) -> str:
    split = run.arguments.get("split")
    which = f" of the split `{split}`" if split else ""
    number = metrics.get("n") or metrics.get("photographs") or 0
    limits = ", ".join(f"{k} {v:.4f}" for k, v in run.thresholds.items() if v is not None)
    forced = " It graded what it calls not gradable, too (`--force`)."
    return (
        f"`fundoscope {run.command}` on {number:,} photographs{which}; labels with sha256\n"
        f"`{run.truth_sha256[:HASH_SHOWN]}…`. Thresholds: {limits or 'none'}. Intervals are 95 %,\n"
        f"by bootstrap. {UNREAD[run.command]}"
    ) + (forced if run.arguments.get("force") else "")


def _grader(metrics: Mapping[str, Any]) -> Iterator[str]:
    whole = [(title(name), _cell(metrics, name)) for name in WHOLE_FIGURES]
    recalls = metrics.get("recall") or {}
    whole += [(f"grade {grade} recognised", _cell(recalls, grade)) for grade in sorted(recalls)]
    yield _table(("figure", "all photographs"), whole)
    for column, values in (metrics.get("by") or {}).items():
        if column not in LEFT_OUT:
            yield _by(column, values)
    yield "\n".join(("Limits measured:", "", *_limits(metrics)))


def _by(column: str, values: Mapping[str, Any]) -> str:
    """The figures for each value of a column, and whether its source took part in training."""
    head = (_words(column), "photographs", *map(title, GRADER_FIGURES), "source in training")
    rows = [
        (
            value,
            f"{part.get('n', 0):,}",
            *(_cell(part, name) for name in GRADER_FIGURES),
            training.in_a_word(part.get("sources") or {}),
        )
        for value, part in values.items()
    ]
    return _table(head, rows)


def _limits(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, words in (
        ("referable_sensitivity", "Referable eyes are found least often"),
        ("referable_specificity", "Eyes that are not referable are passed least often"),
    ):
        worst = _worst(metrics, name)
        if worst is not None:
            yield f"- {words} in {worst[0]}: {worst[1].in_words()}."
    severe = figure_of(metrics.get("severe_called_referable"))
    if severe is not None and severe.value is not None:
        missed = 100 * (1 - severe.value)
        yield f"- Of grade 3 and 4, {missed:.1f} % are not called referable."
    recalls = {k: figure_of(v) for k, v in (metrics.get("recall") or {}).items()}
    known = {k: f.value for k, f in recalls.items() if f is not None and f.value is not None}
    if known:
        grade = min(known, key=known.__getitem__)
        yield f"- Grade {grade} is recognised least often: {known[grade]:.3f}."
    certainty = metrics.get("certainty") or {}
    for name, words in (
        ("set_coverage", "The set of plausible grades holds the label"),
        ("abstained_share", "Left to a reader (abstained) is a share of"),
    ):
        figure = figure_of((certainty.get("sets") or {}).get(name))
        if figure is not None and figure.value is not None:
            yield f"- {words}{' in' if name == 'set_coverage' else ''} {figure.in_words()}."


def _worst(metrics: Mapping[str, Any], name: str) -> tuple[str, Figure] | None:
    """The source with the lowest value of a figure."""
    figures = {
        value: figure
        for value, part in ((metrics.get("by") or {}).get(SOURCE) or {}).items()
        if part.get("n", 0) >= FEWEST
        and (figure := figure_of(part.get(name))) is not None
        and figure.value is not None
    }
    if not figures:
        return None
    lowest = min(figures, key=lambda value: figures[value].value or 0.0)
    return lowest, figures[lowest]


def _detector(metrics: Mapping[str, Any]) -> Iterator[str]:
    classes = metrics.get("classes") or {}
    rows = [
        (
            KINDS[kind].name if kind in KINDS else kind,
            f"{entry.get('lesions', 0):,}",
            *(_cell(entry, name) for name in DETECTOR_FIGURES),
        )
        for kind, entry in classes.items()
    ]
    yield _table(("kind", "lesions", *map(title, DETECTOR_FIGURES)), rows)
    for name, words in (("precision", "boxes that are right"), ("recall", "lesions found")):
        figures = {
            row[0]: figure
            for row, entry in zip(rows, classes.values(), strict=True)
            if (figure := figure_of(entry.get(name))) is not None and figure.value is not None
        }
        if figures:
            kind = min(figures, key=lambda k: figures[k].value or 0.0)
            worst = figures[kind].in_words()
            yield f"Limit measured: of {words}, the share is lowest for {kind}, {worst}."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(entries: Mapping[str, Any], name: str) -> str:
    figure = figure_of(entries.get(name))
    if figure is None or figure.value is None:
        return "–"
    return figure.in_words()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
