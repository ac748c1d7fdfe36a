from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fundoscope import phantom
from fundoscope.calibrate.judging import bundle as judged
from fundoscope.calibrate.judging import degrade, features, fit, slides
from fundoscope.calibrate.judging.measured import Measured, beside, together
from fundoscope.data.manifest import Row
from fundoscope.errors import PhotoError, TableError, UsageError
from fundoscope.grading import grader, judge
from fundoscope.models import bundle
from fundoscope.models.judge import Judge
from fundoscope.phantom import PhantomSpec, impostors
from fundoscope.photo.field import disc
from fundoscope.quality import QUALITY_REASONS, Quality, QualityScore

pytest.importorskip("sklearn")

FEATURES, STAGES = 12, 8
SIDE = 320
SOURCES = ("a", "b")


@pytest.fixture(scope="module")
def square() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 60, (SIDE, SIDE, 1))
    pixels = (np.array((160, 80, 40)) + noise).astype(np.uint8)
    pixels[~disc(SIDE)] = 0
    return pixels


@pytest.mark.parametrize("name", degrade.FAULTS)
def test_a_strong_fault_changes_a_square_more_than_a_slight_one(
    name: str, square: np.ndarray
) -> None:
    fault = degrade.FAULTS[name]

    def change(strength: float) -> float:
        worse = degrade.degraded(square, name, strength, np.random.default_rng(0))
        assert worse.shape == square.shape
        assert not worse[~disc(SIDE)].any()
        return float(np.abs(worse.astype(float) - square).mean())

    assert change(fault.strong) > change(fault.slight) > 0


def test_every_reason_has_a_fault() -> None:
    assert {fault.reason for fault in degrade.FAULTS.values()} == set(QUALITY_REASONS)


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eyes")
    for seed in range(3):
        pixels, _ = phantom.draw(PhantomSpec(seed=seed, width=300, height=240))
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


def rows() -> list[Row]:
    return [Row(image=f"{name}.png", grade=0, source="a") for name in (0, 1, 2, "broken")]


def test_photographs_without_features_are_named(eyes: Path, tmp_path: Path) -> None:
    loaded = grader.load()
    Image.new("RGB", (300, 240)).save(eyes / "black.png")
    of = [*rows(), Row("black.png", 0, source="a", gradable=False)]
    paths = [eyes / row.image for row in of]
    measured = features.of_rows(loaded, of, paths, tmp_path / "cache")
    broken, black = features.lacking(loaded, of, paths, measured)
    assert (broken.row.image, broken.opened) == ("broken.png", False)
    assert (black.row.image, black.opened) == ("black.png", True)
    assert all(each.reason and each.remedy for each in (broken, black))


def test_eyeq_is_a_number_of_its_scale() -> None:
    cells = {"": "", "0": "0", "2.0": "2", "1": "1"}
    for cell, meant in cells.items():
        assert fit.eyeq(Row("a.jpg", 0, other={"quality_eyeq": cell})) == meant
    with pytest.raises(TableError, match=r"a.jpg, line 3, column quality_eyeq: is 'Reject'"):
        fit.eyeq(Row("a.jpg", 0, other={"quality_eyeq": "Reject"}, line=3))


def test_features_are_measured_once(eyes: Path, tmp_path: Path) -> None:
    loaded = grader.load()
    paths = [eyes / row.image for row in rows()]
    seen = list[int]()
    measured = features.of_rows(
        loaded, rows(), paths, tmp_path / "cache", progress=lambda: seen.append(1)
    )
    assert sorted(set(measured.place.tolist())) == [0, 1, 2]
    assert (measured.kind == features.GENUINE).sum() == 3
    assert np.char.startswith(measured.kind, features.STRONG).sum() == 3
    again = features.of_rows(
        loaded, rows(), paths, tmp_path / "cache", progress=lambda: seen.append(1)
    )
    assert len(seen) == len(paths)
    np.testing.assert_array_equal(measured.features, again.features)
    Image.open(paths[0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(paths[0])
    other = features.of_rows(loaded, rows(), paths, tmp_path / "cache")
    assert not np.array_equal(other.features, measured.features)
    np.testing.assert_array_equal(measured.stages, again.stages)


def test_pictures_of_other_things_are_shown_in_four_ways(tmp_path: Path) -> None:
    name, pixels = next((n, p) for n, p in impostors.made(1) if n.startswith("moon"))
    Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    paths = features.pictures_in(tmp_path)
    assert len(paths) == 2
    assert len(features.pictures_in(tmp_path, most=1)) == 1
    measured = features.of_pictures(grader.load(), paths, tmp_path / "cache")
    assert {features.CIRCLE, features.TINTED, features.BLURRED} <= set(measured.kind.tolist())


def test_a_picture_on_a_failing_disk_is_not_left_out_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    loaded = grader.load()
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(PhotoError, match="Input/output error"):
        features.of_pictures(loaded, [tmp_path / "moon.png"], tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_file_that_is_too_large_has_no_slide_and_does_not_end_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(bytes(100))
    monkeypatch.setattr("fundoscope.limits.MAX_FILE_BYTES", 10)
    row = Row(image=path.name, grade=0)
    for measure in (features.of_rows, features.of_slides):
        assert len(measure(grader.load(), [row], [path], tmp_path / measure.__name__).kind) == 0
    with pytest.raises(PhotoError, match="does not exist"):
        features.of_slides(grader.load(), [row], [tmp_path / "gone.jpg"], tmp_path / "cache")


def test_a_source_with_ungradable_photographs_is_taken_whole() -> None:
    graded = [Row(image=f"a{n}", grade=0, source="a", gradable=n > 2) for n in range(10)]
    given = graded + [Row(image=f"b{n}", grade=0, source="b") for n in range(10)]
    chosen = features.chosen(given, most=4)
    assert sum(row.source == "a" for row in chosen) == 10
    assert sum(row.source == "b" for row in chosen) == 4


def measured_at(count: int, kind: list[str], shift: np.ndarray) -> Measured:
    """Values of stages around a point for each kind; features say nothing."""
    rng = np.random.default_rng(count)
    stages = rng.normal(0, 0.3, (count, STAGES))
    stages[:, : len(QUALITY_REASONS)] += shift
    values = rng.random((count, FEATURES)).astype(np.float16)
    return Measured(values, stages.astype(np.float16), np.arange(count), np.array(kind))


def made() -> fit.Material:
    """Two sources; each fault moves a quantity of its own, and other pictures move all."""
    names = list(degrade.FAULTS)
    kinds, shifts = [], []
    for number in range(960):
        shift = np.zeros(len(QUALITY_REASONS))
        if number % 2:
            name = names[number // 2 % len(names)]
            kinds.append(f"{features.STRONG} {name}")
            shift[QUALITY_REASONS.index(degrade.FAULTS[name].reason)] = 4.0
        else:
            kinds.append(features.GENUINE)
            if number % 40 == 0:  # those that nobody could grade are out of focus
                shift[0] = 4.0
        shifts.append(shift)
    measured = measured_at(960, kinds, np.array(shifts))
    of = [
        Row(image=f"{n}", grade=0, source=SOURCES[n // 2 % 2], gradable=n % 40 != 0)
        for n in range(960)
    ]
    others = measured_at(60, ["circle"] * 60, np.full((60, len(QUALITY_REASONS)), -4.0))
    drawn = measured_at(10, [features.GENUINE] * 10, np.zeros((10, len(QUALITY_REASONS))))
    return fit.material(measured, of, others, drawn)


def fit_scores(ready: judge.Judge, x: np.ndarray) -> np.ndarray:
    """Scores of all heads on the values of :class:`fit.Material`."""
    quality = x[:, FEATURES:] @ ready.quality
    return np.concatenate([(x @ ready.other)[:, None], quality], axis=1) + ready.bias


def test_fitted_heads_tell_what_they_were_fitted_to() -> None:
    given = made()
    fitted, kept = fit.judge(given)
    assert set(kept) == {*SOURCES, "phantom"}
    assert all(share.retina > 0.95 and share.gradable > 0.9 for share in kept.values())
    assert set(fitted.reasons) == set(QUALITY_REASONS)
    assert fitted.fitted_on["phantom"] == 10
    ready = judge.ready(fitted)
    scores = fit_scores(ready, given.x)
    over = scores - ready.limits
    assert (over[given.good, 0] <= 0).mean() > 0.95
    assert (over[given.good, 1] <= 0).mean() > 0.95
    assert (over[given.strong, 1:] > 0).any(axis=1).mean() > 0.9  # what the verdict asks
    others = fit_scores(ready, given.other)[:, 0]
    assert (others > ready.limits[0]).mean() > 0.9


def test_features_of_several_sets_keep_their_places() -> None:
    part = measured_at(3, ["circle"] * 3, np.zeros((3, len(QUALITY_REASONS))))
    both = together(part, part)
    assert both.place.tolist() == [0, 1, 2, 3, 4, 5]


def qualities(count: int, score: float) -> list[Quality]:
    scores = tuple(QualityScore(reason, score, 0.0) for reason in QUALITY_REASONS)
    return [Quality(gradable=True, scores=scores, score=score, limit=0.0)] * count


@cache
def judge_of_limits(limit: float) -> Judge:
    fitted = fit.judge(made())[0]
    reasons = {name: replace(head, limit=limit) for name, head in fitted.reasons.items()}
    return replace(fitted, ungradable=replace(fitted.ungradable, limit=limit), reasons=reasons)


def test_limits_move_to_a_clinics_photographs(tmp_path: Path) -> None:
    given = fit.judge(made())[0]
    fitted = judged.for_clinic(given, qualities(60, 3.0), "clinic")
    assert fitted.ungradable.limit == pytest.approx(3.0)
    assert {head.limit for head in fitted.reasons.values()} == {3.0}
    assert fitted.clinic == 60
    assert fitted.other == given.other
    assert judged.refused(given, qualities(60, 3.0)) == 60
    assert judged.refused(fitted, qualities(60, 3.0)) == 0
    with pytest.raises(UsageError, match="too few"):
        judged.for_clinic(given, qualities(10, 3.0), "clinic")


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(-8, 8), spread=st.floats(0, 3), seed=st.integers(0, 99))
def test_a_clinics_limits_never_refuse_more(mean: float, spread: float, seed: int) -> None:
    earlier = judge_of_limits(0.5)
    scores = np.random.default_rng(seed).normal(mean, spread, (60, 1 + len(QUALITY_REASONS)))
    seen = [
        Quality(
            scores=tuple(
                QualityScore(name, score, 0.5)
                for name, score in zip(QUALITY_REASONS, others, strict=True)
            ),
            score=first,
        )
        for first, *others in scores.tolist()
    ]
    fitted = judged.for_clinic(earlier, seen, "clinic")
    assert judged.refused(fitted, seen) <= judged.refused(earlier, seen)
    assert fitted.ungradable.limit >= 0.5
    assert min(head.limit for head in fitted.reasons.values()) >= 0.5


def test_a_single_reason_over_its_limit_makes_a_photograph_ungradable() -> None:
    given = fit.judge(made())[0]
    reason, *others = QUALITY_REASONS
    limits = {name: head.limit for name, head in given.reasons.items()}
    scores = (
        QualityScore(reason, limits[reason] + 1.0, limits[reason]),
        *(QualityScore(name, limits[name] - 1.0, limits[name]) for name in others),
    )
    seen = Quality(gradable=False, scores=scores, score=given.ungradable.limit - 1.0)
    assert judged.refused(given, [seen]) == 1


def test_a_bundle_with_a_judge_says_so_in_its_card(tmp_path: Path) -> None:
    fitted = replace(fit.judge(made())[0], clinic=60)
    judged.with_judge(bundle.shipped(), tmp_path / "one", fitted)
    judged.with_judge(tmp_path / "one", tmp_path / "two", fitted)
    assert bundle.load_grader(tmp_path / "two").manifest.judge == fitted
    card = bundle.card(tmp_path / "two")
    assert card.count(judged.TITLE) == 1
    assert "60 photographs of a clinic" in card


@pytest.mark.parametrize("seed", range(6))
def test_a_slide_is_a_black_frame_around_the_middle_of_the_disc(seed: int) -> None:
    square = np.full((200, 200, 3), 120, np.uint8)
    shown = slides.slide(square, np.random.default_rng(seed))
    lit = (shown == 120).all(axis=2)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    assert lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert shown[~lit].max() <= slides.BLACK
    assert 0.5 < len(rows) / 200 < 0.8 < len(columns) / 170 < 1.2
    for edge in (shown[0], shown[-1], shown[:, 0], shown[:, -1]):
        assert edge.max() <= slides.BLACK


def test_copies_of_a_photograph_stand_beside_it() -> None:
    whole = measured_at(4, ["genuine"] * 4, np.zeros(len(QUALITY_REASONS)))
    copies = measured_at(4, ["slide"] * 4, np.zeros(len(QUALITY_REASONS)))
    both = beside(whole, copies)
    assert both.place.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert both.kind.tolist() == ["genuine", "slide"] * 4
