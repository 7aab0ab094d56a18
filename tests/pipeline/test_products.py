"""Pictures of stacks."""

import numpy as np
import pytest
from scipy.ndimage import median_filter

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.pipeline.products import make_picture
from firstlight.pipeline.settings import PICTURE_STEPS


def test_four_planes_of_a_mosaic_are_shown_in_colour():
    rng = np.random.default_rng(6)
    data = rng.normal(500, 5, (4, 40, 50))
    data[[0, 1, 3], 20:24, 20:24] += np.array([4000.0, 1000.0, 3000.0])[:, None, None]
    flags = np.zeros(data.shape, np.uint16)
    flags[3, 0, 0] = Flag.NO_DATA
    picture = make_picture(Image(data, flags), "stretch:linear:white=0.6")
    assert picture.shape == (3, 40, 50)
    red, green, blue = picture.data[:, 21:23, 21:23].mean(axis=(1, 2))
    assert red == 1
    assert 0.8 < green < 1
    assert blue < 0.25
    assert picture.data[1, 0, 0] == 0


def field(stars=60, seed=2):
    """A greenish night with a gradient: 40 blue and red stars; the last 20 rows are noisier, of fewer frames."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    light = np.zeros((3, 240, 320))
    for number in range(stars):
        cy, cx, peak = rng.uniform(12, 205), rng.uniform(12, 308), 10 ** rng.uniform(2.5, 4)
        part = slice(int(cy) - 7, int(cy) + 8), slice(int(cx) - 7, int(cx) + 8)
        colour = np.array([1.5, 1, 0.5] if number % 2 else [0.6, 1, 1.4])[:, None, None]
        light[:, part[0], part[1]] += colour * peak * np.exp(-((x[part] - cx) ** 2 + (y[part] - cy) ** 2) / 4)
    light *= np.array([0.5, 1, 0.6])[:, None, None]
    sky = np.array([300, 500, 350])[:, None, None] + 0.3 * x
    sigma = np.where(y < 220, 12, 36)
    data = sky + light + rng.normal(0, 1, light.shape) * sigma
    image = Image(data, variance=np.broadcast_to(sigma**2.0, data.shape))
    return image.replace(meta=image.meta.replace(saturation=60000))


def grain(plane):
    fine = plane - median_filter(plane, 5)
    return 1.4826 * float(np.median(np.abs(fine)))


def test_the_picture_of_a_colour_stack_is_for_the_eye():
    image = field()
    picture = make_picture(image, PICTURE_STEPS)
    corners = [picture.data[:, rows, columns] for rows in np.s_[5:60, 150:210] for columns in np.s_[5:60, -60:-5]]
    skies = np.array([np.median(c, axis=(1, 2)) for c in corners])
    assert skies == pytest.approx(0.164, abs=0.02), "a dark grey sky without a gradient"
    plain = make_picture(image, "color:neutralize stretch:midtones")
    assert grain(picture.data[1, 5:210]) < 0.5 * grain(plain.data[1, 5:210])
    assert grain(picture.data[1, 222:]) < 0.5 * grain(plain.data[1, 222:]), "smoothed by its own noise"
    assert (picture.data <= 0).mean() < 2e-3
    assert (picture.data >= 1).mean() < 1e-3
    # The mean star is white, and yet some are red and some are blue.
    luminance = picture.data.mean(axis=0)
    bright = picture.data[:, (luminance > 0.4) & (luminance < 0.7)]
    ratio = bright[0] / bright[2]
    assert np.percentile(ratio, 90) > 1.1
    assert np.percentile(ratio, 10) < 0.9


def test_no_white_balance_without_stars():
    """The recipe leaves it out likewise; every other step that cannot be done is an error."""
    picture = make_picture(field(stars=0), PICTURE_STEPS)
    assert np.ptp(np.median(picture.data, axis=(1, 2))) < 0.02
    assert "color:whitebalance" not in " ".join(picture.history)
    with pytest.raises(InputError, match="noise=anscombe needs"):
        make_picture(field(), "color:neutralize:mode=mult stretch:midtones nr:starlet:noise=anscombe")
    grey = make_picture(Image(field().data[:1]), PICTURE_STEPS)
    assert grey.shape == (1, 240, 320)
