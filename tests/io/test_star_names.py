"""Names of stars lead to stars."""

import numpy as np

from firstlight.io.catalogs import open_catalog
from firstlight.io.star_names import named_stars


def test_every_named_star_is_a_bright_star_of_the_catalogue():
    stars = named_stars()
    assert len({star.name for star in stars}) == len(stars) > 100
    catalog = open_catalog("gaia")
    bright = catalog.take(catalog.mag < 6.0)
    index, distance = bright.match(np.array([s.ra for s in stars]), np.array([s.dec for s in stars]), 90.0)
    assert (index >= 0).all()
    # The fastest, Rigil Kentaurus, has moved by an arcminute since 2000.
    assert np.median(distance) < 3.0
