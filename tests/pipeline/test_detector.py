"""A detector measured from frames, against the numbers it was made with and against a real one."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.meta import Kind
from firstlight.pipeline.detector import DetectorSettings, measure_detectors
from synthetic_detector import SyntheticDetector

EXPOSURES = (1, 2, 4, 7, 10, 14, 18, 22, 36)
COLD = -8.0


def shoot(folder, device, *, n_bias=14, exposures=EXPOSURES, **meta):
    """Bias frames and darks at two temperatures, and two flats of each exposure."""
    folder.mkdir(exist_ok=True)
    number = 0

    def take(kind, n, **options):
        nonlocal number
        for _ in range(n):
            device.write(folder, kind, number, **options, **meta)
            number += 1

    take(Kind.BIAS, n_bias)
    take(Kind.BIAS, 3, temperature=COLD)
    for temperature in (0.0, COLD):
        for exposure in (30.0, 60.0, 120.0):
            take(Kind.DARK, 3 if exposure == 120 else 1, exposure=exposure, temperature=temperature)
    for exposure in exposures:
        take(Kind.FLAT, 2, exposure=float(exposure), light=2000.0, filter="L")
    return folder


@pytest.fixture(scope="module")
def mono(tmp_path_factory):
    device = SyntheticDetector(bend=0.04, glow=0.5, bad_column=100, n_jumping=30, n_hot=120)
    (measured,) = measure_detectors([shoot(tmp_path_factory.mktemp("mono") / "a", device)])
    return device, measured


def test_gain_and_read_noise(mono):
    _, measured = mono
    # Counted in whole adu: their rounding is part of the noise of a reading.
    assert measured.read_noise == pytest.approx(np.hypot(6.0, 1.5 / 12**0.5), rel=0.02)
    assert measured.gain == pytest.approx(1.5, rel=0.01)
    assert measured.bias_level == pytest.approx(600, abs=0.5)
    assert measured.bias_pattern == pytest.approx(1.5, rel=0.1)
    assert abs(measured.correlation) < 0.01
    assert set(measured.noises) == {0.0, COLD}


def test_full_well_and_linearity(mono):
    device, measured = mono
    assert measured.full_well[0] == pytest.approx(device.full_well * (1 - 0.04), rel=0.1)
    # s - 4e-8 s^2 in electrons turned round.
    assert measured.correction.second == pytest.approx(0.04 / 40000, rel=0.1)
    assert measured.correction.before > 1
    assert measured.correction.after < 0.1
    assert measured.colours["mono"].linearity.r2 < 0.9999
    assert measured.colours["mono"].levels[-1].saturated


def test_dark_current_and_its_doubling(mono):
    _, measured = mono
    rates = {rate.temperature: rate.rate for rate in measured.rates}
    assert rates[0] == pytest.approx(0.5, rel=0.08)
    assert measured.doubling[0] == pytest.approx(6.0, rel=0.05)


def test_bad_pixels(mono):
    device, measured = mono
    bad = measured.bad
    assert bad.hot.reshape(-1)[device.hot].all()
    assert bad.jumping.reshape(-1)[device.jumping].mean() > 0.9
    assert np.count_nonzero(bad.jumping) < 40
    assert bad.counts[10.0] == pytest.approx(120, abs=3)
    assert bad.glow.certain
    assert bad.glow.place == "top right"
    assert [(line.axis, line.index) for source, line in bad.lines if source == "bias"] == [("column", 100)]
    assert bad.hot[0, -1, 100]


def test_each_colour_has_its_gain_and_hot_pixels_tell_the_doubling_of_a_cold_sensor(tmp_path):
    gains = {"R": 1.4, "G": 1.5, "B": 1.65}
    device = SyntheticDetector(cfa="GRBG", gains=gains, dark=0.003, n_hot=400)
    (measured,) = measure_detectors([shoot(tmp_path / "a", device, n_bias=4)])
    for colour, truth in gains.items():
        assert measured.colours[colour].gain == pytest.approx(truth, rel=0.01)
        noise = measured.colours[colour].read_noise.adu * truth
        assert noise == pytest.approx(np.hypot(6.0, truth / 12**0.5), rel=0.02)
    assert measured.doubling[0] == pytest.approx(6.0, rel=0.05)
    assert measured.doubling_from == "hot pixels"
    assert measured.correction.before < 0.1
    assert measured.bad.noisy is None
    profile = measured.profile
    assert profile.gains == pytest.approx(gains, rel=0.01)
    assert profile.gain == pytest.approx(np.mean(list(gains.values())), rel=0.01)


def test_settings_are_measured_apart_and_lights_left_alone(tmp_path):
    for number, gain in enumerate((1.0, 2.0)):
        device = SyntheticDetector(width=96, height=64, gains={"mono": gain}, seed=number)
        shoot(tmp_path / str(number), device, n_bias=2, exposures=(5,), gain_setting=100.0 * number)
    SyntheticDetector(width=96, height=64).write(tmp_path, Kind.LIGHT, 900, 60.0)
    found = measure_detectors([tmp_path])
    assert [m.frames.meta.gain_setting for m in found] == [0.0, 100.0]
    assert [m.gain for m in found] == pytest.approx([1.0, 2.0], rel=0.15)


def test_what_is_missing_is_said(tmp_path):
    device = SyntheticDetector(width=96, height=64)
    device.write(tmp_path, Kind.BIAS, 1)
    (measured,) = measure_detectors([tmp_path])
    assert measured.gain is None
    assert measured.read_noise is None
    assert any("one bias frame alone" in note for note in measured.notes)
    assert any("no gain" in note for note in measured.notes)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no frames"):
        measure_detectors([empty])


def test_results_do_not_depend_on_the_number_of_threads(tmp_path):
    device = SyntheticDetector(width=128, height=96)
    folder = shoot(tmp_path / "a", device, n_bias=3, exposures=(2, 5, 9))
    one, four = (measure_detectors([folder], DetectorSettings(threads=n))[0] for n in (1, 4))
    assert one.profile == four.profile


def test_a_real_ccd(real_data):
    """SBIG STL-1001E: 1.96 e-/adu and 13.1 e- were measured by the students who took the frames."""
    (measured,) = measure_detectors([real_data("sbig_stl1001_2017_crop512")])
    assert measured.gain == pytest.approx(1.96, abs=0.05)
    assert measured.read_noise == pytest.approx(13.1, abs=0.3)
    assert [r.temperature for r in measured.rates] == [-10, -5]
    assert 4 < measured.doubling[0] < 7
    columns = [line for source, line in measured.bad.lines if source == "bias"]
    assert [(line.axis, line.index) for line in columns] == [("column", 198)]
    assert columns[0].first > 50
    assert any("2.06 e-/adu" in note for note in measured.notes)
