import numpy as np
import pytest

from firstlight.kernels import shapes
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import (
    half_width,
    noise_correlation,
    noise_factor,
    resample_tile,
    source_window,
    turns_little,
)

KERNELS = ("lanczos3", "lanczos4", "lanczos2", "bicubic", "bilinear", "nearest")


def turned(degrees, x=0.0, y=0.0, scale=1.0):
    """Plane to grid: about the middle of 240 x 300 pixels."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return Transform(np.array([[c, -s, 150 - 150 * c + 120 * s + x], [s, c, 120 - 150 * s - 120 * c + y], [0, 0, 1]]))


MAPS = {
    "shift": Transform.of_shift(3.3, -7.6),
    "half": Transform.of_shift(0.5, 0.5),
    "turn": turned(0.8, 2.2, 1.4),
    "large turn": turned(35),
    "pier flip": turned(179.7, 3.1, 0.2),
    "stretch": turned(3.0, 1, 1, 1.02),
    "tilt": Transform(turned(0.5, 2.2, 1.4).matrix + np.array([[0, 0, 0], [0, 0, 0], [2e-6, -1e-6, 0]])),
}


def resample(plane, forward, kernel="lanczos3", part=None, **options):
    """A tile as the engine makes it: from the rows it sees."""
    part = part or (0, plane.shape[0], 0, plane.shape[1])
    out = np.full((part[1] - part[0], part[3] - part[2]), np.nan, np.float32)
    window = source_window(forward, part, plane.shape, half_width(kernel))
    if window is not None:
        rows = plane[window[0] : window[1]]
        resample_tile(rows, window[0], plane.shape, forward, out, part[0], part[2], kernel=kernel, **options)
    return out


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", MAPS)
def test_tiles_from_the_rows_they_see_equal_the_whole(name, kernel):
    plane = np.random.default_rng(3).normal(100, 10, (240, 300)).astype(np.float32)
    options = {"clamp": 5.0, "photons": 0.3, "kernel": kernel}
    whole = resample(plane, MAPS[name], **options)
    assert np.isfinite(whole).mean() > 0.5
    for part in ((0, 50, 0, 300), (101, 117, 0, 300), (60, 240, 33, 201), (239, 240, 299, 300)):
        tile = resample(plane, MAPS[name], part=part, **options)
        np.testing.assert_array_equal(tile, whole[part[0] : part[1], part[2] : part[3]])


@pytest.mark.parametrize("cycles", [0.1, 0.2, 1 / 3])
@pytest.mark.parametrize("kernel", KERNELS[:-1])
@pytest.mark.parametrize("name", ["shift", "turn", "large turn"])
def test_waves_come_out_as_the_kernel_passes_them(name, kernel, cycles):
    def scene(x, y):
        return np.cos(2 * np.pi * cycles * x + 0.3) * np.cos(2 * np.pi * 0.01 * y)

    yy, xx = np.mgrid[:240, :300].astype(float)
    seen = MAPS[name].inverse(np.column_stack([xx.ravel(), yy.ravel()]))
    inner = ((seen > 5) & (seen < [294, 234])).all(axis=1).reshape(xx.shape)
    result = resample(scene(xx, yy).astype(np.float32), MAPS[name], kernel)
    error = np.abs(result - scene(*seen.T).reshape(xx.shape))[inner].max()
    # What sampling with these weights does to the wave, at the worst phase.
    phase = np.linspace(0, 1, 65) if name != "shift" else np.array([0.7])
    taps = np.arange(1 - half_width(kernel), half_width(kernel) + 1)
    passed = shapes.weights(kernel, phase) @ np.exp(2j * np.pi * cycles * taps)
    worst = np.abs(passed - np.exp(2j * np.pi * cycles * phase)).max()
    assert 0.9 * worst - 1e-3 < error < 1.02 * worst + 3e-3
    # Lanczos 3 keeps what stars of FWHM 3 px are made of to 2.5 %, a parabola through four samples to 9 %.
    most = {"lanczos4": 0.021, "lanczos3": 0.025, "lanczos2": 0.07, "bicubic": 0.09, "bilinear": 0.2}[kernel]
    assert worst < most or cycles > 0.2


@pytest.mark.parametrize("clamp", [np.inf, 1.0])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", MAPS)
def test_variance_after_resampling_is_that_of_many_realisations(name, kernel, clamp):
    rng = np.random.default_rng(7)
    squares, n = 0.0, 0
    for _ in range(6):
        plane = rng.normal(100, 10, (240, 300)).astype(np.float32)
        result = resample(plane, MAPS[name], kernel, clamp=10 * clamp)
        inner = result[50:190, 60:240]
        inner = inner[np.isfinite(inner)]
        squares += ((inner - 100.0) ** 2).sum()
        n += inner.size
    assert n > 100_000
    assert squares / n / 100 == pytest.approx(noise_factor(MAPS[name], (50, 190, 60, 240), kernel), rel=0.03)


@pytest.mark.parametrize("name", ["half", "turn", "large turn", "stretch"])
def test_wide_areas_have_the_noise_that_the_correlation_says(name):
    rng = np.random.default_rng(9)
    single, wide = [], []
    for _ in range(12):
        plane = rng.normal(0, 1, (240, 300)).astype(np.float32)
        inner = resample(plane, MAPS[name])[56:184, 64:240].astype(float)
        single.append((inner**2).mean())
        wide.append((inner.reshape(4, 32, -1, 16).mean(axis=(1, 3)) ** 2).mean() * 32 * 16)
    found = np.sqrt(np.mean(wide) / np.mean(single))
    # 528 areas: their scatter is known to 3 %, and each loses a little of its neighbours' share at its rim.
    assert found == pytest.approx(noise_correlation(MAPS[name], (56, 184, 64, 240), "lanczos3"), rel=0.09)


def test_nearest_takes_the_nearest():
    plane = np.arange(240 * 300, dtype=np.float32).reshape(240, 300)
    result = resample(plane, Transform.of_shift(2.4, -1.4), "nearest")
    np.testing.assert_array_equal(result[:239, 2:], plane[1:, :298])
    assert np.isnan(result[239]).all()
    assert np.isnan(result[:, :2]).all()


def test_a_plane_that_is_not_seen_leaves_nothing():
    for forward in (Transform.of_shift(1e4, 0), turned(20, 0, -900)):
        out = np.zeros((20, 300), np.float32)
        resample_tile(np.ones((240, 300), np.float32), 0, (240, 300), forward, out, 0, 0)
        assert np.isnan(out).all()
        assert source_window(forward, (0, 20, 0, 300), (240, 300), 3) is None


def test_which_path_serves():
    assert turns_little(turned(0.3))
    assert turns_little(turned(180.2))
    assert not turns_little(turned(45))
    assert not turns_little(turned(90))
    assert not turns_little(MAPS["tilt"])


# At half a pixel, where it is worst: Lanczos makes stars of 3 px smaller, bicubic larger.
@pytest.mark.parametrize(("kernel", "growth"), [("lanczos3", 0.008), ("lanczos4", 0.006), ("bicubic", 0.03)])
def test_stars_hardly_grow(kernel, growth):
    yy, xx = np.mgrid[:240, :300]
    sigma = 3.0 / 2.3548
    sizes = []
    for dx, dy in ((0.0, 0.0), (0.5, 0.5)):
        plane = np.zeros((240, 300))
        for y in range(20, 230, 30):
            for x in range(20, 290, 30):
                plane += 1e4 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))
        result = resample(plane.astype(np.float32), Transform.of_shift(dx, dy), kernel, clamp=1.0, photons=1.0)
        stamp = np.mean(
            [result[y - 9 : y + 11, x - 9 : x + 11] for y in range(20, 230, 30) for x in range(20, 290, 30)], axis=0
        )
        sizes.append(_fwhm(stamp, 9 + dx, 9 + dy))
    assert abs(sizes[1] / sizes[0] - 1) < growth


def _fwhm(stamp, x0, y0):
    from scipy.optimize import curve_fit

    y, x = np.mgrid[: stamp.shape[0], : stamp.shape[1]]
    r2 = ((x - x0) ** 2 + (y - y0) ** 2).ravel()
    best, _ = curve_fit(lambda r2, a, s: a * np.exp(-r2 / (2 * s**2)), r2, stamp.ravel(), (1e4, 1.3))
    return 2.3548 * abs(best[1])
