"""White balance against scenes of known colour, on mosaics and colour images."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError, SpecError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.debayer import PATTERNS, pattern_of

CARDS = tuple(
    (f"{prefix}_{letter}", value, "")
    for prefix, values in {"WBCAM": (1.9, 1.0, 1.4), "WBDAY": (2.1, 1.0, 1.25)}.items()
    for letter, value in zip("RGB", values)
)
CAST = np.array([0.4, 1.0, 0.625])
META = Meta(cards=CARDS, saturation=4000.0, gain=1.5)
COLOUR = np.arange(3)[:, None, None]


def grey_scene(height=40, width=60, seed=1):
    """A grey scene, seen by a sensor with the colour cast ``CAST``: (3, y, x)."""
    light = np.random.default_rng(seed).uniform(200, 2000, (height // 2, width // 2)).repeat(2, 0).repeat(2, 1)
    return light * CAST[:, None, None]


def mosaic(scene, cfa, meta=META):
    _, height, width = scene.shape
    own = pattern_of(cfa)[np.arange(height)[:, None] % 2, np.arange(width) % 2]
    return Image(np.take_along_axis(scene, own[None], axis=0), meta=meta.replace(cfa=cfa)), own


@pytest.mark.parametrize(("source", "gains"), [("camera", (1.9, 1, 1.4)), ("daylight", (2.1, 1, 1.25))])
def test_multipliers_of_the_header(source, gains):
    scene = grey_scene()
    wanted = np.array(gains)[:, None, None]
    colour = step("color:whitebalance", source=source)(Image(scene, variance=scene, meta=META))
    np.testing.assert_allclose(colour.data, scene * wanted, rtol=1e-6)
    np.testing.assert_allclose(colour.variance, scene * wanted**2, rtol=1e-6)
    for cfa in PATTERNS:
        image, own = mosaic(scene, cfa)
        np.testing.assert_allclose(
            step("color:whitebalance", source=source)(image).data[0], image.data[0] * np.array(gains)[own], rtol=1e-6
        )


def test_factors_come_on_top():
    image = Image(grey_scene(), meta=META)
    alone = step("color:whitebalance", source="none", red=2.0, green=0.8)(image)
    np.testing.assert_allclose(alone.data, image.data * np.array([2, 0.8, 1])[:, None, None], rtol=1e-6)
    both = step("color:whitebalance", source="camera", blue=0.5)(image)
    np.testing.assert_allclose(both.data[2], image.data[2] * 0.7, rtol=1e-6)
    # Green counts 0.8 adu for one of before, and from 0.8 of the level before it is full.
    assert (alone.meta.gain, alone.meta.saturation) == pytest.approx((1.5 / 0.8, 3200.0))
    assert both.meta.saturation == pytest.approx(2800.0)


@pytest.mark.parametrize("cfa", [None, *PATTERNS])
def test_auto_takes_the_cast_away(cfa):
    scene = grey_scene(41, 63) if cfa is None else grey_scene(42, 64)[:, :41, :63]
    scene = scene[:, :41, :63]
    image = Image(scene, meta=META) if cfa is None else mosaic(scene, cfa)[0]
    data, flags = image.data.copy(), image.flags.copy()
    # Neither a lamp that fills the sensor nor a hole decides the balance.
    data[:, :10] = 4000.0
    data[:, 10:20, :20], flags[:, 10:20, :20] = 1e6, Flag.NO_DATA
    flags[:, 30, 30] = Flag.SATURATED
    result = step("color:whitebalance", source="auto")(image.replace(data=data, flags=flags))
    ratio = result.data[:, 20:] / data[:, 20:]
    own = COLOUR if cfa is None else mosaic(scene, cfa)[1][None, 20:]
    np.testing.assert_allclose(ratio, np.broadcast_to((1 / CAST)[own], ratio.shape), rtol=1e-5)


def test_auto_in_electrons_and_normalised_knows_what_is_full():
    data = grey_scene()
    data[:, :10] = 4000.0
    for factor, unit in ((1.5, PixelUnit.ELECTRON), (1 / 4000, PixelUnit.NORMALISED)):
        image = Image(data * factor, unit=unit, meta=META)
        result = step("color:whitebalance", source="auto")(image)
        np.testing.assert_allclose((result.data / image.data)[:, 20, 20], 1 / CAST, rtol=1e-5)


@pytest.mark.parametrize("cfa", [None, "GRBG"])
def test_auto_of_a_region(cfa):
    scene = grey_scene() * np.array([3.0, 1.0, 0.5])[:, None, None]
    scene[:, 20:30, 40:50] = np.array([100.0, 250.0, 50.0])[:, None, None]
    image = Image(scene, meta=META) if cfa is None else mosaic(scene, cfa)[0]
    region = {"top": 20, "bottom": 30, "left": 40, "right": 50}
    result = step("color:whitebalance", source="auto", **region)(image).data[:, 20:30, 40:50]
    np.testing.assert_allclose(result, np.full(result.shape, 250.0), rtol=1e-5)


def test_what_cannot_be_balanced():
    image = Image(grey_scene(), meta=META)
    with pytest.raises(SpecError, match="only source=auto looks at a region"):
        step("color:whitebalance", source="camera", top=3)(image)
    with pytest.raises(InputError, match="no WBDAY_R, WBDAY_G, WBDAY_B, which camera raw files bring along"):
        step("color:whitebalance")(image.replace(meta=Meta()))
    with pytest.raises(InputError, match=r"rows 0 to 41, columns 0 to 60 .* 40 rows and 60 columns"):
        step("color:whitebalance", source="auto", bottom=41)(image)
    with pytest.raises(InputError, match="rows 9 to 9"):
        step("color:whitebalance", source="auto", top=9, bottom=9)(image)
    with pytest.raises(InputError, match="the mean of blue is -1; it must be above 0"):
        step("color:whitebalance", source="auto")(Image(np.array([1.0, 1.0, -1.0])[:, None, None]))
    with pytest.raises(InputError, match="no pixel is good and unsaturated"):
        step("color:whitebalance", source="auto")(image.replace(data=image.data + 5000))
    with pytest.raises(InputError, match=r"1 channel\(s\); red, green and blue are needed"):
        step("color:whitebalance")(Image(np.ones((4, 4))))
