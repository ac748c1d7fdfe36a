"""A run that was stopped or killed is resumed, and its results are those of any other run."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import faulty_readers  # beside this module, on the path that conftest.py extends
import pytest

from fundoscope import checksums
from fundoscope.batch.engines import Processes, engine
from fundoscope.batch.inputs import gather
from fundoscope.batch.ledger.database import Ledger
from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.run import Options, Tally, read_all, run
from fundoscope.batch.workers import WorkerLimits
from fundoscope.errors import OutputError, UsageError

Save = Callable[..., Path]
COUNT = 20
KINDS = ("g0", "g3", "noeye", "g2_lesions")
TIMES = ("started", "finished", "files_sha256", "own_sha256")


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Save) -> Path:
    """Twenty photographs of all kinds with patients, one broken, two of one file."""
    folder = tmp_path / "eyes"
    lines = ["image,patient,eye"]
    for number in range(COUNT):
        name = f"{number:02}_{KINDS[number % len(KINDS)]}.png"
        save_eye(folder / name, shade=number)
        lines.append(f"{name},P{number % 7},{'left' if number % 2 else 'right'}")
    (folder / "05_g3.png").write_bytes(b"broken")
    (folder / "17_g3.png").write_bytes((folder / "01_g3.png").read_bytes())
    table = folder / "eyes.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


class Counting:
    """A reader that notes what it reads."""

    def __init__(self, reader: Any) -> None:
        self.reader, self.models = reader, reader.models
        self.lesion_thresholds = reader.lesion_thresholds
        self.seen: list[str] = []

    def examine(self, source: Path, *, eye: str | None = None) -> Any:
        self.seen.append(source.name)
        return self.reader.examine(source, eye=eye)


def read(table: Path, reader: Any, out: Path | None, after: int = COUNT, **options: Any) -> Tally:
    """Read, and stop after some photographs."""
    stop, seen = Event(), 0

    def show(_: Outcome) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            stop.set()

    inputs, options = gather([table]).photographs, {"pictures": False} | options
    return run(inputs, reader, workers=1, show=show, stop=stop, out=out, **options)


def results(out: Path) -> dict[str, object]:
    files: dict[str, object] = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    manifest = json.loads((out / "run.json").read_text())
    return files | {"run.json": {k: v for k, v in manifest.items() if k not in TIMES}}


def test_a_stopped_run_is_gone_on_with_and_reads_nothing_twice(
    tmp_path: Path, eyes: Path, fake_reader: Any
) -> None:
    read(eyes, fake_reader, tmp_path / "whole")
    reader, out = Counting(fake_reader), tmp_path / "out"
    for stage, stops in enumerate((3, 4, COUNT)):
        tally = read(eyes, reader, out, after=stops, overwrite=False)
        assert tally.earlier == (0, 3, 7)[stage]
        assert tally.interrupted == (stage < 2)
        assert checksums.verify(out).faults == ()
        if stage < 2:
            assert (out / "unfinished" / "ledger.sqlite").exists()
            assert "Incomplete" in (out / "index.html").read_text()
            with (out / "readings.csv").open(newline="") as file:
                assert len(list(csv.DictReader(file))) == tally.done
    assert results(out) == results(tmp_path / "whole")
    # Those in progress at a stop are read again, but recorded once.
    assert len(set(reader.seen)) == COUNT - 1  # one is the file of another
    with pytest.raises(UsageError, match="holds the results of an earlier run"):
        read(eyes, reader, out, overwrite=False)


def test_a_run_is_resumed_from_another_working_folder(
    tmp_path: Path, eyes: Path, fake_reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command may name the same folder by its absolute path; the rest was "not found"."""
    whole = read(eyes, fake_reader, tmp_path / "whole")
    monkeypatch.chdir(tmp_path)
    read(eyes.relative_to(tmp_path), fake_reader, tmp_path / "out", after=3)
    monkeypatch.chdir(tmp_path / "whole")
    tally = read(eyes, fake_reader, tmp_path / "out", overwrite=False)
    assert (tally.earlier, tally.counts()) == (3, whole.counts())
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_a_run_that_ends_in_an_error_is_gone_on_with(
    tmp_path: Path, eyes: Path, fake_reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(eyes, fake_reader, tmp_path / "whole", pictures=True)
    out, write, room = tmp_path / "out", Path.write_bytes, 6

    def full(path: Path, data: bytes) -> int:
        nonlocal room
        room -= path.suffix == ".png"
        if room == 0:
            write(path, data[:100])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        read(eyes, fake_reader, out, pictures=True)
    assert [path.name for path in out.iterdir()] == ["unfinished"]
    tally = read(eyes, fake_reader, out, pictures=True)
    assert tally.earlier > 0
    assert results(out) == results(tmp_path / "whole")


def test_another_command_does_not_go_on(tmp_path: Path, eyes: Path, fake_reader: Any) -> None:
    out = tmp_path / "out"
    read(eyes, fake_reader, out, after=3, command={"threshold": 0.2})
    with pytest.raises(UsageError, match=r"unfinished run of another command.*--overwrite"):
        read(eyes, fake_reader, out, command={"threshold": 0.3}, overwrite=False)
    tally = read(eyes, fake_reader, out, command={"threshold": 0.3})
    assert (tally.earlier, tally.done) == (0, COUNT)


def test_a_second_run_at_the_same_time_is_refused(
    tmp_path: Path, eyes: Path, fake_reader: Any
) -> None:
    out = tmp_path / "out"
    read(eyes, fake_reader, out, after=3)
    with (
        Ledger(out / "unfinished" / "ledger.sqlite"),
        pytest.raises(UsageError, match="is used by another run; wait until it has ended"),
    ):
        read(eyes, fake_reader, out)
    assert read(eyes, fake_reader, out).done == COUNT


@pytest.mark.parametrize("damage", [b"no database" * 99, None])
def test_a_damaged_ledger(
    tmp_path: Path, eyes: Path, fake_reader: Any, damage: bytes | None
) -> None:
    out = tmp_path / "out"
    read(eyes, fake_reader, out, after=3)
    ledger = out / "unfinished" / "ledger.sqlite"
    if damage is None:
        with sqlite3.connect(ledger) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        ledger.write_bytes(damage)
    with pytest.raises(UsageError, match="is not a ledger that can be resumed"):
        read(eyes, fake_reader, out, overwrite=False)
    assert read(eyes, fake_reader, out).earlier == 0


def test_a_full_disk_under_the_ledger(tmp_path: Path, eyes: Path, fake_reader: Any) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger._sqlite.execute("PRAGMA max_page_count = 12")
        with pytest.raises(OutputError, match="No space left on device"):
            ledger.set_fact("long", "x" * 100_000)
    with pytest.raises(OutputError, match="unable to open"):
        Ledger(tmp_path / "missing" / "ledger.sqlite")


def test_photographs_that_vanish_while_others_are_read(
    tmp_path: Path, eyes: Path, fake_reader: Any
) -> None:
    class Vanishing(Counting):
        def examine(self, source: Path, *, eye: str | None = None) -> Any:
            (source.parent / "18_noeye.png").unlink(missing_ok=True)
            return super().examine(source, eye=eye)

    tally = read(eyes, Vanishing(fake_reader), tmp_path / "out")
    assert {entry["number"]: entry["code"] for entry in tally.ungraded}[19] == "not_found"


def test_equal_photographs_are_read_once(tmp_path: Path, eyes: Path, fake_reader: Any) -> None:
    reader, out = Counting(fake_reader), tmp_path / "out"
    tally = read(eyes, reader, out, pictures=True)
    assert "17_g3.png" not in reader.seen
    assert tally.equal == [{"image": "17_g3.png", "same_as": "01_g3.png"}]
    with (out / "readings.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    first, second = rows["01_g3.png"], rows["17_g3.png"]
    assert second["same_as"] == "01_g3.png"
    own = {"image", "patient", "picture", "number", "same_as"}
    assert {k: v for k, v in second.items() if k not in own} == {
        k: v for k, v in first.items() if k not in own
    }
    assert (out / second["picture"]).read_bytes() == (out / first["picture"]).read_bytes()
    line = (out / "readings.jsonl").read_text().splitlines()[16]
    assert json.loads(line)["photo"]["name"] == "17_g3.png"


def test_shards_are_the_whole_together(tmp_path: Path, eyes: Path, fake_reader: Any) -> None:
    whole = read(eyes, fake_reader, tmp_path / "whole")
    numbers = []
    for place in (1, 2, 3):
        out = tmp_path / str(place)
        tally = read(eyes, fake_reader, out, shard=(place, 3))
        assert tally.done == tally.photographs
        with (out / "readings.csv").open(newline="") as file:
            numbers += [int(row["number"]) for row in csv.DictReader(file)]
    assert sorted(numbers) == list(range(1, whole.photographs + 1))
    assert numbers[:3] == [1, 4, 7]


def test_two_runs_that_begin_at_once_do_not_lose_the_ledger(
    tmp_path: Path, eyes: Path, fake_reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looked before the first made its ledger, and removed it as its own."""
    ledger = tmp_path / "out" / "unfinished" / "ledger.sqlite"
    ledger.parent.mkdir(parents=True)
    monkeypatch.setattr("fundoscope.batch.ledger.folder.is_unfinished", lambda _: False)
    with Ledger(ledger), pytest.raises(UsageError, match="is used by another run"):
        read(eyes, fake_reader, tmp_path / "out")
    assert ledger.exists()


@pytest.mark.parametrize("options", [{"after": 2}, {"shard": (1, 2)}])
def test_patients_of_whom_photographs_are_left_are_not_called_healthy(
    options: dict[str, Any], tmp_path: Path, save_eye: Save, fake_reader: Any
) -> None:
    """Tables of a stopped run, or of a part, said "all were graded, none is referable"."""
    lines = ["image,patient,eye"]
    for number, row in enumerate(("A,left", "A,right", "A,right", "B,left")):
        name = f"{number}_g{4 if number == 2 and 'after' in options else 0}.png"
        save_eye(tmp_path / name, shade=number)
        lines.append(f"{name},{row}")
    table, out = tmp_path / "eyes.csv", tmp_path / "out"
    table.write_text("\n".join(lines) + "\n")
    read(table, fake_reader, out, **options)
    with (out / "patients.csv").open(newline="") as file:
        (patient,) = csv.DictReader(file)
    assert (patient["patient"], patient["referable"]) == ("A", "true")
    assert patient["because"] == "not all photographs of the patient were read in this run"


def test_reports_of_patients_need_all_photographs(
    tmp_path: Path, eyes: Path, fake_reader: Any
) -> None:
    with pytest.raises(UsageError, match="another part may have photographs of a patient"):
        read(eyes, fake_reader, tmp_path / "out", shard=(1, 2), reports="en")
    assert not (tmp_path / "out" / "unfinished").exists()


def test_without_a_folder_nothing_is_left(tmp_path: Path, eyes: Path, fake_reader: Any) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert read(eyes, fake_reader, None).done == COUNT
    assert sorted(tmp_path.rglob("*")) == before


def test_facts_of_any_name_survive() -> None:
    facts = Facts("\udcff\n.jpg", "Ängström", "", "refused", unseen=(("a", "b"),), quality=("x",))
    assert Facts.from_text(facts.to_text()) == facts


def test_no_process_is_started_without_a_photograph_for_it() -> None:
    """Each loads its own networks: 64 processors and 9 photographs took 25 GB."""
    limits = WorkerLimits()
    chosen = engine(
        faulty_readers.Obedient, {}, workers=64, threads=1, photographs=9, limits=limits
    )
    assert chosen.ahead == Processes(faulty_readers.Obedient, 9, limits).ahead


def test_processes_lose_one_photograph_to_each_fault(tmp_path: Path, save_eye: Save) -> None:
    for number, name in enumerate(("a", "hang", "b", "die", "c", "once")):
        save_eye(tmp_path / "in" / f"{number}_{name}.png", shade=number)
    limits = WorkerLimits(deadline_s=6.0)  # a healthy photograph takes less even when all is slow
    inputs, shown = gather([tmp_path / "in"]).photographs, list[Outcome]()
    chosen = engine(
        faulty_readers.Obedient, {}, workers=2, threads=1, photographs=99, limits=limits
    )
    assert isinstance(chosen, Processes)
    with chosen:
        options = Options(tmp_path / "out", pictures=False)
        tally = read_all(inputs, chosen, options, show=shown.append, stop=Event())
    assert [each["code"] for each in tally.ungraded if each["status"] == "refused"] == [
        "deadline", "worker_died",
    ]  # fmt: skip
    assert [each.input for each in shown] == list(inputs)
    assert chosen.models == (faulty_readers.MODEL,)
    assert chosen.lesion_thresholds == {}
