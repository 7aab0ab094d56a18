"""Panels on one sphere: places, loops and distortion found from the stars they share."""

import numpy as np
import pytest

from firstlight.model.registration import Transform
from firstlight.ops.align.bundle import Link, _Camera, join_panels

SHAPE = (1000, 1500)
FOCAL = 8000.0


def sky(seed=0, n=4000):
    """Ideal positions on the plane of panel 0."""
    return np.random.default_rng(seed).uniform([-2500, -2000], [4500, 3500], (n, 2))


def panels_of(camera, numbers, strength=0.0, noise=0.0, seed=1):
    """For each panel: indices of the stars it sees and where it sees them."""
    stars, rng = sky(), np.random.default_rng(seed)
    bend = camera.bend_of(strength)
    seen = []
    for each in numbers:
        position = camera.transform(np.array(each)).inverse(stars)
        position = bend.undo(position)
        inside = ((position > 0) & (position < [SHAPE[1] - 1, SHAPE[0] - 1])).all(axis=1)
        index = np.flatnonzero(inside)
        seen.append((index, position[index] + rng.normal(0, noise, (len(index), 2))))
    return seen


def links_of(seen, pairs, sigma=0.1):
    links = []
    for a, b in pairs:
        common, i, j = np.intersect1d(seen[a][0], seen[b][0], return_indices=True)
        links.append(Link(a, b, seen[a][1][i], seen[b][1][j], np.full(len(common), sigma)))
    return links


TRUE = [(0, 0, 0, 0), (1280, 30, 0.01, 1e-4), (-20, 860, -0.02, 0), (1290, 880, np.pi, -2e-4)]
LOOP = [(0, 1), (0, 2), (1, 3), (2, 3)]


def errors(bundle, camera, strength=0.0):
    yy, xx = np.mgrid[0 : SHAPE[0] : 100, 0 : SHAPE[1] : 100]
    grid = np.column_stack([xx.ravel(), yy.ravel()]).astype(float)
    bend = camera.bend_of(strength)
    return [
        np.hypot(*(bundle.transforms[k](grid) - camera.transform(np.array(true))(bend(grid))).T).max()
        for k, true in enumerate(TRUE)
    ]


def test_a_loop_of_panels_closes_on_the_sphere():
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, noise=0.05), LOOP)
    bundle = join_panels(links, {0: Transform.identity()}, SHAPE, FOCAL)
    assert max(errors(bundle, camera)) < 0.25
    assert bundle.rms == pytest.approx(0.05 * 2, rel=0.15)
    assert bundle.bend is None


def test_the_sky_is_no_plane():
    """Without the focal length the panels cannot meet: the curvature is seen."""
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, noise=0.05), LOOP)
    flat = join_panels(links, {0: Transform.identity()}, SHAPE, None, may_bend=False)
    assert flat.rms > 0.3


def test_distortion_is_found_and_only_where_there_is_some():
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, strength=0.004, noise=0.05), LOOP)
    bundle = join_panels(links, {0: Transform.identity()}, SHAPE, FOCAL)
    assert bundle.bend is not None
    assert camera.strength_of(bundle.bend) == pytest.approx(0.004, rel=0.03)
    assert max(errors(bundle, camera, 0.004)) < 0.5
    without = join_panels(links, {0: Transform.identity()}, SHAPE, FOCAL, may_bend=False)
    assert without.rms > 5 * bundle.rms


def test_a_panel_without_a_link_is_left_out():
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, noise=0.05), [(0, 1), (2, 3)])
    bundle = join_panels(links, {0: Transform.identity()}, SHAPE, FOCAL)
    assert sorted(bundle.transforms) == [0, 1]


def test_wrong_pairs_do_no_harm():
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, noise=0.05), LOOP)
    rng = np.random.default_rng(5)
    for link in links:
        wrong = rng.random(len(link.sigma)) < 0.05
        link.partners[wrong] += rng.normal(0, 2.0, (wrong.sum(), 2))
    bundle = join_panels(links, {0: Transform.identity()}, SHAPE, FOCAL)
    assert max(errors(bundle, camera)) < 0.3


def test_panels_that_are_placed_stay():
    camera = _Camera(SHAPE, FOCAL)
    links = links_of(panels_of(camera, TRUE, noise=0.05), LOOP)
    held = {0: Transform.identity(), 1: camera.transform(np.array(TRUE[1]))}
    bundle = join_panels(links, held, SHAPE, FOCAL, may_bend=False)
    np.testing.assert_array_equal(bundle.transforms[1].matrix, held[1].matrix)
    assert max(errors(bundle, camera)) < 0.25
