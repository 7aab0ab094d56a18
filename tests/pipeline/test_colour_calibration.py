"""Figure A15: colours of synthetic stars come back within 1 %, and a second run gives the same bytes."""

import json

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.passbands import channels_of, find_passband
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.passband import GRID
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.color.locus import atmosphere, colour_of, counts, planck, spectra_of, white_spectrum
from firstlight.pipeline.colour_calibration import CalibrateColours, calibrate_colours, write_colour_report

HEIGHT, WIDTH, FWHM = 360, 480, 3.3
PLATE = Plate({
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 240.0, "CRPIX2": 180.0, "CRVAL1": 120.0, "CRVAL2": 30.0,
    "CD1_1": -4e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 4e-4,
})  # fmt: skip
GAINS = np.array([0.62, 1.0, 1.37])
NM = np.arange(336, 1021, 4)


def field(seed=3, n=90):
    rng = np.random.default_rng(seed)
    places = np.stack([rng.uniform(25, WIDTH - 25, n), rng.uniform(25, HEIGHT - 25, n)], 1)
    return places, SkyMap.of(PLATE).sky(places), 10 ** rng.uniform(4.0, 5.6, n), rng.uniform(0.0, 1.8, n)


def picture(places, light, seed=1):
    """Stars of these fluxes (n, 3) on a coloured sky with noise."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    data = np.array([900.0, 600.0, 450.0])[:, None, None] + np.random.default_rng(seed).normal(0, 6, (3, HEIGHT, WIDTH))
    s2 = (FWHM / 2.3548) ** 2
    for (px, py), flux in zip(places, light):
        part = slice(max(int(py) - 14, 0), int(py) + 15), slice(max(int(px) - 14, 0), int(px) + 15)
        spot = np.exp(-((x[part] - px) ** 2 + (y[part] - py) ** 2) / (2 * s2)) / (2 * np.pi * s2)
        data[:, part[0], part[1]] += flux[:, None, None] * spot
    return Image(data, plate=PLATE, meta=Meta(saturation=60000.0, airmass=1.8))


def scene(spectra, channels, seed=1, air=None):
    places, sky, flux, index = field()
    seen = counts(spectra, channels, air)
    seen = seen / counts(spectra, channels)[:, 1:2]
    return picture(places, flux[:, None] * seen * GAINS, seed), sky, index


def table(path, sky, columns):
    names = ["ra", "dec", *columns]
    rows = [",".join(names)]
    rows += [",".join(f"{v:.9g}" for v in row) for row in zip(*sky.T, *columns.values())]
    path.write_text("\n".join(rows) + "\n")
    return path


def true_factors(channels, white, air=None):
    """What makes a white object white, the gains of the channels undone."""
    seen = counts(white_spectrum(white), channels, air)[0]
    return seen[1] / seen / GAINS


def odd_spectra(index, seed=5):
    """Of main-sequence stars, each with a bump of its own that no colour tells."""
    rng = np.random.default_rng(seed)
    spectra = spectra_of("BP-RP", index)
    middle, height = rng.uniform(450, 700, len(index)), rng.uniform(-0.25, 0.25, len(index))
    return spectra * (1 + height[:, None] * np.exp(-((GRID - middle[:, None]) ** 2) / (2 * 45.0**2)))


@pytest.mark.parametrize(("curves", "white"), [("dichroic", "average-spiral"), ("osc", "G2V"), ("dslr", "6500K")])
def test_a15_spectra_give_colours_within_one_percent(curves, white, tmp_path):
    channels = channels_of(curves)
    spectra = odd_spectra(field()[3])
    image, sky, _ = scene(spectra, channels)
    columns = {f"f{nm}": spectra[:, np.searchsorted(GRID, nm)] for nm in NM}
    stars = table(tmp_path / "spectra.csv", sky, columns)
    p = CalibrateColours(curves=curves, white=white)
    result, report = calibrate_colours(image, p, "spectrophotometric", spectra=stars)
    np.testing.assert_allclose(report.factors, true_factors(channels, white) * GAINS[1], rtol=0.01)
    assert report.n_used > 50
    assert report.without_spectra == 0
    again, _ = calibrate_colours(image, p, "spectrophotometric", spectra=stars)
    assert result.data.tobytes() == again.data.tobytes()
    assert result.history == again.history
    levels = [float(np.median(plane)) for plane in result.data]
    assert np.ptp(levels) < 1


@pytest.mark.parametrize("method", ["spectrophotometric", "photometric"])
@pytest.mark.parametrize("colour", ["BP-RP", "B-V"])
def test_a15_colours_of_a_catalogue_give_colours_within_one_percent(method, colour, tmp_path):
    channels = channels_of("dichroic")
    index = field()[3]
    spectra = spectra_of("BP-RP", index)
    image, sky, _ = scene(spectra, channels)
    values = index if colour == "BP-RP" else np.array([colour_of("B-V", s) for s in spectra])
    blue, red = colour.split("-")
    stars = table(tmp_path / "stars.csv", sky, {f"{blue}mag": 12 + values, f"{red}mag": np.full(len(index), 12.0)})
    p = CalibrateColours(catalog=str(stars), white="G2V")
    _, report = calibrate_colours(image, p, method)
    # A parabola through magnitudes is what photometry has; spectra have the curves themselves.
    np.testing.assert_allclose(report.factors, true_factors(channels, "G2V"), rtol=0.01)
    assert report.without_spectra == (report.n_used if method == "spectrophotometric" else 0) or report.n_used > 40


def test_narrowband_and_air(tmp_path):
    channels = channels_of("sho", ("SII 3nm", "Ha 3nm", "OIII 3nm"))
    air = atmosphere(1.8)
    spectra = odd_spectra(field()[3])
    image, sky, _ = scene(spectra, channels, air=air)
    columns = {f"f{nm}": spectra[:, np.searchsorted(GRID, nm)] for nm in NM}
    stars = table(tmp_path / "spectra.csv", sky, columns)
    p = CalibrateColours(curves="sho", filters="SII 3nm, Ha 3nm, OIII 3nm", white="equal-photons", air="header")
    _, report = calibrate_colours(image, p, "spectrophotometric", spectra=stars)
    wanted = true_factors(channels, "equal-photons", air)
    np.testing.assert_allclose(np.array(report.factors) / report.factors[1], wanted / wanted[1], rtol=0.015)


def test_variable_stars_and_wrong_matches_are_left_out(tmp_path):
    channels = channels_of("dichroic")
    index = field()[3]
    image, sky, _ = scene(spectra_of("BP-RP", index), channels)
    wrong = index.copy()
    wrong[::9] += 0.9
    stars = table(tmp_path / "stars.csv", sky, {"BPmag": 12 + wrong, "RPmag": np.full(len(index), 12.0)})
    for method in ("photometric", "spectrophotometric"):
        _, report = calibrate_colours(image, CalibrateColours(catalog=str(stars), white="G2V"), method)
        np.testing.assert_allclose(report.factors, true_factors(channels, "G2V"), rtol=0.015)


def test_the_report_and_own_curves(tmp_path):
    channels = channels_of("dichroic")
    spectra = spectra_of("BP-RP", field()[3])
    image, sky, index = scene(spectra, channels)
    stars = table(tmp_path / "stars.csv", sky, {"BPmag": 12 + index, "RPmag": np.full(len(index), 12.0)})
    for name, channel in zip("rgb", channels):
        rows = "\n".join(f"{nm},{100 * v:.5f}" for nm, v in zip(GRID, channel.on()))
        (tmp_path / f"{name}.csv").write_text("nm,percent\n" + rows)
    own = ",".join(str(tmp_path / f"{name}.csv") for name in "rgb")
    p = CalibrateColours(catalog=str(stars), white="A0V", filters=own, sensor="ideal", neutralize=False)
    result, report = calibrate_colours(image, p, "spectrophotometric")
    np.testing.assert_allclose(report.factors, true_factors(channels, "A0V"), rtol=0.01)
    write_colour_report(tmp_path / "report.json", report)
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["factors"]["green"] == 1.0
    assert told["stars_matched"] >= told["stars_used"] > 40
    assert result.history[-1].startswith("color:balance@1:red=")


def test_what_cannot_be_calibrated(tmp_path):
    places, sky, flux, index = field()
    image = picture(places, flux[:, None] * GAINS)
    with pytest.raises(InputError, match="no plate, so its stars are unknown; firstlight solve"):
        calibrate_colours(image.replace(plate=None), CalibrateColours(), "photometric")
    with pytest.raises(InputError, match=r"1 channel\(s\); red, green and blue are needed"):
        calibrate_colours(Image(np.ones((4, 4))), CalibrateColours(), "photometric")
    stars = table(tmp_path / "far.csv", sky + 3, {"BPmag": 12 + index, "RPmag": np.full(len(index), 12.0)})
    with pytest.raises(InputError, match="0 stars with known colours were measured; 5 are needed"):
        calibrate_colours(image, CalibrateColours(catalog=str(stars)), "photometric")
    plain = table(tmp_path / "plain.csv", sky, {"Gmag": 12 + index})
    with pytest.raises(InputError, match="has the bands G; two of one colour are needed"):
        calibrate_colours(image, CalibrateColours(catalog=str(plain)), "photometric")
    with pytest.raises(InputError, match=r"white reference 'G22V'; did you mean G2V"):
        calibrate_colours(image, CalibrateColours(white="G22V"), "photometric")
    assert find_passband("ha 3nm", "filters").name == "ha 3nm"
    assert planck(5800.0).shape == GRID.shape
