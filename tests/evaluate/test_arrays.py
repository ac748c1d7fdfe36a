from __future__ import annotations

import numpy as np

from fundoscope.evaluate.arrays import share


def test_a_share_of_nothing_is_undefined():
    shares = share(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    assert shares[0] == 0.25
    assert np.isnan(shares[1])


def test_one_whole_serves_several_parts():
    shares = share(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[2.0], [4.0]]))
    assert shares.tolist() == [[0.5, 1.0], [0.75, 1.0]]
