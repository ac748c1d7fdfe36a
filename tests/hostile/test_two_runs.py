"""Whatever fails or kills a run that overwrites another: never files of two runs in a folder."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fundoscope import checksums, switching
from fundoscope.batch.inputs import gather
from fundoscope.batch.results import check_folder
from fundoscope.batch.run import run
from fundoscope.data.annotations import formats
from fundoscope.errors import OutputError
from fundoscope.staging import PREFIX
from fundoscope.writing import staged, write_files

Save = Callable[..., Path]
Action = Callable[[], object]
Tree = dict[str, bytes]

WATCHED = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "ctypes.dlsym"}
MOMENTS = range(1, 51)
THE_SWITCH = 30
"""Steps at the end of a run that are each broken; of the many before, in which photographs are
read, every fourth is."""
NO_RESULTS = {"unfinished"}
"""What a run that was stopped leaves, so that the next one resumes it."""
FAILED, DONE, UNMET = 1, 0, 2
"""Exit codes of the process: its action failed; it ended although a step met the blow; it has fewer
steps."""
KILLED = -signal.SIGKILL

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def tree(folder: Path) -> Tree:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in NO_RESULTS
        if PREFIX not in str(path.relative_to(folder))
    }


def leftovers(folder: Path) -> list[Path]:
    return [*folder.glob(f"{PREFIX}*"), *folder.parent.glob(f"{PREFIX}*")]


def broken_at(moment: int, action: Action, blow: Action) -> int:
    """Run an action in a process of its own, in which the n-th step on the disk meets a blow."""
    child = os.fork()
    if child == 0:  # pragma: no cover (another process)
        steps = _break(moment, blow)
        try:
            action()
        except (OutputError, OSError):
            os._exit(FAILED)
        except BaseException:  # noqa: BLE001
            os._exit(99)
        os._exit(DONE if steps[0] >= moment else UNMET)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _break(moment: int, blow: Action) -> list[int]:  # pragma: no cover (another process)
    """Let the n-th step meet a blow; the list holds the number of steps so far."""
    steps, fsync = [0], os.fsync

    def step() -> None:
        steps[0] += 1
        if steps[0] == moment:
            blow()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if event in WATCHED or writes:
            step()

    def synced(descriptor: int) -> None:
        step()
        fsync(descriptor)

    os.fsync = synced
    sys.addaudithook(watch)
    return steps


def moments_of(action: Action) -> list[int]:
    """The steps to break, of an action that is carried out for this; the last one is beyond it."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover (another process)
        steps = _break(sys.maxsize, kill)
        action()
        os.write(sending, str(steps[0]).encode())
        os._exit(0)
    os.close(sending)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with os.fdopen(receiving, "rb") as stream:
        count = int(stream.read())
    return sorted({*range(1, count + 1, 4), *range(max(1, count - THE_SWITCH), count + 2)})


def fail() -> None:  # pragma: no cover (another process)
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def kill() -> None:  # pragma: no cover (another process)
    os.kill(os.getpid(), signal.SIGKILL)


BLOWS = pytest.mark.parametrize("blow", [fail, kill])


def never_a_mix(folder: Path, old: Tree, new: Tree, action: Action, blow: Action) -> None:
    """Break the action at each moment; put the old files back between."""
    seen = set()
    moments = moments_of(action)
    put(folder, old)
    for moment in moments:
        code = broken_at(moment, action, blow)
        seen.add(code)
        after = tree(folder)
        assert after in (old, new), (moment, code, sorted(after))
        if code in (DONE, UNMET):
            assert after == new
        elif code == FAILED:
            assert leftovers(folder) == [], moment
        switching.recover(folder)
        assert leftovers(folder) == [], moment
        assert tree(folder) == after
        put(folder, old)
    assert UNMET in seen, "the end was not reached"
    assert seen <= {DONE, UNMET, FAILED, KILLED}
    assert seen & {FAILED, KILLED}


def put(folder: Path, files: Tree) -> None:
    for name in set(tree(folder)) - set(files):
        (folder / name).unlink()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@BLOWS
def test_read_with_overwrite(
    blow: Action, tmp_path: Path, save_eye: Save, fake_reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.batch.run._now", lambda: "2026-11-29T00:00:00+00:00")
    monkeypatch.setattr("fundoscope.batch.jobs._picture", lambda *_, **__: b"picture")
    out = tmp_path / "out"
    for shade, name in ((10, "a_g1"), (100, "b_g2")):
        save_eye(tmp_path / "one" / f"{name}.jpg", shade=shade)
        save_eye(tmp_path / "two" / f"{name}.jpg", shade=shade + 100)
    save_eye(tmp_path / "two" / "c_g3.jpg")

    def read(photographs: str) -> None:
        inputs = gather([tmp_path / photographs]).photographs
        run(inputs, fake_reader, workers=1, show=lambda _: None, stop=Event(), out=out)

    read("two")
    new = tree(out) | {"mine.txt": b"mine", "below/mine.txt": b"mine"}
    read("one")
    old = tree(out) | {"mine.txt": b"mine", "below/mine.txt": b"mine"}
    put(out, old)
    assert not {name for name in old if name.endswith(".png")} & set(new)
    assert checksums.verify(out).faults == ()
    never_a_mix(out, old, new, lambda: read("two"), blow)
    check_folder(out, overwrite=True)


@BLOWS
@pytest.mark.parametrize("to", ["yolo", "voc", "coco", "masks"])
def test_data_convert(blow: Action, to: str, tmp_path: Path, save_eye: Save) -> None:
    """The photographs c and d of the old run are gone in the new one, and e is new."""
    for run_, names, kind, x in (("old", "abcd", "haemorrhage", 10), ("new", "abe", "drusen", 50)):
        photos = "".join(_labelled(name, kind, x) for name in names)
        (tmp_path / f"{run_}.xml").write_text(f"<annotations>{photos}</annotations>")
    out = tmp_path / "out"

    def convert(run_: str) -> None:
        formats.convert(tmp_path / f"{run_}.xml", out, to, form="cvat", overwrite=True)

    trees = {}
    for run_ in ("new", "old"):
        convert(run_)
        save_eye(out / "images" / "a.jpg")
        trees[run_] = tree(out)
    never_a_mix(out, trees["old"], trees["new"], lambda: convert("new"), blow)


def _labelled(name: str, kind: str, x: int) -> str:
    box = f'<box label="{kind}" xtl="{x}" ytl="10" xbr="{x + 9}" ybr="20"/>'
    return f'<image id="0" name="{name}.jpg" width="160" height="120">{box}</image>'


@BLOWS
def test_where_folders_cannot_be_exchanged(
    blow: Action, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the files move: at no moment files of two runs, and the next run completes it."""

    def unsupported(one: Path, other: Path) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(switching, "exchange", unsupported)
    folder = tmp_path / "out"
    old = {"run.json": b"old", "a.csv": b"old", "only-old.csv": b"old", "mine.txt": b"mine"}
    new = {"run.json": b"new", "a.csv": b"new", "only/new.csv": b"new", "mine.txt": b"mine"}

    def write() -> None:
        with staged(folder, ["run.json", "a.csv", "only-old.csv"]) as stage:
            (stage / "only").mkdir()
            for name in set(new) - {"mine.txt"}:
                (stage / name).write_bytes(new[name])

    folder.mkdir()
    put(folder, old)
    for moment in MOMENTS:
        code = broken_at(moment, write, blow)
        after = {name: data for name, data in tree(folder).items() if name != "mine.txt"}
        assert after.items() <= old.items() or after.items() <= new.items(), (moment, code)
        if code == FAILED:
            assert after | {"mine.txt": b"mine"} == old, moment
        switching.recover(folder)
        assert tree(folder) in (old, new), moment
        assert leftovers(folder) == []
        put(folder, old)
        if code == UNMET:
            break
    else:
        pytest.fail(f"more than {len(MOMENTS)} steps")


def test_files_of_a_pair_in_a_foreign_folder(tmp_path: Path) -> None:
    names = ("a.json", "a.xml")
    old = dict.fromkeys(names, b"old") | {"mine.txt": b"mine"}
    new = dict.fromkeys(names, b"new") | {"mine.txt": b"mine"}
    put(tmp_path / "folder", old)

    def write() -> None:
        write_files([(tmp_path / "folder" / name, b"new") for name in names], overwrite=True)

    inode = (tmp_path / "folder").stat().st_ino
    for moment in MOMENTS:
        code = broken_at(moment, write, kill)
        after = tree(tmp_path / "folder").items()
        assert after <= old.items() or after <= new.items(), moment
        switching.recover(tmp_path / "folder")
        assert tree(tmp_path / "folder") in (old, new), moment
        put(tmp_path / "folder", old)
        if code == UNMET:
            break
    else:
        pytest.fail(f"more than {len(MOMENTS)} steps")
    assert (tmp_path / "folder").stat().st_ino == inode


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_bytes(b"precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"{PREFIX}aaaaaaaa").symlink_to(victim)
    (folder / "a.partial").symlink_to(victim / "precious")
    switching.recover(folder)
    from fundoscope.writing import replacing

    with replacing(folder / "a", part=folder / "a.partial") as part:
        part.write_bytes(b"new")
    assert (victim / "precious").read_bytes() == b"precious"
    assert (folder / "a").read_bytes() == b"new"


def test_a_run_that_still_lives_is_left_alone(tmp_path: Path) -> None:
    with staged(tmp_path / "out", []) as stage:
        (stage / "a").write_bytes(b"1")
        switching.recover(tmp_path / "out")
        assert (stage / "a").exists()
    assert (tmp_path / "out" / "a").read_bytes() == b"1"
