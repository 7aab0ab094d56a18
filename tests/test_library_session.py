"""Whole sessions with a library: the right masters, the right pixels, and nothing wrong in silence."""

import json
import os

import numpy as np
import pytest
from astropy.io import fits

from calibration_frames import START, write_frame, write_frames
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.library.store import Library
from firstlight.pipeline.describe import describe_plan
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Calibrate, Output, Settings
from firstlight.simulate.night import preset, simulate

QUICK = BuildSettings(threads=2, memory=300)


def settings(library, stacks=False, **calibrate):
    return Settings(library=str(library), calibrate=Calibrate(**calibrate), threads=2, memory=400,
                    output=Output(stacks=stacks, pictures=False))  # fmt: skip


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Lights of 60 s in one folder; bias, darks of 20, 40, 120 s and flats in the library."""
    folder = tmp_path_factory.mktemp("night")
    tiny = preset("tiny")
    camera = tiny.camera.model_copy(update={"hot_fraction": 0.01, "dark_current": 0.05, "amp_glow": 0.0})
    tiny = tiny.model_copy(update={"camera": camera, "n_lights": 4, "n_flats": 4, "n_bias": 8, "trails": 0.0})
    truth = simulate(folder / "session", tiny)
    others = tiny.model_copy(update={"exposures": (20.0, 40.0, 120.0), "n_lights": 0, "n_bias": 0, "n_flats": 0})
    simulate(folder / "others", others)
    build_library(Library(folder / "library"), [folder / "session" / n for n in ("Bias", "Flats")], QUICK)
    build_library(Library(folder / "library"), [folder / "others"], QUICK)
    return folder, truth


def test_lights_alone_are_calibrated_by_the_library(night, tmp_path):
    folder, _ = night
    result = process(folder / "session" / "Lights", settings(folder / "library"), output=tmp_path / "out")
    (group,) = result.plan.groups
    assert {m.kind.value for m in group.assignments[0].masters} == {"bias", "flat"}
    assert not list((tmp_path / "out" / "masters").glob("*.fits"))
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {m["file"].split("_")[1] for m in record["masters"]} == {"bias", "flat"}
    again = process(folder / "session" / "Lights", settings(folder / "library"), output=tmp_path / "out")
    assert again.unchanged


def test_an_interpolated_dark_only_when_asked_and_never_used_unasked_afterwards(night, tmp_path):
    folder, _ = night
    lights, out = folder / "session" / "Lights", tmp_path / "out"
    asked = process(lights, settings(folder / "library", interpolate_exposure=True), output=out)
    dark = asked.plan.groups[0].assignments[0].dark
    assert [part.like.meta.exposure or 0.0 for part, _ in dark.parts] == [0.0, 20.0, 40.0, 120.0]
    written = out / "masters" / "master_dark_60s_-10C_gain100_interpolated.fits"
    true = next(folder.glob("session/Darks"))
    build_library(Library(tmp_path / "truth"), [true], QUICK)
    master = read(Library(tmp_path / "truth").entries()[0].frame.path)
    difference = read(written).data - master.data
    calm = ~(master.flags & 3).astype(bool)
    assert np.median(difference) == pytest.approx(0, abs=0.15)
    assert np.std(difference[calm]) < 3
    unasked = process(lights, settings(folder / "library"), output=out)
    assert unasked.plan.groups[0].assignments[0].dark is None


def test_a_session_s_own_frames_go_first(night, tmp_path):
    folder, _ = night
    todo = plan(folder / "session", settings(folder / "library"), output=tmp_path / "out")
    assert all(not m.shared for m in todo.groups[0].assignments[0].masters)
    text = describe_plan(todo)
    assert "0 of 5 masters are used" in text


def test_a_library_master_without_a_warning_goes_before_an_own_one_with(tmp_path):
    write_frames(tmp_path / "old", "dark", 5, EXPTIME=60.0)
    build_library(Library(tmp_path / "library"), [tmp_path / "old"], QUICK)
    write_frames(tmp_path / "night", "dark", 5, EXPTIME=60.0, **{"SET-TEMP": -3.0})
    write_frames(tmp_path / "night", "light", 2, EXPTIME=60.0, OBJECT="M 1", level=700)
    todo = plan(tmp_path / "night", settings(tmp_path / "library"))
    (a, _) = todo.calibrations.assignments
    assert a.dark.shared
    assert any(
        "the session's master_dark_60s_-3C_gain26 fits worse: temperature -3 C against -10 C" in r for r in a.reasons
    )


def test_a_damaged_master_is_replaced_by_the_next_best_and_told(tmp_path):
    for i, days in enumerate((0, 60)):
        write_frames(tmp_path / "raw" / str(i), "bias", 5, days=days, seed=i)
    write_frames(tmp_path / "night", "light", 2, EXPTIME=60.0, OBJECT="M 1", level=700, days=60)
    library = Library(tmp_path / "library")
    build_library(library, [tmp_path / "raw"], QUICK)
    newest = max(library.entries(), key=lambda e: e.frame.meta.start).frame.path
    status = newest.stat()
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    # The index is fooled: same size, same time.
    os.utime(newest, ns=(status.st_atime_ns, status.st_mtime_ns))
    result = process(tmp_path / "night", settings(library.path), output=tmp_path / "out")
    (a, _) = result.plan.groups[0].assignments
    assert a.bias is not None
    assert a.bias.like.path != newest
    assert any(newest.name in note and "damaged" in note for note in result.plan.notes)


def test_a_scaled_dark_is_found_in_the_pixels(night, tmp_path):
    folder, _ = night
    for method in ("noise", "entropy"):
        result = process(
            folder / "session" / "Lights", settings(folder / "library", optimize_darks=method), output=tmp_path / method
        )
        scales = [a.dark_scale for a in result.plan.groups[0].assignments]
        exposures = result.plan.groups[0].assignments[0].dark.like.meta.exposure
        assert scales == pytest.approx([60.0 / exposures] * 4, rel=0.06), method
        assert "found by" in result.plan.groups[0].assignments[0].reasons[-1]


def test_a_sky_flat_is_made_of_lights_on_request(tmp_path):
    shade = 1 - 0.3 * np.linspace(-1, 1, 64)[None, :] ** 2 * np.ones((48, 1))
    rng = np.random.default_rng(0)
    write_frames(tmp_path / "night", "bias", 6)
    bias = np.zeros((48, 64)) + 500
    for i in range(12):
        sky = 3000 * (1 + 0.05 * i) * shade
        for y, x in rng.integers(2, 44, (6, 2)):
            sky[y : y + 3, x : x + 3] += 4000
        write_frame(tmp_path / "night" / f"light_{i:02d}.fits", bias + rng.normal(sky, 30), "light", EXPTIME=60.0,
                    OBJECT="M 1", FILTER="R", **{"DATE-OBS": START.replace(minute=i).isoformat()})  # fmt: skip
    assert plan(tmp_path / "night", settings("none")).calibrations.assignments[0].flat is None
    result = process(tmp_path / "night", settings("none", sky_flats=True), output=tmp_path / "out")
    flat = next(m for m in result.masters if m.plan.sky)
    assert flat.plan.name == "master_flat_R_-10C_gain26_sky"
    np.testing.assert_allclose(flat.image.data[0], shade / shade.mean(), rtol=0.035)


def test_a_library_that_is_not_there_is_an_error_and_none_does_without(night, tmp_path):
    folder, _ = night
    with pytest.raises(InputError, match="there is no such folder"):
        plan(folder / "session" / "Lights", settings(tmp_path / "nowhere"))
    assert plan(folder / "session" / "Lights", settings("none")).calibrations.shelf == ()


def test_masters_in_the_run_folder_count_as_a_library(tmp_path):
    write_frames(tmp_path / "raw", "bias", 5)
    write_frames(tmp_path / "night", "light", 2, EXPTIME=60.0, OBJECT="M 1", level=700)
    build_library(Library(tmp_path / "night" / "firstlight" / "masters"), [tmp_path / "raw"], QUICK)
    todo = plan(tmp_path / "night", Settings())
    assert todo.calibrations.assignments[0].bias.shared


def test_sbig_temperatures_are_never_mixed(real_data, tmp_path):
    source = real_data("sbig_stl1001_2017_crop512")
    library = Library(tmp_path / "library")
    result = build_library(library, [source], QUICK)
    assert result.failed == result.refused == []
    entries = library.entries()
    for entry in entries:
        words = {"Neg10" if "Neg10" in i["file"] else "Neg5" for i in entry.inputs.values()}
        assert len(words) == 1, entry.name
    sets = {(e.kind.value, e.frame.meta.exposure if e.kind == "dark" else None): 0 for e in entries}
    assert len([k for k in sets if k[0] == "dark"]) == 6
    with fits.open(source / "darks-expos1-Neg5-Vis.00000003.DARK.FIT.fz") as opened:
        pixels, header = opened[1].data, opened[1].header.copy()
    for exposure in (60.0, 45.0):
        header["IMAGETYP"], header["EXPTIME"], header["OBJECT"] = "Light Frame", exposure, "M57"
        hdu = fits.PrimaryHDU(pixels, header)
        (tmp_path / "night").mkdir(exist_ok=True)
        hdu.writeto(tmp_path / "night" / f"light_{exposure:g}.fits", output_verify="silentfix")
    for asked in (False, True):
        todo = plan(tmp_path / "night", settings(library.path, interpolate_exposure=asked))
        given = {a.light.meta.exposure: a for a in todo.calibrations.assignments}
        assert given[60.0].dark.like.meta.exposure == 60.0
        assert given[60.0].dark.like.meta.set_temperature == -5.0
        assert (given[45.0].dark is not None) is asked
        assert given[45.0].bias is None if asked else given[45.0].bias.like.meta.set_temperature == -5.0
    assert all(part.like.meta.set_temperature == -5.0 for part, _ in given[45.0].dark.parts)
