"""What files, folders and tables are taken for photographs, in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fundoscope.batch.inputs import gather
from fundoscope.errors import TableError, UsageError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(root: Path, *paths: Path, leave_out: Path | None = None) -> list[str]:
    found = gather(paths or (root,), leave_out=leave_out).photographs
    return [str(one.path.relative_to(root)) for one in found]


def test_a_folder_is_read_with_all_below_by_suffix_sorted(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.JPG", "a.png", "c/z.tiff", "c/y.Jpeg", "d.tif")))
    touch(tmp_path / "notes.txt", tmp_path / "old.bmp", tmp_path / "README")
    assert names(tmp_path) == ["a.png", "b.JPG", "c/y.Jpeg", "c/z.tiff", "d.tif"]


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.png", "x.bmp", "c/y.BMP", "README")))
    assert gather([tmp_path]).passed_over == {"(no suffix)": 1, ".bmp": 2}


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.png", "._a.png", ".git/b.png")))
    assert names(tmp_path) == ["a.png"]


def test_a_named_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "photo", tmp_path / ".hidden.dat")
    assert names(tmp_path, tmp_path / "photo", tmp_path / ".hidden.dat") == ["photo", ".hidden.dat"]


def test_circles_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path / "sub/a.png")
    (tmp_path / "sub/round").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "sub")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    assert names(tmp_path) == ["again/a.png", "self.png"]


def test_what_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.png")
    assert names(tmp_path, tmp_path / "b.png", tmp_path, tmp_path / "b.png") == ["b.png", "a.png"]


def test_a_line_that_a_list_repeats_is_read_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "list.txt").write_text("b.png\na.png\nb.png\n")
    assert names(tmp_path, tmp_path / "list.txt") == ["b.png", "a.png"]


def test_the_folder_of_results_is_not_entered(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "out/a-12345678.png")
    assert names(tmp_path, leave_out=tmp_path / "out") == ["a.png"]
    assert names(tmp_path, leave_out=tmp_path / "elsewhere") == ["a.png", "out/a-12345678.png"]


def test_results_of_earlier_runs_are_not_read_as_photographs(tmp_path: Path) -> None:
    for name in ("eyes/a.jpg", "eyes/old/b-1234.png", "eyes/old/run.json", "eyes/old/readings.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    inputs = gather([tmp_path / "eyes"])
    assert [photograph.path.name for photograph in inputs.photographs] == ["a.jpg"]
    assert inputs.passed_over == {"folder of results": 1}
    with pytest.raises(UsageError, match="results of an earlier run"):
        gather([tmp_path / "eyes" / "old"])


def test_pictures_of_a_killed_run_are_not_read_as_photographs(tmp_path: Path) -> None:
    unfinished = tmp_path / "killed" / "unfinished"
    touch(tmp_path / "a.png", unfinished / "ledger.sqlite", unfinished / "pictures" / "b.png")
    assert names(tmp_path, leave_out=tmp_path / "other") == ["a.png"]
    with pytest.raises(UsageError, match="holds the results of an earlier run"):
        names(tmp_path / "killed")


def test_a_pattern_may_match_folders_of_results(tmp_path: Path) -> None:
    """Otherwise a run whose pattern matches its own results could not be resumed."""
    touch(tmp_path / "a.png", tmp_path / "sub/b.png", tmp_path / "out/unfinished/ledger.sqlite")
    touch(tmp_path / "old/run.json", tmp_path / "old/readings.csv", tmp_path / "old/a-1.png")
    (tmp_path / "new").mkdir()
    inputs = gather([tmp_path / "*"], leave_out=tmp_path / "new")
    assert [each.path.name for each in inputs.photographs] == ["a.png", "b.png"]
    assert inputs.passed_over == {"folder of results": 3}
    with pytest.raises(UsageError, match="matches folders of results only"):
        gather([tmp_path / "o*"])


def test_a_folder_that_may_be_named_but_not_entered_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with the right to read and not to enter; it used to end the whole run."""
    touch(tmp_path / "a.png", tmp_path / "closed/b.png", tmp_path / "z.png")
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    found = gather([tmp_path]).photographs
    assert [each.path.name for each in found] == ["a.png", "closed", "z.png"]
    assert found[1].problem is not None
    assert found[1].problem.code == "no_permission"


def test_results_may_not_go_among_the_photographs(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"--out .* is also the folder of the photographs"):
        gather([tmp_path], leave_out=tmp_path)


def test_image_is_how_the_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "eyes/left/a.png")
    monkeypatch.chdir(tmp_path)
    assert [one.image for one in gather([Path("eyes")]).photographs] == ["eyes/left/a.png"]


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    touch(tmp_path / "file")
    for missing in (tmp_path / "nowhere", tmp_path / "file/below"):
        with pytest.raises(UsageError, match="does not exist"):
            gather([missing])


def test_a_path_that_cannot_even_be_asked_for_is_left_to_the_reader(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    assert [one.path for one in gather([path]).photographs] == [path]


def test_a_folder_without_photographs_says_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path / "a.bmp", tmp_path / "b.bmp")
    with pytest.raises(UsageError, match=r"holds no photograph .* only other files: 2 \.bmp"):
        gather([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no photograph \(\.jpg .*\); name a folder"):
        gather([tmp_path / "empty"])


def test_a_folder_that_may_not_be_opened_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a.png", tmp_path / "locked/b.png")
    list_folder = os.scandir

    def guarded(folder: Path) -> object:
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied")
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    ok, locked = gather([tmp_path]).photographs
    assert ok.problem is None
    assert locked.problem is not None
    assert locked.problem.code == "no_permission"


def test_a_link_to_itself_is_taken_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    assert [each.path.name for each in gather([tmp_path]).photographs] == ["a.png"]


def test_an_entry_that_may_not_be_looked_at_is_taken_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a.png")
    ask = Path.is_dir

    def guarded(self: Path) -> bool:
        if self.suffix:
            raise PermissionError(13, "Permission denied")
        return ask(self)

    monkeypatch.setattr(Path, "is_dir", guarded)
    assert names(tmp_path) == ["a.png"]


def test_a_table_gives_its_rows_in_order_with_their_columns(tmp_path: Path) -> None:
    table = tmp_path / "eyes.csv"
    table.write_text(
        "id,image,eye,patient,other\n7,sub/a.jpg,left,P1,x\n\n8,b.jpg,,,\n8,b.jpg,,,\n"
    )
    first, second, third = gather([table]).photographs
    assert (first.image, first.path) == ("sub/a.jpg", tmp_path / "sub/a.jpg")
    assert (first.id, first.patient, first.eye) == ("7", "P1", "left")
    assert (second.id, second.patient, second.eye) == ("8", "", "")
    assert second == third  # each row counts, even the same one twice
    assert first.from_table


def test_a_table_may_have_images_only(tmp_path: Path) -> None:
    table = tmp_path / "EYES.CSV"
    table.write_text("image\na.jpg\n")
    (one,) = gather([table]).photographs
    assert (one.id, one.patient, one.eye) == ("", "", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image\n", "has no rows"),
        ("picture,eye\na.jpg,left\n", "has no column image"),
        ("image,eye,eye\na.jpg,l,r\n", "line 1, column eye: appears 2 times"),
        ("image,eye\n,left\n", "line 2, column image: does not name a photograph"),
        ("image,eye\na.jpg\n", "line 2: has 1 cells where the header has 2"),
        ('image\n"a.jpg\n', "is not CSV"),
    ],
)
def test_a_wrong_table_names_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "eyes.csv"
    table.write_text(text)
    with pytest.raises(TableError, match=message):
        gather([table])


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    table = tmp_path / "eyes.csv"
    table.write_bytes(b"image\n\xff\xd8\xff\n")
    with pytest.raises(TableError, match="is not UTF-8 text"):
        gather([table])
    with pytest.raises(TableError, match="does not exist"):
        gather([tmp_path / "none.csv"])


def test_a_folder_may_be_called_like_a_table(tmp_path: Path) -> None:
    touch(tmp_path / "eyes.csv/a.jpg")
    assert names(tmp_path, tmp_path / "eyes.csv") == ["eyes.csv/a.jpg"]


def test_a_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    touch(path)
    assert [one.path for one in gather([tmp_path]).photographs] == [path]


def test_unknown_patients_of_a_table_are_not_one(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{name}.jpg" for name in "abc"))
    table = tmp_path / "list.csv"
    table.write_text("image,patient\na.jpg,NA\nb.jpg,n/a\nc.jpg,P1 \n")
    assert [one.patient for one in gather([table]).photographs] == ["", "", "P1"]
