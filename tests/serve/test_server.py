"""The commands, and a real service in its own process."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from fundoscope.phantom import PhantomSpec, draw
from fundoscope.serve.store import records
from fundoscope.serve.store import store as stores

from .conftest import photograph, running
from .test_readings import ASYNC, until

Command = Callable[..., Any]
FAST = ("--workers", "1", "--no-lesions", "--port", "0")


@contextmanager
def serving(
    data: Path, options: tuple[str, ...] = FAST
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, and its address."""
    command = [sys.executable, "-m", "fundoscope", "serve", "--data", str(data), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        found = re.search(r"https?://\S+", first)
        assert found, first + (process.stderr.read() if process.stderr else "")
        yield process, found[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_service_survives_being_killed_and_stops_gracefully(tmp_path: Path) -> None:
    data, eye = tmp_path / "data", io.BytesIO()
    Image.fromarray(draw(PhantomSpec(width=640, height=480, grade=2))[0]).save(eye, "JPEG")
    with serving(data) as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        answer = client.post("/v1/readings", files={"photograph": eye.getvalue()})
        assert answer.status_code == 201
        assert answer.json()["reading"]["grade"]["icdr"] is not None
        assert answer.json()["reading"]["heat"]["values"]
        accepted = [_accepted(client, shade) for shade in range(3)]
        process.kill()
    with serving(data) as (process, url), httpx.Client(base_url=url, timeout=60) as client:
        for where in accepted:
            until(lambda where=where: client.get(where).json()["status"] == "read", 30)
        _hang_up_in_the_middle(client, url)
        assert list((data / "incoming").iterdir()) == []
        accepted = [_accepted(client, shade) for shade in range(3, 6)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with stores.opened(data) as store:
        assert records.waiting(store) == []
        found = [records.get(store, where.rpartition("/")[2]) for where in accepted]
        assert [record.status for record in found if record is not None] == ["read"] * 3
    said = subprocess.run(
        [sys.executable, "-m", "fundoscope", "audit", "verify", "--data", str(data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the audit log is intact" in said.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_encrypts_and_lesions_are_looked_for_by_default(tmp_path: Path) -> None:
    key, certificate, eye = tmp_path / "key.pem", tmp_path / "own.pem", io.BytesIO()
    made = (
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    Image.fromarray(draw(PhantomSpec(width=640, height=480, grade=2))[0]).save(eye, "JPEG")
    trusted = ssl.create_default_context(cafile=certificate)
    options = (
        "--workers",
        "1",
        "--port",
        "0",
        "--certificate",
        str(certificate),
        "--key",
        str(key),
    )
    with serving(tmp_path / "data", options) as (_, url):
        assert url.startswith("https://")
        with httpx.Client(base_url=url, timeout=60, verify=trusted) as client:
            assert client.get("/livez").status_code == 200
            answer = client.post("/v1/readings", files={"photograph": eye.getvalue()})
        summary = answer.json()["reading"]["lesion_summary"]
        assert "no_detector" not in {each["reason"] for each in summary}
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http", 1) + "/livez")


def test_options_reach_the_service(
    fundoscope: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fundoscope.serve import server

    given = list[Any]()
    monkeypatch.setattr(server, "run", lambda settings, _say: given.append(settings))
    options = (
        "--data", tmp_path, "--blind", "--queue", 7, "--workers", 3, "--name", "eyes.example",
        "--name", "reading.example", "--no-lesions", "--database", "postgresql://a@b/c",
    )  # fmt: skip
    assert fundoscope("serve", *options).code == 0
    assert fundoscope("serve", "--data", tmp_path, "--workers", 3).code == 0
    chosen, usual = given
    assert (chosen.blind, chosen.queue, chosen.workers) == (True, 7, 3)
    assert chosen.names == ("eyes.example", "reading.example")
    assert chosen.database == "postgresql://a@b/c"
    assert chosen.reader["lesions"] is False
    assert (usual.blind, usual.queue, usual.names, usual.database) == (False, 12, (), None)
    assert usual.reader["lesions"] is True


def _accepted(client: httpx.Client, shade: int) -> str:
    """The address of a reading that is accepted, and perhaps not read yet."""
    files = {"photograph": photograph(shade=shade)}
    answer = client.post("/v1/readings", files=files, headers=ASYNC)
    assert answer.status_code == 202
    return str(answer.headers["location"])


def _hang_up_in_the_middle(client: httpx.Client, url: str) -> None:
    """Send half an upload; its place is free again afterwards."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port)) as half:
        half.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            b'Content-Disposition: form-data; name="photograph"\r\n\r\nabc'
        )
        until(lambda: "in_service 1.0" in client.get("/metrics").text)
    until(lambda: "in_service 0.0" in client.get("/metrics").text)


def test_audit_and_store_by_command(fundoscope: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as clinic:
        first, second = clinic.upload(1, shade=1), clinic.upload(2, shade=2, patient="7")
        clinic.review(first, grade=2, boxes=[])
    said = fundoscope("audit", "verify", "--data", data)
    assert (said.code, said.out.splitlines()[0]) == (
        0, "the audit log is intact: 8 entries, the last has the hash",
    )  # fmt: skip
    head = said.out.splitlines()[1]
    assert fundoscope("audit", "verify", "--data", data, "--noted", head).code == 0
    gone = fundoscope("audit", "verify", "--data", data, "--noted", "0" * 64)
    assert (gone.code, "cut off" in gone.err) == (3, True)
    entries = [json.loads(line) for line in fundoscope("audit", "show", "--data", data).out.split()]
    assert [entry["number"] for entry in entries] == list(range(1, 9))

    said = fundoscope("store", "add-token", "a.smith", "--data", data)
    assert re.fullmatch(r"fs_[\w-]{43}", said.out.strip())
    listed = fundoscope("store", "tokens", "--data", data).out
    assert "a.smith: look, review, upload; added" in listed
    assert fundoscope("store", "revoke-token", "a.smith", "--data", data).code == 0
    assert "revoked 2" in fundoscope("store", "tokens", "--data", data).out

    out = tmp_path / "out"
    said = fundoscope("data", "export-reviews", out, "--data", data)
    assert (said.code, "1 photographs, 1 with a grade, 1 with boxes" in said.out) == (0, True)

    assert fundoscope("store", "delete", "--data", data).code == 2
    assert fundoscope("store", "delete", "--older-than", 10**6, "--data", data).code == 2
    dry = fundoscope("store", "delete", "--patient", "7", "--dry-run", "--data", data)
    assert "1 readings would be deleted" in dry.out
    assert fundoscope("store", "delete", second, "unknown", "--data", data).code == 3
    assert "0 readings" in fundoscope("store", "delete", "--patient", "7", "--data", data).out
    assert (
        "1 readings deleted"
        in fundoscope("store", "delete", "--older-than", "0", "--data", data).out
    )
    assert fundoscope("audit", "verify", "--data", data).code == 0


def test_a_missing_extra_says_what_to_install(
    fundoscope: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib.util

    usual = importlib.util.find_spec
    monkeypatch.setattr(
        "fundoscope.cli.extras.importlib.util.find_spec",
        lambda name, *rest: None if name == "fastapi" else usual(name, *rest),
    )
    for command in (
        ("serve",), ("audit", "verify"), ("audit", "show"), ("store", "tokens"),
        ("store", "add-token", "x"), ("store", "revoke-token", "x"), ("store", "delete"),
        ("data", "export-reviews", tmp_path / "out"),
    ):  # fmt: skip
        said = fundoscope(*command)
        assert (said.code, 'pip install "fundoscope[serve]"' in said.err) == (2, True)


def test_others_may_call_only_where_somebody_has_a_token(
    fundoscope: Command, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    said = fundoscope("serve", "--host", "0.0.0.0", "--port", "0", "--data", data)
    assert (said.code, "nobody has a token" in said.err) == (2, True)
    fundoscope("store", "add-token", "x", "--data", data)
    fundoscope("store", "revoke-token", "x", "--data", data)
    said = fundoscope("serve", "--host", "0.0.0.0", "--port", "0", "--data", data)
    assert said.code == 2


def test_wrong_settings_are_refused(fundoscope: Command, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    assert "belong together" in fundoscope("serve", *data, "--certificate", "x").err
    assert "is not a file" in fundoscope("serve", *data, "--certificate", "x", "--key", "y").err
    (tmp_path / "file").write_text("")
    said = fundoscope("serve", "--data", tmp_path / "file")
    assert (said.code, "is not a folder" in said.err) == (2, True)
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_text("no certificate")
    pair = ("--certificate", tmp_path / "a.pem", "--key", tmp_path / "b.pem")
    said = fundoscope("serve", *data, *pair)
    assert (said.code, "does not fit --key" in said.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = fundoscope("serve", *data, "--port", taken.getsockname()[1])
    assert (said.code, "choose another --port" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["http://127.0.0.1:9 (only this computer can reach it)", "asks nobody"]),
        ({"host": "::1"}, ["http://[::1]:9"]),
        ({"host": "10.0.0.1"}, ["others can reach it", "is not encrypted"]),
        ({"blind": True}, ["only after the reader's own grade"]),
    ],
)
def test_the_service_says_what_it_will_and_will_not_do(
    tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    from fundoscope.serve.server import banner
    from fundoscope.serve.settings import Settings
    from fundoscope.serve.store import store

    with store.opened(tmp_path / "data", make=True) as opened:
        text = "\n".join(banner(Settings(data=tmp_path, **settings), opened, 9))
    for each in [*words, "sends nothing anywhere", "not a diagnosis; a person decides"]:
        assert each in text


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x.y", False)],
)
def test_which_addresses_are_local(host: str, local: bool) -> None:
    from fundoscope.serve.settings import Settings

    assert Settings(data=Path("x"), host=host).is_local is local


def test_the_account_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from fundoscope.cli.store.accounts import account

    monkeypatch.setenv("LOGNAME", "smith")
    assert account() == "account:smith"

    def nobody() -> str:
        raise KeyError(os.getuid())

    monkeypatch.setattr("fundoscope.cli.store.accounts.getpass.getuser", nobody)
    assert account() == "account:unknown"
