"""Photographs in stores, named by URLs; ``file://`` stands for any store, moto for S3."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import faulty_readers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope import limits
from fundoscope.batch.engines import Threads
from fundoscope.batch.inputs import stream
from fundoscope.batch.jobs import Job, Refusal, answer
from fundoscope.batch.ledger.tally import Tally
from fundoscope.batch.run import Options, read_all
from fundoscope.batch.sources import remote
from fundoscope.batch.sources.remote import Url
from fundoscope.cli import main
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import (
    ConnectionLostError,
    MissingExtraError,
    PhotoError,
    TableError,
    UsageError,
)

Save = Callable[..., Path]
SECRET = "Tr0ub4dor"
NAMES = st.text("ab._-1:", min_size=1, max_size=4).filter(lambda name: set(name) != {"."})
FILES = st.lists(
    st.tuples(
        st.lists(NAMES, max_size=2),
        NAMES,
        st.sampled_from((".jpg", ".JPG", ".png", ".txt", "")),
    ),
    min_size=1,
    max_size=8,
)
WORDS = st.text("abc/:@?=&.-", max_size=12)


@pytest.fixture(scope="module", autouse=True)
def _needs_fsspec() -> None:
    pytest.importorskip("fsspec")


def url_of(path: Path) -> Url:
    return remote.url(f"file://{path}")


def read(inputs: list[Path | Url], out: Path) -> Tally:
    with Threads(faulty_readers.Obedient(), 1) as engine:
        listed = stream(inputs, Counter())
        return read_all(listed, engine, Options(out=out), show=lambda _: None, stop=Event())


@pytest.mark.parametrize("text", ["a.jpg", "/a/b", "C:/eyes", "C:\\eyes", "a:b", "eyes:2026/a.jpg"])
def test_paths_are_no_urls(text: str) -> None:
    assert remote.place(text) == Path(text)


@pytest.mark.parametrize(
    "text",
    [
        f"s3://key:{SECRET}@eyes/a.jpg",
        f"s3://{SECRET}@eyes/a.jpg",
        f"s3://eyes/a.jpg?X-Amz-Signature={SECRET}",
        f"https://user:{SECRET}@host/a.jpg",
        f"https://host/a.jpg?sig={SECRET}",
        f"simplecache::s3://key:{SECRET}@eyes/a.jpg",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        remote.url(text)
    assert SECRET not in str(raised.value)
    assert "environment" in str(raised.value)


@pytest.mark.parametrize("text", ["ftp://host/a.jpg", "https://host/a.jpg", "memory://a/b.jpg"])
def test_other_protocols_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="s3://, gs://"):
        remote.url(text)


@given(WORDS, WORDS)
def test_what_is_accepted_has_no_secret_and_is_kept(authority: str, rest: str) -> None:
    text = f"s3://{authority}/{rest}"
    try:
        accepted = remote.url(text)
    except UsageError:
        return
    assert accepted.text == text
    host = text.removeprefix("s3://").partition("/")[0]
    assert not set(host) & set("@:")


@given(FILES)
def test_a_folder_in_a_store_is_listed_as_one_of_this_machine(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[list[str], str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    for parts, name, suffix in files:
        path = folder.joinpath(*parts, name + suffix)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:  # a file has the name of a folder
            continue
    others, passed_over = Counter[str](), Counter[str]()
    listed = [
        each.text.removeprefix("file://")
        for each in remote.photographs(url_of(folder), PHOTOGRAPH_SUFFIXES, others)
    ]
    try:
        expected = [str(each.path) for each in stream([folder], passed_over)]
    except UsageError:  # no photograph
        expected = []
    assert listed == expected
    if expected:
        assert others == passed_over


def test_patterns_and_single_photographs(tmp_path: Path, save_eye: Save) -> None:
    for name in ("b.jpg", "a.jpg", "c.png"):
        save_eye(tmp_path / name)
    jpegs = remote.url(f"file://{tmp_path}/*.jpg")
    inputs = list(stream([jpegs, url_of(tmp_path / "a.jpg")], Counter()))
    assert [each.path.name for each in inputs] == ["a.jpg", "b.jpg"]  # each once
    assert [each.url for each in inputs] == [each.image for each in inputs]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.jpg", "does not exist"),
        ("*.jpg", "matches no file"),
        ("empty", "holds no photograph"),
        ("eyes.csv", "must be on this machine"),
        ("eyes.zip", "must be on this machine"),
        ("eyes.txt", "must be on this machine"),
    ],
)
def test_what_a_url_must_name(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty").mkdir()
    for file in ("eyes.csv", "eyes.zip", "eyes.txt"):
        (tmp_path / file).touch()
    with pytest.raises(UsageError, match=why):
        list(stream([remote.url(f"file://{tmp_path}/{name}")], Counter()))


def test_results_are_those_of_files_of_this_machine(tmp_path: Path, save_eye: Save) -> None:
    folder = tmp_path / "eyes"
    for number in range(3):
        save_eye(folder / f"{number}.jpg", shade=number)
    save_eye(folder / "again.jpg", shade=1)
    (folder / "bad.jpg").write_bytes(b"nonsense")
    tallies = [read([folder], tmp_path / "disk"), read([url_of(folder)], tmp_path / "store")]
    assert tallies[0].counts() == tallies[1].counts()
    for name in ("readings.csv", "readings.jsonl", "summary.csv", "index.html"):
        ours, theirs = (tmp_path / out / name for out in ("disk", "store"))
        assert ours.read_bytes() == theirs.read_bytes(), name


def test_lists_and_tables_may_name_urls(tmp_path: Path, save_eye: Save) -> None:
    eye = save_eye(tmp_path / "eyes" / "a.jpg")
    (tmp_path / "list.txt").write_text(f"file://{eye}\nfile://{eye}.none\n")
    (tmp_path / "table.csv").write_text(f"image,patient\nfile://{eye},P1\n")
    tally = read([tmp_path / "list.txt", tmp_path / "table.csv"], tmp_path / "out")
    assert tally.codes["not_found"] == 1
    assert tally.photographs == 3
    assert "file:" not in (tmp_path / "out" / "readings.csv").read_text()


@pytest.mark.parametrize("name", ["list.txt", "table.csv"])
def test_a_secret_in_a_list_or_table_is_not_repeated(tmp_path: Path, name: str) -> None:
    line = f"s3://key:{SECRET}@eyes/a.jpg"
    (tmp_path / name).write_text(f"image\n{line}\n" if name == "table.csv" else f"a.jpg\n{line}\n")
    with pytest.raises(TableError, match=f"{name}, (line|entry) 2") as raised:
        list(stream([tmp_path / name], Counter()))
    assert SECRET not in str(raised.value)


def test_a_large_object_is_refused_before_it_is_downloaded(
    tmp_path: Path, save_eye: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def downloaded(*_: object, **__: object) -> bytes:
        raise AssertionError("downloaded")

    eye = save_eye(tmp_path / "a.jpg")
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", eye.stat().st_size - 1)
    monkeypatch.setattr(LocalFileSystem, "cat_file", downloaded)
    with pytest.raises(PhotoError) as raised:
        remote.read(url_of(eye))
    assert raised.value.code == "too_large"


def test_no_more_is_downloaded_than_was_announced(
    tmp_path: Path, save_eye: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    eye = save_eye(tmp_path / "a.jpg")
    real = LocalFileSystem.info
    smaller: Callable[..., object] = lambda *a, **k: real(*a, **k) | {"size": 10}  # noqa: E731
    monkeypatch.setattr(LocalFileSystem, "info", smaller)
    with pytest.raises(PhotoError) as raised:
        remote.read(url_of(eye))
    assert raised.value.code == "changing"


def test_an_empty_object_is_refused_as_an_empty_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    result = answer(Job(url_of(tmp_path / "a.jpg"), name="a.jpg"), faulty_readers.Obedient())
    assert isinstance(result, Refusal)
    assert result.code == "empty"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(SECRET), "not_found"),
        (PermissionError(SECRET), "no_permission"),
        (OSError(SECRET), "unreadable"),
    ],
)
def test_errors_of_a_store_are_refusals_in_words_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, code: str
) -> None:
    fail_with(error, monkeypatch)
    with pytest.raises(PhotoError) as raised:
        remote.read(url_of(tmp_path / "a.jpg"))
    assert raised.value.code == code
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("error", [ConnectionError(SECRET), TimeoutError(SECRET)])
def test_a_store_that_cannot_be_reached_concerns_all_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    fail_with(error, monkeypatch)
    with pytest.raises(ConnectionLostError, match="cannot be reached") as raised:
        remote.read(url_of(tmp_path / "a.jpg"))
    assert SECRET not in str(raised.value)


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def fail(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(LocalFileSystem, "info", fail)


def test_a_name_is_no_chain_of_stores(tmp_path: Path, save_eye: Save) -> None:
    eye, secret = save_eye(tmp_path / "eyes" / "a::file:" / "b.jpg"), tmp_path / "b.jpg"
    secret.write_bytes(b"another file")
    assert remote.read(url_of(eye)) == eye.read_bytes()
    assert [each.text for each in listed(url_of(tmp_path / "eyes"))] == [f"file://{eye}"]


def listed(folder: Url) -> list[Url]:
    return list(remote.photographs(folder, PHOTOGRAPH_SUFFIXES, Counter()))


def test_a_folder_is_no_photograph(tmp_path: Path) -> None:
    with pytest.raises(PhotoError) as raised:
        remote.read(url_of(tmp_path))
    assert raised.value.code == "not_a_file"


def test_a_lost_store_stops_the_run_and_keeps_what_was_read(
    tmp_path: Path, save_eye: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "eyes", tmp_path / "out"
    for number in range(4):
        save_eye(folder / f"{number}.jpg", shade=number)
    real = remote.read

    def lost(photograph: Url) -> bytes:
        if photograph.text.endswith("/2.jpg"):
            raise ConnectionLostError("the store", "cannot be reached", "check the network")
        return real(photograph)

    with monkeypatch.context() as patched:
        patched.setattr(remote, "read", lost)
        tally = read([url_of(folder)], out)
    assert tally.interrupted
    assert tally.done == 2
    assert "cannot be reached" in str(tally.lost)
    assert json.loads((out / "run.json").read_text())["interrupted"]
    assert len((out / "readings.jsonl").read_text().splitlines()) == 2
    again = read([url_of(folder)], out)
    assert (again.done, again.earlier, again.lost) == (4, 2, None)


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"fundoscope\[remote\]"):
        list(stream([remote.url("s3://eyes/a.jpg")], Counter()))
    with pytest.raises(UsageError, match="pip install gcsfs"):
        list(stream([remote.url("gs://eyes/a.jpg")], Counter()))


def test_results_need_a_folder_of_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"s3://key:{SECRET}@eyes/out"
    assert main.run(["read", str(tmp_path), "--out", out]) == 2
    said = capsys.readouterr().err
    assert "--out: must be a folder on this computer" in said
    assert SECRET not in said


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """An empty bucket of a server of the S3 protocol on this machine."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET}
    settings |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("eyes")
    yield "eyes"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.filterwarnings("ignore")  # those of botocore and moto
def test_photographs_in_s3(bucket: str, tmp_path: Path, save_eye: Save) -> None:
    import s3fs

    folder, store = tmp_path / "eyes", s3fs.S3FileSystem()
    for name in ("b.jpg", "a.jpg", "deeper/c.png"):
        save_eye(folder / name, shade=len(name))
    (folder / "notes.md").write_text("notes")
    store.put(str(folder), f"{bucket}/2026", recursive=True)
    store.touch(f"{bucket}/2026/empty.jpg")
    (folder / "empty.jpg").touch()
    passed_over = Counter[str]()
    inputs = list(stream([remote.url(f"s3://{bucket}/2026")], passed_over))
    assert [each.url for each in inputs] == [
        f"s3://{bucket}/2026/{name}" for name in ("a.jpg", "b.jpg", "deeper/c.png", "empty.jpg")
    ]
    assert passed_over == {".md": 1}
    read([folder], tmp_path / "disk")
    read([remote.url(f"s3://{bucket}/2026")], tmp_path / "store")
    for name in ("readings.csv", "readings.jsonl", "index.html"):
        ours, theirs = (tmp_path / out / name for out in ("disk", "store"))
        assert ours.read_bytes() == theirs.read_bytes(), name
    with pytest.raises(UsageError, match="does not exist"):
        list(stream([remote.url(f"s3://{bucket}/none/a.jpg")], Counter()))
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ConnectionLostError, match="cannot be reached"):
        list(stream([remote.url(f"s3://{bucket}/2026")], Counter()))
