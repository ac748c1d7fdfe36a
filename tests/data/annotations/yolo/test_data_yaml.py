"""The data.yaml of YOLO."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.data.annotations.yolo import data_yaml
from fundoscope.errors import TableError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: ['MA', \"it's\", b c, 出血]  # four\n", ("MA", "it's", "b c", "出血")),
        ("names: ['it''s', 'a, b']", ("it's", "a, b")),
        ("names:\n- a\n- 'b: c'\nnc: 2\n", ("a", "b: c")),
        ('names:\n  1: b\n  0: "a \\"x\\""\n', ('a "x"', "b")),
        ("\ufeffnames: {0: a, 1: 'b, c'}\r\n", ("a", "b, c")),
        ("names: [a,\n  b,\n]\n", ("a", "b")),
        ("---\n# c\ndownload: |\n  x = [\n  print('y')\nnames: [a]\n...\n", ("a",)),
        ("nc: 1\n", ()),
    ],
)
def test_the_yaml_that_tools_write(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(text.encode())
    assert data_yaml.read_data_yaml(path).names == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [a, &b]", "line 1: '&b' is YAML that is not supported"),
        ("names: |\n  a\n", "YAML that is not supported"),
        ("names: 5", "is neither a list nor numbered"),
        ("names:\n  0: a\n  2: b\n", "has the numbers 0, 2"),
        ("names: [a", "lacks its ]"),
        ("names: [[a]]", "is not understood"),
        ("names:\n  - a\n  0: b\n", "line 3: '0: b' is not understood"),
        ("names: {a}", "'a' is not understood"),
        ('names: ["\\x"]', "use simple quotes"),
        ("- a\n", "line 1: '- a' is not understood"),
        ("", "is empty"),
        (b"names: [\xff]", "is not UTF-8"),
    ],
)
def test_other_yaml_is_refused_by_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(TableError, match=said):
        data_yaml.read_data_yaml(path)


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")), max_size=9), unique=True))
def test_any_names_come_back_and_are_yaml(names: list[str]) -> None:
    text = data_yaml.to_yaml(names, {"train": "train.txt"})
    read = data_yaml._names(data_yaml._values(text, Path("x")).get("names", []), Path("x"))
    assert read == tuple(names)
    library = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert library.safe_load(text)["names"] == (dict(enumerate(names)) or [])
