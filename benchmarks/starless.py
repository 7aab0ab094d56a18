"""How well stars are taken out of a nebula whose sky behind them is known; linear and stretched.

A simulated nebula with dark lanes, threads as thin as stars laid over it, stars of all brightnesses with wings and
halo, photon noise, full wells. Every figure is against the truth: errors are in units of the noise of a pixel there.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from firstlight.model.flags import Flag
from firstlight.model.image import Image, State
from firstlight.model.meta import Meta
from firstlight.ops.chain import apply
from firstlight.ops.contrast.starless import StarSplit, split_stars
from firstlight.ops.spec import parse_step
from firstlight.simulate.field import Field, Passband, passbands
from firstlight.simulate.night import Scene
from firstlight.simulate.scene import random_field, render_stars, star_temperatures
from firstlight.simulate.settings import PRESETS, Camera

FILTERS = ("R", "G", "B")
EXPOSURE, FRAMES = 120.0, 16
FWHM, BETA = 3.2, 4.0
ELLIPTICITY, ANGLE = 0.08, 30.0
HALO, HALO_FWHM = 0.015, 40.0
"""Share of a star's light in a halo, and how wide that is, px."""
CLASSES = {"faint": (5, 30), "middle": (30, 300), "bright": (300, np.inf), "full": (0, np.inf)}
"""Peaks of stars over the noise; the last are those that fill the well."""


@dataclass(frozen=True, eq=False)
class Sky:
    """A picture and all that went into it, (channel, y, x) in its unit."""

    image: Image
    behind: np.ndarray
    """Without stars and noise."""
    threads: np.ndarray
    """Of that, the threads."""
    stars: np.ndarray
    noise: np.ndarray
    """Standard deviation of a pixel without stars."""
    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    """Of each star over the noise, in the mean of the channels."""
    full: np.ndarray
    """Boolean: stars that fill the well."""


def invent(height: int, width: int, seed: int = 1, crowd: float = 2500.0) -> Sky:
    """The linear picture: means of frames, adu."""
    camera = Camera(width=width, height=height)
    night = PRESETS["lrgb"].model_copy(update={"camera": camera, "filters": FILTERS})
    rng = np.random.default_rng(seed)
    nothing = Field(np.zeros(1), np.zeros(1), np.zeros(1), np.full(1, 6000.0))
    cloud = Scene(night, nothing)
    rate = EXPOSURE / camera.gain
    n = int(crowd * height * width / 1e6)
    x, y, flux = random_field(rng, n, (height, width), (4.0, 60000.0), 0.8)
    temperature = star_temperatures(rng, n)
    ways = thread_ways(rng, (height, width))
    behind, threads, stars = (np.zeros((3, height, width), np.float32) for _ in range(3))
    for c, name in enumerate(FILTERS):
        band: Passband = passbands(night, name)[0]
        level = 0.4 * night.sky.background * band.sky * rate
        behind[c] = cloud.sky(name)[0] * rate + level
        sigma = np.sqrt(level / camera.gain / FRAMES)
        for px, py, strength, wide in ways:
            render_stars(
                (height, width), px, py, strength * sigma * wide * 1.0645 * 0.5 * (0.3 + band.hydrogen), wide,
                out=threads[c],
            )  # fmt: skip
        light = Field(x, y, flux, temperature).flux_in([band])[:, 0] * rate
        shape = {"ellipticity": ELLIPTICITY, "angle": ANGLE}
        render_stars((height, width), x, y, (1 - HALO) * light, FWHM, beta=BETA, out=stars[c], floor=0.05, **shape)
        render_stars((height, width), x, y, HALO * light, HALO_FWHM, out=stars[c], floor=0.01)
    behind += threads
    variance = (behind + stars) / camera.gain / FRAMES + (camera.read_noise / camera.gain) ** 2 / FRAMES
    quiet = np.sqrt(behind / camera.gain / FRAMES + (camera.read_noise / camera.gain) ** 2 / FRAMES)
    data = behind + stars + np.sqrt(variance) * rng.standard_normal(behind.shape)
    white = camera.saturation - camera.bias_level
    full = data > white
    flags = np.where(full, np.uint16(Flag.SATURATED), np.uint16(0))
    meta = Meta(gain=camera.gain * FRAMES, read_noise=camera.read_noise * np.sqrt(FRAMES), saturation=white)
    image = Image(np.minimum(data, white), flags=flags, meta=meta)
    column, row = (np.clip(np.rint(v).astype(int), 0, m - 1) for v, m in ((x, width), (y, height)))
    mean, spread = stars.mean(axis=0), quiet.mean(axis=0) / np.sqrt(3)
    top = full.any(axis=0)
    return Sky(image, behind, threads, stars, quiet, x, y, (mean / spread)[row, column], top[row, column])


def thread_ways(rng: np.random.Generator, shape: tuple[int, int]) -> list[tuple[np.ndarray, ...]]:
    """Crooked ways of threads: points a quarter px apart, light of each (in sigma of the sky), FWHM in px."""
    found = []
    for strength in (5.0, 10.0, 20.0, 40.0):
        for wide in (0.9 * FWHM, 1.3 * FWHM, 2.0 * FWHM):
            for _ in range(2):
                n = int(rng.uniform(800, 1600))
                turn = gaussian_filter(rng.standard_normal(n), 60.0) * 0.08
                angle = rng.uniform(0, 2 * np.pi) + np.cumsum(turn)
                px = rng.uniform(0.15, 0.85) * shape[1] + 0.25 * np.cumsum(np.cos(angle))
                py = rng.uniform(0.15, 0.85) * shape[0] + 0.25 * np.cumsum(np.sin(angle))
                knots = gaussian_filter(rng.standard_normal(n), 4 * FWHM)
                light = 0.25 * strength * np.clip(1 + 0.35 * knots / knots.std(), 0.1, None)
                found.append((px, py, light, wide))
    return found


def stretched(sky: Sky) -> Sky:
    """The same for the eye; the truth goes through the very curve of the picture."""
    image = apply(sky.image, "stretch:midtones")

    def curve(data: np.ndarray) -> np.ndarray:
        out = np.empty_like(data)
        for c, plane in enumerate(sky.image.data):
            order = np.argsort(plane, axis=None)[:: max(plane.size // 200_000, 1)]
            out[c] = np.interp(data[c], plane.ravel()[order], image.data[c].ravel()[order])
        return out

    behind = curve(sky.behind)
    noise = 0.5 * (curve(sky.behind + sky.noise) - curve(sky.behind - sky.noise))
    threads = behind - curve(sky.behind - sky.threads)
    stars = curve(sky.behind + sky.stars) - behind
    return Sky(image, behind, threads, stars, np.maximum(noise, 1e-6), sky.x, sky.y, sky.peak, sky.full)


def rate(sky: Sky, behind: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Figures of a starless picture."""
    error = (behind - sky.behind) / sky.noise
    soft = np.stack([gaussian_filter(plane, 1.5) for plane in error])
    covered = sky.stars.max(axis=0) > 1.0 * sky.noise.mean(axis=0)
    figures = {
        "rms": float(np.sqrt(np.mean(error[:, covered] ** 2))),
        "soft": float(np.sqrt(np.mean(soft[:, covered] ** 2))),
        "worst": float(np.percentile(np.abs(soft[:, covered]), 99.5)),
    }
    nebula = sky.behind - np.percentile(sky.behind, 1, axis=(1, 2), keepdims=True)
    figures["kept"] = 100 + 100 * float(((behind - sky.behind)[:, covered]).sum() / nebula[:, covered].sum())
    for name, (low, high) in CLASSES.items():
        chosen = sky.full if name == "full" else ~sky.full & (sky.peak > low) & (sky.peak <= high)
        figures[f"left {name}"] = 100 * _light_left(sky, behind, sky.x[chosen], sky.y[chosen])
    centre = np.zeros(covered.shape, bool)
    chosen = sky.full
    inside = (sky.x[chosen] > 0) & (sky.y[chosen] > 0)
    centre[np.rint(sky.y[chosen][inside]).astype(int).clip(0, len(centre) - 1),
           np.rint(sky.x[chosen][inside]).astype(int).clip(0, centre.shape[1] - 1)] = True  # fmt: skip
    near = binary_dilation(centre, iterations=45) & ~binary_dilation(centre, iterations=8)
    figures["halo"] = float(np.median(np.stack([gaussian_filter(p, 4.0) for p in error])[:, near]))
    thread = sky.threads.mean(axis=0) > 2.0 * sky.noise.mean(axis=0) / np.sqrt(3)
    thread &= sky.stars.mean(axis=0) < 1.0 * sky.noise.mean(axis=0)
    light = sky.threads[:, thread]
    figures["threads"] = 100 + 100 * float((behind - sky.behind)[:, thread].sum() / light.sum())
    figures["thread masked"] = 100 * float(mask[thread].mean())
    figures["masked"] = 100 * float(mask.mean())
    return figures


def _light_left(sky: Sky, behind: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Median over stars of the size of what is left within two FWHM, as a share of the star's light there."""
    if not len(x):
        return float("nan")
    dy, dx = np.mgrid[-6:7, -6:7]
    disc = np.hypot(dx, dy) <= 2 * FWHM
    places = [y[:, None] + dy[disc], x[:, None] + dx[disc]]
    left = map_coordinates((behind - sky.behind).mean(axis=0), places, order=0, mode="nearest").sum(axis=1)
    light = map_coordinates(sky.stars.mean(axis=0), places, order=0, mode="nearest").sum(axis=1)
    return float(np.median(np.abs(left) / light))


def show(path: Path, planes: np.ndarray, linear: bool) -> None:
    from firstlight.io.pictures import write_picture

    if linear:
        planes = apply(Image(planes), "stretch:midtones").data
    write_picture(path, planes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1500x1000")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--method", default="inpaint")
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    split = StarSplit(star_method=given.method)
    step = parse_step(f"extract:starless:star_method={given.method}")
    names: list[str] = []
    for seed in given.seeds:
        linear = invent(height, width, seed)
        for sky in (linear, stretched(linear)):
            start = time.process_time()
            behind = step(sky.image).data
            seconds = time.process_time() - start
            figures = rate(sky, behind, split_stars(sky.image, split).mask)
            if not names:
                names = [*figures, "CPU s"]
                print(" ".join(f"{name:>13}" for name in ["seed, state", *names]))
            row = [*figures.values(), seconds]
            print(f"{seed} {sky.image.state:>11} " + " ".join(f"{value:13.3f}" for value in row), flush=True)
            if given.pictures:
                given.pictures.mkdir(parents=True, exist_ok=True)
                for name, planes in (("given", sky.image.data), ("truth", sky.behind), ("starless", behind)):
                    show(given.pictures / f"{sky.image.state}-{name}.png", planes, sky.image.state != State.STRETCHED)


if __name__ == "__main__":
    main()
