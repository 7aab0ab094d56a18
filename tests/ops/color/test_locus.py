"""Spectra from colours: those of the Sun and of Gaia's passbands, which were not used to make them."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.passbands import channels_of
from firstlight.model.passband import GRID
from firstlight.ops.color.locus import _SEQUENCE, atmosphere, colour_of, counts, planck, spectra_of, white_spectrum

# The Sun above the air (STIS, Bohlin et al.), means over 8 nm, over that at 550 nm.
SUN = {400: 0.820, 450: 1.080, 500: 1.029, 600: 0.946, 650: 0.853, 700: 0.752, 750: 0.679, 800: 0.611, 900: 0.480}


def test_a_star_like_the_sun_has_its_spectrum():
    found = white_spectrum("G2V")
    for nm, wanted in SUN.items():
        assert found[nm == GRID][0] == pytest.approx(wanted, rel=0.12 if nm < 500 else 0.04)
    # Through broad filters the lines average out: measured with the whole of that spectrum.
    seen = counts(found, channels_of("dichroic"))[0]
    assert seen[0] / seen[1] == pytest.approx(1.089, rel=0.01)
    assert seen[2] / seen[1] == pytest.approx(1.077, rel=0.04)


def test_colours_of_the_sequence_come_back():
    for word, column in (("B-V", 2), ("BP-RP", 5)):
        for row in _SEQUENCE[2:20]:
            # Gaia's bands took no part in making the spectra.
            allowed = 1e-4 if word == "B-V" else 0.035
            assert colour_of(word, white_spectrum(row[0])) == pytest.approx(row[column], abs=allowed)
    assert colour_of("BT-VT", white_spectrum("G2V")) == pytest.approx(0.724, abs=0.01)
    galaxy = white_spectrum("average-spiral")
    assert colour_of("B-V", galaxy) == pytest.approx(0.65, abs=1e-6)


def test_colours_out_of_reach_have_no_spectrum():
    spectra = spectra_of("BP-RP", np.array([-2.0, 0.5, 9.0, np.nan]))
    assert np.isfinite(spectra).all(axis=1).tolist() == [False, True, False, False]


def test_whites():
    assert white_spectrum("6500K") == pytest.approx(planck(6500.0))
    assert counts(white_spectrum("equal-photons"), channels_of("johnson")).shape == (1, 3)
    for wrong in ("white", "20K", "K", "G2"):
        with pytest.raises(InputError, match="white reference"):
            white_spectrum(wrong)


def test_air_reddens_by_the_known_amounts():
    # Clear air at sea level takes about 0.35 mag in B and 0.18 in V per airmass; less on a mountain.
    loss = {nm: -2.5 * np.log10(atmosphere(1.0, aerosol=0.03)[nm == GRID][0]) for nm in (440, 550, 640)}
    assert loss[440] == pytest.approx(0.35, abs=0.06)
    assert loss[550] == pytest.approx(0.18, abs=0.05)
    assert atmosphere(2.0) == pytest.approx(atmosphere(1.0) ** 2)
    assert (atmosphere(1.0, height=2500.0) > atmosphere(1.0)).all()
