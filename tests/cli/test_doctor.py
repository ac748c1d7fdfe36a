"""``fundoscope doctor``: it finds what is broken, and does not break itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.cli.doctor import checkup
from fundoscope.cli.doctor.checkup import Finding
from fundoscope.errors import BundleError
from fundoscope.reading import Grade

Command = Callable[..., Any]
FINE = Finding("numpy", "ok", "2.0", needed=True)
NO_EXTRA = Finding("extra [train]", "absent", "lacks torch", needed=False)
BROKEN = Finding("inference", "failed", "boom", needed=True)


def test_a_sound_installation(fundoscope: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "examine", lambda: [FINE, NO_EXTRA])
    said = fundoscope("doctor")
    assert said.code == 0
    assert said.out.splitlines() == ["ok      numpy: 2.0", "absent  extra [train]: lacks torch"]
    report = json.loads(fundoscope("doctor", "--json").out)
    assert report["healthy"]
    assert report["findings"][1]["state"] == "absent"


def test_what_must_work_and_does_not(fundoscope: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "examine", lambda: [FINE, BROKEN])
    said = fundoscope("doctor", "--json")
    assert said.code == 1
    assert not json.loads(said.out)["healthy"]
    assert said.complaints == [
        "this installation: does not work (inference); install fundoscope again"
    ]


def test_the_core_is_imported_and_its_versions_named(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {one.name: one for one in checkup._core()}
    assert findings["numpy"].state == "ok"
    assert findings["pillow"].detail[0].isdigit()
    monkeypatch.setattr(checkup, "installed", lambda name: None)
    assert {one.state for one in checkup._core()} == {"absent"}
    assert {one.state for one in checkup._extras()} == {"absent"}


def test_a_core_library_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "CORE_LIBRARIES", ("numpy",))
    monkeypatch.setitem(sys.modules, "numpy", None)
    (finding,) = checkup._core()
    assert finding.state == "failed"
    assert "numpy" in finding.detail


def test_an_extra_is_imported_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "EXTRAS", {"pair": {"pytest": "pytest", "numpy": "numpy"}})
    (found,) = checkup._extras()
    assert found.state == "ok"
    assert f"pytest {pytest.__version__}" in found.detail
    monkeypatch.setattr(checkup, "EXTRAS", {"odd": {"pytest": "surely_not_a_module"}})
    (broken,) = checkup._extras()
    assert broken.state == "failed"
    assert "surely_not_a_module" in broken.detail
    assert not broken.needed


def test_an_import_that_crashes_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashed(*arguments: Any, **options: Any) -> Any:
        return subprocess.CompletedProcess(arguments, -11, "", "")

    monkeypatch.setattr(checkup.subprocess, "run", crashed)
    assert checkup._import_separately("x", {"a": "a"}).detail == "exit code -11"

    def hung(*arguments: Any, **options: Any) -> Any:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(checkup.subprocess, "run", hung)
    assert checkup._import_separately("x", {"a": "a"}).state == "failed"


def test_a_check_reports_whatever_it_meets() -> None:
    def raises(error: Exception) -> Callable[[], str]:
        def check() -> str:
            raise error

        return check

    known = checkup._tried("b", raises(BundleError("b", "is bad", "replace it")), needed=True)
    assert known == Finding("b", "failed", "b: is bad; replace it", needed=True)
    assert checkup._tried("x", raises(OSError("no")), needed=True).detail == "OSError('no')"


def test_an_installation_without_bundles(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fundoscope.models import bundle

    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    findings = list(checkup._bundles())
    assert [one.name for one in findings] == [
        "bundle grading",
        "bundle detection",
        "bundle landmarks",
    ]
    assert {(one.state, one.needed) for one in findings} == {("failed", True)}
    assert checkup._inference().state == "failed"


def test_python_and_processors() -> None:
    assert checkup._python().state == "ok"
    assert int(checkup._processors().detail) >= 1


def test_a_bundle_and_a_reading_of_a_phantom(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fundoscope.models import bundle

    if not list(bundle.SHIPPED.glob(f"*/{bundle.MANIFEST}")):
        pytest.skip("no bundle comes with this installation yet")
    assert {one.state for one in checkup._bundles()} == {"ok"}
    finding = checkup._inference()
    assert finding.state == "ok", finding.detail
    assert {one.name for one in checkup.examine()} > {"Python", "inference", "numpy"}


def test_a_phantom_that_is_graded_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        grade = Grade(icdr=0)

        def read(self, source: Any) -> Any:
            return self

    monkeypatch.setattr("fundoscope.reader.Reader", Stub)
    assert checkup._inference().state == "ok"
    Stub.grade = Grade()
    assert "a synthetic photograph: was not graded" in checkup._inference().detail


def test_an_optional_part_that_fails_is_no_success(
    fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Finding("optional part [keras]", "failed", "boom", needed=False)
    monkeypatch.setattr(checkup, "examine", lambda: [FINE, failed])
    said = fundoscope("doctor")
    assert said.code == 1
    assert "optional part [keras]" in said.complaints[-1]


def test_keras_is_checked_on_torch_whatever_its_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module stands in for Keras, which takes its backend from the environment first."""
    (tmp_path / "keras_like.py").write_text(
        "import os\nassert os.environ['KERAS_BACKEND'] == 'torch'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert checkup._import_separately("part", {"numpy": "keras_like"}).state == "ok"
