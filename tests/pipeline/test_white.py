"""The full scale that frames show."""

import numpy as np

from firstlight.model.stars import Quality, Stars
from firstlight.pipeline.measure import Light
from firstlight.pipeline.white import with_measured_white
from memory_frame import memory_frame

QUALITY = Quality(0, 3.0, 2.0, 0.1, 10.0, 300.0, 5.0)


def lights(top, n_full, n=6):
    rng = np.random.default_rng(2)
    found = []
    for i in range(n):
        pixels = rng.integers(200, 400, (40, 50)).astype(np.uint16)
        pixels.flat[rng.permutation(2000)[:n_full]] = top
        frame = memory_frame(f"{i}.fits", pixels, saturation=65535.0)
        found.append(Light(frame, None, None, Stars.empty(), QUALITY, np.zeros(1), np.ones(1)))
    return found


def test_twelve_bits_in_a_file_of_sixteen():
    notes = []
    found = with_measured_white(lights(4095, 20), notes)
    assert {light.frame.meta.saturation for light in found} == {4095.0}
    assert "saturate at 4095" in notes[0]


def test_a_bright_star_is_no_full_scale():
    for given in (lights(4095, 2), lights(65535, 30), lights(4095, 30, 2)):
        notes = []
        assert {light.frame.meta.saturation for light in with_measured_white(given, notes)} == {65535.0}
        assert notes == []
