"""Weights of lights: from measurements, headers and tables, and what is refused before any work."""

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.library.plans import Assignment
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Quality, Stars
from firstlight.ops.stack.weights import FORMULAS, METRICS
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.measure import Light
from firstlight.pipeline.register import Placed, flux_ratio
from firstlight.pipeline.settings import Normalize
from firstlight.pipeline.weigh import check_weighing, metrics_of, weigh, weights_of_headers, weights_of_table
from memory_frame import memory_frame


def stars_of(snr, flux):
    n = len(flux)
    one = np.ones(n)
    x, y = np.random.default_rng(1).uniform(0, 500, (2, n))
    return Stars(x, y, np.asarray(flux), one, 3 * one, one, 0 * one, 0 * one, snr * one, 0 * one)


def light(i, *, fwhm=3.0, n=200, noise=10.0, snr=30.0, flux=1000.0, **meta):
    frame = memory_frame(f"night/light_{i}.fits", **{"exposure": 60.0, **meta})
    quality = Quality(n, fwhm, fwhm / 2, 0.3, snr, 500.0, noise)
    stars = stars_of(snr, flux * np.linspace(1, 3, 12))
    return Light(frame, Assignment(frame), Calibration(), stars, quality, np.array([500.0]), np.array([noise]))


def place(lights):
    stay = Transform.identity()
    return [Placed(each, Registration(stay, 12), flux_ratio(each, lights[0], stay)) for each in lights]


LIGHTS = [light(0), light(1, fwhm=4.0, noise=20.0), light(2, flux=500.0, n=100, snr=20.0)]
PLACED = place(LIGHTS)
SCALES = np.array([[p.flux_ratio] for p in PLACED])


def relative(**rule):
    weights, notes = weigh(PLACED, LIGHTS[0], SCALES, Normalize(**rule))
    assert not notes
    assert weights.mean() == pytest.approx(1)
    return weights / weights[0]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Frame 1: noise doubled, FWHM 4 for 3. Frame 2: half of the light, so scaled by 2; half of the stars.
        ("noise", [1, 1 / 4, 1 / 4]),
        ("psf", [1, 1 / 4 * 9 / 16, 1 / 4]),
        ("fwhm", [1, 9 / 16, 1]),
        ("snr", [1, 1, 4 / 9]),
        ("stars", [1, 1, 0.001]),
        ("exposure", [1, 1, 1]),
        ("equal", [1, 1, 1]),
        # wFWHM 3, 4 and 3 + 6 = 9.
        ("wfwhm", [1, (1 / 16 - 1 / 81) / (1 / 9 - 1 / 81), 0.001]),
    ],
)
def test_every_named_weight_from_lights(weights, expected):
    np.testing.assert_allclose(relative(weights=weights), expected, rtol=1e-6)


def test_a_formula_of_the_user():
    np.testing.assert_allclose(
        relative(weights="formula", formula="stars / (scale * median(fwhm))"), [1, 1, 100 / 400], rtol=1e-6
    )


def test_every_metric_is_measured():
    found = metrics_of(PLACED, LIGHTS[0], SCALES)
    assert list(found) == list(METRICS)
    assert all(values.shape == (3,) for values in found.values())
    assert found["scale"].tolist() == [1, 1, 2]
    np.testing.assert_allclose(found["shared_snr"], [30, 30, 20])
    assert np.isnan(found["airmass"]).all()
    for text in FORMULAS.values():
        check_weighing(Normalize(weights="formula", formula=text), [], LIGHTS[0].frame.path)


def test_weights_of_headers():
    frames = [memory_frame(f"l{i}", cards=(("WEIGHT", w, ""),)) for i, w in enumerate((1, 2.5))]
    assert weights_of_headers(frames).tolist() == [1, 2.5]
    with pytest.raises(InputError, match="l2: WEIGHT is missing"):
        weights_of_headers([*frames, memory_frame("l2")])
    with pytest.raises(InputError, match="l3: WEIGHT is 'high'"):
        weights_of_headers([memory_frame("l3", cards=(("WEIGHT", "high", ""),))])


FRAMES = [each.frame for each in LIGHTS]


@pytest.mark.parametrize(
    "text",
    [
        "light_0.fits,1\nlight_1.fits,0.5\nlight_2.fits,0\n",
        "# mine\nname,weight\nlight_0,1\nlight_1,0.5\nlight_2,0\nlight_9,7\n",
        "file;fwhm;Weight\nnight/light_0.fits;3;1\nnight/light_1.fits;4;.5\nnight/light_2.fits;3;0\n",
        "\ufefffile\tweight\r\nlight_0.fits\t1\r\n\r\nlight_1.fits\t5e-1\r\nlight_2.fits\t0\r\n",
        "file,kind,weight\nlight_0.fits,light,1\nbias.fits,bias,\nlight_1.fits,light,0.5\nlight_2.fits,light,0\n",
    ],
)
def test_tables_as_people_write_them(tmp_path, text):
    path = tmp_path / "weights.csv"
    path.write_bytes(text.encode())
    assert weights_of_table(path, FRAMES).tolist() == [1, 0.5, 0]
    rule = check_weighing(Normalize(weights="csv"), FRAMES, tmp_path)
    weights, _ = weigh(PLACED, LIGHTS[0], SCALES, rule)
    np.testing.assert_allclose(weights, [2, 1, 0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("light_0.fits,1\n", r"no weight for light_1.fits and 1 more light"),
        ("light_0.fits,much\n", r"line 1: weight 'much'; a number"),
        ("light_0.fits,1\nlight_0.fits,2\n", r"line 2: light_0.fits has the weights 1 and 2"),
        ("", r"no weight for light_0.fits"),
    ],
)
def test_tables_that_do_not_serve(tmp_path, text, words):
    (tmp_path / "weights.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        check_weighing(Normalize(weights="csv"), FRAMES, tmp_path)


def test_what_is_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r"weights\.csv: cannot be read"):
        check_weighing(Normalize(weights="csv"), FRAMES, tmp_path)
    with pytest.raises(SpecError, match="unknown metric 'seeing'"):
        check_weighing(Normalize(weights="formula", formula="1/seeing"), FRAMES, tmp_path)
    with pytest.raises(SpecError, match="no formula; give one"):
        check_weighing(Normalize(weights="formula"), FRAMES, tmp_path)
    with pytest.raises(SpecError, match="for the formula give --normalize-weights formula too"):
        check_weighing(Normalize(formula="1/fwhm"), FRAMES, tmp_path)
