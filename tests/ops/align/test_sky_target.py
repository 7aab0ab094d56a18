"""Images onto grids on the sky: against places that are known, astropy, reproject, and noise that is counted."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from firstlight.errors import FrameError, InputError
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.align.sky_target import SkyGrid, map_to, positions_of, scale_of, sky_of

SHAPE = (90, 120)
PLAIN = SkyGrid.around(150.0, 60.0, 2.0, (120, 90), rotation=25.0).plate
SIP = Plate({
    **PLAIN.cards, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2,
    "A_2_0": 3e-5, "A_1_1": -1e-5, "B_0_2": 1e-5, "B_1_1": 2e-5,
})  # fmt: skip
TPV = Plate({
    **PLAIN.cards, "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_0": 0.0, "PV1_1": 1.0, "PV1_4": 0.1, "PV1_7": 5.0,
    "PV2_0": 0.0, "PV2_1": 1.0, "PV2_4": -0.1,
})  # fmt: skip
GRID = SkyGrid.around(150.001, 60.0005, 1.7, (140, 110), rotation=-10.0)


STARS = sky_of(PLAIN, np.stack(np.meshgrid([20.0, 46.3, 73.8, 99.1], [15.2, 44.9, 74.4]), -1).reshape(-1, 2))


def stars(plate: Plate, shape: tuple[int, int], width: float = 1.8) -> np.ndarray:
    """Gaussians of surface brightness at fixed places on the sky, widths in units of 2 arcsec."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    sigma = width * 2.0 / scale_of(plate)
    at = positions_of(plate, STARS)
    return 50.0 + sum(900.0 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in at)


def centroids(plane: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Centres of light within 7 px of places, NaN where that leaves the plane."""
    found = np.full(near.shape, np.nan)
    for k, (cx, cy) in enumerate(np.round(near).astype(int)):
        y, x = np.mgrid[cy - 7 : cy + 8, cx - 7 : cx + 8]
        if min(cx, cy) >= 7 and cy + 8 <= plane.shape[0] and cx + 8 <= plane.shape[1]:
            light = plane[cy - 7 : cy + 8, cx - 7 : cx + 8] - 50.0
            found[k] = (light * x).sum() / light.sum(), (light * y).sum() / light.sum()
    return found


@pytest.mark.parametrize("plate", [PLAIN, SIP, TPV], ids=["tan", "sip", "tpv"])
def test_places_are_those_of_astropy(plate):
    pixels = np.random.default_rng(1).uniform(0, 90, (40, 2))
    theirs = np.column_stack(WCS(dict(plate.cards)).all_pix2world(*pixels.T, 0))
    assert np.abs((sky_of(plate, pixels) - theirs) * [0.5, 1.0]).max() * 3600 < 1e-5
    assert np.abs(positions_of(plate, theirs) - pixels).max() < 1e-4


@pytest.mark.parametrize("plate", [PLAIN, SIP, TPV], ids=["tan", "sip", "tpv"])
def test_stars_come_where_they_belong(plate):
    image = Image(stars(plate, SHAPE), plate=plate)
    there = brought_onto(image, map_to(plate, SHAPE, GRID), (110, 140), plate=GRID.plate, kernel="lanczos4")
    wanted = positions_of(GRID.plate, STARS)
    away = np.hypot(*(centroids(np.where(there.good[0], there.data[0], np.nan), wanted) - wanted).T)
    assert np.isfinite(away).sum() >= 6
    assert np.nanmax(away) < 0.02


def test_numbers_are_those_of_reproject():
    reproject = pytest.importorskip("reproject", reason="reproject is not installed: pip install 'firstlight[test]'")
    image = Image(stars(SIP, SHAPE), plate=SIP)
    ours = brought_onto(image, map_to(SIP, SHAPE, GRID), (110, 140), plate=GRID.plate, kernel="bilinear")
    theirs, covered = reproject.reproject_interp(
        (image.data[0], WCS(dict(SIP.cards))), WCS(dict(GRID.plate.cards)), shape_out=(110, 140), order="bilinear"
    )
    both = ours.good[0] & (covered > 0) & np.isfinite(theirs)
    assert both.mean() > 0.5
    assert np.abs(ours.data[0] - theirs)[both].max() < 1.0


def test_light_of_stars_stays_where_it_is_asked_for():
    image = Image(stars(PLAIN, SHAPE) - 50.0, plate=PLAIN)
    fine = SkyGrid.around(150.0, 60.0, 1.0, (300, 240), rotation=25.0)
    kept = brought_onto(image, map_to(PLAIN, SHAPE, fine), (240, 300), plate=fine.plate, conserve_flux=True)
    bright = brought_onto(image, map_to(PLAIN, SHAPE, fine), (240, 300), plate=fine.plate)
    assert kept.data.sum() == pytest.approx(image.data.sum(), rel=1e-3)
    assert bright.data.max() == pytest.approx(image.data.max(), rel=0.02)


@pytest.mark.parametrize("kernel", ["lanczos3", "bilinear"])
def test_variance_is_the_scatter_of_noise(kernel):
    rng = np.random.default_rng(2)
    forward = map_to(PLAIN, SHAPE, GRID)
    runs = []
    for _ in range(120):
        image = Image(rng.normal(0, 3, SHAPE), variance=np.full(SHAPE, 9.0), plate=PLAIN)
        result = brought_onto(image, forward, (110, 140), plate=GRID.plate, kernel=kernel)
        runs.append(result.data[0])
    good = result.good[0]
    measured = np.var(runs, axis=0)[good].mean()
    assert result.variance[0][good].mean() == pytest.approx(measured, rel=0.03)


def test_flags_and_missing_pixels_come_along():
    data = np.full(SHAPE, 7.0, np.float32)
    flags = np.zeros(SHAPE, np.uint16)
    flags[40, 50] = Flag.SATURATED
    data[60, 70] = np.nan
    image = Image(data, flags=flags, variance=np.ones(SHAPE), plate=PLAIN)
    there = brought_onto(image, map_to(PLAIN, SHAPE, GRID), (110, 140), plate=GRID.plate)
    ((sx, sy), (nx, ny)) = np.round(positions_of(GRID.plate, sky_of(PLAIN, np.array([[50.0, 40], [70, 60]])))).astype(
        int
    )
    assert has(there.flags[0], Flag.SATURATED)[sy, sx]
    assert has(there.flags[0], Flag.SATURATED).sum() < 8
    assert not there.good[0, ny, nx]
    inside = there.good[0]
    assert np.abs(there.data[0][inside] - 7.0).max() < 1e-4
    assert (there.variance[0][inside] > 0).all()


def test_union_holds_every_corner():
    shifted = SkyGrid.around(150.03, 60.02, 2.0, (100, 100)).plate
    grid = SkyGrid.like(PLAIN, SHAPE).containing([(PLAIN, SHAPE), (shifted, (100, 100))])
    for plate, (height, width) in ((PLAIN, SHAPE), (shifted, (100, 100))):
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], float)
        there = positions_of(grid.plate, sky_of(plate, corners))
        assert there.min() >= 0
        assert (there <= [grid.width - 1, grid.height - 1]).all()
    assert scale_of(grid.plate) == pytest.approx(2.0)


def test_grid_like_an_image_touches_it_in_the_middle():
    grid = SkyGrid.like(SIP, SHAPE)
    middle = np.array([[59.5, 44.5], [60.5, 44.5], [59.5, 45.5]])
    assert np.abs(positions_of(grid.plate, sky_of(SIP, middle)) - middle).max() < 1e-3
    assert not any(key.startswith("A_") for key in grid.plate.cards)


def test_the_other_side_of_the_sky_is_refused():
    far = SkyGrid.around(330.0, -60.0, 2.0, (100, 100))
    with pytest.raises(FrameError):
        map_to(TPV, SHAPE, far)
    with pytest.raises(FrameError):
        map_to(PLAIN, SHAPE, far)
    with pytest.raises(InputError, match="too far apart"):
        SkyGrid.like(PLAIN, SHAPE).containing([(far.plate, (100, 100))])
