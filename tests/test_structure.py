"""Functions and modules are short, folders are small, and each public name has a docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fundoscope

SOURCE = Path(fundoscope.__file__).parent
FUNCTION_LINES, MODULE_LINES, FOLDER_MODULES = 60, 400, 20
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")


def body_lines(function: Function) -> int:
    """Lines of a command without its options and its help, which is its docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or function.lineno) - first.lineno + 1


def all_lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def public(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield within + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{within}{node.name}.")


def test_functions_are_short() -> None:
    long = []
    for name, text in modules():
        lines = body_lines if name.startswith("cli/") else all_lines
        long += [
            f"{name}:{node.lineno} {node.name}: {lines(node)} lines"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, Function) and lines(node) > FUNCTION_LINES
        ]
    assert not long, "\n".join(long)


def test_modules_are_short() -> None:
    long = [
        f"{name}: {lines} lines"
        for name, text in modules()
        if (lines := len(text.splitlines())) > MODULE_LINES
    ]
    assert not long, "\n".join(long)


def test_folders_are_small() -> None:
    folders = [SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir())]
    large = [
        f"{folder.relative_to(SOURCE)}: {count} modules"
        for folder in folders
        if (count := len(set(folder.glob("*.py")) - {folder / "__init__.py"})) > FOLDER_MODULES
    ]
    assert not large, "\n".join(large)


def test_public_names_have_docstrings() -> None:
    bare = []
    for name, text in modules():
        tree = ast.parse(text)
        if text.strip() and not ast.get_docstring(tree):
            bare.append(f"{name}: the module")
        bare += [
            f"{name}:{node.lineno} {qualified}"
            for qualified, node in public(tree)
            if not ast.get_docstring(node)
        ]
    assert not bare, "\n".join(bare)
