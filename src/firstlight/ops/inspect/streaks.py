"""Straight streaks on a single frame: satellites, aeroplanes, meteors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firstlight.kernels.lines import richest_line, vote_for_lines
from firstlight.ops.inspect.background import measure_background

SIDE = 600
"""The search runs on a frame binned to about so many pixels: the light of a faint streak adds up."""
LIT = 1.5
"""Sigma: binned pixels above this count as lit."""
STAR = 3.5
"""Sigma: connected pixels above this that are not elongated are stars, and go."""
ELONGATED = 4.0
"""Ratio of the axes of what may be a piece of a streak."""
FILLED = 0.2
"""Share of its box that a star fills."""
SHORTEST = 40
"""Binned px: shorter lines are not looked for."""
CHUNK = 8
"""Binned px: a line is looked at in pieces of this length; most of them must be lit, or it is a row of stars."""
CONTINUOUS = 0.7
SIDES = 6
"""px: strips of this width on both sides must be darker."""
WIDEST = 24
"""px: half width of the strip in which a streak's profile is measured."""


@dataclass(frozen=True)
class Streak:
    """A straight streak from (x0, y0) to (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float
    half_width: float
    """px: to where its light falls into the noise."""
    significance: float
    """Sigma of its light over the noise of the line."""

    @property
    def length(self) -> float:
        return math.hypot(self.x1 - self.x0, self.y1 - self.y0)

    def mask(self, shape: tuple[int, int], margin: float = 1.0) -> np.ndarray:
        """Boolean (y, x): pixels within the half width and a margin of the streak."""
        y, x = np.ogrid[: shape[0], : shape[1]]
        length = max(self.length, 1e-9)
        ux, uy = (self.x1 - self.x0) / length, (self.y1 - self.y0) / length
        along = (x - self.x0) * ux + (y - self.y0) * uy
        across = np.abs(-(x - self.x0) * uy + (y - self.y0) * ux)
        reach = self.half_width + margin
        return (across <= reach) & (along >= -reach) & (along <= length + reach)


def find_streaks(
    plane: np.ndarray, excluded: np.ndarray | None = None, limit: float = 8.0, most: int = 8
) -> list[Streak]:
    """Streaks of a plane (y, x), brightest first.

    Lines are sought by a Hough transform (Duda & Hart 1972) of the lit pixels of the binned frame, from which stars
    have been taken; one counts where it is ``limit`` sigma richer in lit pixels than chance makes it, and lit over most
    of its length. Its ends and its width are then measured on the frame itself.

    Raises
    ------
    FrameError
        Nothing is left to measure.
    """
    sky = measure_background(plane, excluded)
    z = (plane - sky.at()) / np.maximum(sky.noise_at(), 1e-12)
    if excluded is not None:
        z = np.where(excluded, 0.0, z)
    z = np.where(np.isfinite(z), z, 0.0).astype(np.float32)
    step = max(1, math.ceil(max(plane.shape) / SIDE))
    binned = _binned(z, step)
    if min(binned.shape) < SHORTEST:
        return []
    noise = 1.4826 * float(np.median(np.abs(binned - np.median(binned)))) or 1.0
    binned = _without_stars((binned - np.median(binned)) / noise)
    votes = _Votes(binned > LIT)
    found: list[Streak] = []
    # Nebulae make lines that are none: they cost tries, not finds.
    for _ in range(3 * most):
        if len(found) == most:
            break
        line = votes.best(limit)
        if line is None:
            break
        theta, rho, strength = line
        streak = _measured(z, binned, theta, rho, step, strength)
        # Found or not, its pixels are spent.
        gone = _along(binned.shape, theta, rho)
        binned[gone] = 0.0
        votes.spend(gone)
        if streak is not None:
            found.append(streak)
    return sorted(found, key=lambda s: -s.significance)


def _binned(z: np.ndarray, step: int) -> np.ndarray:
    rows, columns = z.shape[0] // step, z.shape[1] // step
    cut = np.minimum(z[: rows * step, : columns * step], 50).reshape(rows, step, columns, step)
    return cut.mean(axis=(1, 3), dtype=np.float64) * step


def _without_stars(z: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_dilation, find_objects, label

    islands, n = label(z > STAR, np.ones((3, 3), bool))
    if not n:
        return z
    star = np.zeros(n + 1, bool)
    for number, box in enumerate(find_objects(islands), 1):
        inside = islands[box] == number
        ys, xs = np.nonzero(inside)
        if len(ys) < 3:
            star[number] = True
            continue
        spread = np.cov(np.stack([ys, xs]).astype(float)) + np.eye(2) / 12
        small, large = np.linalg.eigvalsh(spread)
        # Streaks that cross are not elongated, but hardly fill their box.
        compact = large < ELONGATED**2 * small and len(ys) > FILLED * inside.size
        star[number] = compact or len(ys) < 8
    gone = binary_dilation(star[islands], np.ones((3, 3), bool))
    return np.where(gone, 0.0, z)


class _Votes:
    """The lit pixels of the binned frame, and their votes for the lines through them."""

    def __init__(self, lit: np.ndarray) -> None:
        self._lit = lit
        diagonal = math.ceil(math.hypot(*lit.shape))
        self._offset = float(diagonal)
        self._thetas = np.arange(0, math.pi, 1 / diagonal)
        self._normals = [np.array([f(theta) for theta in self._thetas]) for f in (math.cos, math.sin)]
        self._votes = np.zeros((len(self._thetas), 2 * diagonal + 2), np.int32)
        self._count(lit, 1)

    def _count(self, pixels: np.ndarray, sign: int) -> None:
        ys, xs = np.nonzero(pixels)
        vote_for_lines(xs, ys, *self._normals, self._offset, sign, self._votes)

    def spend(self, gone: np.ndarray) -> None:
        """These pixels are lit no more."""
        self._count(self._lit & gone, -1)
        self._lit = self._lit & ~gone

    def best(self, limit: float) -> tuple[float, float, float] | None:
        """Angle of the normal, distance from the origin, and significance, of the richest line; None where there is
        none above the limit."""
        n_lit = int(np.count_nonzero(self._lit))
        if n_lit < SHORTEST:
            return None
        height, width = self._lit.shape
        number, rho, significance = richest_line(
            self._votes, *self._normals, self._offset, n_lit / self._lit.size, height, width, SHORTEST, limit
        )
        return None if number < 0 else (float(self._thetas[number]), rho, significance)


def _along(shape: tuple[int, ...], theta: float, rho: float) -> np.ndarray:
    """Boolean (y, x): pixels on a line."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.abs(x * math.cos(theta) + y * math.sin(theta) - rho) <= 3


def _measured(z: np.ndarray, binned: np.ndarray, theta: float, rho: float, step: int, strength: float) -> Streak | None:
    """Ends and width of a line, on the whole frame; None where it is no streak."""
    c, s = math.cos(theta), math.sin(theta)
    centre = (step - 1) / 2
    rho = rho * step + centre * (c + s)
    height, width = z.shape
    reach = math.hypot(height, width)
    t = np.arange(-reach, reach)
    x, y = rho * c - t * s, rho * s + t * c
    t = t[(x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)]
    if len(t) < SHORTEST * step:
        return None
    d = np.arange(-WIDEST * 1.0, WIDEST + 1)
    shift, tilt = _refined(z, c, s, rho, t, d, step)
    rho, c, s = rho + shift, math.cos(theta + tilt), math.sin(theta + tilt)
    strip = _strip(z, c, s, rho, t, d)
    profile = np.median(strip, axis=1)
    floor = float(np.median(np.r_[profile[:8], profile[-8:]]))
    profile = profile - floor
    sigma = 1.2533 / math.sqrt(max(len(t), 1))
    middle = len(d) // 2
    lit = profile > max(2 * sigma, 0.02 * profile[middle - 2 : middle + 3].max())
    inner = middle + int(np.argmax(profile[middle - 2 : middle + 3])) - 2
    left = right = inner
    while left > 0 and lit[left - 1]:
        left -= 1
    while right < len(d) - 1 and lit[right + 1]:
        right += 1
    core = np.mean(strip[max(inner - 1, 0) : inner + 2], axis=0) - floor
    size = max(CHUNK * step, 16)
    chunks = np.array([np.median(part) for part in np.array_split(core, max(len(core) // size, 1))])
    error = 1.2533 / math.sqrt(3 * size)
    first, last = _longest(chunks > max(2.5 * error, 0.3 * float(np.median(chunks))))
    if last - first < 3 or (last - first) * size < SHORTEST * step:
        return None
    inside = chunks[first:last]
    if np.mean(inside > 2 * error) < CONTINUOUS:
        return None
    # The rim of a nebula has light on one side, its inside on both: a streak stands above either.
    if left < SIDES or right >= len(d) - SIDES:
        return None
    sides = np.maximum(*(
        np.array([np.median(part) for part in np.array_split(each.mean(axis=0), len(chunks))]) - floor
        for each in (strip[left - SIDES : left - 1], strip[right + 2 : right + SIDES + 1])
    ))[first:last]  # fmt: skip
    if np.mean(inside - sides > np.maximum(2 * error, 0.5 * inside)) < CONTINUOUS:
        return None
    edges = np.linspace(0, len(t), len(chunks) + 1)
    start, stop = t[int(edges[first])], t[min(int(edges[last]), len(t) - 1)]
    points = [(rho * c - k * s, rho * s + k * c) for k in (start, stop)]
    half = max(0.5 * (right - left), 1.0)
    return Streak(*points[0], *points[1], half, strength)


def _refined(
    z: np.ndarray, c: float, s: float, rho: float, t: np.ndarray, d: np.ndarray, step: int
) -> tuple[float, float]:
    """Shift (px) and tilt (rad) that put the line onto the light: from the centroids of its pieces."""
    strip = _strip(z, c, s, rho, t, d)
    near = np.abs(d) <= 2 * step + 3
    n = max(min(len(t) // (16 * step), 24), 3)
    where, centres, weights = [], [], []
    for part in np.array_split(np.arange(len(t)), n):
        profile = np.median(strip[:, part], axis=1)
        profile = np.where(near, profile - np.median(profile), 0.0)
        light = np.clip(profile, 0, None)
        if light.sum() > 0:
            where.append(t[part].mean())
            centres.append(float(np.sum(d * light) / light.sum()))
            weights.append(math.sqrt(light.max()))
    if len(where) < 3:
        return 0.0, 0.0
    slope, shift = np.polyfit(where, centres, 1, w=weights)
    # Along the line t runs as (-s, c): a growing distance turns the normal back.
    return float(shift), -math.atan(float(slope))


def _strip(z: np.ndarray, c: float, s: float, rho: float, t: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Values at distance ``d`` (rows) from the line, along it (columns); 0 outside the frame."""
    from scipy.ndimage import map_coordinates

    x = (rho + d[:, None]) * c - t[None] * s
    y = (rho + d[:, None]) * s + t[None] * c
    return map_coordinates(np.minimum(z, 50), [y, x], order=1, cval=0.0)


def _longest(lit: np.ndarray) -> tuple[int, int]:
    """First and one past the last of the longest stretch, in which single dark pieces do not count (tumbling)."""
    best, start, gap = (0, 0), None, 0
    last = 0
    for k, on in enumerate(lit):
        if on:
            start = k if start is None else start
            last, gap = k + 1, 0
        elif start is not None:
            gap += 1
            if gap > 2:
                start = None
        if start is not None and last - start > best[1] - best[0]:
            best = (start, last)
    return best
