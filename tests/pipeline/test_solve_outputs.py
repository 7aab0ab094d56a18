"""What a solved file leaves: a copy, the file itself, a side file, tables, regions; pixels untouched."""

from __future__ import annotations

import csv
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, FITSFixedWarning

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.solvers import cards_of_file
from firstlight.ops.align.plate_solve import SolvePlate
from firstlight.ops.align.plates import sky_of
from firstlight.pipeline.solve import solve_files
from firstlight.pipeline.solve_outputs import SolveOutputs, write_solution
from pipeline.sky_images import image_of, write_image

MIDDLE = (319.5, 239.5)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    old = [("CTYPE1", "RA---TAN", ""), ("CTYPE2", "DEC--TAN", ""), ("CRVAL1", 10.0, ""), ("CRVAL2", 60.0, ""),
           ("CRPIX1", 1.0, ""), ("CRPIX2", 1.0, ""), ("CDELT1", 0.1, ""), ("CDELT2", 0.1, ""), ("CROTA2", 5.0, ""),
           ("A_ORDER", 2, ""), ("A_2_0", 1e-4, ""), ("NOTE", "stays", "as it is")]  # fmt: skip
    path = write_image(tmp_path_factory.mktemp("sky") / "light.fits", 84.0, -2.0, old)
    (found,) = solve_files([path], SolvePlate(catalog="gaia"))
    return found


def check(path):
    with fits.open(path) as units:
        header = units[0].header
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            ra, dec = WCS(header).all_pix2world([MIDDLE], 0)[0]
        assert ra == pytest.approx(84.0, abs=5e-4)
        assert dec == pytest.approx(-2.0, abs=5e-4)
        assert not {"CDELT1", "CROTA2", "A_ORDER", "A_2_0"} & set(header)
        return header


def test_a_copy_has_the_plate_and_the_same_pixels(outcome, tmp_path):
    (written,) = write_solution(outcome, SolveOutputs(tmp_path), single=True)
    header = check(written)
    assert header["NOTE"] == "stays"
    assert header.comments["NOTE"] == "as it is"
    assert 0 < header["CRDER1"] * 3600 < 5
    assert sum("plate solved by native" in line for line in header["HISTORY"]) == 1
    before, after = outcome.path.read_bytes(), written.read_bytes()
    pixels = 480 * 640 * 2
    assert after[-(-pixels // 2880) * 2880 * -1 :] == before[-(-pixels // 2880) * 2880 * -1 :]
    assert read(written).plate is not None
    with pytest.raises(InputError, match="exists already"):
        write_solution(outcome, SolveOutputs(tmp_path), single=True)
    assert write_solution(outcome, SolveOutputs(tmp_path, overwrite=True), single=True) == [written]


def test_the_default_place_is_not_among_the_frames(outcome):
    (written,) = write_solution(outcome, SolveOutputs(), single=False)
    assert written == outcome.path.parent / "firstlight" / "solved" / "light.fits"


def test_a_file_of_any_name(outcome, tmp_path):
    assert write_solution(outcome, SolveOutputs(tmp_path / "other.fits"), single=True) == [tmp_path / "other.fits"]
    check(tmp_path / "other.fits")


def test_in_place_changes_the_header_alone(tmp_path):
    path = write_image(tmp_path / "light.fits", 84.0, -2.0)
    before = fits.getdata(path).copy()
    (found,) = solve_files([path], SolvePlate(catalog="gaia"))
    assert write_solution(found, SolveOutputs(in_place=True), single=True) == [path]
    check(path)
    assert (fits.getdata(path) == before).all()


def test_a_side_file_is_a_header(outcome, tmp_path):
    (written,) = write_solution(outcome, SolveOutputs(tmp_path, sidecar=True), single=True)
    assert written.name == "light.wcs"
    header = check(written)
    assert (header["IMAGEW"], header["IMAGEH"]) == (640, 480)
    assert cards_of_file(written)["CTYPE1"] == "RA---TAN"


@pytest.mark.parametrize("kind", ["csv", "ecsv"])
def test_star_tables_have_the_sky(outcome, tmp_path, kind):
    table_path = write_solution(outcome, SolveOutputs(tmp_path, stars=kind), single=True)[1]
    if kind == "csv":
        with open(table_path, newline="") as file:
            rows = list(csv.DictReader(file))
        table = {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    else:
        found = Table.read(table_path, format="ascii.ecsv")
        assert str(found["ra"].unit) == "deg"
        table = {name: np.ma.filled(found[name].astype(float), np.nan) for name in found.colnames}
    sky = sky_of(outcome.solved.plate, np.column_stack([table["x"], table["y"]]))
    assert np.abs(sky[:, 0] - table["ra"]).max() < 1e-5
    matched = np.isfinite(table["catalog_ra"])
    assert matched.sum() == outcome.solved.plate.n_matched
    apart = np.hypot((table["ra"] - table["catalog_ra"]) * np.cos(np.radians(2)), table["dec"] - table["catalog_dec"])
    assert np.nanmedian(apart[matched]) * 3600 < 6
    # Magnitudes belong to the stars: flux follows them.
    slope = np.polyfit(table["catalog_G"][matched], -2.5 * np.log10(table["flux"][matched]), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.1)


def test_regions_are_one_based(outcome, tmp_path):
    region = write_solution(outcome, SolveOutputs(tmp_path, regions=True), single=True)[1]
    circles = [line for line in region.read_text().splitlines() if line.startswith("circle")]
    assert len(circles) == len(outcome.solved.stars)
    x = float(circles[0].split("(")[1].split(",")[0])
    assert x == pytest.approx(outcome.solved.stars.x[0] + 1, abs=1e-3)
    assert "point(" in region.read_text()


def test_pictures_become_fits(tmp_path):
    from PIL import Image as Picture

    plane = image_of(84.0, -2.0).astype(float)
    picture = np.clip((plane - 950) / 4, 0, 255).astype(np.uint8)
    Picture.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(tmp_path / "p.png")
    (found,) = solve_files([tmp_path / "p.png"], SolvePlate(catalog="gaia"))
    assert found.solved is not None, found.error
    (written,) = write_solution(found, SolveOutputs(tmp_path / "out"), single=True)
    assert written == tmp_path / "out" / "p.fits"
    ra, dec = sky_of(read(written).plate, np.array([MIDDLE]))[0]
    assert ra == pytest.approx(84.0, abs=5e-3)
    assert dec == pytest.approx(-2.0, abs=5e-3)
    with pytest.raises(InputError, match="only FITS files are changed in place"):
        write_solution(found, SolveOutputs(in_place=True), single=True)
