"""Train a bundle again from the configuration that it states, and compare the two.

Both bundles read the same validation photographs here, each with its own fitted values, so nothing
depends on figures of an older version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import Bundle, GraderManifest
from fundoscope.train.grading import calibrate, export, photographs, pictures
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.calibrate import Calibration
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.exported import Exported
from fundoscope.train.grading.photographs import VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.networks import weights
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.listeners import Listeners

BUNDLE: Final = "bundle"
SHOWN: Final = 12
"""Characters of a hash in a message."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles on the same validation photographs.

    Attributes:
        photographs: their number.
        before, after: figures and fitted values of the given bundle and of the new one.
        mean_difference, largest_difference: absolute, of a photograph's expected grade.
        other_grade: number of photographs that the two grade differently.
        from_card: largest difference between the given bundle's figures here and those that it
            states; ``None`` where it states none.
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
    """The result of training a bundle again.

    Attributes:
        given, made: the given bundle and the new one.
        config: that the new one was trained with.
        threads: of the given bundle's training; 0: all threads of its machine.
        trained: whether anything was trained; false where the run folder held the finished run.
        exported: the new bundle.
        comparison: of the two bundles.
    """

    given: GraderManifest
    made: GraderManifest
    config: GraderConfig
    threads: int
    trained: bool
    exported: Exported
    comparison: Comparison


def reproduce(
    bundle: Path,
    folder: Path | None = None,
    *,
    data: Path | None = None,
    init: str | None = None,
    cache: Path | None = None,
    threads: int | None = None,
    listeners: Listeners[Pictures] | None = None,
) -> Reproduction:
    """Train a bundle again, export it into the run folder's ``bundle`` and compare the two.

    Args:
        bundle: the given one.
        folder: of the run; made where it does not exist. A run that began there is resumed with its
            own paths; a finished one is not trained again.
        data: the label table or class folders that the bundle was trained on; not needed to resume.
            Further tables of the bundle (``data.also``) are looked for beside it, and in the
            folders beside its folder.
        init: what to start from, where the bundle started from a file.
        cache: folder of the cached pictures.
        threads: of the CPU; by default those of the bundle, or of the run that is resumed.
        listeners: report the progress of the training.

    Raises:
        UsageError: the bundle does not state how it was trained, ``data`` is missing or is not what
            it was trained on, or the folder holds another run.
        FundoscopeError, OutputError: as :func:`grader.train` and :func:`export.export`.
    """
    given = bundles.load_grader(bundle)
    stated = recipe(given.manifest)
    sha256 = given.manifest.trained_on.manifest_sha256
    folder = folder or Path("runs") / f"reproduce-{given.manifest.name}"
    config = _begun(configs.replaced(stated, network={"init": init}), sha256, folder)
    if config is None:
        config = _here(stated, _required(data, stated), init)
        config = configs.replaced(
            config,
            data={
                "cache": None if cache is None else str(cache),
                "licence": given.manifest.licence,
            },
        )
    config = configs.replaced(config, threads=threads)
    table = _same_tables(config, sha256)
    trained = not finished(config, folder)
    if trained:
        grader.train(config, folder, listeners=listeners)
    name = f"{given.manifest.name}-again"
    stored = given.manifest.stored
    int8 = stored is not None and stored.weights == bundles.INT8
    exported = export.export(
        folder, folder / BUNDLE, name=name, cache=cache, int8=int8, overwrite=True
    )
    made = bundles.load_grader(folder / BUNDLE)
    rows = [row for row in photographs.choose(table, config.data, config.seed) if row.split == VAL]
    comparison = compare(given, made, table, rows, cache or Path(config.data.cache))
    return Reproduction(
        given.manifest, made.manifest, config, stated.threads, trained, exported, comparison
    )


def _required(data: Path | None, stated: GraderConfig) -> Path:
    """The label table or class folders.

    Raises:
        UsageError: there are none.
    """
    if data is None:
        raise UsageError(
            "--data",
            f"is missing: the bundle was trained on {stated.data.manifest}",
            "name that table, which lies beside its photographs",
        )
    return data


def recipe(manifest: GraderManifest) -> GraderConfig:
    """The configuration that a bundle was trained with, its tables by their bare names.

    ``network.init`` of a bundle whose run started from another run is ``best.pt``.

    Raises:
        UsageError: the bundle does not state it, or is an average of several runs.
    """
    stated: Any = dict(manifest.trained_on.configuration)
    if "data" not in stated or "stages" not in stated:
        raise UsageError(
            manifest.name,
            "does not state how it was trained",
            "name a bundle that fundoscope train made",
        )
    if manifest.trained_on.averaged is not None:
        raise _is_an_average(manifest)
    network = dict(stated.get("network", {}))
    if isinstance(network.get("init"), dict):  # the configuration of the earlier run
        network["init"] = loop.BEST
    return configs.from_builtins({**stated, "network": network})


def _is_an_average(manifest: GraderManifest) -> UsageError:
    """The error for an average: one training cannot make it again, so it names the commands."""
    shares = manifest.trained_on.averaged or {}
    parts = ", ".join(f"{run} ({share:g})" for run, share in shares.items())
    words = [f"runs/{run}" for run in shares] + [f"--share {share:g}" for share in shares.values()]
    height, _ = manifest.height_width
    int8 = manifest.stored is not None and manifest.stored.weights == bundles.INT8
    return UsageError(
        manifest.name,
        f"is the average of the runs {parts}, and states the settings of the last one alone",
        f"train each (docs/results.md has the commands of the shipped one), then run:"
        f" fundoscope train average {' '.join(words)} --size {height} --out runs/again"
        f" && fundoscope train export runs/again again{' --int8' * int8}",
    )


def _here(stated: GraderConfig, table: Path, init: str | None) -> GraderConfig:
    """The configuration with the paths of this machine.

    Raises:
        UsageError: a further table, the file of boxes for maps, or the file that the bundle started
            from is not found.
    """
    origin = stated.network.init
    if init is None and origin not in weights.BY_NAME:
        raise UsageError(
            f"the starting weights {origin}",
            "are not in the bundle: they are the best network of another run, or a file",
            "train that run first (bundle.json has its configuration where it is known), and name"
            " its best.pt with --init",
        )
    also = tuple(str(_further(table, name)) for name in stated.data.also)
    boxes = stated.maps.boxes
    return configs.replaced(
        stated,
        network={"init": init},
        data={"manifest": str(table), "also": also},
        maps={"boxes": str(_further(table, boxes)) if boxes else None},
    )


def _further(table: Path, name: str) -> Path:
    """A further file: beside the first table, or in a folder beside its folder."""
    near = (table.parent / name, *sorted(table.resolve().parent.parent.glob(f"*/{name}")))
    file = next((path for path in near if path.exists()), None)
    if file is None:
        raise UsageError(
            name, f"is not found near {table}", f"put it beside {table.name}, with its photographs"
        )
    return file


def finished(config: GraderConfig, folder: Path) -> bool:
    """Whether a run folder holds the figures of all epochs, or of those before patience ran out."""
    scores = [line.get("score") for line in runs.metrics(folder)]
    if len(scores) == sum(stage.epochs for stage in config.stages):
        return True
    known = [-math.inf if score is None else score for score in scores]
    since_best = len(known) - 1 - int(np.argmax(known)) if known else 0
    return 0 < config.patience <= since_best


def compare(
    given: Bundle[GraderManifest],
    made: Bundle[GraderManifest],
    table: Manifest,
    rows: list[Row],
    cache: Path,
) -> Comparison:
    """Run two bundles on the same photographs.

    Args:
        given: a bundle.
        made: another one; their inputs may differ.
        table: whose photographs they read.
        rows: of the table.
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
class _Evaluated:
    """Expected grades and grades of photographs, ``(N,)``, and the figures."""

    expected: NDArray[np.float64]
    grades: NDArray[np.int64]
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class _Read:
    """The outputs of a bundle's graph for photographs, ``(N, outputs)``."""

    manifest: GraderManifest
    data: Pictures
    outputs: NDArray[np.float32]

    def of(self, images: set[str]) -> _Evaluated:
        """Grades and figures of some of them, with the bundle's own fitted values."""
        m, places = self.manifest, [i for i, r in enumerate(self.data.rows) if r.image in images]
        rows = [self.data.rows[i] for i in places]
        fitted = calibrate.Fitted(m.temperature, m.correction, m.referable_threshold)
        p = fitted.probabilities(self.outputs[places], m.head)
        calibration = calibrate.evaluate(
            self.outputs[places],
            np.array([row.grade for row in rows], np.int64),
            [row.source for row in rows],
            np.array([row.gradable is not False for row in rows]),
            m.head,
            fitted,
        )
        return _Evaluated(heads.expected(p), heads.most_probable(p), calibration)


def _read(bundle: Bundle[GraderManifest], table: Manifest, rows: list[Row], cache: Path) -> _Read:
    manifest = bundle.manifest
    wanted = inputs.Input(manifest.input, *manifest.height_width)
    data = pictures.load(table, rows, wanted, cache)
    return _Read(manifest, data, export.outputs_of(bundle.model, data, manifest.head))


def _from_card(manifest: GraderManifest, measured: Calibration) -> float | None:
    """The largest difference of the measured figures from those that a bundle states."""
    differences = []
    for row, figures in measured.table().items():
        for name in calibrate.SHARES:
            ours, stated = figures[name], manifest.validation.get(row, {}).get(name)
            if ours is not None and stated is not None:
                differences.append(abs(ours - stated))
    return max(differences, default=None)


def _same_tables(config: GraderConfig, sha256: str) -> Manifest:
    """The table, which must, with the further ones, be what the bundle was trained on."""
    table = photographs.read(config.data.manifest)
    ours = photographs.sha256(table, photographs.read_also(config.data, table))
    if ours != sha256:
        raise UsageError(
            " and ".join((config.data.manifest, *config.data.also)),
            f"has the sha256 {ours[:SHOWN]}…, and the bundle was trained on the table with"
            f" {sha256[:SHOWN]}…",
            "name that table with --data",
        )
    return table


def _begun(stated: GraderConfig, sha256: str, folder: Path) -> GraderConfig | None:
    """The configuration of the run that a folder holds; ``None`` where there is no run.

    Raises:
        UsageError: the folder holds another run.
    """
    if not (folder / runs.CONFIG).is_file():
        return None
    config, trained_on = configs.of_run(folder)
    if (_essence(config), trained_on) != (_essence(stated), sha256):
        raise UsageError(
            str(folder),
            "holds a run with another configuration or manifest",
            "choose another --out",
        )
    return config


def _essence(config: GraderConfig) -> runs.Settings:
    """The settings without paths and hardware, which differ from machine to machine."""
    plain = configs.replaced(
        config,
        network={"init": Path(config.network.init).name},
        data={
            "manifest": "",
            "also": tuple(Path(table).name for table in config.data.also),
            "cache": "",
            "licence": "",
        },
        maps={"boxes": Path(config.maps.boxes).name},
    )
    return runs.identity(msgspec.to_builtins(plain))
