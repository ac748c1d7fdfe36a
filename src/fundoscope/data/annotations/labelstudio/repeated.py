"""Annotations of Label Studio that several exports, or several files of a storage, hold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fundoscope.data.annotations.labelstudio.document import Task, Work

_Key = tuple[str, bool, int | str, str, str]
"""Photograph, whether it is a prediction, number, author and size of an annotation."""


def each_once(
    tasks: list[tuple[str, Task]], names: list[str]
) -> tuple[list[tuple[str, Task]], list[str], int]:
    """The tasks without annotations that are repeated, their names, and the number of repetitions.

    Exports that were merged or made again hold an annotation several times. Its number says so; the
    state that was changed last counts.

    Args:
        tasks: the place of each, for errors, and the task.
        names: the photograph of each.
    """
    latest: dict[_Key, Work] = {}
    count = 0
    for (_, task), name in zip(tasks, names, strict=True):
        for key, work in _numbered(task, name):
            before = latest.get(key)
            count += before is not None
            if before is None or (work.updated_at or "") >= (before.updated_at or ""):
                latest[key] = work
    if count == 0:
        return tasks, names, 0
    kept = {id(work) for work in latest.values()}
    repeated = {
        id(work)
        for (_, task), name in zip(tasks, names, strict=True)
        for _, work in _numbered(task, name)
    } - kept
    once = [
        (where, _without(task, repeated), name)
        for (where, task), name in zip(tasks, names, strict=True)
        if not _is_repetition(task, repeated)
    ]
    return [(where, task) for where, task, _ in once], [name for *_, name in once], count


def _numbered(task: Task, name: str) -> Iterator[tuple[_Key, Work]]:
    lists = ((task.annotations, False), (task.completions, False), (task.predictions, True))
    for works, predicted in lists:
        for work in works or ():
            if isinstance(work, Work) and work.id is not None:
                # Of two sizes one is wrong: that is an error, not a repetition.
                sizes = (f"{each.original_width} x {each.original_height}" for each in work.result)
                yield (name, predicted, work.id, work.author, next(sizes, "")), work


def _is_repetition(task: Task, repeated: set[int]) -> bool:
    """Whether a task holds nothing but repeated annotations."""
    works = [*(task.annotations or ()), *(task.completions or ()), *(task.predictions or ())]
    return bool(works) and all(id(work) in repeated for work in works)


def _without(task: Task, repeated: set[int]) -> Task:
    """A task without its repeated annotations."""
    return msgspec.structs.replace(
        task,
        annotations=_others(task.annotations, repeated),
        completions=[work for work in task.completions or () if id(work) not in repeated],
        predictions=_others(task.predictions, repeated),
    )


def _others(works: list[Work | int] | None, repeated: set[int]) -> list[Work | int]:
    return [work for work in works or () if id(work) not in repeated]
