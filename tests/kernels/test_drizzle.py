"""Drops against polygons clipped one by one."""

from itertools import pairwise

import numpy as np
import pytest

from firstlight.kernels import drizzle as kernels
from firstlight.model.distortion import Bend, Distorted
from firstlight.model.registration import Transform
from firstlight.ops.stack.drizzle import MONO, mesh_of

SHAPE = (9, 11)
BAYER = np.array([[0, 1], [1, 2]])


def affine(scale=1.0, degrees=0.0, x=0.0, y=0.0, shear=0.0, flip=1.0):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return Transform(np.array([[c, flip * (shear * c - s), x], [s, flip * (shear * s + c), y], [0, 0, 1]]))


MAPS = {
    "still": affine(),
    "half": affine(x=0.5, y=0.5),
    "shift": affine(x=1.3, y=2.7),
    "double": affine(2.0, x=0.5, y=0.5),
    "half size": affine(0.5, x=1.1, y=0.4),
    "triple": affine(3.0, x=0.7, y=1.9),
    "upside down": Transform(np.array([[-2.0, 0, 24.3], [0, -2.0, 19.6], [0, 0, 1]])),
    "hardly turned": affine(degrees=1e-7, x=0.5, y=0.5),
    "turned": affine(1.7, 31.0, 8.2, 1.5),
    "quarter": affine(2.0, 90.0, 18.5, 0.5),
    "sheared": affine(2.2, 12.0, 4.0, 2.0, shear=0.4),
    "flipped": affine(1.5, 200.0, 20.0, 12.0, flip=-1.0),
    "tilted": Transform(np.array([[2.0, 0.1, 1.0], [-0.1, 1.9, 2.0], [2e-3, -1e-3, 1.0]])),
    "bent": Distorted.of(
        Bend((5.0, 4.0), 10.0, np.array([[0.05, 0.02], [-0.03, 0.04], [0.02, 0.05]])), affine(2.0, 5.0, 2.0, 1.0)
    ),
}
SIZE = (34, 40)


def clip(polygon, axis, value, keep_below):
    """Sutherland and Hodgman: what is left of a polygon on one side of a line."""
    kept = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1]):
        a_in, b_in = ((p[axis] <= value) == keep_below or p[axis] == value for p in (a, b))
        if a_in:
            kept.append(a)
        if a_in != b_in:
            t = (value - a[axis]) / (b[axis] - a[axis])
            kept.append(tuple(a[i] + t * (b[i] - a[i]) for i in (0, 1)))
    return kept


def area(polygon):
    x, y = np.array(polygon if len(polygon) else [(0, 0)]).T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def shares_of(corners):
    """Pixel of the grid (y, x) to the part of the drop that lies on it."""
    whole = area(corners)
    low, high = np.floor(np.min(corners, axis=0) + 0.5), np.floor(np.max(corners, axis=0) + 0.5)
    found = {}
    for j in range(int(low[1]), int(high[1]) + 1):
        for i in range(int(low[0]), int(high[0]) + 1):
            part = corners
            for axis, value, below in (
                (0, i - 0.5, False),
                (0, i + 0.5, True),
                (1, j - 0.5, False),
                (1, j + 0.5, True),
            ):
                part = clip(part, axis, value, below)
            if area(part) > 0:
                found[j, i] = area(part) / whole
    return found


def between_nodes(forward):
    """The map that a kernel sees: linear between the nodes of its mesh."""
    if forward.is_affine:
        return forward

    def meshed(positions):
        step = kernels.CELL
        low = np.floor(positions / step) * step
        u, v = ((positions - low) / step).T[:, :, None]
        nodes = [[forward(low + np.array([i * step, j * step])) for i in (0, 1)] for j in (0, 1)]
        return (1 - v) * ((1 - u) * nodes[0][0] + u * nodes[0][1]) + v * ((1 - u) * nodes[1][0] + u * nodes[1][1])

    return meshed


def corners_of(forward, x, y, pixfrac, shape):
    half = pixfrac / 2
    at = np.array([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])
    quad = forward(at)
    if shape == kernels.TURBO:
        side = 0.5 * np.sqrt(area(quad))
        quad = forward(np.array([(x, y)])) + side * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return [tuple(corner) for corner in quad]


def slow(values, variances, states, pattern, forward, pixfrac, shape, weight, channels):
    totals = np.zeros((channels, *SIZE, 3))
    forward, values, variances = between_nodes(forward), values.astype(float), variances.astype(float)
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if states[y, x] != kernels.USED:
                continue
            if shape == kernels.POINT:
                px, py = np.floor(forward(np.array([(x, y)]))[0] + 0.5).astype(int)
                shares = {(py, px): 1.0}
            else:
                shares = shares_of(corners_of(forward, x, y, pixfrac, shape))
            for (j, i), share in shares.items():
                if 0 <= j < SIZE[0] and 0 <= i < SIZE[1]:
                    w = share * weight
                    totals[pattern[y % 2, x % 2], j, i] += w * values[y, x], w, w * w * variances[y, x]
    return totals


def drop(values, variances, states, pattern, forward, pixfrac, shape, *, weight=1.0, tile=None, channels=1, part=None,
         sky=None, canvas=None, frame=1, bits=1):  # fmt: skip
    top, bottom, left, right = tile or (0, SIZE[0], 0, SIZE[1])
    t, b, l, r = part or (0, values.shape[0], 0, values.shape[1])
    if canvas is None:
        size = (channels, bottom - top, right - left)
        canvas = np.zeros((*size, 3)), np.zeros((*size, 5), np.uint16), np.zeros(2, np.int64)
    kernels.drop_pixels(
        np.ascontiguousarray(values[t:b, l:r]), np.ascontiguousarray(variances[t:b, l:r]),
        np.ascontiguousarray(states[t:b, l:r]), pattern, t, l, forward.matrix.copy(),
        mesh_of(forward, t, l, (b - t, r - l)), shape, pixfrac, weight, np.zeros(channels) if sky is None else sky,
        bits, frame, np.zeros((12, 12)), top, left, *canvas,
    )  # fmt: skip
    return canvas


@pytest.fixture
def noise():
    rng = np.random.default_rng(3)
    values = rng.normal(100, 10, SHAPE).astype(np.float32)
    variances = rng.uniform(50, 150, SHAPE).astype(np.float32)
    states = np.where(rng.random(SHAPE) < 0.1, kernels.MISSING, kernels.USED).astype(np.uint8)
    return values, variances, states


@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.1])
@pytest.mark.parametrize("shape", [kernels.SQUARE, kernels.TURBO, kernels.POINT])
@pytest.mark.parametrize("name", MAPS)
def test_shares_are_clipped_polygons(name, shape, pixfrac, noise):
    forward = MAPS[name]
    totals, _, _ = drop(*noise, MONO, forward, pixfrac, shape, weight=1.7)
    wanted = slow(*noise, MONO, forward, pixfrac, shape, 1.7, 1)
    # Shares too small to count are left out.
    np.testing.assert_allclose(totals[..., 1], wanted[..., 1], rtol=1e-9, atol=4e-6)
    np.testing.assert_allclose(totals[..., 0], wanted[..., 0], rtol=1e-9, atol=4e-4)
    np.testing.assert_allclose(totals[..., 2], wanted[..., 2], rtol=1e-9, atol=1e-8)


def test_a_mesh_follows_a_lens():
    """Ten pixels of distortion in the corners of 4000 px, where it bends most."""
    bend = Bend((2000.0, 2000.0), 2000.0, np.zeros((7, 2)))
    cubic = bend.coefficients.copy()
    cubic[3] = cubic[5] = (3.5, 0.0)
    cubic[4] = cubic[6] = (0.0, 3.5)
    lens = Distorted.of(Bend(bend.centre, bend.size, cubic), affine(2.0, 1.0))
    at = np.random.default_rng(0).uniform(3900, 3999, (1000, 2))
    assert np.abs(lens(at) - lens(np.full((1, 2), 2000.0)) - 2 * (at - 2000)).max() > 10
    assert np.abs(between_nodes(lens)(at) - lens(at)).max() < 1e-3


@pytest.mark.parametrize("shape", [kernels.SQUARE, kernels.TURBO, kernels.POINT])
@pytest.mark.parametrize("name", MAPS)
def test_shares_of_a_drop_sum_to_one(name, shape):
    """Every map takes the frame well into the grid; what falls beside it is no share."""
    values = np.full(SHAPE, 2.0, np.float32)
    used = np.zeros(SHAPE, np.uint8)
    used[[0, -1]] = used[:, [0, -1]] = kernels.MISSING
    totals, _, tally = drop(values, values, used, MONO, MAPS[name], 0.8, shape)
    inside = (SHAPE[0] - 2) * (SHAPE[1] - 2)
    if tally[0] == inside:
        assert totals[..., 1].sum() == pytest.approx(inside, rel=1e-6)
    assert totals[..., 0].sum() == pytest.approx(2 * totals[..., 1].sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [kernels.SQUARE, kernels.TURBO, kernels.POINT])
@pytest.mark.parametrize("name", MAPS)
def test_tiles_and_parts_equal_the_whole(name, shape, noise):
    forward = MAPS[name]
    whole = drop(*noise, BAYER, forward, 0.7, shape, channels=3)
    cuts_y, cuts_x = (0, 7, 8, 21, SIZE[0]), (0, 13, 30, SIZE[1])
    tally = np.zeros(2, np.int64)
    for top, bottom in pairwise(cuts_y):
        for left, right in pairwise(cuts_x):
            tile = top, bottom, left, right
            totals, counts, one = drop(*noise, BAYER, forward, 0.7, shape, channels=3, tile=tile)
            np.testing.assert_array_equal(totals, whole[0][:, top:bottom, left:right])
            np.testing.assert_array_equal(counts, whole[1][:, top:bottom, left:right])
            tally += one
    np.testing.assert_array_equal(tally, whole[2])
    # Rows of a frame may come in parts; drops of different rows meet in a pixel in the same order.
    parts = drop(*noise, BAYER, forward, 0.7, shape, channels=3, part=(0, 5, 0, SHAPE[1]))
    parts = drop(*noise, BAYER, forward, 0.7, shape, channels=3, part=(5, SHAPE[0], 0, SHAPE[1]), canvas=parts)
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_array_equal(parts[1], whole[1])


def test_a_part_knows_its_place_in_the_mosaic(noise):
    totals, _, _ = drop(*noise, BAYER, MAPS["turned"], 0.7, kernels.SQUARE, channels=3, part=(3, 8, 1, 10))
    outside = noise[2].copy()
    outside[:3] = outside[8:] = kernels.MISSING
    outside[:, :1] = outside[:, 10:] = kernels.MISSING
    wanted = drop(noise[0], noise[1], outside, BAYER, MAPS["turned"], 0.7, kernels.SQUARE, channels=3)[0]
    np.testing.assert_array_equal(totals, wanted)


def test_a_mesh_says_what_the_matrix_says(noise):
    forward = MAPS["turned"]
    bent = Distorted.of(forward, Bend((0.0, 0.0), 1.0, np.zeros((3, 2))))
    for shape in (kernels.SQUARE, kernels.TURBO):
        by_matrix, by_mesh = (drop(*noise, MONO, each, 0.9, shape)[0] for each in (forward, bent))
        np.testing.assert_allclose(by_mesh, by_matrix, rtol=1e-6, atol=1e-6)


def test_states_flags_and_counts():
    values = np.ones((1, 6), np.float32)
    bit = kernels.SATURATED_BIT
    states = np.array([[kernels.USED, kernels.TOO_LOW, kernels.TOO_HIGH, kernels.MISSING, bit, bit | 2]], np.uint8)
    canvas = drop(values, values, states, MONO, MAPS["still"], 1.0, kernels.SQUARE, bits=64)
    canvas = drop(values, values, states * 0, MONO, MAPS["still"], 1.0, kernels.SQUARE, canvas=canvas, frame=2)
    totals, counts, tally = canvas
    assert totals[0, 0, :6, 1].tolist() == [2, 1, 1, 1, 2, 1]
    assert counts[0, 0, :6].tolist() == [
        [2, 2, 0, 0, 0],
        [2, 1, 0, 1, 0],
        [2, 1, 0, 0, 1],
        [2, 1, 0, 0, 0],
        [2, 2, 64, 0, 0],
        [2, 1, 0, 0, 1],
    ]
    assert tally.tolist() == [11, 3]


def test_a_frame_counts_once_in_a_pixel():
    values = np.ones(SHAPE, np.float32)
    _, counts, _ = drop(values, values, np.zeros(SHAPE, np.uint8), MONO, MAPS["half size"], 1.0, kernels.SQUARE)
    assert set(np.unique(counts[..., 1])) == {0, 1}


def test_weights_fall_with_the_variance():
    values = np.array([[1.0, 5.0]], np.float32)
    variances = np.array([[100.0, 400.0]], np.float32)
    states = np.zeros((1, 2), np.uint8)
    onto_one = Transform(np.array([[1e-3, 0, 3], [0, 1, 3], [0, 0, 1]]))
    totals, _, _ = drop(values, variances, states, MONO, onto_one, 1.0, kernels.POINT, sky=np.array([100.0]))
    total, weight, spread = totals[0, 3, 3]
    assert (weight, total / weight, spread / weight**2) == pytest.approx((1.25, 1.8, 80.0))
