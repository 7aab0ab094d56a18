"""Files that are taken to lie on one another: whether their stars do."""

import numpy as np
import pytest
from astropy.io import fits

from firstlight.pipeline.stack import stack_files
from star_field import light_of, scattered

SHAPE = (240, 320)
RNG = np.random.default_rng(8)
X, Y = scattered(RNG, 40, SHAPE)
FLUX = 10 ** RNG.uniform(3.2, 4.6, 40)


def written(folder, name, *, off=(0.0, 0.0), share=1.0, fwhm=3.0, exposure=60.0, noise=6.0):
    light = light_of(SHAPE, X + off[0], Y + off[1], share * FLUX, fwhm)
    pixels = 500 + light + np.random.default_rng(len(name)).normal(0, noise, SHAPE)
    header = fits.Header({"EXPTIME": exposure, "IMAGETYP": "LIGHT"})
    fits.writeto(folder / name, pixels.astype(np.float32), header)
    return folder / name


def words(folder, **other):
    pair = [written(folder, "reference.fits", noise=2.0), written(folder, "other.fits", **other)]
    return [note for note in stack_files(pair, folder / "stack.fits").notes if "do not lie on" in note]


@pytest.mark.parametrize("off", [(0.8, 0.0), (0.0, -3.0), (2.0, 5.0), (40.0, 25.0)])
def test_files_that_were_not_registered_are_named(tmp_path, off):
    (note,) = words(tmp_path, off=off)
    assert note.startswith("other.fits: the stars do not lie on those of reference.fits")
    assert "--registration-method stars" in note


@pytest.mark.parametrize(
    "other", [{"off": (0.2, 0.1)}, {"share": 0.15}, {"fwhm": 6.0}, {"share": 0.1, "exposure": 6.0}]
)
def test_clouds_seeing_and_short_exposures_are_no_reason(tmp_path, other):
    assert words(tmp_path, **other) == []
