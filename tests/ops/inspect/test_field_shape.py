"""Tilt, curvature and elongation against fields that have them."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.inspect.field_shape import field_shape_of

SHAPE = (800, 1200)


def field(tilt=(0.0, 0.0), curvature=0.0, radial=0.0, common=0.0, n=400, seed=1):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, SHAPE[1], n), rng.uniform(0, SHAPE[0], n)
    u, v = (x - SHAPE[1] / 2) / (SHAPE[1] / 2), (y - SHAPE[0] / 2) / (SHAPE[0] / 2)
    fwhm = 3 * (1 + 0.5 * tilt[0] * u + 0.5 * tilt[1] * v + curvature * 0.5 * (u**2 + v**2))
    fwhm *= rng.normal(1, 0.03, n)
    fwhm[::25] *= 1.7
    turn = 2 * np.arctan2(v * SHAPE[0], u * SHAPE[1])
    size = radial * (u**2 + v**2) / 2
    e1 = size * np.cos(turn) + common + rng.normal(0, 0.01, n)
    e2 = size * np.sin(turn) + rng.normal(0, 0.01, n)
    e = np.minimum(np.hypot(e1, e2), 0.95)
    return field_shape_of(x, y, fwhm, np.sqrt(2 * e / (1 + e)), np.degrees(0.5 * np.arctan2(e2, e1)), SHAPE)


def test_a_tilt_is_found_with_its_direction_and_error():
    shape = field(tilt=(0.3, 0.0))
    assert shape.tilt == pytest.approx(30, abs=4 * shape.tilt_error)
    assert shape.tilt_error < 3
    assert shape.tilt_angle == pytest.approx(0, abs=6)
    assert "strong tilt" in shape.words()[0]
    assert "right corner is" in shape.words()[0]


def test_a_flat_field_is_called_flat():
    shape = field()
    words = shape.words()
    assert words[0].startswith("no tilt")
    assert words[1].startswith("flat field")
    assert len(words) == 2


def test_curvature_is_not_tilt():
    shape = field(curvature=0.25)
    assert shape.curvature == pytest.approx(25, abs=5)
    assert shape.tilt < 5
    assert "the corners are wider than the centre" in shape.words()[1]
    assert shape.fwhm[1, 1] < min(shape.fwhm[0, 0], shape.fwhm[2, 2])


def test_trailed_stars_and_coma_are_told_apart():
    trailed = field(common=0.3)
    assert trailed.elongation > 0.6
    assert "everywhere" in " ".join(trailed.words())
    coma = field(radial=0.4)
    assert coma.radial > 0.8
    assert "coma" in " ".join(coma.words())
    around = field(radial=-0.4)
    assert "rotation" in " ".join(around.words())


def test_few_stars_say_nothing():
    nothing = np.zeros(5)
    with pytest.raises(FrameError, match="5 strong single stars; 15 are needed"):
        field_shape_of(nothing, nothing, nothing + 3, nothing, nothing, SHAPE)
