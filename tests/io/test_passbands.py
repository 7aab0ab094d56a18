"""Curves of filters and sensors: known ones, widths, files."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.passbands import SETS, channels_of, find_passband, known_passbands, read_passband
from firstlight.model.passband import GRID


def mean(curve):
    return float((curve.on() * GRID).sum() / curve.on().sum())


@pytest.mark.parametrize(
    ("name", "middle"), [("Johnson B", 437), ("Johnson V", 545), ("Cousins R", 641), ("Cousins I", 798),
                         ("Gaia BP", 511), ("Gaia G", 622), ("Gaia RP", 777)]
)  # fmt: skip
def test_mean_wavelengths_are_the_published_ones(name, middle):
    """Of the photon-weighted curves (Bessell 1990; Riello et al. 2021: pivots 511, 622, 777 nm)."""
    assert mean(find_passband(name, "filters")) == pytest.approx(middle, rel=0.035)


def test_every_curve_is_a_share():
    for kind, entries in known_passbands().items():
        for name, curve in entries.items():
            assert len(curve.about) > 5, (kind, name)
            assert 0 <= curve.on().min() <= curve.on().max() <= 1.001, (kind, name)
            assert curve.on().max() > 0.3 or name == "NII", (kind, name)


@pytest.mark.parametrize("name", SETS)
def test_red_is_redder_than_blue(name):
    red, green, blue = channels_of(name)
    assert mean(red) > mean(blue)
    assert mean(green) >= mean(blue) - 1e-9


def test_widths_and_files(tmp_path):
    for text, width in (("Ha 3nm", 3), ("OIII 12 nm", 12), ("line 501.5 7nm", 7)):
        curve = find_passband(text, "filters")
        half = GRID[curve.on() >= 0.45 * 0.95]
        assert np.ptp(half) == pytest.approx(width, abs=1.1)
    path = tmp_path / "own.csv"
    path.write_text("# Angstrom and per cent\nlambda;t\n4000;0\n5000;90\n6000;0\n")
    assert read_passband(path).on(np.array([450.0, 500.0])).tolist() == pytest.approx([0.45, 0.9])
    (tmp_path / "none.csv").write_text("a,b\n1,x\n")
    with pytest.raises(InputError, match="0 points that make no curve"):
        find_passband(str(tmp_path / "none.csv"), "filters")
    with pytest.raises(InputError, match="there is no such file"):
        find_passband(str(tmp_path / "lost.csv"), "filters")
    with pytest.raises(InputError, match="no curve 'Johnson W' among the filters; did you mean Johnson V"):
        find_passband("Johnson W", "filters")
    with pytest.raises(InputError, match="2 curves are named"):
        channels_of("osc", ("Ha", "OIII"))
    with pytest.raises(InputError, match="no set of curves 'ocs'; did you mean osc"):
        channels_of("ocs")
