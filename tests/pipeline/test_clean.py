"""Cosmic rays, banding and named bad pixels in the engine: pixel for pixel what the operations make."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.library.plans import Assignment
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.spec import parse_step
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.clean import Clean, with_named
from firstlight.pipeline.measure import measure_light
from firstlight.pipeline.settings import Calibrate
from firstlight.simulate.scene import cosmic_rays as simulated_rays
from memory_frame import memory_frame

SHAPE = (240, 300)


@pytest.fixture(params=[None, "RGGB"], ids=["mono", "mosaic"])
def light(request):
    """A frame with stars, rays and banding; its calibration, with bad pixels; and the slow path's input."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sky = np.full(SHAPE, 300.0)
    for _ in range(40):
        cx, cy = rng.uniform(5, SHAPE[1] - 5), rng.uniform(5, SHAPE[0] - 5)
        sky += 10 ** rng.uniform(2.5, 4) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2.2**2))
    if request.param:
        sky *= np.tile([[0.6, 1.0], [1.0, 0.8]], (SHAPE[0] // 2, SHAPE[1] // 2))
    data = rng.poisson(sky) + rng.normal(0, 4, SHAPE) + rng.normal(0, 6, (SHAPE[0], 1)) + 500
    where, charge = simulated_rays(rng, SHAPE, 40)
    data.flat[where] += charge
    flat = (1 - 0.2 * np.hypot(x - 150, y - 120) / 150).astype(np.float32)
    bad = np.zeros(SHAPE, bool)
    bad.flat[rng.permutation(bad.size)[:200]] = True
    frame = memory_frame("a", data.astype(np.float32), cfa=request.param, gain=1.0, read_noise=4.0)
    calibration = Calibration(
        offset=np.full((1, *SHAPE), 500, np.float32), gain=(1 / flat)[None], defects=(Defects.of(bad),),
        step=2 if request.param else 1,
    )  # fmt: skip
    raw = (frame.rows(0, SHAPE[0]) - np.float32(500)) * (1 / flat)
    flags = np.where(bad, np.uint16(Flag.HOT), np.uint16(0))
    return frame, calibration, Image(raw, flags[None], meta=frame.meta)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [(Calibrate(cosmic_rays=True), ["cal:cosmicrays"]), (Calibrate(banding="both"), ["nr:banding:direction=both"]),
     (Calibrate(cosmic_rays=True, banding="rows"), ["cal:cosmicrays", "nr:banding"])],
    ids=["rays", "banding", "all"],
)  # fmt: skip
def test_the_engine_does_what_the_operations_do(light, settings, steps):
    frame, calibration, image = light
    expected = parse_step("cal:repair")(image)
    for step in steps:
        expected = parse_step(step)(expected)
    measured = measure_light(Assignment(frame), calibration, FindStars(), clean=Clean.of(settings))
    whole = measured.calibration.band(frame, 0, SHAPE[0])
    np.testing.assert_array_equal(whole.data, expected.data)
    part = measured.calibration.band(frame, 90, 141)
    np.testing.assert_array_equal(part.data, expected.data[:, 90:141])
    if settings.cosmic_rays:
        rays = np.argwhere(expected.flags[0] & Flag.COSMIC_RAY)
        assert len(rays) > 40
        missing = set(zip(*(axis.tolist() for axis in whole.missing[0])))
        assert {tuple(ray) for ray in rays.tolist()} <= missing


def test_nothing_is_cleaned_unasked(light):
    frame, calibration, image = light
    clean = Clean.of(Calibrate())
    assert not clean.wanted
    measured = measure_light(Assignment(frame), calibration, FindStars(), clean=clean)
    assert measured.calibration is calibration
    np.testing.assert_array_equal(
        measured.calibration.band(frame, 0, SHAPE[0]).data, parse_step("cal:repair")(image).data
    )


def test_bad_pixels_of_a_file_join_those_of_the_masters(tmp_path, light):
    _, calibration, _ = light
    path = tmp_path / "bad.yaml"
    path.write_text("columns: [11]\n")
    key = ("a", (1, *SHAPE))
    named = with_named({key: calibration}, str(path))[key]
    assert len(named.defects[0]) > len(calibration.defects[0]) + 200
    assert np.count_nonzero(named.defects[0].xs == 10) == SHAPE[0]
    assert with_named({key: calibration}, "")[key] is calibration
    with pytest.raises(InputError, match="cannot be read"):
        with_named({key: calibration}, str(tmp_path / "none.yaml"))
