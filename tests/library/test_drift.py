import pytest

from calibration_frames import write_frames
from firstlight.library.drift import history_words, series_of
from firstlight.library.store import Library
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.library_history import write_history


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    for month in range(5):
        days = 60.88 * month
        write_frames(folder / "raw" / f"b{month}", "bias", 8, level=500 + 2 * month, days=days, seed=month)
        write_frames(folder / "raw" / f"d{month}", "dark", 8, level=520, days=days, seed=month, EXPTIME=60.0)
    made = Library(folder / "library")
    build_library(made, [folder / "raw"], BuildSettings(threads=2, memory=100))
    return made


def test_a_drift_of_one_adu_a_month_is_found(library):
    series = series_of(library.entries())
    assert [(s.kind.value, len(s.entries)) for s in series] == [("bias", 5), ("dark", 5)]
    assert series[0].slope(series[0].values("level")) == pytest.approx(1.0, abs=0.1)
    assert series[1].slope(series[1].values("level")) == pytest.approx(0.0, abs=0.1)
    text = history_words(series)
    assert "in a month  level +" in text
    assert "2026-01-17     8 frames  level 500" in text


def test_the_page_and_the_numbers_are_written(library, tmp_path):
    series = series_of(library.entries())
    assert len(write_history(series, tmp_path / "h.csv").read_text().splitlines()) == 11
    pytest.importorskip("matplotlib")
    from firstlight.io.raster import open_picture

    page = open_picture(write_history(series, tmp_path / "h.png"))[0].read()
    assert page.data.std() > 0.02
