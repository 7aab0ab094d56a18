import numpy as np
import pytest

from firstlight.model.distortion import Bend, Distorted
from firstlight.model.registration import Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.distortion import fit_distortion
from firstlight.ops.align.match import MatchStars, match_stars
from firstlight.ops.align.resample import mark_near, noise_factor, resample_tile, source_window, withdraw_near
from firstlight.simulate.geometry import distort, undistort

SHAPE = (2822, 4144)


def stars_at(positions, seed=0):
    n = len(positions)
    flux = np.random.default_rng(seed).uniform(1e3, 1e5, n)
    order = np.argsort(-flux)
    ones = np.ones(n)
    x, y = positions[order].T
    return Stars(x, y, flux[order], flux[order], 3 * ones, ones, 0 * ones, 0 * ones, 80 * ones, 0 * ones)


def two_views(n, strength, degrees=0.0, shift=(150.0, -90.0), noise=0.03, seed=1):
    """The same stars behind the same lens, pointed elsewhere: positions on the frame and on the reference."""
    rng = np.random.default_rng(seed)
    height, width = SHAPE
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = np.array([width / 2, height / 2])
    turn = np.array([[c, -s], [s, c]])
    ideal = rng.uniform([-100, -100], [width + 100, height + 100], (n, 2))
    frame = distort(ideal, SHAPE, strength)
    reference = distort((ideal - middle) @ turn.T + middle + shift, SHAPE, strength)

    def truth(positions):
        return distort((undistort(positions, SHAPE, strength) - middle) @ turn.T + middle + shift, SHAPE, strength)

    seen = ((frame > 0) & (frame < [width, height]) & (reference > 0) & (reference < [width, height])).all(axis=1)
    moved = frame[seen] + rng.normal(0, noise, (seen.sum(), 2))
    return moved, reference[seen] + rng.normal(0, noise, (seen.sum(), 2)), truth


def grid_of_positions():
    x, y = np.meshgrid(np.linspace(200, SHAPE[1] - 350, 20), np.linspace(150, SHAPE[0] - 100, 15))
    return np.column_stack([x.ravel(), y.ravel()])


@pytest.mark.parametrize(("strength", "degrees"), [(0.004, 0.3), (-0.003, 180.0), (0.002, 35.0)])
def test_matching_finds_the_distortion(strength, degrees):
    frame, reference, truth = two_views(400, strength, degrees)
    registration = match_stars(stars_at(frame), stars_at(reference))
    assert registration.method.endswith("distortion")
    error = np.hypot(*(registration.transform(grid_of_positions()) - truth(grid_of_positions())).T)
    straight = match_stars(stars_at(frame), stars_at(reference), MatchStars(distortion=False))
    before = np.hypot(*(straight.transform(grid_of_positions()) - truth(grid_of_positions())).T)
    assert np.sqrt((error**2).mean()) < 0.03 < np.sqrt((before**2).mean())
    assert error.max() < 0.1
    assert registration.n_matched > 0.95 * len(frame)


@pytest.mark.parametrize("seed", range(12))
def test_no_distortion_is_found_where_there_is_none(seed):
    frame, reference, _ = two_views(120, 0.0, 0.3, noise=0.1, seed=seed)
    assert match_stars(stars_at(frame), stars_at(reference)).method in ("stars: similarity", "stars: affine")


def test_few_stars_or_an_empty_corner_give_none():
    frame, reference, _ = two_views(400, 0.004)
    sigma = np.full(len(frame), 0.04)
    transform = match_stars(stars_at(frame), stars_at(reference), MatchStars(distortion=False)).transform
    assert fit_distortion(frame, reference, sigma, transform, frame) is not None
    assert fit_distortion(frame[:50], reference[:50], sigma[:50], transform, frame) is None
    half = frame[:, 0] < SHAPE[1] / 2
    assert fit_distortion(frame[half], reference[half], sigma[half], transform, frame) is None


def test_wrong_pairs_do_no_harm():
    frame, reference, truth = two_views(400, 0.004)
    transform = match_stars(stars_at(frame), stars_at(reference), MatchStars(distortion=False)).transform
    sigma = np.full(len(frame), 0.04)
    rng = np.random.default_rng(3)
    wrong = rng.choice(len(frame), 25, replace=False)
    reference[wrong] += rng.uniform(-2, 2, (25, 2))
    found = fit_distortion(frame, reference, sigma, transform, frame)
    assert found is not None
    assert np.hypot(*(found(grid_of_positions()) - truth(grid_of_positions())).T).max() < 0.1


def bent(scale=1.0):
    """About 3 px in the corners of 240 x 300 pixels, and a turn."""
    rng = np.random.default_rng(5)
    bend = Bend((150.0, 120.0), 192.0, scale * rng.normal(0, 1.0, (7, 2)))
    return Distorted.of(bend, Transform(np.array([[1.0, -0.02, 3.3], [0.02, 1.0, -4.7], [0, 0, 1]])))


def test_inverse_undoes_and_chains_join():
    positions = np.random.default_rng(0).uniform(0, 240, (50, 2))
    forward, plain = bent(), Transform.of_shift(0.5, 7.0)
    np.testing.assert_allclose(forward.inverse(forward(positions)), positions, atol=1e-9)
    for chain in (plain.then(forward).then(plain), plain.then(forward.then(plain))):
        np.testing.assert_allclose(chain(positions), plain(forward(plain(positions))), atol=1e-12)
        np.testing.assert_allclose(chain.inverse(chain(positions)), positions, atol=1e-9)
        assert not chain.is_affine


def test_resampling_follows_the_distortion():
    def scene(x, y):
        return 100 + 50 * np.cos(2 * np.pi * 0.12 * x) * np.cos(2 * np.pi * 0.1 * y)

    yy, xx = np.mgrid[:240, :300].astype(float)
    plane, forward = scene(xx, yy).astype(np.float32), bent(0.3)
    seen = forward.inverse(np.column_stack([xx.ravel(), yy.ravel()]))
    out = np.empty_like(plane)
    resample_tile(plane, 0, plane.shape, forward, out, 0, 0)
    inner = ((seen > 4) & (seen < [295, 235])).all(axis=1).reshape(xx.shape)
    error = np.abs(out - scene(*seen.T).reshape(xx.shape))[inner].max()
    # As well as a plain turn does: the mesh adds nothing to speak of.
    straight = Transform(forward.matrix + np.array([[0, 0.08, 0], [-0.08, 0, 0], [0, 0, 0]]))
    seen = straight.inverse(np.column_stack([xx.ravel(), yy.ravel()]))
    inner = ((seen > 4) & (seen < [295, 235])).all(axis=1).reshape(xx.shape)
    plain = np.empty_like(plane)
    resample_tile(plane, 0, plane.shape, straight, plain, 0, 0)
    assert error < 1.25 * np.abs(plain - scene(*seen.T).reshape(xx.shape))[inner].max()
    for part in ((0, 40, 0, 300), (101, 117, 33, 201), (200, 240, 150, 300)):
        window = source_window(forward, part, plane.shape, 3)
        tile = np.empty((part[1] - part[0], part[3] - part[2]), np.float32)
        resample_tile(plane[window[0] : window[1]], window[0], plane.shape, forward, tile, part[0], part[2])
        np.testing.assert_array_equal(tile, out[part[0] : part[1], part[2] : part[3]])


def test_the_mesh_is_fine_enough_for_a_lens():
    from firstlight.ops.align.resample import _mesh

    frame, reference, _ = two_views(400, 0.004, 1.0)
    forward = match_stars(stars_at(frame), stars_at(reference)).transform
    assert isinstance(forward, Distorted)
    mesh = _mesh(forward, (64, 64), 16, 16)
    exact = forward.inverse(np.array([[24.0, 24.0], [40.0, 24.0]]))
    between = [mesh[i : i + 2, j : j + 2].mean(axis=(0, 1)) for i, j in ((0, 0), (0, 1))]
    assert np.abs(np.array(between) - exact).max() < 1e-3


def test_bad_pixels_are_marked_where_they_went():
    forward = bent()
    ys, xs = np.array([20, 120, 200]), np.array([30, 150, 280])
    marked, source = np.zeros((240, 300), np.uint16), np.zeros((240, 300), np.float32)
    mark_near(ys, xs, forward, 0, 0, np.uint16(1), marked)
    source[ys, xs] = 1.0
    seen = np.empty_like(source)
    resample_tile(source, 0, source.shape, forward, seen, 0, 0, kernel="bilinear")
    assert (marked[np.nan_to_num(seen) > 0.02] > 0).all()
    assert 3 <= np.count_nonzero(marked) <= 12
    out, sums, weights = np.ones_like(source), np.zeros_like(source), np.zeros_like(source)
    withdraw_near(ys, xs, forward, 0, 0, np.float32(1), np.float32(0), np.float32(1), out, sums, weights)
    np.testing.assert_array_equal(np.isnan(out), marked > 0)


def test_noise_factor_knows_bent_maps():
    assert noise_factor(bent(), (0, 240, 0, 300), "lanczos3") == pytest.approx(
        noise_factor(bent(0.0).then(Transform.identity()), (0, 240, 0, 300), "lanczos3"), rel=0.03
    )
