from __future__ import annotations

from fundoscope.evaluate import photographs
from fundoscope.evaluate.photographs import reported


def test_each_result_is_passed_on_and_reported():
    done = []
    results = reported(iter([1, 2]), lambda: done.append(len(done)))
    assert next(results) == 1
    assert done == [0]
    assert list(results) == [2]
    assert done == [0, 1]


def test_names_without_folders_that_differ():
    images = ["Smith/a.jpg", "..\\Jones\\b.jpg", "Jones/a.jpg", "c.jpg"]
    names = photographs.names_of(images, paths=False)
    assert names == ["a.jpg (No. 1)", "b.jpg", "a.jpg (No. 3)", "c.jpg"]
    assert photographs.names_of(images, paths=True) == images
    # Results by name and by path, of this version and of earlier ones, can be compared.
    assert [photographs.file_name(name) for name in names] == [
        photographs.file_name(image) for image in images
    ]


def test_rows_of_one_photograph_share_its_name():
    images = ["Smith/a.jpg", "b.jpg", "Jones/a.jpg", "./b.jpg", "Smith/a.jpg"]
    names = photographs.names_of(images, paths=False)
    assert names == ["a.jpg (No. 1)", "b.jpg", "a.jpg (No. 3)", "b.jpg", "a.jpg (No. 1)"]
