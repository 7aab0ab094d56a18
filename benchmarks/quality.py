"""A stack against the truth of the simulated night: noise, sharpness, star light, positions, trails, outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import sep
from astropy.io import fits
from scipy import ndimage

from firstlight.simulate.night import Scene
from firstlight.simulate.truth import FrameTruth, Trail, Truth

BOX = 8
"""Side of the boxes whose means are free of the correlation that resampling brings, px."""
MARGIN = 60
"""Rows and columns at the edges that are not looked at: not every frame covers them."""
SKY_LIMIT = 0.05
"""A pixel is star-free where stars give less than this, in noise of a single frame."""
CLASSES = {"faint": (3.0, 15.0), "middle": (15.0, 80.0), "bright": (80.0, np.inf)}
"""Stars by the height of their peak in a single frame, in its noise; stars that ever saturate are left out."""


@dataclass(frozen=True)
class Quality:
    """See benchmarks/README.md for what each number means."""

    reference: str
    scale: float
    noise: float
    pixel_noise: float
    fwhm: float
    bright_bias: float
    bright_scatter: float
    middle_bias: float
    position_rms: float
    trail: float
    trail_sigma: float
    rays_sigma: float
    outliers: float


def read_plane(path: Path) -> np.ndarray:
    """First plane of a FITS image as float64 (y, x)."""
    with fits.open(path) as file:
        data = next(hdu.data for hdu in file if hdu.data is not None)
    data = np.asarray(data, dtype=np.float64)
    return data[0] if data.ndim == 3 else data


def find_reference(stack: np.ndarray, truth: Truth) -> str:
    """File name of the light whose geometry a stack has: that at whose star positions it is brightest."""
    plane = _flattened(stack)
    brightest = np.argsort(truth.stars[f"flux_{truth.lights[0].filter}"][:, 0])[-400:]
    height, width = stack.shape

    def brightness(frame: FrameTruth) -> float:
        x, y = np.rint(truth.star_positions(frame)[brightest]).astype(int).T
        seen = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        # Square roots: no single star decides.
        return float(np.sqrt(np.maximum(plane[y[seen], x[seen]], 0.0)).mean())

    return Path(max(truth.lights, key=brightness).file).name


@dataclass(frozen=True, eq=False)
class Assessment:
    """A stack beside the truth of its night."""

    stack: np.ndarray
    """float64 (y, x), any unit, linear, in the geometry of the reference frame."""
    truth: Truth
    reference: FrameTruth
    used: list[str] | None = None
    """File names of the lights in the stack; None: all."""

    @cached_property
    def lights(self) -> list[FrameTruth]:
        return [f for f in self.truth.lights if self.used is None or Path(f.file).name in self.used]

    @cached_property
    def sky(self) -> np.ndarray:
        """The plain mean of the lights without noise, sky and trails, in the reference geometry, adu (y, x)."""
        return _true_sky(self.truth, self.reference, tuple(self.lights))

    @cached_property
    def inside(self) -> np.ndarray:
        inside = np.zeros(self.stack.shape, bool)
        inside[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
        return inside & np.isfinite(self.stack)

    @cached_property
    def empty(self) -> np.ndarray:
        """Boolean (y, x): star-free pixels that all frames cover."""
        bright = ndimage.binary_dilation(self.sky > SKY_LIMIT * self.single_noise, iterations=3)
        return self.inside & ~bright

    def frame_noise(self, frame: FrameTruth) -> float:
        """Noise of an empty pixel of one calibrated light, adu, without that of the masters."""
        camera = self.truth.night.camera
        c = frame.sky
        level = c[0] + (c[3] + c[5]) / 3.0
        flat = np.asarray(self.truth.flat)[::7, ::7]
        flat = flat[flat > 0.2]
        electrons = (
            level * frame.exposure / flat + (camera.dark_current * frame.exposure + camera.read_noise**2) / flat**2
        )
        return float(np.sqrt(electrons.mean() / camera.gain**2 + 1.0 / 12.0))

    @cached_property
    def single_noise(self) -> float:
        return self.frame_noise(self.reference)

    @cached_property
    def expected_noise(self) -> float:
        """Noise of the plain mean of the lights, each brought to the brightness of the reference, adu."""
        scaled = [self.frame_noise(f) * self.reference.transparency / f.transparency for f in self.lights]
        return float(np.sqrt(np.sum(np.square(scaled))) / len(scaled))

    @cached_property
    def fluxes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each class of stars: light in the stack over true light in adu of the reference, and the latter."""
        x, y, _ = self.stars["bright"]
        radius = 2.0 * self.reference.fwhm
        rough = np.median(_light(self.stack, self.stack, x, y, radius) / _light(self.sky, None, x, y, radius))
        # The level under a star is taken where the truth has been subtracted: the median of a ring with faint stars
        # in it is too high by a share of the noise, which would cost a faint star more than a bright one.
        empty = self.stack - rough * self.sky
        found = {}
        for name, (x, y, _) in self.stars.items():
            true = _light(self.sky, None, x, y, radius)
            found[name] = (_light(self.stack, empty, x, y, radius) / true, true)
        return found

    @cached_property
    def scale(self) -> float:
        """Units of the stack per adu of the reference frame, from the stars that are not bright."""
        ratio, true = (np.concatenate([self.fluxes[k][i] for k in ("faint", "middle")]) for i in (0, 1))
        return float(_weighted_median(ratio, true**2))

    @cached_property
    def stars(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """True (x, y, adu) of lone stars by class."""
        truth, night = self.truth, self.truth.night
        flux = truth.stars[f"flux_{self.reference.filter}"][:, 0]
        flux = flux * self.reference.transparency * self.reference.exposure / night.camera.gain
        x, y = truth.star_positions(self.reference).T
        height, width = self.stack.shape
        margin = MARGIN + 10
        seen = (x > margin) & (y > margin) & (x < width - margin) & (y < height - margin)
        x, y, flux = x[seen], y[seen], flux[seen]
        # A Moffat or Gaussian star of this width and light has about this peak.
        sharpest = min(f.fwhm for f in self.lights)
        peak = 0.8 * flux / self.reference.fwhm**2
        highest = peak * (self.reference.fwhm / sharpest) ** 2
        lone = _alone(x, y, flux, 5.0 * self.reference.fwhm)
        good = lone & (highest < 0.8 * (night.camera.saturation - night.camera.bias_level))
        found = {}
        for name, (low, high) in CLASSES.items():
            chosen = good & (peak > low * self.single_noise) & (peak <= high * self.single_noise)
            found[name] = (x[chosen], y[chosen], flux[chosen])
        return found

    def quality(self) -> Quality:
        scale = self.scale
        bright, middle = (self.fluxes[name][0] / scale - 1.0 for name in ("bright", "middle"))
        trail, trail_sigma = self.trail()
        return Quality(
            reference=Path(self.reference.file).name,
            scale=scale,
            noise=self.box_noise() / scale / (self.expected_noise / BOX),
            pixel_noise=float(self.pixel_noise / scale / self.expected_noise),
            fwhm=self.width(self.stack) / self.width(self.sky),
            bright_bias=float(np.median(bright)),
            bright_scatter=_robust(bright),
            middle_bias=float(np.median(middle)),
            position_rms=self.position_rms(),
            trail=trail,
            trail_sigma=trail_sigma,
            rays_sigma=self.rays(),
            outliers=self.outliers(),
        )

    @cached_property
    def starless(self) -> np.ndarray:
        """The stack without the light of the stars; NaN where it is not small beside the noise."""
        # The faintest stars hide in a single frame, but not from the mean of 64 pixels of a stack.
        return np.where(self.empty, self.stack - self.scale * self.sky, np.nan)

    @cached_property
    def boxes(self) -> np.ndarray:
        """Means of the star-free boxes, NaN elsewhere (y, x)."""
        height, width = (n // BOX * BOX for n in self.stack.shape)
        return self.starless[:height, :width].reshape(height // BOX, BOX, width // BOX, BOX).mean(axis=(1, 3))

    def box_noise(self) -> float:
        """Scatter of the box means."""
        # Second differences of boxes two apart: they know neither the slope of the sky (with first differences it
        # added 20 %) nor the correlation of neighbours.
        b = self.boxes
        across = b[:, 4:] - 2.0 * b[:, 2:-2] + b[:, :-4]
        down = b[4:] - 2.0 * b[2:-2] + b[:-4]
        both = np.concatenate([across.ravel(), down.ravel()]) / np.sqrt(6.0)
        return _clipped_std(both[np.isfinite(both)])

    @cached_property
    def residual(self) -> np.ndarray:
        """Star-free pixels minus the mean of their box, NaN elsewhere."""
        level = np.repeat(np.repeat(self.boxes, BOX, axis=0), BOX, axis=1)
        residual = np.full(self.stack.shape, np.nan)
        residual[: level.shape[0], : level.shape[1]] = self.starless[: level.shape[0], : level.shape[1]] - level
        return residual

    @cached_property
    def pixel_noise(self) -> float:
        return _robust(self.residual[np.isfinite(self.residual)]) * np.sqrt(BOX**2 / (BOX**2 - 1.0))

    def outliers(self) -> float:
        """Pixels in a million that stand more than 6 sigma off their box, either way."""
        r = self.residual[np.isfinite(self.residual)]
        return float(1e6 * np.mean(np.abs(r) > 6.0 * self.pixel_noise))

    def width(self, plane: np.ndarray) -> float:
        """Median FWHM of the bright stars: twice the radius of half of the light, px."""
        x, y, _ = self.stars["bright"]
        radius, _ = sep.flux_radius(_flattened(plane), x, y, np.full(len(x), 3.0 * self.reference.fwhm), 0.5, subpix=5)
        return 2.0 * float(np.median(radius))

    def position_rms(self) -> float:
        """Of the bright stars' centroids against the truth, per axis, without the common shift, px."""
        x, y, _ = self.stars["bright"]
        found_x, found_y, flag = sep.winpos(_flattened(self.stack), x, y, self.reference.fwhm / 2.35)
        ok = flag == 0
        dx, dy = found_x[ok] - x[ok], found_y[ok] - y[ok]
        return float(np.sqrt((_robust(dx) ** 2 + _robust(dy) ** 2) / 2.0))

    def trail(self) -> tuple[float, float]:
        """What is left of the trails over what a plain mean would leave, and of the worst in noise of the stack."""
        left, plain, sigmas = 0.0, 0.0, [0.0]
        gain = self.truth.night.camera.gain
        for frame in self.lights:
            for t in frame.trails:
                height = self.height_along(frame, t)
                peak = t.brightness / (t.fwhm * 1.0645) / gain * self.reference.transparency / frame.transparency
                left += height / self.scale
                plain += peak / len(self.lights)
                sigmas.append(height / self.pixel_noise)
        # Added up before they are divided: of a faint trail alone, the ratio is noise.
        return float(left / plain) if plain else 0.0, float(max(sigmas))

    def rays(self) -> float:
        """Mean of the star-free pixels that a cosmic ray above 5 sigma struck in any light, in noise of the stack."""
        least = 5.0 * self.single_noise * self.truth.night.camera.gain
        height, width = self.stack.shape
        struck = []
        for frame in self.lights:
            pixels, charge = self.truth.cosmic_rays(frame)
            y, x = np.divmod(pixels[charge > least], self.truth.night.camera.width)
            struck.append(self.truth.between(frame.file, self.reference.file)(np.column_stack([x, y])))
        x, y = np.rint(np.concatenate(struck)).astype(int).T
        seen = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        values = self.residual[y[seen], x[seen]]
        return float(np.nanmean(values) / self.pixel_noise)

    def height_along(self, frame: FrameTruth, trail: Trail) -> float:
        """Greatest mean level, over its surroundings, of the stack along a line within two FWHM of a trail."""
        height, width = self.stack.shape
        move = self.truth.between(frame.file, self.reference.file)
        angle = np.radians(trail.angle)
        along = np.arange(-2.0 * (height + width), 2.0 * (height + width), 0.5)
        direction, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])

        def level(offset: float) -> np.ndarray:
            points = move(np.array([trail.x, trail.y]) + along[:, None] * direction + offset * across)
            x, y = np.rint(points).astype(int).T
            ok = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            return np.where(ok, self.starless[np.where(ok, y, 0), np.where(ok, x, 0)], np.nan)

        near = np.stack([level(o * trail.fwhm) for o in np.arange(-2.0, 2.1, 0.25)])
        beside = np.stack([level(o * trail.fwhm) for o in (-6.0, -5.0, 5.0, 6.0)])
        used = np.isfinite(near).all(axis=0) & np.isfinite(beside).all(axis=0)
        if used.sum() < 200:
            return 0.0
        return float(np.abs(near[:, used].mean(axis=1) - beside[:, used].mean()).max())


@lru_cache(maxsize=2)
def _true_sky(truth: Truth, reference: FrameTruth, lights: tuple[FrameTruth, ...]) -> np.ndarray:
    scene = Scene(truth.night)
    total = np.zeros(truth.night.shape)
    for frame in lights:
        # Drawn anew where the reference has its stars, with the frame's own seeing: nothing is resampled.
        light = scene.light(replace(frame, matrix=reference.matrix, trails=()))
        total += light * (reference.transparency / frame.transparency)
    return total * (reference.exposure / truth.night.camera.gain / len(lights))


def _alone(x: np.ndarray, y: np.ndarray, flux: np.ndarray, distance: float) -> np.ndarray:
    """Stars whose neighbours within ``distance`` have less than 2 % of their light together."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.column_stack([x, y]))
    near = tree.query_ball_point(np.column_stack([x, y]), distance)
    return np.array([flux[members].sum() - flux[i] < 0.02 * flux[i] for i, members in enumerate(near)], bool)


def _flattened(plane: np.ndarray) -> np.ndarray:
    """The plane without its smooth background; pixels without a number at its level."""
    plane = np.ascontiguousarray(np.where(np.isfinite(plane), plane, np.nanmedian(plane)), dtype=np.float64)
    return plane - sep.Background(plane, bw=64, bh=64).back()


def _light(plane: np.ndarray, empty: np.ndarray | None, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Light in a circle over the median of ``empty`` in the ring around it (over 0 without)."""
    total, _, _ = sep.sum_circle(np.ascontiguousarray(np.nan_to_num(plane)), x, y, radius, subpix=9)
    if empty is None:
        return total
    level = np.empty(len(x))
    reach = int(np.ceil(2.5 * radius))
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(u, v)
    ring = (distance > 1.3 * radius) & (distance <= 2.5 * radius)
    for i, (cx, cy) in enumerate(zip(np.rint(x).astype(int), np.rint(y).astype(int), strict=True)):
        level[i] = np.nanmedian(empty[cy - reach : cy + reach + 1, cx - reach : cx + reach + 1][ring])
    return total - level * np.pi * radius**2


def _robust(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _clipped_std(values: np.ndarray) -> float:
    """Standard deviation without what lies beyond 4 of them."""
    for _ in range(10):
        kept = values[np.abs(values - values.mean()) < 4.0 * values.std()]
        if len(kept) == len(values):
            break
        values = kept
    return float(values.std())


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, 0.5 * share[-1])])
