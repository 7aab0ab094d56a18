"""Faults that earlier calibration programs had: none may come back. Each test is one of them, from files to masters."""

import numpy as np
import pytest

from calibration_frames import SHAPE, write_frame, write_frames
from firstlight.io.frame import Frame
from firstlight.io.read import open_frame, read
from firstlight.library.store import Library
from firstlight.pipeline.calibration import compile_calibration
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings

QUICK = BuildSettings(threads=2, memory=200)
NOTHING = Output(stacks=False, pictures=False)


def library_of(tmp_path, *sources):
    library = Library(tmp_path / "library")
    result = build_library(library, [*(sources or [tmp_path / "raw"])], QUICK)
    return library, result


def assigned(tmp_path, library=None, **light):
    write_frames(tmp_path / "night", "light", 1, level=700, OBJECT="M 1", **{"EXPTIME": 60.0, **light})
    todo = plan(tmp_path / "night", Settings(library="none" if library is None else str(library.path)))
    return todo.calibrations.assignments[0]


def test_a_light_of_another_offset_never_gets_the_master(tmp_path):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, OFFSET=10)
    library, _ = library_of(tmp_path)
    assert assigned(tmp_path, library, OFFSET=30).dark is None


def test_readout_modes_have_masters_of_their_own(tmp_path):
    for mode in ("slow", "fast"):
        write_frames(tmp_path / "raw" / mode, "bias", 4, READOUTM=mode)
    _, result = library_of(tmp_path)
    assert len(result.made) == 2


def test_flats_of_two_filters_never_mix_on_a_mono_camera(tmp_path):
    for name in ("Ha", "R"):
        write_frames(tmp_path / "raw" / name, "flat", 4, level=20000, EXPTIME=1.0, FILTER=name)
    library, _ = library_of(tmp_path)
    assert sorted(e.frame.meta.filter for e in library.entries()) == ["Ha", "R"]


@pytest.mark.parametrize("card", ["XORGSUBF", "YORGSUBF"])
def test_both_origins_of_a_sub_frame_count(tmp_path, card):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, XORGSUBF=0, YORGSUBF=0)
    library, _ = library_of(tmp_path)
    assert assigned(tmp_path, library, **{"XORGSUBF": 0, "YORGSUBF": 0, card: 100}).dark is None


@pytest.mark.parametrize(
    ("exposure", "fits", "warned"), [(60.05, True, False), (61.0, True, True), (75.0, False, False)]
)
def test_the_tolerance_of_the_exposure_is_used(tmp_path, exposure, fits, warned):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0)
    library, _ = library_of(tmp_path)
    given = assigned(tmp_path, library, EXPTIME=exposure)
    assert (given.dark is not None) is fits
    assert any("exposure 60 s against" in warning for warning in given.warnings) is warned


def test_masters_keep_fractions_units_and_headers(tmp_path):
    write_frames(tmp_path / "raw", "dark", 5, EXPTIME=60.0)
    library, _ = library_of(tmp_path)
    path = library.entries()[0].frame.path
    image = read(path)
    assert image.data.dtype == np.float32
    assert np.any(image.data % 1 != 0)
    assert (image.unit, image.meta.exposure, image.meta.gain_setting, image.meta.offset) == ("adu", 60.0, 26.0, 10.0)
    assert image.variance is not None


def test_dates_decide_between_masters_and_the_plan_prints_them(tmp_path):
    for i, days in enumerate((-100, -2)):
        write_frames(tmp_path / "raw" / str(i), "bias", 4, days=days, seed=i)
    library, _ = library_of(tmp_path)
    given = assigned(tmp_path, library)
    assert given.bias.like.meta.start.date().isoformat() == "2026-01-15"
    assert any("of 2026-01-15, library" in reason for reason in given.reasons)


@pytest.mark.parametrize("value", [-10, -10.0, "-10", "-10.0 C"])
def test_temperatures_may_be_numbers_or_text(tmp_path, value):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, **{"SET-TEMP": None, "CCD-TEMP": value})
    library, result = library_of(tmp_path)
    assert result.failed == []
    assert library.entries()[0].frame.meta.temperature == -10.0


def test_every_master_flat_has_mean_one(tmp_path):
    write_frames(tmp_path / "raw", "bias", 4)
    for i, level in enumerate((9000, 20000, 31000)):
        write_frames(tmp_path / "raw" / str(i), "flat", 5, level=level, noise=60, EXPTIME=1.0 + i, FILTER=f"F{i}")
    library, _ = library_of(tmp_path)
    flats = [e for e in library.entries() if e.kind == "flat"]
    assert len(flats) == 3
    for entry in flats:
        assert np.mean(read(entry.frame.path).data, dtype=np.float64) == pytest.approx(1, abs=1e-6)


def test_darks_with_and_without_bias_are_told_apart(tmp_path):
    write_frames(tmp_path / "raw" / "raw", "dark", 4, EXPTIME=60.0)
    write_frames(tmp_path / "raw" / "bare", "dark", 4, EXPTIME=60.0, level=20, CALSTAT="B")
    library, _ = library_of(tmp_path)
    assert {"bias" in e.frame.meta.calibrated for e in library.entries()} == {True, False}


def test_a_gain_that_nobody_tells_is_unknown_not_a_match(tmp_path):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, GAIN=None)
    library, _ = library_of(tmp_path)
    given = assigned(tmp_path, library, GAIN=None)
    assert any("not told by the headers: gain setting" in reason for reason in given.reasons)


def test_a_gain_that_only_the_light_tells_is_a_warning(tmp_path):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, GAIN=None)
    library, _ = library_of(tmp_path)
    assert "dark: only one header tells the gain setting" in assigned(tmp_path, library).warnings


@pytest.mark.parametrize("other", [{"shape": SHAPE[::-1]}, {"XBINNING": 2, "YBINNING": 2}])
def test_wrong_size_or_binning_is_refused(tmp_path, other):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, **other)
    library, _ = library_of(tmp_path)
    assert assigned(tmp_path, library).dark is None


def test_another_temperature_is_warned_of(tmp_path):
    write_frames(tmp_path / "raw", "dark", 4, EXPTIME=60.0, **{"SET-TEMP": -5.0})
    library, _ = library_of(tmp_path)
    given = assigned(tmp_path, library)
    assert given.warnings == ("dark: temperature -5 C against -10 C",)
    assert any("darks of 60 s at -10 C, gain 26, offset 10 would fit better" in reason for reason in given.reasons)


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_the_better_master_wins_whatever_the_order_of_files(tmp_path, names):
    near, far = names
    write_frames(tmp_path / "raw" / near, "bias", 4, **{"SET-TEMP": -11.5})
    write_frames(tmp_path / "raw" / far, "bias", 4, seed=3, **{"SET-TEMP": -13.0})
    library, _ = library_of(tmp_path)
    assert assigned(tmp_path, library).bias.like.meta.set_temperature == -11.5


def test_a_dark_that_holds_its_bias_is_not_subtracted_together_with_one(tmp_path):
    write_frames(tmp_path / "night", "bias", 6)
    write_frames(tmp_path / "night", "dark", 6, level=540, EXPTIME=60.0)
    given = assigned(tmp_path)
    assert (given.dark is not None, given.bias) == (True, None)


def test_gains_in_one_folder_give_masters_of_their_own(tmp_path):
    for gain in (0, 56):
        write_frames(tmp_path / "raw" / str(gain), "bias", 4, GAIN=gain)
    _, result = library_of(tmp_path)
    assert len(result.made) == 2


def test_no_binning_in_the_header_means_one(tmp_path):
    write_frames(tmp_path / "raw", "flat", 4, level=20000, EXPTIME=1.0, FILTER="R", XBINNING=None, YBINNING=None)
    library, result = library_of(tmp_path)
    assert result.failed == []
    assert library.entries()[0].frame.meta.binning == (1, 1)


def test_a_gradient_along_columns_stays_in_the_flat(tmp_path):
    shade = np.linspace(0.8, 1.2, SHAPE[0])[:, None] * np.ones(SHAPE)
    rng = np.random.default_rng(0)
    for i in range(5):
        write_frame(tmp_path / "raw" / f"f{i}.fits", rng.normal(20000 * shade, 30), "flat", EXPTIME=1.0, FILTER="R")
    library, _ = library_of(tmp_path)
    np.testing.assert_allclose(read(library.entries()[0].frame.path).data[0], shade, rtol=0.01)


def test_dark_subtraction_keeps_negative_pixels(tmp_path):
    write_frames(tmp_path / "night", "dark", 12, EXPTIME=60.0)
    write_frames(tmp_path / "night", "light", 2, EXPTIME=60.0, OBJECT="M 1", seed=77)
    result = process(tmp_path / "night", Settings(library="none", output=NOTHING, threads=1))
    (group,) = result.plan.groups
    made = {id(m.plan): m for m in result.masters}
    light = group.assignments[0]
    data = compile_calibration(light, lambda m: made[id(m)]).band(light.light, 0, SHAPE[0]).data
    assert data.mean() == pytest.approx(0, abs=0.6)
    assert (data < 0).mean() == pytest.approx(0.5, abs=0.05)


def test_without_a_dark_the_bias_is_used_and_said(tmp_path):
    write_frames(tmp_path / "night", "bias", 6)
    given = assigned(tmp_path)
    assert given.bias is not None
    assert "dark: there is none" in given.reasons
    assert any(reason.startswith("bias: master_bias") for reason in given.reasons)


def test_a_master_is_opened_once_in_a_run(tmp_path, monkeypatch):
    write_frames(tmp_path / "raw", "dark", 5, EXPTIME=60.0)
    library, _ = library_of(tmp_path)
    write_frames(tmp_path / "night", "light", 4, level=700, EXPTIME=60.0, OBJECT="M 1")
    opened = []
    real = Frame.read
    monkeypatch.setattr(Frame, "read", lambda self: opened.append(self.path.name) or real(self))
    process(tmp_path / "night", Settings(library=str(library.path), output=NOTHING, threads=1), output=tmp_path / "out")
    assert opened == [library.entries()[0].frame.path.name]


def test_a_bad_date_does_not_become_an_old_one(tmp_path):
    (path,) = write_frames(tmp_path / "raw", "bias", 1, **{"DATE-OBS": "yesterday"})
    assert open_frame(path).meta.start is None
