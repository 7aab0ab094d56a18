"""Planes laid flat before faint stars are sought."""

import numpy as np
import pytest

from firstlight.ops.contrast import star_search as module
from firstlight.ops.contrast.star_search import _lay_flat


@pytest.mark.parametrize(("height", "fwhm"), [(301, 3.0), (256, 2.0), (100, 6.0)])
def test_strips_are_laid_flat_as_the_whole_is(monkeypatch, height, fwhm):
    y, x = np.mgrid[:height, :150]
    plane = (50 * np.sin(x / 20) * np.cos(y / 30) + np.random.default_rng(1).normal(100, 2, y.shape)).astype(np.float32)
    whole = plane.copy()
    monkeypatch.setattr(module, "STRIP", 10_000)
    _lay_flat(whole, fwhm)
    assert np.abs(np.median(whole)) < 1 < np.abs(np.median(plane))
    for rows in (1, 96, 150):
        strips = plane.copy()
        monkeypatch.setattr(module, "STRIP", rows)
        _lay_flat(strips, fwhm)
        np.testing.assert_array_equal(strips, whole)
