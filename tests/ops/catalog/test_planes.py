"""One colour of a frame: values, noise, places, flags."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.ops.catalog.planes import colour_plane


def test_the_colours_of_a_mosaic():
    data = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    green = colour_plane(data, "RGGB", variance=np.ones_like(data))
    np.testing.assert_allclose(green.data, (data[0, ::2, 1::2] + data[0, 1::2, ::2]) / 2)
    np.testing.assert_allclose(green.variance, 0.5)
    assert (green.shrink, green.samples, green.name, green.gain(2.0)) == (2, 2, "G", 4.0)
    np.testing.assert_array_equal(colour_plane(data, "RGGB", "red").data, data[0, ::2, ::2])
    np.testing.assert_allclose(colour_plane(data, "RGGB", "luminance").data[0, 0], data[0, :2, :2].mean())
    # The middle of the first cell is the first pixel of the plane.
    np.testing.assert_allclose(green.positions(np.array([[0.5, 0.5], [2.5, 4.5]])), [[0, 0], [1, 2]])


def test_flags_of_all_pixels_are_kept():
    flags = np.zeros((1, 4, 4), np.uint16)
    flags[0, 0, 1], flags[0, 1, 0] = 2, 8
    assert colour_plane(np.zeros((1, 4, 4), np.float32), "RGGB", flags=flags).flags[0, 0] == 10


def test_colour_frames_and_mono():
    data = np.stack([np.full((3, 3), v, np.float32) for v in (1, 2, 6)])
    assert [colour_plane(data, None, c).data[0, 0] for c in ("auto", "blue", "luminance")] == [2, 6, 3]
    assert colour_plane(data[:1], None).name == "mono"
    with pytest.raises(InputError, match="mono"):
        colour_plane(data[:1], None, "red")
