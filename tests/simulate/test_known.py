"""Nights under real stars."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.catalogs import cone
from firstlight.simulate.geometry import sky_of
from firstlight.simulate.night import Night, Scene

PLEIADES = Night(catalog="gaia", ra=56.75, dec=24.12, n_lights=1)


def test_bright_stars_are_those_of_the_catalogue():
    field = Scene(PLEIADES).field
    best = np.argsort(-field.flux)[:6]
    ra, dec = sky_of(PLEIADES, np.column_stack([field.x[best], field.y[best]]))
    known = cone("gaia", 56.75, 24.12, 1.5).at(2026.0)
    index, distance = known.match(ra, dec, 2.0)
    assert (index >= 0).all()
    assert distance.max() < 0.1
    ratio = field.flux[best] * 10 ** (0.4 * known.mag[index])
    assert np.ptp(ratio) / ratio.mean() < 1e-6


def test_faint_stars_are_invented_and_the_same_again():
    field = Scene(PLEIADES).field
    known = cone("gaia", 56.75, 24.12, 2.0)
    assert len(field) > 2 * len(known)
    assert np.array_equal(Scene(PLEIADES).field.flux, field.flux)


def test_a_field_without_stars_is_refused(tmp_path):
    table = tmp_path / "few.csv"
    table.write_text("ra,dec,G\n10,10,5\n")
    with pytest.raises(InputError, match="no star within"):
        _ = Scene(PLEIADES.model_copy(update={"catalog": str(table)})).field
