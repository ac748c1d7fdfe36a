"""Training a bundle again from what it says of itself, and how far the two lie apart.

Both bundles read the same validation photographs here, each with its own fitted values, so that
nothing depends on what an older version measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import Bundle, GraderManifest
from fundoscope.train import calibrate, export, grader, photographs, pictures, runs
from fundoscope.train import config as configs
from fundoscope.train.calibrate import Calibration
from fundoscope.train.config import GraderConfig
from fundoscope.train.grader import Watcher
from fundoscope.train.photographs import VAL
from fundoscope.train.pictures import Pictures

DATA: Final = Path("../shared/data/grading")
"""Where the label tables of the shipped bundles lie, beside the repository."""
BUNDLE: Final = "bundle"
SHOWN: Final = 12
"""Characters of a hash in a message."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles on the same validation photographs.

    Attributes:
        photographs: how many.
        before, after: figures and fitted values of the given bundle and of the new one.
        mean_difference, largest_difference: of a photograph's expected grade, absolute.
        other_grade: photographs that the two give different grades.
        from_card: largest difference of the given bundle's figures here from those that it states;
            ``None`` where it states none.
    """

    photographs: int
    before: Calibration
    after: Calibration
    mean_difference: float
    largest_difference: float
    other_grade: int
    from_card: float | None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of training a bundle again.

    Attributes:
        given, made: the given bundle and the new one.
        config: that the new one was trained with.
        threads: of the given bundle's training; 0: all that its machine had.
        trained: whether anything was trained; not where the run folder held the finished run.
        exported: of the new bundle.
        comparison: how far the two lie apart.
    """

    given: GraderManifest
    made: GraderManifest
    config: GraderConfig
    threads: int
    trained: bool
    exported: export.Exported
    comparison: Comparison


def reproduce(
    bundle: Path,
    folder: Path | None = None,
    *,
    data: Path | None = None,
    cache: Path | None = None,
    threads: int | None = None,
    watcher: Watcher | None = None,
) -> Reproduction:
    """Train a bundle again, export it into the run folder's ``bundle`` and compare the two.

    Args:
        bundle: the given one.
        folder: of the run; made where it does not exist. A run that began there goes on as it
            began, with its own paths and threads; a finished one is not trained again.
        data: the label table or class folders; by default the one of the bundle's name in
            :data:`DATA`.
        cache: folder of the cached pictures.
        threads: of the processor; those of the bundle by default.
        watcher: is told how the training goes.

    Raises:
        UsageError: the bundle does not say how it was trained, the data is not what it was trained
            on, or the folder holds another run.
        FundoscopeError, OutputError: as :func:`grader.train` and :func:`export.export`.
    """
    given = bundles.load_grader(bundle)
    stated = recipe(given.manifest)
    sha256 = given.manifest.trained_on.manifest_sha256
    folder = folder or Path("runs") / f"reproduce-{given.manifest.name}"
    config = _begun(stated, sha256, folder) or configs.replaced(
        stated,
        data={
            "manifest": str(data or DATA / stated.data.manifest),
            "cache": None if cache is None else str(cache),
            "licence": given.manifest.licence,
        },
        threads=threads,
    )
    table = _same_table(config, sha256)
    trained = not finished(config, folder)
    if trained:
        grader.train(config, folder, watcher=watcher)
    name = f"{given.manifest.name}-again"
    stored = given.manifest.stored
    int8 = stored is not None and stored.weights == bundles.INT8
    exported = export.export(folder, folder / BUNDLE, name=name, cache=cache, int8=int8)
    made = bundles.load_grader(folder / BUNDLE)
    rows = [row for row in photographs.choose(table, config.data, config.seed) if row.split == VAL]
    comparison = compare(given, made, table, rows, cache or Path(config.data.cache))
    return Reproduction(
        given.manifest, made.manifest, config, stated.threads, trained, exported, comparison
    )


def recipe(manifest: GraderManifest) -> GraderConfig:
    """The configuration that a bundle was trained with, its table by its bare name.

    Raises:
        UsageError: the bundle does not say.
    """
    stated: Any = manifest.trained_on.configuration
    if "data" not in stated or "stages" not in stated:
        raise UsageError(
            manifest.name,
            "does not say how it was trained",
            "name a bundle that fundoscope train made",
        )
    return configs.from_builtins(dict(stated))


def finished(config: GraderConfig, folder: Path) -> bool:
    """Whether a run folder holds the figures of all epochs."""
    return len(runs.metrics(folder)) == sum(stage.epochs for stage in config.stages)


def compare(
    given: Bundle[GraderManifest],
    made: Bundle[GraderManifest],
    table: Manifest,
    rows: list[Row],
    cache: Path,
) -> Comparison:
    """Run two bundles on the same photographs.

    Args:
        given, made: the bundles; what goes into them may differ.
        table: whose photographs they read.
        rows: which of them.
        cache: folder of the cached pictures.
    """
    first, second = (_read(bundle, table, rows, cache) for bundle in (given, made))
    both = {row.image for row in first.data.rows} & {row.image for row in second.data.rows}
    before, after = first.of(both), second.of(both)
    difference = np.abs(before.expected - after.expected)
    return Comparison(
        len(both),
        before.calibration,
        after.calibration,
        float(difference.mean()),
        float(difference.max()),
        int((before.grades != after.grades).sum()),
        _from_card(given.manifest, before.calibration),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    expected: NDArray[np.float64]
    grades: NDArray[np.int64]
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class _Read:
    """What a bundle's graph said of photographs."""

    manifest: GraderManifest
    data: Pictures
    outputs: NDArray[np.float32]

    def of(self, images: set[str]) -> _Judged:
        """Grades and figures of some of them, with the bundle's own fitted values."""
        m, places = self.manifest, [i for i, r in enumerate(self.data.rows) if r.image in images]
        rows = [self.data.rows[i] for i in places]
        expected = heads.expected(heads.probabilities(self.outputs[places], m.temperature, m.head))
        calibration = calibrate.judge(
            self.outputs[places],
            np.array([row.grade for row in rows], np.int64),
            [row.source for row in rows],
            np.array([row.gradable is not False for row in rows]),
            m.head,
            temperature=m.temperature,
            cut_points=m.cut_points,
            threshold=m.referable_threshold,
        )
        return _Judged(expected, heads.icdr(expected, m.cut_points), calibration)


def _read(bundle: Bundle[GraderManifest], table: Manifest, rows: list[Row], cache: Path) -> _Read:
    manifest = bundle.manifest
    wanted = inputs.Input(manifest.input, *manifest.height_width)
    data = pictures.load(table, rows, wanted, cache)
    return _Read(manifest, data, export.outputs_of(bundle.model, data, manifest.head))


def _from_card(manifest: GraderManifest, found: Calibration) -> float | None:
    """The largest difference of the figures that were found from those that are stated."""
    differences = []
    for row, figures in found.table().items():
        for name in calibrate.SHARES:
            ours, stated = figures[name], manifest.validation.get(row, {}).get(name)
            if ours is not None and stated is not None:
                differences.append(abs(ours - stated))
    return max(differences, default=None)


def _same_table(config: GraderConfig, sha256: str) -> Manifest:
    """The table, which must be the one that the bundle was trained on."""
    table = photographs.read(config.data.manifest)
    if table.sha256 != sha256:
        raise UsageError(
            config.data.manifest,
            f"has the sha256 {table.sha256[:SHOWN]}…, and the bundle was trained on the table with"
            f" {sha256[:SHOWN]}…",
            "name that table with --data",
        )
    return table


def _begun(stated: GraderConfig, sha256: str, folder: Path) -> GraderConfig | None:
    """The configuration of the run that a folder holds; ``None`` where it holds none.

    Raises:
        UsageError: it is another run.
    """
    if not (folder / runs.CONFIG).is_file():
        return None
    config, trained_on = runs.stored_run(folder)
    if (_essence(config), trained_on) != (_essence(stated), sha256):
        raise UsageError(
            str(folder),
            "holds a run with another configuration or manifest",
            "choose another --out",
        )
    return config


def _essence(config: GraderConfig) -> GraderConfig:
    """The configuration without what differs from machine to machine."""
    return configs.replaced(
        config,
        network={"init": Path(config.network.init).name},
        data={"manifest": "", "cache": "", "licence": ""},
        threads=0,
    )
