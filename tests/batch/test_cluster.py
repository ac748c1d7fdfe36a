"""Reading on a Ray cluster: what travels, what is checked; without Ray, and with it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import socket
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import faulty_readers
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.batch.cluster import connecting, transfer
from fundoscope.batch.cluster.actor import Actor, Arrival
from fundoscope.batch.cluster.engine import Cluster
from fundoscope.batch.engines import Engine, Processes
from fundoscope.batch.inputs import gather
from fundoscope.batch.jobs import Job, Refusal
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.run import Options, read_all
from fundoscope.batch.sources.remote import Url
from fundoscope.batch.worker_process import Message, WorkerLimits
from fundoscope.cli import main
from fundoscope.errors import BundleError, ConnectionLostError, FundoscopeError, UsageError
from fundoscope.models import bundle
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.phantom.files import encoded
from fundoscope.reader import Reader

Save = Callable[..., Path]
LIMITS = WorkerLimits(deadline_s=20.0)
LISTENS, LOCALHOST = "0A", "0100007F"
"""As Linux writes them in ``/proc/net/tcp``."""
FOREIGN = {"fundoscope": "0", "numpy": "0"}


class Recorded:
    """A reader that keeps what it was made with."""

    models = ()
    lesion_thresholds: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.grader = Path(options["grader"]) if options.get("grader") else None
        self.card = None if self.grader is None else (self.grader / bundle.CARD).read_bytes()
        files = [Path(name) for name in options.get("rules", ()) if name.endswith(".toml")]
        self.rules = [path.read_text() for path in files]

    def examine(self, *_: object, **__: object) -> Any:
        raise NotImplementedError


def made(**options: Any) -> Recorded:
    """A reader that was packed here and made elsewhere."""
    reader = transfer.reader(transfer.reader_spec(Recorded, options))
    assert isinstance(reader, Recorded)
    return reader


def test_a_bundle_travels_as_its_content(tmp_path: Path) -> None:
    shipped = bundle.shipped()
    reader = made(grader=shipped, detector=None, force=True)
    assert reader.card == (shipped / bundle.CARD).read_bytes()
    assert reader.grader is not None
    assert reader.grader.name == shipped.name
    assert not reader.grader.exists()  # nothing is left on the other machine
    assert reader.options["force"] is True


def test_a_zipped_bundle_loads_elsewhere_as_it_does_here(tmp_path: Path) -> None:
    path = tmp_path / "grader.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in bundle.shipped().iterdir():
            archive.write(file, file.name)
    spec = transfer.reader_spec(Reader, {"grader": path, "lesions": False})
    assert transfer.reader(spec).models == Reader(path, lesions=False).models


def test_a_bundle_that_is_none_is_refused_before_it_travels(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        transfer.reader_spec(Reader, {"grader": tmp_path / "none"})


def test_rules_of_a_file_travel_and_names_stay(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("own rules")
    reader = made(rules=("icdr", str(tmp_path / "own.toml")))
    assert reader.rules == ["own rules"]
    assert reader.options["rules"][0] == "icdr"
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read"):
        transfer.reader_spec(Recorded, {"rules": (str(tmp_path / "none.toml"),)})


@given(st.data())
def test_damage_on_the_way_is_noticed(data: st.DataObject) -> None:
    content = data.draw(st.binary(min_size=1, max_size=20))
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
    file = transfer.File("bundle.json", content, hashlib.sha256(content).hexdigest())
    spec = transfer.ReaderSpec(
        Recorded, {}, {"grader": ("mine", (replace(file, content=flipped),))}, ()
    )
    with pytest.raises(BundleError, match=r"mine: its bundle\.json did not arrive whole"):
        transfer.reader(spec)


def test_a_photograph_travels_as_its_bytes_or_its_url(tmp_path: Path, save_eye: Save) -> None:
    eye = save_eye(tmp_path / "a.jpg")
    job = transfer.with_content(Job(str(eye), eye="left", picture=True))
    assert job == Job(eye.read_bytes(), name="a.jpg", eye="left", picture=True)
    remote = Job(Url("s3://eyes/a.jpg"), name="a.jpg")
    assert transfer.with_content(remote) is remote
    refused = transfer.with_content(Job(str(tmp_path / "none.jpg")))
    assert isinstance(refused, Refusal)
    assert refused.code == "not_found"


@pytest.mark.parametrize("address", ["nonsense", "host:", ":1", "ray://host:10001", "host:port"])
def test_an_address_has_host_and_port(address: str) -> None:
    with pytest.raises(UsageError, match="give its address as HOST:PORT"):
        connecting.check_address(address)


def test_nothing_answers_at_an_address() -> None:
    with pytest.raises(FundoscopeError, match="cannot be reached"):
        connecting.check_address("127.0.0.1:99999")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connecting.check_address(f"127.0.0.1:{port}")
    with pytest.raises(FundoscopeError, match=f"127.0.0.1:{port}: cannot be reached"):
        connecting.check_address(f"127.0.0.1:{port}")


def test_machines_with_other_software_are_refused() -> None:
    connecting.check_versions(FOREIGN, FOREIGN)
    with pytest.raises(UsageError, match="numpy 1 instead of 0"):
        connecting.check_versions(FOREIGN, FOREIGN | {"numpy": "1"})


def test_a_reader_that_cannot_be_made_is_not_a_killed_one() -> None:
    class MadeError(Exception):
        actor_init_failed = True

    connecting.check_creation(RuntimeError("killed"))
    with pytest.raises(UsageError, match=r"has no fundoscope; .*fundoscope\[ray\]"):
        connecting.check_creation(MadeError("ModuleNotFoundError: No module named 'fundoscope'"))
    with pytest.raises(UsageError, match="cannot start a reader"):
        connecting.check_creation(MadeError("OSError"))


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Actor]]:
    """Make an actor in this process; its reader is in a process of its own."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None)
    made = []

    def make(spec: transfer.ReaderSpec) -> Actor:
        made.append(Actor(spec, LIMITS))
        return made[-1]

    yield make
    for each in made:
        each._pool.close()


def test_an_actor_answers_as_a_local_worker_does(
    actor: Callable[..., Actor], tmp_path: Path, save_eye: Save
) -> None:
    ours = actor(transfer.reader_spec(faulty_readers.Obedient, {}))
    arrival = msgspec.msgpack.decode(ours.load(), type=Arrival)
    assert arrival.message.loaded is not None
    assert arrival.message.loaded.models == (faulty_readers.MODEL,)
    assert arrival.versions["fundoscope"]
    job = Job(save_eye(tmp_path / "a.jpg").read_bytes(), name="a.jpg")
    message = msgspec.msgpack.decode(ours.read(job), type=Message)
    assert message.answer is not None
    assert message.answer.reading.photo.name == "a.jpg"
    message = msgspec.msgpack.decode(ours.read(replace(job, source=b"nonsense")), type=Message)
    assert message.refusal is not None
    failed = msgspec.msgpack.decode(ours.read(Job(str(tmp_path / "bundle.jpg"))), type=Message)
    assert failed.failure is not None
    assert failed.failure.kind == "BundleError"


def test_an_actor_says_why_its_models_cannot_be_loaded(actor: Callable[..., Actor]) -> None:
    damaged = transfer.File("bundle.json", b"{}", "0" * 64)
    spec = transfer.ReaderSpec(faulty_readers.Obedient, {}, {"grader": ("mine", (damaged,))}, ())
    arrival = msgspec.msgpack.decode(actor(spec).load(), type=Arrival)
    assert arrival.message.failure is not None
    assert "did not arrive whole" in arrival.message.failure.why


def cluster(stop: Event | None = None, **changes: Any) -> Cluster:
    usual = {"address": None, "workers": 2, "limits": LIMITS, "stop": stop or Event()}
    return Cluster(Reader, {"lesions": False}, **usual | changes)


def test_a_cluster_that_is_not_there_is_an_error_in_words() -> None:
    with pytest.raises(FundoscopeError, match="cannot be reached"), cluster(address="127.0.0.1:1"):
        pass


def test_a_start_can_be_stopped() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt), cluster(stop):
        pass


def test_an_address_needs_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["read", "a.jpg", "--address", "host:1"]) == 2
    assert "add --engine ray" in capsys.readouterr().err


def test_a_cluster_reads_on_processors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["read", "a.jpg", "--engine", "ray", "--device", "cuda"]) == 2
    assert "--device cuda: cannot be combined" in capsys.readouterr().err


def test_without_ray_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main.run(["read", "a.jpg", "--engine", "ray"]) == 2
    assert 'pip install "fundoscope[ray]"' in capsys.readouterr().err


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twelve phantoms, one of them twice, and a file that is no photograph; for Ray alone."""
    pytest.importorskip("ray")
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(12):
        pixels, _ = draw(PhantomSpec(seed=seed, width=400, height=400, grade=seed % 5))
        (folder / f"{seed:02}.jpg").write_bytes(encoded(pixels, ".jpg"))
    (folder / "again.jpg").write_bytes((folder / "03.jpg").read_bytes())
    (folder / "bad.jpg").write_bytes(b"nonsense")
    return folder


def run(folder: Path, engine: Engine, out: Path, show: Callable[[Outcome], None]) -> Any:
    inputs = gather([folder]).photographs
    return read_all(inputs, engine, Options(out=out), show=show, stop=Event())


def processes() -> Iterator[Path]:
    """The folders in ``/proc`` of all that the cluster of this process started."""
    agents = {child.pid for child in multiprocessing.active_children()}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) in agents:
                yield folder


def actors() -> list[int]:
    starts = {folder: (folder / "cmdline").read_bytes() for folder in processes()}
    return [int(folder.name) for folder, line in starts.items() if line.startswith(b"ray::Actor")]


def listening() -> set[str]:
    """The addresses, as hexadecimal digits, at which the cluster of this process listens."""
    sockets = set()
    for folder in processes():
        with suppress(OSError):
            sockets |= {file.readlink().name for file in (folder / "fd").iterdir()}
    rows = [
        line.split()
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
    ]
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == LISTENS and f"socket:[{row[9]}]" in sockets
    }


@pytest.fixture(scope="module")
def two_actors() -> Iterator[Cluster]:
    pytest.importorskip("ray")
    with cluster() as engine:
        yield engine


@pytest.mark.slow
def test_a_cluster_of_this_machine_is_heard_by_nobody_else(two_actors: Cluster) -> None:
    addresses = listening()
    assert addresses
    assert {address[-8:] for address in addresses} == {LOCALHOST}


@pytest.mark.slow
def test_a_killed_actor_costs_nothing(
    two_actors: Cluster, photographs: Path, tmp_path: Path
) -> None:
    with Processes(graded, 1) as local:
        expected = run(photographs, local, tmp_path / "local", lambda _: None)
    names: list[str] = []

    def show(outcome: Outcome) -> None:
        names.append(outcome.input.path.name)
        if len(names) == 2:
            os.kill(actors()[0], signal.SIGKILL)

    tally = run(photographs, two_actors, tmp_path / "ray", show)
    assert len(names) == len(set(names)) == 14  # each once, none lost
    assert tally.counts() == expected.counts()
    for path in sorted((tmp_path / "local").rglob("*")):
        if path.is_file() and path.name != "run.json":
            same = tmp_path / "ray" / path.relative_to(tmp_path / "local")
            assert path.read_bytes() == same.read_bytes(), path.name


def graded() -> Reader:
    return Reader(lesions=False)


@pytest.mark.slow
def test_a_lost_cluster_stops_the_run_and_keeps_what_was_read(
    photographs: Path, tmp_path: Path
) -> None:
    shown: list[str] = []
    with cluster(workers=1) as engine:

        def show(outcome: Outcome) -> None:
            shown.append(outcome.input.image)
            if len(shown) == 2:
                for child in multiprocessing.active_children():
                    child.kill()

        tally = run(photographs, engine, tmp_path / "out", show)
    assert isinstance(tally.lost, ConnectionLostError)
    assert tally.interrupted
    assert tally.done == len(shown)
    assert (tmp_path / "out" / "readings.csv").exists()
