"""Graphs that would read other files are refused, wherever they hide it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from fundoscope import limits
from fundoscope.errors import BundleError
from fundoscope.models import bundle, graph, runtime

EXTERNAL = "reads weights from another file"


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


LOCATION = field(13, field(1, b"location") + field(2, b"weights.bin"))
ELSEWHERE = field(14, 1)
HERE = field(14, 0) + field(8, b"name")


def in_graph(content: bytes) -> bytes:
    return field(1, 8) + field(7, content)


def in_attribute(content: bytes) -> bytes:
    return in_graph(field(1, field(4, b"Constant") + field(5, content)))


PLACES = {
    "an initialiser": lambda tensor: in_graph(field(5, tensor)),
    "a sparse initialiser": lambda tensor: in_graph(field(15, field(1, tensor))),
    "indices": lambda tensor: in_graph(field(15, field(2, tensor))),
    "a constant": lambda tensor: in_attribute(field(5, tensor)),
    "constants": lambda tensor: in_attribute(field(10, tensor)),
    "a sparse constant": lambda tensor: in_attribute(field(22, field(1, tensor))),
    "sparse constants": lambda tensor: in_attribute(field(23, field(1, tensor))),
    "a branch": lambda tensor: in_attribute(field(6, field(5, tensor))),
    "branches": lambda tensor: in_attribute(field(11, field(5, tensor))),
    "a function": lambda tensor: field(25, field(7, field(5, field(5, tensor)))),
    "a default": lambda tensor: field(25, field(11, field(5, tensor))),
    "training": lambda tensor: field(20, field(1, field(5, tensor))),
    "a second graph": lambda tensor: in_graph(b"") + in_graph(field(5, tensor)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("tensor", [LOCATION, ELSEWHERE, LOCATION + ELSEWHERE, HERE + ELSEWHERE])
def test_external_data_is_found_everywhere(place: str, tensor: bytes) -> None:
    assert EXTERNAL in str(graph.fault(PLACES[place](tensor)))
    assert graph.fault(PLACES[place](HERE)) is None


def test_what_is_no_graph() -> None:
    for content in (b"\x08", b"\x0b", b"\x0f", b"\xff" * 20, b"\x3a\x7f", b"\x00\x00"):
        assert graph.fault(content) == "is not an ONNX graph"
    assert "format of ONNX Runtime" in str(graph.fault(b"\x08\0\0\0ORTM" + b"\0" * 20))


def test_nesting_and_fields_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = b""
    for _ in range(limits.MAX_GRAPH_DEPTH):
        deep = field(1, field(5, field(6, deep)))
    assert graph.fault(in_graph(deep)) == "has too many parts"
    monkeypatch.setattr(limits, "MAX_GRAPH_FIELDS", 100)
    assert graph.fault(field(1, 8) * 101) == "has too many parts"


def test_the_networks_that_ship_read_nothing_else() -> None:
    for task in bundle.MANIFESTS:
        assert graph.fault(bundle.load(bundle.shipped(task)).model) is None


def test_damaged_graphs_are_one_line() -> None:
    whole = PLACES["a branch"](HERE)
    draw = random.Random(5)
    for _ in range(2000):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        graph.fault(bytes(damaged))


def test_a_file_in_the_working_folder_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph is refused in a folder with its file, and in one without it."""
    model = PLACES["an initialiser"](LOCATION + ELSEWHERE)
    for folder in (tmp_path / "with", tmp_path / "without"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        if folder.name == "with":
            Path("weights.bin").write_bytes(os.urandom(48))
        with pytest.raises(BundleError, match=EXTERNAL):
            runtime.open_graph(model, "grader")
