"""Time of light curves: frames a second, and the sums over apertures beside photutils and sep on the same frame.

python benchmarks/timeseries.py [--frames 60]

Frames of 1600 x 1200 px with about 1700 stars are simulated first (not timed). CPU seconds, one thread; those of 500
frames follow from the frames that were done, for every stage but the plan grows with their number.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from firstlight.ops.catalog.apertures import measure_apertures
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.pipeline.series_settings import SeriesSettings
from firstlight.pipeline.timeseries import timeseries
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import Night


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--frames", type=int, default=60)
    n = arguments.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder, "night")
        simulate(session, Night(n_lights=n, n_bias=5, n_darks=5, n_flats=5, exposures=(60.0,), trails=0.0), workers=1)
        settings = SeriesSettings(
            target=bright_star(session / "Lights"), library="none", catalog="none", solve=False, threads=1
        )
        # Compiles what is not compiled yet.
        timeseries(session, settings.model_copy(update={"first": 4}), output=Path(folder, "first"))
        for what, changed in (("one star", settings), ("all stars", settings.model_copy(update={"target": "all"}))):
            begun = time.process_time()
            result = timeseries(session, changed, output=Path(folder, what))
            spent = time.process_time() - begun
            per_frame = (
                sum(
                    result.timings[stage]["cpu_s"]
                    for stage in ("measure", "register", "photometry")
                    if stage in result.timings
                )
                / n
            )
            fixed = spent - n * per_frame
            stars = len(result.series[0].positions)
            print(
                f"{what}: {n} frames of 1.9 Mpx, {stars} places in 18 apertures: {spent:.1f} s CPU, "
                f"{1000 * per_frame:.0f} ms a frame; 500 frames: {fixed + 500 * per_frame:.0f} s"
            )
        sums(session / "Lights")


def bright_star(lights: Path) -> str:
    """A bright star near the middle of the first frame."""
    from firstlight.io.read import read

    plane = read(sorted(lights.glob("*.fits"))[0]).data[0]
    stars, _ = find_stars(plane, FindStars(max_stars=300), saturation=30000.0)
    stars = stars.take((stars.saturated == 0) & (stars.snr > 100))
    height, width = plane.shape
    best = int(np.hypot(stars.x - width / 2, stars.y - height / 2).argmin())
    return f"{stars.x[best]:.1f},{stars.y[best]:.1f}"


def sums(lights: Path) -> None:
    """The same circles and rings by others."""
    import sep
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture

    from firstlight.io.read import read

    plane = read(sorted(lights.glob("*.fits"))[0]).data[0]
    stars, quality = find_stars(plane, FindStars(max_stars=1000))
    inside = (
        (np.min([stars.x, stars.y], axis=0) > 25) & (stars.x < plane.shape[1] - 25) & (stars.y < plane.shape[0] - 25)
    )
    x, y = stars.x[inside], stars.y[inside]
    radii = quality.fwhm * np.array([0.7, 1.0, 1.5, 2.0])
    ring = (3.0 * quality.fwhm, 5.0 * quality.fwhm)

    def ours() -> np.ndarray:
        return measure_apertures(plane, x, y, radii, ring).flux

    def theirs() -> np.ndarray:
        places = np.column_stack([x, y])
        sky = ApertureStats(plane, CircularAnnulus(places, *ring), sum_method="center").median
        return np.column_stack([
            CircularAperture(places, r).do_photometry(plane, method="exact")[0] - sky * np.pi * r**2 for r in radii
        ])  # fmt: skip

    def by_sep() -> np.ndarray:
        return np.column_stack([sep.sum_circle(plane, x, y, r, subpix=0, bkgann=ring)[0] for r in radii])

    spent, light = {}, {}
    for name, work in (("firstlight", ours), ("photutils", theirs), ("sep (mean of the ring, no clipping)", by_sep)):
        work()
        begun = time.process_time()
        light[name] = work()
        spent[name] = time.process_time() - begun
    base = spent["firstlight"]
    for name, seconds in spent.items():
        off = np.nanmedian(np.abs(light[name] / light["firstlight"] - 1))
        against = f"{seconds / base:.2f} times ours, median difference {off:.1e}"
        print(f"{len(x)} stars, 4 apertures and a ring: {name} {1000 * seconds:.0f} ms CPU ({against})")


if __name__ == "__main__":
    main()
