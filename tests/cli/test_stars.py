"""``firstlight stars``, ``measure`` and ``inspect`` as a person runs them."""

import json

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table

from firstlight.cli.main import run
from firstlight.simulate.scene import random_field, render_stars

CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 30.0, "CRPIX1": 150.5, "CRPIX2": 130.5,
    "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-4, "EXPTIME": 60.0, "FILTER": "R", "OBJECT": "Field",
    "GAIN": 1.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(3)
    x, y, flux = random_field(rng, 150, (260, 300), (2e3, 2e5), margin=-12)
    plane = render_stars((260, 300), x, y, flux, 3.0, beta=4.0)
    np.savetxt(folder / "truth.txt", np.column_stack([x, y, flux]))
    mono = (rng.poisson((plane + 100) * 1.5) / 1.5 + rng.normal(0, 3, plane.shape)).astype(np.float32)
    with_plate = fits.Header()
    with_plate.update(CARDS)
    fits.writeto(folder / "solved.fits", mono, with_plate)
    fits.writeto(folder / "colour.fits", np.stack([mono, 0.8 * mono, 1.2 * mono]), fits.Header({"EXPTIME": 30.0}))
    broken = mono.copy()
    broken[100:140] = np.nan
    fits.writeto(folder / "gap.fits", broken)
    fits.writeto(folder / "empty.fits", rng.normal(100, 3, (64, 64)).astype(np.float32))
    fits.writeto(folder / "nan.fits", np.full((64, 64), np.nan, np.float32))
    return folder


def test_a_table_with_places_light_and_errors(folder, tmp_path, capsys):
    assert run(["stars", str(folder / "solved.fits"), "-o", str(tmp_path), "--format", "ecsv", "--regions",
                "--psf-image"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "PSF of" in said
    table = Table.read(tmp_path / "solved_stars.ecsv")
    x, y, flux = np.loadtxt(folder / "truth.txt", unpack=True)
    from scipy.spatial import cKDTree

    near, index = cKDTree(np.c_[table["x"], table["y"]]).query(np.c_[x, y])
    alone = cKDTree(np.c_[x, y]).query(np.c_[x, y], k=2)[0][:, 1] > 12
    good = (near < 0.5) & alone
    assert good[alone].mean() > 0.97
    pull = (table["flux"][index[good]] - flux[good]) / table["flux_error"][index[good]]
    assert abs(np.median(pull)) < 0.6
    assert np.std(pull) < 2
    assert np.median(table["aperture_flux"][index[good]] / flux[good]) == pytest.approx(0.93, abs=0.05)
    assert table["ra"].unit == "deg"
    assert np.ptp(table["dec"]) == pytest.approx(0.13, abs=0.02)
    assert np.nanmedian(table["fwhm_arcsec"]) == pytest.approx(3.0 * 1.8, rel=0.05)
    regions = (tmp_path / "solved_stars.reg").read_text()
    assert regions.count("ellipse(") == len(table)
    kernel = fits.getdata(tmp_path / "solved_psf.fits")
    assert kernel.sum() == pytest.approx(1, abs=1e-4)


def test_colour_gaps_and_empty_images(folder, tmp_path, capsys):
    assert run(["stars", *(str(folder / name) for name in ("colour.fits", "gap.fits", "empty.fits", "nan.fits")),
                "-o", str(tmp_path), "--no-deblend"]) == 2  # fmt: skip
    out, err = capsys.readouterr()
    assert "colour.fits: 1" in out
    assert "gap.fits: 1" in out
    assert "empty.fits: no star 5 sigma above the noise" in err
    assert "nan.fits" in err
    assert "Traceback" not in err
    gap = Table.read(tmp_path / "gap_stars.csv")
    assert not ((gap["y"] > 103) & (gap["y"] < 136)).any()


def test_answers_and_refusals(folder, tmp_path, capsys):
    assert run(["stars", str(folder / "solved.fits"), "-o", str(tmp_path), "--no-psf", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"][0]["stars"] > 100
    assert run(["stars", str(folder / "missing.fits")]) == 2
    assert run(["stars", str(folder / "solved.fits"), "--margin", "200", "-o", str(tmp_path)]) == 2
    assert "margin: 200 px; the image is 300 x 260 px" in capsys.readouterr().err


def test_reports_and_the_table_of_all(folder, tmp_path, capsys):
    names = [str(folder / name) for name in ("solved.fits", "colour.fits", "empty.fits", "nan.fits")]
    assert run(["measure", *names, "-o", str(tmp_path)]) == 2
    report = yaml.safe_load((tmp_path / "solved_quality.yaml").read_text())
    assert report["psf"]["fwhm"]["px"] == pytest.approx(3.0, abs=0.1)
    assert report["psf"]["fwhm_x"]["arcsec"] == pytest.approx(5.4, abs=0.2)
    assert report["background"]["level"] == pytest.approx(100, abs=1)
    assert report["sources"]["adu_per_s_brightest"] > 1000
    assert report["psf"]["circular"]
    assert set(yaml.safe_load((tmp_path / "colour_quality.yaml").read_text())["statistics"]) == {"R", "G", "B"}
    table = Table.read(tmp_path / "quality.csv")
    assert len(table) == 3
    # All columns of all files, and nothing where a file has none.
    assert {"filter", "statistics_mono_median", "statistics_B_median", "psf_fwhm_x_px"} <= set(table.colnames)
    assert table["statistics_B_median"].mask.tolist() == [True, False, True]


def test_nonlinear_images_give_statistics_only(folder, tmp_path, capsys):
    assert run(["measure", str(folder / "solved.fits"), "-o", str(tmp_path), "--state", "nonlinear"]) == 0
    report = yaml.safe_load((tmp_path / "solved_quality.yaml").read_text())
    assert "psf" not in report
    assert report["statistics"]["mono"]["median"] == pytest.approx(101, abs=3)


def test_pictures_are_drawn(folder, tmp_path, capsys):
    assert run(["inspect", str(folder / "solved.fits"), "-o", str(tmp_path), "--colours", "viridis", "--bar"]) == 0
    assert sorted(p.name for p in tmp_path.glob("*.png")) == [
        f"solved_{kind}.png" for kind in ("corners", "field", "histogram", "preview", "stars")
    ]
    assert "no tilt" in capsys.readouterr().out
    assert run(["inspect", str(folder / "solved.fits"), "-o", str(tmp_path), "--colours", "viridas"]) == 2
    assert "did you mean viridis" in capsys.readouterr().err
