from __future__ import annotations

import time

import pytest

from fundoscope.evaluate import photographs
from fundoscope.evaluate.photographs import in_order


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(workers):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0.0)
        return number * 10

    done = []
    results = in_order(slow_first, range(4), workers=workers, on_done=lambda: done.append(1))
    assert list(results) == [0, 10, 20, 30]
    assert len(done) == 4


def test_an_error_ends_the_work():
    def fail(number):
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        list(in_order(fail, range(2), workers=1, on_done=lambda: None))


def test_names_without_folders_that_differ():
    images = ["Smith/a.jpg", "..\\Jones\\b.jpg", "Jones/a.jpg", "c.jpg"]
    names = photographs.names_of(images, paths=False)
    assert names == ["a.jpg (No. 1)", "b.jpg", "a.jpg (No. 3)", "c.jpg"]
    assert photographs.names_of(images, paths=True) == images
    # Results by name and by path, of this version and of earlier ones, can be compared.
    assert [photographs.file_name(name) for name in names] == [
        photographs.file_name(image) for image in images
    ]
