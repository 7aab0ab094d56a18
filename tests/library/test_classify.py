import numpy as np

from firstlight.io.header import of_parts
from firstlight.library.classify import classify
from firstlight.model.image import PixelUnit
from firstlight.model.meta import Kind
from memory_frame import memory_frame


def flat_pixels():
    yy, xx = np.mgrid[:64, :64]
    shade = 20000 * (1 - 0.1 * ((xx - 32) ** 2 + (yy - 32) ** 2) / 2048)
    return np.random.default_rng(0).poisson(shade).astype(np.uint16)


def test_a_flat_typed_as_light_is_recognised_by_name_and_pixels():
    frame = memory_frame("flat-expos23s-Neg5-Vis.00000000.FIT", flat_pixels(), saturation=65535.0)
    seen = classify(frame)
    assert seen.kind == Kind.FLAT
    assert seen.frame.meta.kind == Kind.FLAT
    assert "name and pixels" in seen.how


def test_a_light_with_flat_in_its_name_stays_a_light():
    sky = np.full((64, 64), 400, np.uint16)
    sky[::9, ::7] = 30000
    seen = classify(memory_frame("Flatiron_nebula_flat.fits", sky, saturation=65535.0))
    assert seen.kind == Kind.LIGHT


def test_names_that_merely_contain_the_word_are_no_hint():
    assert classify(memory_frame("NGC_Darkness_001.fits", flat_pixels(), saturation=65535.0)).how == "IMAGETYP"
    assert classify(memory_frame("inflated.fits", flat_pixels(), saturation=65535.0)).kind == Kind.LIGHT


def test_a_frame_that_says_nothing_is_a_light_and_that_is_said():
    seen = classify(memory_frame("img.fits", kind=Kind.UNKNOWN, sources={}))
    assert seen.kind == Kind.LIGHT
    assert seen.how == "nothing says what it is: taken as a light"


def test_pixels_that_are_parts_of_one_count_in_adu():
    """As Siril writes them, with the gain of the camera's numbers; whether the file says so or not."""
    counts = flat_pixels()
    parts = (counts / 65535).astype(np.float32)
    frame = memory_frame("a.fits", parts, gain=0.75)
    said = frame.replace(unit=PixelUnit.NORMALISED, meta=of_parts(frame.meta))
    assert said.meta.gain == 0.75 * 65535
    for each in (frame.replace(seekable=True), said):
        seen = classify(each).frame
        np.testing.assert_allclose(seen.read().data[0], counts, rtol=1e-6)
        assert (seen.unit, seen.meta.saturation, seen.meta.gain) == (PixelUnit.ADU, 65535.0, 0.75)
        assert "taken as parts of 65535 adu" in seen.meta.notes[-1]


def test_small_numbers_that_are_no_parts_stay():
    noise = np.random.default_rng(1).normal(0, 0.2, (64, 64)).astype(np.float32)
    for pixels in (noise - 0.01, noise + 2, np.zeros((64, 64), np.float32), np.full((64, 64), np.nan, np.float32)):
        frame = memory_frame("a.fits", pixels).replace(seekable=True)
        assert classify(frame).frame.scale == 1
