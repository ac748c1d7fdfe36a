"""The pipeline from a photograph to its Reading.

The command line, the batch and the evaluation all use this pipeline, so a photograph gets the
same grade everywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from fundoscope._version import __version__
from fundoscope.errors import PhotoError, UsageError
from fundoscope.grading import contradictions, heat, judge, lesion_grade, oedema, withholding
from fundoscope.grading import grader as graders
from fundoscope.grading import next_step as next_steps
from fundoscope.grading import opinion as grader_opinion
from fundoscope.grading.grader import Grader
from fundoscope.grading.opinion import Opinion
from fundoscope.grading.rules import engine, places, rulesets
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import landmarks, laterality, looking, summary
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.summary import Findings
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.opinions import LesionGrade, MacularOedema, RuleGrade
from fundoscope.ordered import in_order
from fundoscope.photo import field, sources
from fundoscope.photo.decode import Photo
from fundoscope.reading import (
    EYES,
    Anatomy,
    FieldOfView,
    Laterality,
    LesionSummary,
    ModelUsed,
    Reading,
)

if TYPE_CHECKING:
    from fundoscope.photo.sources import Source

DEFAULT_RULES: Final = ("icdr",)
"""The rule sets that are applied unless others are named."""
SOFTWARE: Final = f"fundoscope {__version__}"
"""What a Reading says it was made with."""


class Reader:
    """Reads photographs with models that are loaded once. Threads may share a Reader."""

    def __init__(
        self,
        grader: str | Path | Grader | None = None,
        detector: str | Path | None = None,
        *,
        lesions: bool | Literal["auto"] = True,
        landmarks: str | Path | bool = True,
        threads: int = 1,
        referable_threshold: float | None = None,
        providers: Sequence[str] | None = None,
        rules: Sequence[str] = DEFAULT_RULES,
        force: bool = False,
        heat_map: bool = False,
    ) -> None:
        """Load the models.

        Args:
            grader: a grading bundle (folder or zip), or a loaded grader; ``None`` means the one
                that ships.
            detector: a detection bundle (folder or zip); ``None`` means the one that ships.
            lesions: whether to look for lesions; ``"auto"`` does not where the grader is sure of
                grade 0 (:mod:`fundoscope.grading.opinion`).
            landmarks: the landmark bundle (folder or zip) that finds disc and fovea beside the
                lesions; ``True`` means the one that ships, ``False`` none: then the disc is the
                detector's.
            threads: CPU threads for one photograph. More than one helps when fewer photographs are
                read in parallel than there are CPUs. The result is the same.
            referable_threshold: the lowest probability of grade 2 or more, above 0 and at most 1,
                at which an eye is referable; ``None`` means the bundle's.
            providers: of ONNX Runtime, in the order of preference, e.g. ``["cuda"]``; ``None``
                means the CPU. Others may round differently.
            rules: the rule sets that are applied to the lesions, each a name
                (``fundoscope rules`` lists them) or a file that ends in ``.toml``.
            force: whether photographs that are not gradable are graded all the same.
            heat_map: whether Readings say where the grader looked.

        Raises:
            BundleError: a bundle is missing or damaged.
            UsageError: the threshold or a rule set is invalid, a provider is not available, or the
                grader gives no heat map.
            ValueError: ``lesions`` or ``threads`` is invalid.
        """
        if lesions not in (True, False, "auto") or threads < 1:
            raise ValueError("lesions is True, False or 'auto', and threads at least 1")
        self._rules = tuple(rulesets.load(name) for name in rules)
        self._grader = (
            grader if isinstance(grader, Grader) else graders.load(grader, providers=providers)
        )
        if referable_threshold is not None:
            self._grader = graders.with_threshold(self._grader, referable_threshold)
        if heat_map and not heat.available(self._grader):
            remedy = "add it with fundoscope bundle features, or leave out --heat"
            raise UsageError(self._grader.manifest.name, "gives no heat map", remedy)
        self._heat_map = heat_map
        self._force = force
        self._leave_out = lesions == "auto"
        self._detector = _detector(detector, threads, providers) if lesions else None
        self._landmarker = _landmarker(landmarks, providers) if lesions else None

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles in use, as a Reading names them."""
        loaded = (self._grader, self._detector, self._landmarker)
        return tuple(model.used for model in loaded if model is not None)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The sources that the grader was trained on, as its bundle names them."""
        return tuple(name for name in self._grader.manifest.trained_on.photographs if name)

    @property
    def fitted_to(self) -> str | None:
        """SHA-256 of the label table that a clinic fitted the grader to; ``None`` if none did."""
        fitted = self._grader.manifest.recalibrated
        return None if fitted is None else fitted.table_sha256

    @property
    def referable_threshold(self) -> float:
        """The operating point on the probability of grade 2 or more."""
        return self._grader.manifest.referable_threshold

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """The lowest score of an accepted box, for each kind that is looked for."""
        return {} if self._detector is None else self._detector.manifest.thresholds

    def read(self, source: Source, *, eye: str | None = None) -> Reading:
        """Read one photograph.

        Args:
            source: a file's path, its bytes, a file opened in binary mode, an array
                ``uint8 (H, W, 3)`` RGB, or a PIL picture.
            eye: ``"right"`` or ``"left"`` if that is known. It wins over what the photograph
                shows; a contradiction becomes a warning.

        Returns:
            A Reading. A picture that is not a fundus photograph has one too, with ``field.found``
            false.

        Raises:
            PhotoError: the file cannot be read.
            TypeError: ``source`` is something else.
            ValueError: ``eye`` is something else.
        """
        return self.examine(source, eye=eye)[1]

    def read_many(
        self, given: Iterable[Source], *, workers: int = 1, raise_refusals: bool = False
    ) -> Iterator[Reading | PhotoError]:
        """Read many photographs, on several threads.

        Args:
            given: the photographs, each as for :meth:`read`. They are taken as needed, so this
                may be a generator over any number of them.
            workers: photographs that are read at the same time, at least 1.
            raise_refusals: whether a photograph that cannot be read ends the iteration. Otherwise
                its PhotoError is yielded in its place.

        Yields:
            A Reading for each photograph, or the PhotoError that says why there is none, in the
            order given.

        Raises:
            PhotoError: a file cannot be read, with ``raise_refusals``.
            TypeError: something is not a photograph.
            ValueError: ``workers`` is less than 1.
        """
        if sources.is_one(given):
            raise TypeError("this is one photograph: give a list of them, or call read")
        # Taken here, not by the threads: a generator may close a file, or fill an array anew.
        taken = map(sources.taken, given)
        yield from in_order(taken, partial(self._reading_or_refusal, raise_refusals), workers)

    def _reading_or_refusal(self, raise_refusals: bool, source: Any) -> Reading | PhotoError:
        try:
            if isinstance(source, Exception):
                raise source
            return self.read(source)
        except PhotoError as refusal:
            if raise_refusals:
                raise
            return refusal.with_traceback(None)
        except MemoryError:
            if raise_refusals:
                raise
            return sources.too_large_for_memory(source)

    def examine(self, source: Source, *, eye: str | None = None) -> tuple[Photo, Reading]:
        """Read one photograph and return its decoded pixels too, for drawing.

        Args:
            source: as for :meth:`read`.
            eye: as for :meth:`read`.

        Raises:
            PhotoError: the file cannot be read.
            ValueError: as for :meth:`read`.
        """
        if eye is not None and eye not in EYES:
            raise ValueError(f"{eye!r} is not an eye: say 'right' or 'left'")
        content = sources.content(source)
        photo = sources.photo(content, min_side=self._grader.input.decode_side)
        opinion = grader_opinion.form(
            photo, self._grader, force=self._force, heat_map=self._heat_map
        )
        fov, grade = opinion.field, opinion.grade
        if self._not_looked_for(opinion) is None and not _is_full_size(photo):
            # Decode again at a larger scale. The grade is then the same with and without lesions.
            photo = sources.photo(content, min_side=self._lesions_side)
        findings = self._findings(photo, opinion, eye)
        by_lesions = self._by_lesions(findings, fov)
        findings = withholding.withhold(findings, grade, by_lesions, self._lesion_model)
        by_rules, macular_oedema = self._by_rules(findings, photo, fov)
        verdict = opinion.verdict
        grade = next_steps.with_abstention(grade, verdict.quality, verdict.familiar)
        needs_reader = (
            *contradictions.needs_reader(grade, findings.summary, by_lesions),
            *judge.needs_reader(verdict),
        )
        warnings = photo.warnings + field.warnings(photo, fov)
        return photo, Reading(
            photo=photo.facts,
            field=fov,
            quality=verdict.quality,
            grade=grade,
            lesions=findings.lesions,
            models=self.models,
            warnings=warnings + opinion.warnings + findings.warnings,
            software=SOFTWARE,
            lesion_summary=findings.summary,
            anatomy=findings.anatomy,
            rules=by_rules,
            oedema=macular_oedema,
            agreement=contradictions.agreement(grade, by_rules, findings.summary, by_lesions),
            needs_reader=needs_reader,
            next_step=next_steps.next_step(
                grade,
                verdict.quality,
                verdict.familiar,
                needs_reader,
                oedema_possible=macular_oedema.state == oedema.POSSIBLE,
                overexposed=findings.summary == summary.OVEREXPOSED,
            ),
            familiar=verdict.familiar,
            heat=opinion.heat,
            lesion_grade=by_lesions,
        )

    @property
    def _lesions_side(self) -> int | None:
        return None if self._detector is None else self._detector.decode_side

    @property
    def _lesion_model(self) -> LesionGradeModel | None:
        return None if self._detector is None else self._detector.manifest.lesion_grade

    def _by_rules(
        self, findings: Findings, photo: Photo, fov: FieldOfView
    ) -> tuple[tuple[RuleGrade, ...], MacularOedema]:
        """What rules say about the lesions that are drawn; nothing where no kind was assessed."""
        if not any(kind.assessed for kind in findings.summary):
            return (), MacularOedema()
        evidence = places.evidence(
            findings.lesions,
            findings.summary,
            findings.anatomy,
            fov,
            size=(photo.facts.width, photo.facts.height),
            withheld=findings.withheld,
        )
        outcomes = (engine.apply(ruleset, evidence) for ruleset in self._rules)
        return tuple(map(engine.rule_grade, outcomes)), oedema.oedema(evidence)

    def _by_lesions(self, findings: Findings, fov: FieldOfView) -> LesionGrade | None:
        """The grade by the lesions alone, where the detector's bundle has a model for it."""
        model = self._lesion_model
        if model is None or self._detector is None or not fov.found:
            return None
        features = lesion_grade.of_findings(
            findings, fov, self._detector.manifest, model.size_share
        )
        return None if features is None else lesion_grade.grade(model, features)

    def _not_looked_for(self, opinion: Opinion) -> tuple[LesionSummary, ...] | None:
        """The summary of a photograph on which lesions are not looked for; ``None``: they are."""
        if self._detector is None:
            return summary.NO_DETECTOR
        if not opinion.field.found:
            return summary.NO_FIELD
        if not opinion.usable:
            return summary.NOT_GRADABLE
        sure = self._leave_out and opinion.is_sure_of_grade_0
        return summary.SURE_OF_GRADE_0 if sure else None

    def _findings(self, photo: Photo, opinion: Opinion, eye: str | None) -> Findings:
        left_out = self._not_looked_for(opinion)
        if self._detector is None or left_out is not None:
            given = Laterality(eye, laterality.GIVEN if eye else None)
            return Findings(summary=left_out or (), anatomy=Anatomy(laterality=given))
        return looking.look(self._detector, self._landmarker, photo, opinion.field, eye)


def _detector(wanted: str | Path | None, threads: int, providers: Sequence[str] | None) -> Detector:
    """The detector, whose grade by lesions this version can work out."""
    loaded = detectors.load(wanted, threads=threads, providers=providers)
    lesion_grade.require_known(loaded.manifest)
    return loaded


def _landmarker(
    wanted: str | Path | bool, providers: Sequence[str] | None
) -> landmarks.Landmarker | None:
    """The landmark network; ``None`` where none is wanted, or none ships."""
    if wanted is False or (wanted is True and not landmarks.ships()):
        return None
    return landmarks.load(None if wanted is True else wanted, providers=providers)


def _is_full_size(photo: Photo) -> bool:
    """Whether the photograph was decoded at its full size."""
    height, width = photo.pixels.shape[:2]
    return (width, height) == (photo.facts.width, photo.facts.height)


_default: Reader | None = None
_lock = threading.Lock()


def read(source: Source) -> Reading:
    """Read one photograph with the models that ship. They are loaded at the first call.

    Args:
        source: a file's path, its bytes, a file opened in binary mode, an array
            ``uint8 (H, W, 3)`` RGB, or a PIL picture.

    Raises:
        PhotoError: the file cannot be read.
        TypeError: ``source`` is something else.
        BundleError: a bundle that ships is missing or damaged.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Reader()
    return _default.read(source)
