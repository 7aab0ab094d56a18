"""Which maps between two star lists are worth a look: votes of shifts and of similar triangles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

N_ALL, N_LOCAL, N_NEIGHBOURS = 24, 120, 6
"""All triangles of the brightest 24 stars, and of each of the brightest 120 with pairs of its 6 nearest."""
SMALLEST = 12.0
"""px; shorter sides tell too little of scale and angle."""
MOST_ALIKE = 0.004
"""Distance in the plane of side ratios within which triangles may be alike."""
POSITION_ERROR = 0.7
"""px by which a position of either list may be off."""


@dataclass(frozen=True)
class Guess:
    """A similarity as complex numbers: ``alpha * z + beta`` with z = x + iy, conjugated first if mirrored."""

    alpha: complex
    beta: complex
    mirrored: bool

    @property
    def matrix(self) -> np.ndarray:
        a, b = self.alpha.real, self.alpha.imag
        sign = -1.0 if self.mirrored else 1.0
        return np.array([[a, -sign * b, self.beta.real], [b, sign * a, self.beta.imag], [0.0, 0.0, 1.0]])


def shift_guess(source: np.ndarray, target: np.ndarray, cell: float = 6.0) -> tuple[Guess, int]:
    """The shift that most pairs of the brightest 100 agree on within about ``cell`` px, and how many."""
    difference = (target[None, :100] - source[:100, None]).reshape(-1, 2)
    index = np.floor(difference / cell).astype(np.int64)
    index -= index.min(axis=0) - 1
    stride = int(index[:, 1].max()) + 2
    cells = index[:, 0] * stride + index[:, 1]
    # A shift near the edge of a cell votes in two or four: each block of 2 x 2 cells, named by its first, counts.
    blocks, counts = np.unique(
        np.concatenate([cells, cells - 1, cells - stride, cells - stride - 1]), return_counts=True
    )
    row, column = divmod(int(blocks[np.argmax(counts)]), stride)
    votes = (np.abs(index[:, 0] - row - 0.5) < 1) & (np.abs(index[:, 1] - column - 0.5) < 1)
    middle = np.median(difference[votes], axis=0)
    return Guess(1.0 + 0.0j, complex(*middle), False), int(votes.sum())


def triangle_guesses(source: np.ndarray, target: np.ndarray, scales: tuple[float, float], most: int) -> Iterator[Guess]:
    """Similarities on which triangles of both lists agree, those with most votes first, at most ``most``.

    Positions (n, 2) come brightest first. After Groth (1986, AJ 91, 1244) and Valdes et al. (1995, PASP 107, 1119).
    """
    from scipy.spatial import cKDTree

    a, b = _triangles(source), _triangles(target)
    if len(a[0]) == 0 or len(b[0]) == 0:
        return
    pairs = cKDTree(a[1]).sparse_distance_matrix(cKDTree(b[1]), MOST_ALIKE, output_type="ndarray")
    i, j = pairs["i"], pairs["j"]
    ratio = b[2][j] / a[2][i]
    # Small triangles may differ more, large ones less, as far as errors of position go.
    allowed = POSITION_ERROR * np.hypot(1.0 / a[2][i], 1.0 / b[2][j])
    likely = (ratio > scales[0]) & (ratio < scales[1]) & (pairs["v"] < np.minimum(3.0 * allowed, MOST_ALIKE))
    order = np.argsort(pairs["v"][likely] / allowed[likely], kind="stable")[:20_000]
    i, j = i[likely][order], j[likely][order]
    if len(i) == 0:
        return
    z = _complex(source)[a[0][i]]
    w = _complex(target)[b[0][j]]
    mirrored = a[3][i] != b[3][j]
    z = np.where(mirrored[:, None], z.conj(), z)
    z0, w0 = z.mean(axis=1, keepdims=True), w.mean(axis=1, keepdims=True)
    alpha = ((z - z0).conj() * (w - w0)).sum(axis=1) / (np.abs(z - z0) ** 2).sum(axis=1)
    beta = w0[:, 0] - alpha * z0[:, 0]
    yield from _by_votes(alpha, beta, mirrored, source, most)


def _by_votes(
    alpha: np.ndarray, beta: np.ndarray, mirrored: np.ndarray, source: np.ndarray, most: int
) -> Iterator[Guess]:
    from scipy.spatial import cKDTree

    low, high = source.min(axis=0), source.max(axis=0)
    anchors = [complex(low[0], low[1]), complex(high[0], high[1])]
    seen = []
    for anchor in anchors:
        image = alpha * np.where(mirrored, np.conj(anchor), anchor) + beta
        seen += [image.real, image.imag]
    reach = 3.0 + 0.006 * float(np.hypot(*(high - low)))
    # Mirrored and plain maps never vote for each other.
    votes_at = np.column_stack([*seen, np.where(mirrored, 1e9, 0.0)])
    tree = cKDTree(votes_at)
    votes = tree.query_ball_point(votes_at, reach, p=np.inf, return_length=True)
    left = np.ones(len(votes), bool)
    for _ in range(most):
        best = int(np.argmax(np.where(left, votes, -1)))
        if not left[best]:
            return
        left[tree.query_ball_point(votes_at[best], reach, p=np.inf)] = False
        yield Guess(complex(alpha[best]), complex(beta[best]), bool(mirrored[best]))


def _complex(positions: np.ndarray) -> np.ndarray:
    return positions[:, 0] + 1j * positions[:, 1]


def _triangles(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (t, 3) opposite the longest, middle, shortest side; side ratios (t, 2); longest side; handedness."""
    from scipy.spatial import cKDTree

    n = min(len(positions), N_ALL)
    i, j, k = (axis.ravel() for axis in np.indices((n, n, n)))
    ordered = (i < j) & (j < k)
    index = np.column_stack([i[ordered], j[ordered], k[ordered]])
    local = positions[:N_LOCAL]
    if len(local) > N_ALL:
        near = cKDTree(local).query(local, k=N_NEIGHBOURS + 1)[1]
        first, second = np.triu_indices(N_NEIGHBOURS, 1)
        centre = np.repeat(near[:, :1], len(first), axis=1)
        triples = np.stack([centre, near[:, 1 + first], near[:, 1 + second]], axis=-1).reshape(-1, 3)
        index = np.unique(np.sort(np.concatenate([index, triples]), axis=1), axis=0)
    z = _complex(positions)[index]
    sides = np.abs(np.stack([z[:, 1] - z[:, 2], z[:, 2] - z[:, 0], z[:, 0] - z[:, 1]], axis=1))
    order = np.argsort(-sides, axis=1, kind="stable")
    sides = np.take_along_axis(sides, order, axis=1)
    index = np.take_along_axis(index, order, axis=1)
    # Nearly equal sides leave the order of vertices to noise.
    clear = (sides[:, 2] > SMALLEST) & (sides[:, 0] - sides[:, 1] > 1.5) & (sides[:, 1] - sides[:, 2] > 1.5)
    index, sides = index[clear], sides[clear]
    z = _complex(positions)[index]
    cross = ((z[:, 1] - z[:, 0]).conj() * (z[:, 2] - z[:, 0])).imag
    return index, sides[:, 1:] / sides[:, :1], sides[:, 0], cross > 0
