"""Light curves from folders of frames: a simulated transit, real frames of HAT-P-32, odd sessions."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.aavso import check_aavso_file
from firstlight.pipeline.series_report import quiet, scatter_of
from firstlight.pipeline.series_settings import SeriesSettings
from firstlight.pipeline.timeseries import timeseries
from star_field import write_series

HATP32_EVENT = "2458107.6465,2458107.7761,24"
"""Transit of HAT-P-32 b by the ephemeris of Hartman et al. 2011: T0 2455867.402743, P 2.150008 d, 3.1 h."""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    return folder, write_series(folder, n=90)


@pytest.fixture(scope="module")
def simulated(night, tmp_path_factory):
    folder, (x, y, _, inside) = night
    settings = SeriesSettings(target=f"{x[0]:.1f},{y[0]:.1f}", library="none", catalog="none")
    result = timeseries(folder, settings, output=tmp_path_factory.mktemp("out"))
    return result, inside


def test_a_transit_of_five_thousandths_is_recovered(simulated):
    """Figure A8: the depth within 10 %."""
    result, inside = simulated
    (series,) = result.series
    magnitude = series.reduced.curves[0].magnitude
    assert len(magnitude) == len(inside)
    depth = magnitude[inside].mean() - magnitude[~inside].mean()
    assert depth == pytest.approx(0.005, rel=0.1)


def test_repeatability_is_what_was_predicted(simulated):
    """Figure A8: of the check star, and of the target inside and outside of its transit, at most 1.1 times."""
    result, inside = simulated
    (series,) = result.series
    check, target = series.reduced.check, series.reduced.curves[0]
    for curve, points in ((check, check.good), (target, ~inside), (target, inside)):
        scatter, expected = scatter_of(curve, points)
        sampling = 1 / np.sqrt(2 * points.sum())
        assert scatter <= (1.1 + 2 * sampling) * expected
        assert scatter >= 0.6 * expected


def test_the_files_say_the_same(simulated):
    result, _ = simulated
    (series,) = result.series
    by_suffix = {path.name.removeprefix("Test_b_V"): path for path in series.files}
    assert set(by_suffix) == {".csv", ".ecsv", ".png", ".txt", "_aavso.txt"}
    assert check_aavso_file(by_suffix["_aavso.txt"]) == []
    with open(by_suffix[".csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    curve = series.reduced.curves[0]
    assert [float(r["magnitude"]) for r in rows] == pytest.approx(curve.magnitude.tolist(), abs=1e-5)
    assert float(rows[0]["bjd_tdb"]) - float(rows[0]["jd_utc"]) == pytest.approx(0.0054, abs=0.002)
    text = by_suffix[".txt"].read_text()
    assert "90 of 90 lights" in text
    assert "Check star: scatter" in text
    from astropy.table import Table

    assert len(Table.read(by_suffix[".ecsv"])) == 90


def test_the_event_is_fitted_with_trends(night, tmp_path):
    folder, (x, y, _, _) = night
    start = 2461058.3333333
    event = f"{start + 30 / 1440 + 0.0053:.6f},{start + 60 / 1440 + 0.0053:.6f}"
    settings = SeriesSettings(
        target=f"{x[0]:.1f},{y[0]:.1f}", library="none", catalog="none", event=event, detrend="airmass,fwhm"
    )
    (series,) = timeseries(folder, settings, output=tmp_path).series
    found = series.reduced.curves[0].detrended
    assert set(found.coefficients) == {"airmass", "fwhm"}
    assert found.depth[0] == pytest.approx(0.005, abs=3 * found.depth[1])
    assert found.depth[1] < 0.0008


def test_all_stars_and_the_variable_among_them(tmp_path):
    x, y, _, _ = write_series(tmp_path / "n", n=40, depth=0.06, seed=3)
    settings = SeriesSettings(target="all", library="none", catalog="none", solve=False)
    (series,) = timeseries(tmp_path / "n", settings).series
    variable = [c.star for c in series.reduced.curves]
    assert len(variable) == 1
    assert np.hypot(*(series.positions[variable[0]] - [x[0], y[0]])) < 3
    names = {path.name for path in series.files}
    assert {"Test_b_V_stars.csv", "Test_b_V_scatter.png", "Test_b_V.txt"} <= names


def test_a_bad_frame_is_listed_and_a_wild_point_flagged(tmp_path):
    x, y, _, _ = write_series(tmp_path / "n", n=20, depth=0.0, extra=1.3)
    (tmp_path / "n" / "light_007.fits").write_bytes((tmp_path / "n" / "light_007.fits").read_bytes()[:9000])
    settings = SeriesSettings(target=f"{x[0]:.1f},{y[0]:.1f}", library="none", catalog="none")
    (series,) = timeseries(tmp_path / "n", settings).series
    flags = series.reduced.curves[0].flags
    assert [i for i, words in enumerate(flags) if words] == [2]
    assert flags[2] == "outlier"
    report = next(p for p in series.files if p.name == "Test_b_V.txt").read_text()
    assert "light_007.fits" in report.partition("set aside")[2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "5000,5000"}, "beyond the frames"),
        ({"target": "2,2"}, "is this the right place"),
        ({"target": "nonsense"}, "02:04:10.3"),
        ({"target": ""}, "no plate"),
        ({"target": "10:00:00 +20:00:00"}, "firstlight solve"),
        ({"target": "60,60", "plate": "none.wcs"}, "no such file"),
    ],
)
def test_a_target_that_is_not_to_be_found_is_said(night, tmp_path, changes, words):
    few = tmp_path / "few"
    few.mkdir()
    for i in range(4):
        shutil.copy(night[0] / f"light_{i:03d}.fits", few)
    with pytest.raises(InputError, match=words):
        timeseries(few, SeriesSettings(library="none", solve=False, **changes))


def test_a_pointing_that_hits_no_star_is_no_target(real_data, tmp_path):
    """The headers of these frames name the field's rough middle, 12 arcmin off the star: no curve of empty sky."""
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(real_data("hatp32_microobs").glob("*.fz"))[:4]:
        shutil.copy(path, few)
    plate = str(real_data("_truth/wcs/hatp32.wcs"))
    with pytest.raises(InputError, match=r"shows no star within 3 px; .* --target"):
        timeseries(few, SeriesSettings(library="none", plate=plate, catalog="none"), output=tmp_path / "out")


def test_a_star_by_its_name_in_a_catalogue(tmp_path):
    from firstlight.pipeline.timeseries import _place

    table = tmp_path / "mine.csv"
    table.write_text("name,ra,dec,V\nTest Star 1,150.1,20.2,11.0\nTest Star 2,150.2,20.3,11.5\n")
    place = _place("test star 2", SeriesSettings(catalog=str(table)))
    assert (place.first, place.second, place.is_sky) == (150.2, 20.3, True)


def test_two_frames_are_no_series(night, tmp_path):
    for i in range(2):
        shutil.copy(night[0] / f"light_{i:03d}.fits", tmp_path)
    with pytest.raises(InputError, match="2 lights can be used; 3 are needed"):
        timeseries(tmp_path, SeriesSettings(library="none", target="60,60", solve=False))


def test_settings_are_checked():
    with pytest.raises(ValueError, match="did you mean airmass"):
        SeriesSettings(detrend="airmas")
    with pytest.raises(ValueError, match="minutes"):
        SeriesSettings(event="soon")


@pytest.mark.slow
def test_hat_p_32(real_data, tmp_path):
    """Frames that drift 276 px, without darks and flats: scatter outside of transit is at most 1.3 of the errors."""
    settings = SeriesSettings(
        target="02:04:10.28 +46:41:16.2", plate=str(real_data("_truth/wcs/hatp32.wcs")), library="none",
        catalog=str(real_data("catalogs/tycho2_patch_hatp32.fits")), event=HATP32_EVENT, diameter=152,
        reference="HATP-32171220013343.FITS.fz",
    )  # fmt: skip
    (series,) = timeseries(real_data("hatp32_microobs"), settings, output=tmp_path).series
    curve = series.reduced.curves[0]
    assert len(curve.magnitude) == 22
    scatter, expected = scatter_of(curve, quiet(series, curve, settings))
    assert 0.3 < scatter / expected < 1.3
    assert scatter < 0.006
    depth, error = curve.detrended.depth
    assert depth == pytest.approx(0.0245, abs=0.008)
    assert depth > 4 * error
    # HAT-P-32: V = 11.3.
    assert np.nanmedian(curve.magnitude) == pytest.approx(11.3, abs=0.3)
    report = next(path for path in series.files if path.name.endswith("_aavso.txt"))
    assert check_aavso_file(report) == []
    assert ",STD,ENSEMBLE,na," in report.read_text()
