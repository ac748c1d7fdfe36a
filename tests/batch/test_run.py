"""Reading many photographs: order, bounds, results, interruption."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fundoscope import checksums
from fundoscope.batch.inputs import Input, gather
from fundoscope.batch.outcome import COLUMNS, Outcome, json_line
from fundoscope.batch.results import (
    RESULT_NAMES,
    check_folder,
    picture_name,
)
from fundoscope.batch.run import Tally, run
from fundoscope.errors import BundleError, OutputError, PhotoError, UsageError
from fundoscope.kinds import LESIONS
from fundoscope.ordered import AHEAD, in_order
from fundoscope.reading import Reading
from fundoscope.report.wording import NotAssessed

Save = Callable[..., Path]


def read_into(
    out: Path | None, paths: list[Path], reader: Any, *, workers: int = 2, **options: Any
) -> Tally:
    options = {"show": lambda outcome: None, "stop": Event()} | options
    return run(gather(paths).photographs, reader, workers=workers, out=out, **options)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_input_once_in_order_with_its_status(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    save_eye(photos / "a_g3.jpg")
    save_eye(photos / "c_noeye.png")
    save_eye(photos / "d_g0.tif")
    (photos / "b.jpg").write_bytes(b"text")
    tally = read_into(out, [photos], fake_reader)
    table = rows(out / "readings.csv")
    assert [Path(row["image"]).name for row in table] == sorted(p.name for p in photos.iterdir())
    assert [row["status"] for row in table] == ["read", "refused", "not_graded", "read"]
    assert [row["code"] for row in table] == ["", "not_an_image", "no_disc", ""]
    assert all(bool(row["reason"]) == (row["status"] != "read") for row in table)
    assert [row["icdr"] for row in table] == ["3", "", "", "0"]
    assert [row["grade"] for row in table[::3]] == ["3 severe NPDR", "0 no apparent retinopathy"]
    assert [row["referable"] for row in table] == ["true", "", "", "false"]
    assert tuple(table[0]) == COLUMNS
    assert tally.counts() == {
        "photographs": 4, "read": 2, "not_graded": 1, "refused": 1, "referable": 1,
    }  # fmt: skip
    assert tally.exit_code == 3


def test_jsonl_holds_the_readings(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    save_eye(tmp_path / "in" / "a_g3.jpg")
    (tmp_path / "in" / "b.jpg").write_bytes(b"")
    read_into(tmp_path / "out", [tmp_path / "in"], fake_reader)
    (line,) = (tmp_path / "out" / "readings.jsonl").read_text().splitlines()
    reading = Reading.from_json(line)
    assert reading.photo.name == "a_g3.jpg"
    assert reading.grade.icdr == 3


def test_one_picture_a_photograph_even_of_the_same_name(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    save_eye(tmp_path / "in/left/eye_g1.jpg", shade=10)
    save_eye(tmp_path / "in/right/eye_g1.jpg", shade=250)
    read_into(tmp_path / "out", [tmp_path / "in"], fake_reader)
    table = rows(tmp_path / "out" / "readings.csv")
    pictures = {row["picture"] for row in table}
    assert pictures == {path.name for path in (tmp_path / "out").glob("*.png")}
    assert pictures == {f"eye_g1-{row['sha256'][:8]}.png" for row in table}
    assert len(pictures) == 2


def test_a_file_that_is_given_as_two_eyes_has_a_picture_of_each(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    """A picture has warnings about the eye; the second replaced the first, and its checksum not."""

    class WarningReader:
        models, lesion_thresholds = fake_reader.models, fake_reader.lesion_thresholds

        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            photo, reading = fake_reader.examine(source)
            return photo, replace(reading, warnings=(f"given as {eye}",))

    save_eye(tmp_path / "a_g0.jpg")
    table, out = tmp_path / "eyes.csv", tmp_path / "out"
    rows_of = "".join(f"a_g0.jpg,{eye}\n" for eye in ("OD", "left", "right", "", "OS"))
    table.write_text(f"image,eye\n{rows_of}")
    read_into(out, [table], WarningReader())
    pictures = [row["picture"] for row in rows(out / "readings.csv")]
    start, end = "a_g0", pictures[0].removeprefix("a_g0")
    assert pictures == [f"{start}{eye}{end}" for eye in ("", "-left", "", "-eye", "-left")]
    assert len({(out / picture).read_bytes() for picture in pictures}) == 3
    assert checksums.verify(out).faults == ()
    summary = (out / "summary.csv").read_text(encoding="utf-8-sig")
    assert all(picture in summary for picture in pictures)


def test_without_pictures(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    photo = save_eye(tmp_path / "a_g1.jpg")
    read_into(tmp_path / "out", [photo], fake_reader, pictures=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.html", "readings.csv", "readings.jsonl", "run.json", "summary.csv",
    ]  # fmt: skip


def test_a_tables_columns_come_out_again_and_patients_are_summed_up(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    save_eye(tmp_path / "a_g0.jpg")
    save_eye(tmp_path / "b_g4.jpg")
    save_eye(tmp_path / "c_noeye.jpg")
    table = tmp_path / "eyes.csv"
    table.write_text(
        "image,id,patient,eye\n"
        "a_g0.jpg,1,Anna,left\n"
        "b_g4.jpg,2,Anna,right\n"
        "a_g0.jpg,3,Ben,left\n"
        "c_noeye.jpg,4,Ben,right\n"
        "gone.jpg,5,Cem,left\n"
        "a_g0.jpg,6,Dora,left\n"
        "a_g0.jpg,7,,\n"
    )
    out = tmp_path / "out"
    read_into(out, [table], fake_reader)
    read = rows(out / "readings.csv")
    assert [row["id"] for row in read] == list("1234567")
    assert [row["patient"] for row in read][:2] == ["Anna", "Anna"]
    assert read[0]["image"] == "a_g0.jpg"
    assert read[4]["code"] == "not_found"
    people = {row["patient"]: row for row in rows(out / "patients.csv")}
    assert list(people) == ["Anna", "Ben", "Cem", "Dora"]
    assert {name: row["referable"] for name, row in people.items()} == {
        "Anna": "true", "Ben": "true", "Cem": "true", "Dora": "false",
    }  # fmt: skip
    assert (people["Anna"]["icdr"], people["Anna"]["worse_eye"]) == ("4", "right")
    assert people["Anna"]["eyes_read"] == "left; right"
    assert (people["Ben"]["eyes_read"], people["Ben"]["eyes_not_read"]) == ("left", "right")
    assert people["Ben"]["because"] == "a photograph could not be graded"
    assert (people["Cem"]["icdr"], people["Cem"]["refused"]) == ("", "1")
    first = json.loads((out / "readings.jsonl").read_text().splitlines()[0])
    assert first["input"] == {"image": "a_g0.jpg", "id": "1", "patient": "Anna", "eye": "left"}


def test_the_run_manifest_says_how_the_results_came_about(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    save_eye(tmp_path / "in" / "a_g2.jpg")
    (tmp_path / "in" / "b.jpg").write_bytes(b"")
    out = tmp_path / "out"
    read_into(out, [tmp_path / "in"], fake_reader, arguments={"workers": 2})
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["arguments"] == {"workers": 2}
    used = {"task": "grading", "name": "fake-1", "sha256": "f" * 64, "bundle_sha256": None}
    assert manifest["models"] == [used]
    assert manifest["thresholds"] == {"referable": [0.4], "lesions": {"haemorrhage": 0.5}}
    assert manifest["not_assessed"] == ["image quality", "lesions", "macular oedema"]
    assert manifest["counts"]["refused"] == 1
    assert manifest["refused"][0]["code"] == "empty"
    assert manifest["versions"]["numpy"]
    assert not manifest["interrupted"]
    assert manifest["started"] <= manifest["finished"]


def test_lesions_in_the_table(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    save_eye(tmp_path / "in" / "a_lesions.jpg")
    save_eye(tmp_path / "in" / "b_g1.jpg")
    out = tmp_path / "out"
    tally = read_into(out, [tmp_path / "in"], fake_reader)
    seen, unseen = rows(out / "readings.csv")
    assert (seen["haemorrhage_count"], seen["haemorrhage_box_area"]) == ("2", "200.0")
    assert float(seen["haemorrhage_box_area_discs"]) == 0.3
    assert seen["haemorrhage_not_assessed"] == ""
    assert seen["hard_exudate_count"] == "0"
    assert seen["microaneurysm_count"] == seen["microaneurysm_box_area"] == ""
    assert seen["microaneurysm_not_assessed"] == "photograph_too_small"
    assert seen["irma_not_assessed"] == "unknown_to_detector"
    disc = [seen[f"disc_{what}"] for what in ("found", "x", "y", "diameter", "score")]
    assert disc == ["true", "100.00", "60.00", "20.00", "0.990000"]
    assert all(unseen[f"{kind}_count"] == "" for kind in LESIONS)
    assert unseen["disc_found"] == ""
    assert tally.unseen[NotAssessed("microaneurysms", "photograph too small")] == 1
    assert tally.opened == 2


def test_labels_are_on_the_picture(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    photo = save_eye(tmp_path / "a_lesions.jpg")
    for name, labels in (("bare", False), ("labelled", True)):
        read_into(tmp_path / name, [photo], fake_reader, labels=labels)
    bare, labelled = (
        next((tmp_path / name).glob("*.png")).read_bytes() for name in ("bare", "labelled")
    )
    assert bare != labelled


def test_nothing_in_the_folder_is_deleted(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    photo = save_eye(tmp_path / "a_g2.jpg")
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "old-00000000.png").write_text("old")
    check_folder(out, overwrite=False)
    read_into(out, [photo], fake_reader)
    assert (out / "mine.txt").read_text() == "mine"
    assert (out / "old-00000000.png").read_text() == "old"


@pytest.mark.parametrize("name", RESULT_NAMES)
def test_an_earlier_run_is_overwritten_only_when_asked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("earlier")
    with pytest.raises(UsageError, match=f"{name}.*add --overwrite"):
        check_folder(tmp_path, overwrite=False)
    check_folder(tmp_path, overwrite=True)
    check_folder(tmp_path / "new", overwrite=False)


def test_results_go_into_a_folder(tmp_path: Path, save_eye: Save, fake_reader: Any) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        check_folder(file, overwrite=True)
    with pytest.raises(OutputError, match="cannot be made"):
        read_into(file / "below", [save_eye(tmp_path / "eye.jpg")], fake_reader)


def test_an_earlier_runs_patients_do_not_pass_for_this_runs(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    photo = save_eye(tmp_path / "a_g2.jpg")
    out = tmp_path / "out"
    out.mkdir()
    (out / "patients.csv").write_text("patient,icdr\nAnna,4\n")
    read_into(out, [photo], fake_reader)
    assert rows(out / "patients.csv") == []


def test_what_was_finished_is_written_when_a_run_is_stopped(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    for index in range(20):
        save_eye(tmp_path / "in" / f"{index:02}_g1.jpg", shade=index)
    stop, seen, out = Event(), list[Outcome](), tmp_path / "out"

    def show(outcome: Outcome) -> None:
        seen.append(outcome)
        if len(seen) == 3:
            stop.set()

    tally = read_into(out, [tmp_path / "in"], fake_reader, show=show, stop=stop)
    assert tally.interrupted
    assert len(rows(out / "readings.csv")) == 3
    assert len((out / "readings.jsonl").read_text().splitlines()) == 3
    assert len(list(out.glob("*.png"))) == 3
    assert json.loads((out / "run.json").read_text())["interrupted"]


def test_results_keep_the_order_of_the_inputs_however_long_each_takes() -> None:
    inputs = [Input(str(index), Path(str(index))) for index in range(30)]

    def slow_at_first(one: Input) -> Outcome:
        time.sleep(0.01 if int(one.image) % 7 == 0 else 0)
        return Outcome(one)

    seen = [outcome.input.image for outcome in in_order(inputs, slow_at_first, 4)]
    assert seen == [one.image for one in inputs]


def test_no_more_than_a_few_photographs_are_in_memory() -> None:
    begun = threading.Semaphore(0)
    count, most = 0, 0

    def examine(one: Input) -> Outcome:
        nonlocal count
        count += 1
        begun.release()
        return Outcome(one)

    inputs = [Input(str(index), Path(str(index))) for index in range(200)]
    for taken, _ in enumerate(in_order(inputs, examine, 3), start=1):
        time.sleep(0.0005)
        most = max(most, count - taken)
    assert count == 200
    assert most <= AHEAD * 3


def test_a_fault_of_ours_on_one_photograph_does_not_cost_the_others(
    tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    for name in ("a_g1.jpg", "b_g1.jpg", "c_g1.jpg"):
        save_eye(tmp_path / "in" / name)

    class Faulty(type(fake_reader)):
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            if source.name == "b_g1.jpg":
                raise ZeroDivisionError("oops")
            if source.name == "c_g1.jpg":
                raise MemoryError
            return super().examine(source)

    tally = read_into(tmp_path / "out", [tmp_path / "in"], Faulty())
    assert [row["code"] for row in rows(tmp_path / "out" / "readings.csv")] == [
        "", "internal_error", "out_of_memory",
    ]  # fmt: skip
    assert "ZeroDivisionError: oops" in tally.ungraded[0]["reason"]
    assert tally.exit_code == 1


def test_a_fault_that_every_photograph_would_meet_ends_the_run(
    tmp_path: Path, save_eye: Save
) -> None:
    photo = save_eye(tmp_path / "a.jpg")

    class Broken:
        models = ()

        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            raise BundleError("grader", "is broken", "replace it")

    with pytest.raises(BundleError):
        read_into(tmp_path / "out", [photo], Broken())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_problem_known_before_is_a_refusal(fake_reader: Any) -> None:
    problem = PhotoError("d", "is a folder that cannot be opened", "…", code="no_permission")
    tally = run(
        [Input("d", Path("d"), problem=problem)],
        fake_reader,
        workers=1,
        show=lambda outcome: None,
        stop=Event(),
    )
    assert tally.ungraded[0]["code"] == "no_permission"


@pytest.mark.parametrize(
    ("stem", "start"),
    [
        ("eye", "eye-"),
        ("Müller 漢", "Müller 漢-"),
        ("a\nb\x1b[31m", "a_b_[31m-"),
        ("..\\..\\evil", ".._.._evil-"),
        ("\udcff", "_-"),
    ],
)
def test_the_name_of_a_picture(stem: str, start: str) -> None:
    name = picture_name(Path("some/folder") / f"{stem}.jpg", "0123456789abcdef")
    assert name == f"{start}01234567.png"


def test_long_names_fit_into_a_file_system(tmp_path: Path) -> None:
    for letter in ("x", "漢"):
        name = picture_name(Path(letter * 250 + ".jpg"), "0" * 64)
        assert len(name.encode()) <= 213
        (tmp_path / name).touch()


def test_a_refused_photograph_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no reading"):
        json_line(Outcome(Input("a", Path("a"))))
