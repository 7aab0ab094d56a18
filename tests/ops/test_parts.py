"""Parts give the same bytes, whoever does them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from firstlight import step
from firstlight.model.image import Image
from firstlight.ops import parts
from firstlight.pipeline.hands import hands


def test_parts_cover_the_rows_once(monkeypatch):
    monkeypatch.setattr(parts, "SMALLEST", 10)
    with ThreadPoolExecutor(3) as pool, parts.lend(pool.map, 3):
        found = parts.row_parts((2, 17, 9))
        assert found == [(0, 5), (5, 11), (11, 17)]
        assert parts.each_part(lambda part: part[1], found) == [5, 11, 17]
    assert parts.row_parts((17, 9)) == [(0, 17)]


def test_hands_are_taken_back_after_an_error():
    with pytest.raises(ValueError, match="broken"), hands(2):
        parts.each_part(lambda part: [][part] if part else int("broken"), [0, 1])
    assert parts.row_parts((10_000, 1000)) == [(0, 10_000)]


@pytest.mark.parametrize("spec", ["nr:starlet", "sharp:gaussian", "nr:tv", "nr:diffusion", "nr:bilateral"])
def test_bytes_do_not_depend_on_the_number_of_threads(monkeypatch, spec):
    monkeypatch.setattr(parts, "SMALLEST", 100)
    y, x = np.mgrid[:90, :70]
    light = 100 + 400 * np.exp(-((x - 30) ** 2 + (y - 40) ** 2) / 9.0)
    image = Image(light + np.random.default_rng(1).normal(0, 3, light.shape))
    alone = step(spec)(image)
    for threads in (2, 5):
        with hands(threads):
            np.testing.assert_array_equal(step(spec)(image).data, alone.data)


STRETCHES = [
    "stretch:midtones", "stretch:mtf", "stretch:linear", "stretch:percentile", "stretch:black:clip=true",
    "stretch:gamma", "stretch:ghs:symmetry=0.1", "stretch:srgb", "stretch:curves", "stretch:asinh", "stretch:lupton",
    "stretch:colorimetric", "stretch:hdr:radius=8", "color:neutralize", "color:convert", "color:scnr",
    "color:saturation", "color:mix:matrix=1/0/0.5/0/1/0/0.2/0/1", "color:grey",
]  # fmt: skip


@pytest.mark.parametrize("spec", STRETCHES)
@pytest.mark.parametrize("noisy", [False, True])
def test_pixels_do_not_depend_on_the_number_of_threads(monkeypatch, spec, noisy):
    monkeypatch.setattr(parts, "SMALLEST", 100)
    rng = np.random.default_rng(2)
    data = rng.normal(300, 40, (3, 90, 70)) + 5000 * (rng.random((3, 90, 70)) > 0.99)
    flags = np.where(rng.random(data.shape) > 0.98, np.uint16(2), np.uint16(0))
    image = Image(data, flags, variance=np.full(data.shape, 1600.0) if noisy else None)
    alone = step(spec)(image)
    for threads in (2, 5):
        with hands(threads):
            found = step(spec)(image)
        np.testing.assert_array_equal(found.data, alone.data)
        np.testing.assert_array_equal(found.flags, alone.flags)
        if alone.variance is not None:
            np.testing.assert_array_equal(found.variance, alone.variance)
