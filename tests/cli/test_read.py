"""``fundoscope read`` as a person and a program meet it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope.models import bundle as bundles
from fundoscope.reading import Reading

Save = Callable[..., Path]
Command = Callable[..., Any]


def test_one_clear_line_a_photograph_and_totals(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    photo = save_eye(tmp_path / "eye_g2.jpg")
    said = fundoscope("read", photo)
    lines = said.out.splitlines()
    assert said.code == 0
    assert said.err == ""
    assert lines[0] == (f"{photo}: referable (probability 0.90), 2 moderate NPDR, certainty 80 %")
    assert "1 photograph: 1 graded (1 referable), 0 not graded, 0 refused" in lines
    assert "not assessed: image quality; lesions; macular oedema" in lines
    assert lines[-1] == "research use, not a diagnosis"


def test_options_reach_the_reader_the_limits_and_the_pictures(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fundoscope import reader
    from fundoscope.batch import engines
    from fundoscope.report import overlay

    limits, drawn, engine, draw = [], [], engines.engine, overlay.draw

    def watched(*given: Any, **options: Any) -> Any:
        limits.append(options["limits"])
        return engine(*given, **options)

    def watched_draw(*given: Any, **options: Any) -> Any:
        drawn.append(options)
        return draw(*given, **options)

    monkeypatch.setattr(engines, "engine", watched)
    monkeypatch.setattr(overlay, "draw", watched_draw)
    photo, out = save_eye(tmp_path / "eye_g2.jpg"), tmp_path / "out"
    usual = ("read", photo, "--out", out, "--workers", 1)
    assert fundoscope(*usual).code == 0
    chosen = ("--overwrite", "--force", "--heat", "--grid", "--labels", "--deadline", 7)
    assert fundoscope(*usual, *chosen).code == 0
    before, after = reader.Reader.made[-2:]  # type: ignore[attr-defined]
    assert (before.force, before.heat_map) == (False, False)
    assert (after.force, after.heat_map) == (True, True)
    assert limits[1].deadline_s == 7
    assert limits[0].deadline_s != 7
    assert [each["quadrants"] for each in drawn] == [False, True]
    assert [each["labels"] for each in drawn] == [False, True]


def test_what_was_not_graded_is_named_with_reason_and_remedy(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "a_g0.jpg")
    save_eye(tmp_path / "b_noeye.jpg")
    (tmp_path / "c.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    said = fundoscope("read", tmp_path)
    assert said.code == 3
    assert said.complaints == [
        f"{tmp_path}/b_noeye.jpg: shows no field of view of a retina; "
        "give a photograph of the retina",
        f"{tmp_path}/c.jpg: is empty (0 bytes); copy it again from the camera",
    ]
    assert "3 photographs: 1 graded (0 referable), 1 not graded, 1 refused" in said.out
    assert "ignored, not photographs: 1 .txt" in said.out


def test_json_is_one_reading_a_line_and_nothing_else(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "a_g4.jpg")
    save_eye(tmp_path / "b_noeye.jpg")
    (tmp_path / "c.jpg").write_bytes(b"")
    said = fundoscope("read", "--json", tmp_path)
    readings = [Reading.from_json(line) for line in said.out.splitlines()]
    assert [one.photo.name for one in readings] == ["a_g4.jpg", "b_noeye.jpg"]
    assert [one.grade.icdr for one in readings] == [4, None]
    assert len(said.complaints) == 2
    assert said.code == 3


def test_out_writes_everything(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    save_eye(tmp_path / "eye_g1.jpg")
    (tmp_path / "eyes.csv").write_text("image,patient\neye_g1.jpg,Anna\n")
    out = tmp_path / "new" / "out"
    said = fundoscope("read", tmp_path / "eyes.csv", "--out", out, "--workers", 1)
    assert said.code == 0
    assert f"results: {out}" in said.out
    names = {path.name for path in out.iterdir()}
    assert names > {"readings.jsonl", "readings.csv", "summary.csv", "patients.csv", "run.json"}
    assert len(names) == 7
    arguments = json.loads((out / "run.json").read_text())["arguments"]
    assert arguments["paths"] == ["eyes.csv"]
    assert arguments["out"] == "(folder)"
    assert arguments["workers"] == 1


def test_lesions_are_named_in_words(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photo = save_eye(tmp_path / "g2_lesions.jpg")
    lines = fundoscope("read", photo, save_eye(tmp_path / "g0.jpg")).out.splitlines()
    assert lines[0] == (
        f"{photo}: referable (probability 0.90), 2 moderate NPDR, certainty 80 %;"
        " 2 haemorrhages, no hard exudates found;"
        " not assessed: microaneurysms (photograph too small)"
    )
    missing = next(line for line in lines if line.startswith("not assessed: "))
    assert "microaneurysms (photograph too small, on 1 of 2)" in missing
    assert "lesions (on 1 of 2)" in missing


def test_how_lesions_are_looked_for(
    tmp_path: Path, save_eye: Save, fundoscope: Command, made_readers: list[Any]
) -> None:
    photo = save_eye(tmp_path / "g2_lesions.jpg")
    said = fundoscope("read", photo, "--no-lesions", "--json")
    assert Reading.from_json(said.out).lesions == ()
    mine, ours = bundles.shipped(bundles.DETECTION), bundles.shipped(bundles.GRADING)
    fundoscope("read", photo, "--detector", mine, "--grader", ours)
    last = made_readers[-1]
    assert (last.lesions, last.detector, last.grader) == (True, mine, ours)
    assert not made_readers[0].lesions


def test_the_run_says_how_lesions_were_looked_for(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    photo, out = save_eye(tmp_path / "g2_lesions.jpg"), tmp_path / "out"
    assert fundoscope("read", photo, "--out", out, "--labels").code == 0
    arguments = json.loads((out / "run.json").read_text())["arguments"]
    assert (arguments["lesions"], arguments["labels"], arguments["detector"]) == (True, True, None)


@pytest.mark.parametrize(
    "options", [("--lesions", "auto"), ("--lesions=auto",), ("--lesions-auto",)]
)
def test_lesions_can_be_left_out_where_the_grader_is_sure(
    options: tuple[str, ...],
    tmp_path: Path,
    save_eye: Save,
    fundoscope: Command,
    made_readers: list[Any],
) -> None:
    photo = save_eye(tmp_path / "g2.jpg")
    assert fundoscope("read", *options, photo).code == 0
    assert made_readers[-1].lesions == "auto"
    assert fundoscope("read", "--lesions", photo).code == 0
    assert made_readers[-1].lesions is True
    assert fundoscope("read", photo, *options, "--no-lesions").code == 2


def test_a_part_of_the_photographs(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    for number in range(5):
        save_eye(tmp_path / "in" / f"{number}_g1.png", shade=number)
    out = tmp_path / "out"
    assert fundoscope("read", tmp_path / "in", "--out", out, "--shard", "2/3").code == 0
    with (out / "readings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["number"]) for row in rows] == [("1_g1.png", "2"), ("4_g1.png", "5")]
    assert json.loads((out / "run.json").read_text())["arguments"]["shard"] == "2/3"
    for wrong in ("0/3", "4/3", "1", "a/b"):
        said = fundoscope("read", tmp_path / "in", "--shard", wrong)
        assert said.code == 2
        assert "--shard" in said.err


def test_the_same_command_goes_on(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    from fundoscope.batch.ledger.database import Ledger

    for number in range(5):
        save_eye(tmp_path / "in" / f"{number}_g1.png", shade=number)
    out = tmp_path / "out"
    command = ("read", tmp_path / "in", "--out", out, "--no-pictures")
    out.mkdir()
    (out / "unfinished").mkdir()
    with Ledger(out / "unfinished" / "ledger.sqlite"):
        said = fundoscope(*command)
        assert said.code == 2
        assert "is used by another run" in said.err
    assert fundoscope(*command).code == 0
    assert not (out / "unfinished").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs the signals of Unix")
def test_processes_are_stopped_at_once(tmp_path: Path, save_eye: Save) -> None:
    """Real processes that never answer; the command ends, and so do they.

    ``bench/night.py stops`` tries the other signals.
    """
    for index in range(9):
        save_eye(tmp_path / "in" / f"{index}_hang.png", shade=index)
    script = """
        import sys
        sys.path[:0] = sys.argv[1:2]
        import faulty_readers, fundoscope.reader
        if __name__ == "__main__":
            fundoscope.reader.Reader = faulty_readers.Obedient
            from fundoscope.cli.main import main
            main(sys.argv[2:])
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    beside = Path(__file__).parents[1] / "batch"
    command = [sys.executable, tmp_path / "script.py", beside, "read", tmp_path / "in", "--verbose"]
    with subprocess.Popen(
        [*command, "--out", tmp_path / "out"], stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert b"fake-1" in process.stderr.readline()  # the models are loaded
        time.sleep(0.3)
        process.send_signal(signal.SIGHUP)
        began = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 20  # one second, on a machine with nothing else to do
    assert b"0 of 9 photographs were read" in errors
    assert json.loads((tmp_path / "out" / "run.json").read_text())["interrupted"]
    # Python's own tracker of resources ends a moment after its parent.
    for _ in range(200):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("a process is left")


@pytest.mark.parametrize(
    "options",
    [
        ("--labels",),
        ("--heat",),
        ("--labels", "--out", "out", "--no-pictures"),
        ("--labels", "--out", "out", "--no-lesions"),
        ("--detector", "mine", "--no-lesions"),
    ],
)
def test_options_that_contradict_each_other(
    tmp_path: Path,
    save_eye: Save,
    fundoscope: Command,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = fundoscope("read", save_eye(tmp_path / "a.jpg"), *options)
    assert said.code == 2
    assert said.err.startswith(options[0])
    assert not Path("out").exists()


@pytest.mark.parametrize("seconds", ["inf", "1e300"])
def test_a_deadline_that_no_timer_takes(
    seconds: str, tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    """It used to cost every photograph a worker."""
    said = fundoscope("read", save_eye(tmp_path / "a.jpg"), "--deadline", seconds)
    assert said.code == 2
    assert "is more than 86400 seconds (a day)" in said.err


def test_all_processors_work_on_a_single_photograph(
    tmp_path: Path,
    save_eye: Save,
    fundoscope: Command,
    made_readers: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fundoscope.batch.processors.available", lambda: 6)
    for index in range(4):
        save_eye(tmp_path / f"{index}.jpg")
    fundoscope("read", tmp_path / "0.jpg")
    fundoscope("read", tmp_path / "0.jpg", tmp_path / "1.jpg")
    fundoscope("read", tmp_path)
    fundoscope("read", tmp_path, "--workers", 1)
    fundoscope("read", tmp_path, "--workers", 9)
    assert [one.threads for one in made_readers] == [6, 3, 1, 6, 1]


def test_a_second_run_needs_overwrite(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photo, out = save_eye(tmp_path / "in" / "eye_g1.jpg"), tmp_path / "out"
    assert fundoscope("read", photo, "--out", out, "--no-pictures").code == 0
    assert list(out.glob("*.png")) == []
    before = (out / "readings.csv").read_text()
    again = fundoscope("read", photo, photo.parent, "--out", out)
    assert again.code == 2
    assert again.complaints == [
        f"--out {out}: holds the results of an earlier run "
        "(readings.jsonl, readings.csv, summary.csv, index.html, run.json); name another folder, or"
        " add --overwrite"
    ]
    assert again.out == ""
    assert (out / "readings.csv").read_text() == before
    assert fundoscope("read", photo, "--out", out, "--overwrite").code == 0
    assert len(list(out.glob("*.png"))) == 1


def test_overwrite_without_out_is_misuse(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    said = fundoscope("read", save_eye(tmp_path / "a.jpg"), "--overwrite")
    assert said.code == 2
    assert "--overwrite" in said.err


def test_odd_names_steer_no_terminal(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    save_eye(tmp_path / "[red]eye\n\x1b[2J_g1.png")
    (tmp_path / "a\x07.png").write_bytes(b"")
    said = fundoscope("read", tmp_path, "--out", tmp_path / "out")
    assert "[red]eye\\n\\x1b[2J_g1.png: not referable" in said.out
    assert "1 mild NPDR" in said.out
    assert len(said.complaints) == 1
    assert "\x07" not in said.err


def test_names_that_are_no_text(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    photo = save_eye(tmp_path / "g1.png")
    photo.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff_g1.png"))
    said = fundoscope("read", tmp_path, "--json", "--out", tmp_path / "out")
    assert said.code == 0
    assert Reading.from_json(said.out).photo.name == "\\xff_g1.png".replace("\\xff", "\\udcff")
    assert "\\udcff_g1.png" in (tmp_path / "out" / "readings.csv").read_text()


def test_ctrl_c_keeps_what_was_finished(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(40):
        save_eye(tmp_path / "in" / f"{index:02}_g1.jpg", shade=index)

    import fundoscope.reader as readers

    genuine = readers.Reader

    class Slow(genuine):  # type: ignore[misc,valid-type]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            time.sleep(0.02)
            if source.name.startswith("09"):
                os.kill(os.getpid(), signal.SIGINT)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Slow)
    before = signal.getsignal(signal.SIGINT)
    said = fundoscope("read", tmp_path / "in", "--out", tmp_path / "out", "--workers", 1)
    done = len((tmp_path / "out" / "readings.csv").read_text().splitlines()) - 1
    assert said.code == 130
    assert 0 < done < 40
    assert said.complaints[-1] == (
        f"interrupted: {done} of 40 photographs were read; their results are in {tmp_path / 'out'}"
    )
    assert signal.getsignal(signal.SIGINT) is before
    examined = list[str]()

    class Watched(genuine):  # type: ignore[misc,valid-type]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            examined.append(source.name)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Watched)
    again = fundoscope("read", tmp_path / "in", "--out", tmp_path / "out", "--workers", 1)
    assert again.code == 0
    assert f"{done} of 40" in again.err
    # Two photographs are copies of earlier ones, and are not read again.
    assert len(examined) > 20
    assert min(examined) == f"{done:02}_g1.jpg"
    whole = tmp_path / "whole"
    assert fundoscope("read", tmp_path / "in", "--out", whole, "--workers", 1).code == 0
    for name in ("readings.csv", "readings.jsonl", "summary.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_resumed_run_says_what_was_noticed_when_it_began(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not list the photographs again, and used to keep silent about two patients in one."""
    import fundoscope.reader as readers
    from fundoscope.batch import engines

    # No more are listed before the run than decide between threads and processes.
    monkeypatch.setattr(engines, "PROCESSES_FROM", 8)
    monkeypatch.setattr(engines, "engine", partial(engines.engine, processes=False))
    genuine = readers.Reader
    for index in range(20):
        folder = ("A", "B")[index // 10]
        save_eye(tmp_path / "in" / folder / f"{index % 10}_left.jpg", shade=index)
    (tmp_path / "in" / "scan.dcm").write_bytes(b"")

    class Stopped(genuine):  # type: ignore[misc,valid-type]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            if source.name.startswith("3"):
                os.kill(os.getpid(), signal.SIGINT)
            return super().examine(source)

    command = ("read", tmp_path / "in", "--names", "eye,patient", "--no-pictures", "--workers", 1)
    whole = fundoscope(*command, "--out", tmp_path / "whole")
    monkeypatch.setattr("fundoscope.reader.Reader", Stopped)
    assert fundoscope(*command, "--out", tmp_path / "out").code == 130
    monkeypatch.setattr("fundoscope.reader.Reader", genuine)
    resumed = fundoscope(*command, "--out", tmp_path / "out")
    assert resumed.complaints[1:] == whole.complaints
    assert whole.complaints[0].startswith("check that each of these is one person")
    ignored = "ignored, not photographs: 1 .dcm"
    assert ignored in whole.out.splitlines()
    assert ignored in resumed.out.splitlines()
    for out in ("whole", "out"):
        assert json.loads((tmp_path / out / "run.json").read_text())["ignored"] == {".dcm": 1}


def test_edited_rules_are_not_mixed_with_earlier_ones(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fundoscope.reader as readers
    from fundoscope.grading.rules import rulesets

    class Interrupting(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            if source.name.startswith("2"):
                os.kill(os.getpid(), signal.SIGINT)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Interrupting)
    for index in range(9):
        save_eye(tmp_path / "in" / f"{index}_g1.jpg", shade=index)
    own = tmp_path / "own.toml"
    text = (Path(rulesets.__file__).parent.parent / "rulesets" / "icdr.toml").read_text()
    own.write_text(text.replace('id = "icdr"', 'id = "own"', 1))
    command = ("read", tmp_path / "in", "--out", tmp_path / "out", "--rules", own)
    assert fundoscope(*command, "--workers", 1).code == 130
    own.write_text(own.read_text() + "\n# edited\n")
    said = fundoscope(*command, "--workers", 1)
    assert said.code == 2
    assert "another command" in said.err


def test_readings_of_a_bundle_calibrated_again_are_not_mixed_with_earlier_ones(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the same network, by which a run was known, and another threshold."""
    import fundoscope.reader as readers

    class Interrupting(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            if source.name.startswith("2"):
                os.kill(os.getpid(), signal.SIGINT)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Interrupting)
    for index in range(9):
        save_eye(tmp_path / "in" / f"{index}_g1.jpg", shade=index)
    shipped = bundles.load_grader(bundles.shipped())
    grader = tmp_path / "grader"
    bundles.write(grader, shipped.manifest, shipped.model, "")
    command = ("read", tmp_path / "in", "--out", tmp_path / "out", "--grader", grader)
    assert fundoscope(*command, "--no-lesions", "--workers", 1).code == 130
    bundles.write(grader, replace(shipped.manifest, referable_threshold=0.5), shipped.model, "")
    said = fundoscope(*command, "--no-lesions", "--workers", 1)
    assert said.code == 2
    assert "another command" in said.err


def test_ctrl_c_without_results(
    tmp_path: Path, save_eye: Save, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fundoscope.reader as readers

    class Interrupting(readers.Reader):  # type: ignore[misc]
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            if source.name == "0.jpg":
                os.kill(os.getpid(), signal.SIGTERM)
            return super().examine(source)

    monkeypatch.setattr("fundoscope.reader.Reader", Interrupting)
    for index in range(9):
        save_eye(tmp_path / f"{index}.jpg")
    said = fundoscope("read", tmp_path, "--workers", 1)
    assert said.code == 130
    assert said.complaints[-1].startswith("interrupted: ")
    assert said.complaints[-1].endswith("were read")


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import conftest, fundoscope.reader, fundoscope.batch.engines
fundoscope.reader.Reader = conftest.FakeReader
fundoscope.batch.engines.PROCESSES_FROM = sys.maxsize
from fundoscope.cli.main import main
main(sys.argv[1:])
"""


def process(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """The command with the fake reader in a process of its own."""
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def test_a_closed_pipe_ends_quietly(tmp_path: Path, save_eye: Save) -> None:
    for index in range(30):
        save_eye(tmp_path / f"{index}.jpg")
    reading, writing = os.pipe()
    os.close(reading)
    command = process("read", tmp_path, "--json", stdout=writing)
    os.close(writing)
    _, errors = command.communicate(timeout=60)
    assert errors == b""
    assert command.returncode == 141


def test_a_full_disk_behind_standard_output(tmp_path: Path, save_eye: Save) -> None:
    save_eye(tmp_path / "a.jpg")
    with Path("/dev/full").open("wb") as full:
        command = process("read", tmp_path, "--json", stdout=full)
        _, errors = command.communicate(timeout=60)
    assert errors.decode().splitlines() == [
        "standard output: cannot be written (No space left on device); free some space"
    ]
    assert command.returncode == 1


def test_c_libraries_do_not_talk_past_us(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 2, (200, 200), np.uint8) * 255
    Image.fromarray(noise).convert("1").save(path, compression="group4")
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 20] = b"\x5a\xa5" * 10
    path.write_bytes(damaged)
    with Image.open(path) as picture:
        picture.load()
    assert "Fax4Decode" in capfd.readouterr().err
    command = process("read", tmp_path, "--json", stdout=subprocess.DEVNULL)
    _, errors = command.communicate(timeout=60)
    assert errors == b""


def test_a_bar_on_a_terminal_and_lines_above_it(tmp_path: Path, save_eye: Save) -> None:
    pty = pytest.importorskip("pty")
    save_eye(tmp_path / "a_g1.jpg")
    (tmp_path / "b.jpg").write_bytes(b"")
    main_end, other_end = pty.openpty()
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]))
    command = subprocess.Popen(
        [sys.executable, "-c", script, "read", str(tmp_path)], stdout=other_end, stderr=other_end
    )
    os.close(other_end)
    shown = b""
    try:
        while chunk := os.read(main_end, 65536):
            shown += chunk
    except OSError:  # how a terminal says that its other end was closed
        pass
    finally:
        os.close(main_end)
    assert command.wait(60) == 3
    assert b"a_g1.jpg: not referable (probability 0.15), 1 mild NPDR" in shown
    assert b"b.jpg: is empty" in shown
    assert b"2/2" in shown


def test_the_threshold_and_the_device_reach_the_reader(
    fundoscope: Command, made_readers: list[Any], save_eye: Save,
    tmp_path: Path,
) -> None:  # fmt: skip
    eye = save_eye(tmp_path / "g2.png")
    assert fundoscope("read", eye, "--threshold", "0.2", "--device", "cuda").code == 0
    assert made_readers[-1].referable_threshold == 0.2
    assert made_readers[-1].providers == ["cuda"]
    assert fundoscope("read", eye).code == 0
    assert made_readers[-1].referable_threshold is None
    assert made_readers[-1].providers is None


def test_quiet_prints_problems_and_totals_and_verbose_the_numbers(
    fundoscope: Command, save_eye: Save, tmp_path: Path
) -> None:
    eye, broken = save_eye(tmp_path / "g2.png"), tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    quiet = fundoscope("read", eye, broken, "-q")
    assert "g2.png" not in quiet.out
    assert "1 graded" in quiet.out
    assert "broken.jpg" in quiet.err
    verbose = fundoscope("read", eye, "-v")
    assert "g2.png" in verbose.out
    assert "grading: fake-1, sha256 ffffffffffff" in verbose.err
    assert "160 x 120 px" in verbose.err
    assert "probabilities" in verbose.err
    wrong = fundoscope("read", eye, "-q", "-v")
    assert wrong.code == 2
    assert "--quiet" in wrong.err


def test_eye_and_patient_are_taken_from_names_on_request(
    fundoscope: Command, save_eye: Save, tmp_path: Path
) -> None:
    photographs = tmp_path / "photographs"
    for shade, name in enumerate(("g3_left.png", "g3_right.png", "IMG.png"), start=1):
        save_eye(photographs / name, shade=shade)
    out = tmp_path / "out"
    done = fundoscope("read", photographs, "--out", out, "--names", "eye,patient")
    assert done.code == 0
    assert "patients.csv (1 patient)" in done.out
    with (out / "patients.csv").open(newline="") as file:
        (patient,) = csv.DictReader(file)
    assert (patient["patient"], patient["icdr"]) == ("g3", "3")
    assert patient["eyes_read"] == "left; right"
    bare = fundoscope("read", photographs, "--out", tmp_path / "bare")
    assert "--names eye,patient" in bare.out
    assert not (tmp_path / "bare" / "patients.csv").exists()
    assert fundoscope("read", photographs, "--names", "age").code == 2


def test_an_eye_that_is_not_understood_is_named(
    fundoscope: Command, save_eye: Save, tmp_path: Path
) -> None:
    for shade, name in enumerate(("a.png", "b.png"), start=1):
        save_eye(tmp_path / name, shade=shade)
    table = tmp_path / "eyes.csv"
    table.write_text("image,eye\na.png,right eye\nb.png,OU\n")
    said = fundoscope("read", table).err
    assert "1 photograph has an eye that is not understood" in said
    assert "(OU)" in said


def test_equal_photographs_are_flagged(fundoscope: Command, save_eye: Save, tmp_path: Path) -> None:
    photographs, out = tmp_path / "photographs", tmp_path / "out"
    for name, shade in (("g0a.png", 1), ("g0b.png", 1), ("g0c.png", 2)):
        save_eye(photographs / name, shade=shade)
    done = fundoscope("read", photographs, "--out", out)
    assert "1 photograph is the same file as an earlier one: " in done.out
    with (out / "readings.csv").open(newline="") as file:
        same = [row["same_as"] for row in csv.DictReader(file)]
    assert [bool(cell) for cell in same] == [False, True, False]
    assert same[1].endswith("g0a.png")
    (pair,) = json.loads((out / "run.json").read_text())["equal"]
    assert pair["image"].endswith("g0b.png")
    assert pair["same_as"].endswith("g0a.png")


@pytest.mark.parametrize("options", [(), ("--paths",)])
def test_equal_photographs_of_one_name_are_told_apart(
    options: tuple[str, ...], fundoscope: Command, save_eye: Save, tmp_path: Path
) -> None:
    for folder, shade in (("x", 1), ("y", 2), ("z", 1)):
        save_eye(tmp_path / folder / "a.png", shade=shade)
    images = ["x/a.png", "y/a.png", "z/a.png", "x/a.png"]
    table, out = tmp_path / "list.csv", tmp_path / "out"
    table.write_text("image\n" + "\n".join(images) + "\n")
    done = fundoscope("read", table, "--out", out, *options)
    first = "x/a.png (No. 1)" if options else "a.png (No. 1)"
    with (out / "readings.csv").open(newline="") as file:
        assert [row["same_as"] for row in csv.DictReader(file)] == ["", "", first, first]
    pairs = json.loads((out / "run.json").read_text())["equal"]
    assert [pair["same_as"] for pair in pairs] == [first, first]
    third = "z/a.png" if options else "a.png (No. 3)"
    assert f"the same file as an earlier one: {third} = {first}" in done.out
    assert all(pair["image"] != pair["same_as"] for pair in pairs)
