from __future__ import annotations

import time

import pytest

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
