"""The streaming engine against the plain operations: raw frames calibrated, resampled, normalised and combined as whole
arrays, for every method of rejection, normalisation, weight and geometry.

The combinations are chosen so that every pair of choices meets at least once.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import map_coordinates

from firstlight.io.read import read
from firstlight.model.distortion import Bend, Distorted
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import noise_factor, resample_tile
from firstlight.ops.calibrate.dark import SubtractDark, subtract_dark
from firstlight.ops.calibrate.debayer import Debayer, debayer, pattern_of
from firstlight.ops.calibrate.flat import DivideFlat, divide_flat
from firstlight.ops.calibrate.repair import Repair, repair
from firstlight.ops.stack.combine import FrameTerms, combine_cube
from firstlight.ops.stack.normalize import Mode
from firstlight.ops.stack.rules import RULES
from firstlight.ops.stack.weights import FORMULAS, Weighing, frame_weights
from firstlight.pipeline import session
from firstlight.pipeline.contribute import weighs_by_light
from firstlight.pipeline.group import plan_engine
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Normalize, Settings
from firstlight.pipeline.weigh import check_weighing, metrics_of
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import Camera, Night, Sky, Telescope

NIGHT = Night(
    n_lights=7, n_bias=4, n_darks=4, n_flats=4, exposures=(60.0,), dither=5.0, trails=0.3, cosmic_rays=8.0,
    camera=Camera(width=170, height=130, hot_fraction=3e-3, full_well=4000.0), telescope=Telescope(dust=2),
    sky=Sky(stars_per_mpx=6000.0, seeing_spread=0.12),
)  # fmt: skip
COLOUR = NIGHT.model_copy(update={"camera": NIGHT.camera.model_copy(update={"cfa": "GRBG"})})
NIGHTS = {
    "shifted": NIGHT,
    "turned": NIGHT.model_copy(update={"rotation": 120.0}),
    "flipped": NIGHT.model_copy(update={"meridian_flip": True, "rotation": 6.0}),
    "bent": NIGHT,
    "mixed": NIGHT.model_copy(update={"exposures": (30.0, 60.0), "n_lights": 4}),
    "bilinear": COLOUR,
    "edge": COLOUR,
    "superpixel": COLOUR,
}
FACTORS = {
    "method": tuple(RULES),
    "weights": get_args(Weighing),
    "mode": get_args(Mode),
    "scene": tuple(NIGHTS),
    "kernel": ("lanczos3", "lanczos4", "lanczos2", "bicubic", "bilinear", "nearest"),
    "grow": (2, 0, 4),
    "guard": (1.0, 0.0),
    "clamp": (1.0, 1000.0),
    "framing": ("reference", "union"),
}
FORMULA = "exp(-airmass) / fwhm**2"


def covering(factors):
    """Few rows of choices in which every pair of choices of two factors stands together."""
    names = list(factors)
    left = {
        frozenset(((a, x), (b, y)))
        for a, b in itertools.combinations(names, 2)
        for x, y in itertools.product(factors[a], factors[b])
    }
    rows = []
    for first, second in ((a, b) for a, b in itertools.combinations(names, 2)):
        for x, y in itertools.product(factors[first], factors[second]):
            if frozenset(((first, x), (second, y))) not in left:
                continue
            row = {first: x, second: y}
            for name in names:
                if name not in row:
                    news = [sum(frozenset(((name, v), old)) in left for old in row.items()) for v in factors[name]]
                    row[name] = factors[name][int(np.argmax(news))]
            left -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
            rows.append(row)
    return rows


ROWS = covering(FACTORS)


def test_every_pair_of_choices_is_tried():
    tried = {frozenset(pair) for row in ROWS for pair in itertools.combinations(row.items(), 2)}
    sizes = [len(values) for values in FACTORS.values()]
    assert len(tried) == sum(a * b for a, b in itertools.combinations(sizes, 2))


@dataclass
class Session:
    """A night whose frames are registered, and its masters as files."""

    folder: object
    prepared: object
    masters: dict
    settings: Settings


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    made = {}

    def prepare(name):
        if name not in made:
            made[name] = _session(name, tmp_path_factory.mktemp(name))
        return made[name]

    return prepare


def _session(name, folder):
    simulate(folder, NIGHTS[name])
    lights = sorted((folder / "Lights").rglob("*.fits"))
    for i, path in enumerate(lights):
        fits.setval(path, "WEIGHT", value=1 + i % 3)
    (folder / "weights.csv").write_text("".join(f"{path.name},{2 + i % 4}\n" for i, path in enumerate(lights)))
    settings = Settings(
        calibrate={"debayer": name if NIGHTS[name] is COLOUR else "bilinear"},
        mix="exposure" if name == "mixed" else "nothing",
        select={"everything": True}, normalize={"mode": "local", "tile": 64}, output={"pictures": False},
    )  # fmt: skip
    held = []
    with pytest.MonkeyPatch.context() as patch:
        plain = session.stack_group

        def hold(prepared, *more):
            held.append(prepared)
            return plain(prepared, *more)

        patch.setattr(session, "stack_group", hold)
        result = process(folder, settings, output=folder / "out")
    (prepared,) = held
    assert len(prepared.placed) >= 7
    if name == "bent":
        bend = Bend((85.0, 65.0), 100.0, np.array([[0.8, -0.5], [0.3, 0.4], [-0.6, 0.2]]))
        prepared = replace(prepared, placed=[bent(p, bend) if i % 2 else p for i, p in enumerate(prepared.placed)])
    masters = {image.meta.kind.value: image for image in map(read, sorted((folder / "out/masters").glob("*.fits")))
               if image.meta.kind.value != "master dark"}  # fmt: skip
    masters |= {image.meta.exposure: image for image in map(read, (folder / "out/masters").glob("*dark*.fits"))}
    assert result.stacks
    return Session(folder, prepared, masters, settings)


def bent(placed, bend):
    transform = Distorted.of(bend, placed.registration.transform)
    return replace(placed, registration=replace(placed.registration, transform=transform))


def plain_line(mode, scale, mine, theirs):
    """Factor and summand of each channel, as the table in `firstlight.ops.stack.normalize` has them."""
    one = np.ones_like(mine)
    return {
        "none": (one, 0 * one),
        "additive": (one, theirs - mine),
        "background": (one, theirs - mine),
        "multiplicative": (theirs / mine, 0 * one),
        "signal": (scale * one, mine - scale * mine),
    }.get(mode, (scale * one, theirs - scale * mine))


def plain_weights(session, rule, factors):
    names = [p.light.name for p in session.prepared.placed]
    if rule.weights in ("header", "csv"):
        order = sorted(path.name for path in (session.folder / "Lights").rglob("*.fits"))
        first, period = {"header": (1, 3), "csv": (2, 4)}[rule.weights]
        weights = np.array([first + order.index(name) % period for name in names], float)
        return weights / weights.mean()
    metrics = metrics_of(session.prepared.placed, session.prepared.reference, factors)
    if rule.weights == "formula":
        weights = np.exp(-metrics["airmass"]) / metrics["fwhm"] ** 2
        return weights / weights.mean()
    assert rule.weights in FORMULAS
    return frame_weights(rule.weights, metrics, names)[0]


def calibrated(session, placed, bad):
    """A light as the operations calibrate it, bad pixels repaired."""
    image = read(placed.light.frame.path)
    image = subtract_dark(image, SubtractDark(), session.masters[image.meta.exposure])
    image = divide_flat(image, DivideFlat(), session.masters["master flat"])
    flags = image.flags.copy()
    assert bad[has(flags, Flag.HOT | Flag.COLD | Flag.LOW_FLAT | Flag.NO_DATA)].all()
    flags[bad] |= np.uint16(Flag.HOT)
    return repair(image.replace(flags=flags), Repair())


def near(ys, xs, forward, size):
    """Rows and columns of the grid whose inner 2 x 2 samples hold one of these pixels, one after the other."""
    for x, y in forward(np.column_stack([xs, ys]).astype(float)):
        for row in {int(np.floor(y)), int(np.floor(y)) + 1}:
            for column in {int(np.floor(x)), int(np.floor(x)) + 1}:
                if 0 <= row < size[0] and 0 <= column < size[1] and max(abs(row - y), abs(column - x)) < 1:
                    yield row, column


def slow(session, engine, settings):
    """Every plane of the stack, from whole arrays."""
    placed, rule = session.prepared.placed, settings.normalize
    base = placed.index(next(p for p in placed if p.light is session.prepared.reference))
    brightness = [p.flux_ratio / p.registration.transform.scale**2 for p in placed]
    lines = [
        plain_line(rule.mode, ours / brightness[base], p.light.level, placed[base].light.level)
        for ours, p in zip(brightness, placed)
    ]
    factors = np.array([factor for factor, _ in lines])
    weights = plain_weights(session, rule, factors)
    colours = engine.colours
    cell = colours.cell if colours else Transform.identity()
    channels, size, n = engine.channels, engine.size, len(placed)
    cube = np.full((channels, n, *size), np.nan, np.float32)
    sums, counts = np.zeros((2, channels, *size), np.float32)
    flags = np.zeros((channels, *size), np.uint16)
    noise, photons = np.zeros((2, channels, n))
    # The mean of the photons lies half of one above their mode.
    half = np.zeros(channels)
    clamp = settings.registration.clamp if settings.registration.clamp < 1000 else 0.0
    for i, (p, (factor, summand)) in enumerate(zip(placed, lines)):
        bad = np.zeros((1, *p.light.frame.shape[1:]), bool)
        defects = engine.contributions[i].calibration.defects[0]
        bad[0, defects.ys, defects.xs] = True
        image = calibrated(session, p, bad)
        planes = debayer(image, Debayer(method=colours.method)).data if colours else image.data
        pixel = p.registration.transform.then(engine.grid.from_reference).then(cell)
        forward = cell.inverse.then(pixel)
        gain, full = p.light.frame.meta.gain, read(p.light.frame.path).data[0] >= p.light.frame.meta.saturation
        for channel in range(channels):
            out = cube[channel, i]
            resample_tile(
                np.ascontiguousarray(planes[channel]), 0, planes.shape[1:], forward, out, 0, 0,
                kernel=settings.registration.kernel, clamp=clamp * p.light.noise[channel] if clamp else np.inf,
                photons=clamp**2 / gain,
            )  # fmt: skip
            if rule.mode == "local":
                surface = engine.contributions[i].surface[channel].astype(float)
                places = np.mgrid[: size[0], : size[1]] / 32.0
                out += map_coordinates(surface, places, order=1, mode="nearest").astype(np.float32)
            mine = bad[0].copy()
            if colours:
                ys, xs = np.indices(mine.shape)
                mine &= pattern_of(colours.cfa)[ys % 2, xs % 2] == channel
            for at in near(*np.nonzero(mine), pixel, size):
                if np.isfinite(out[at]):
                    value = out[at] * np.float32(factor[channel]) + np.float32(summand[channel])
                    sums[channel][at] += np.float32(weights[i]) * value
                    counts[channel][at] += np.float32(weights[i])
                    out[at] = np.nan
            for at in near(*np.nonzero(full), pixel, size):
                flags[channel][at] |= np.uint16(Flag.SATURATED)
            if colours:
                smoothing = Colours(colours.cfa, colours.method).noise_factor(channel, forward, engine.kernel, size)
            else:
                smoothing = noise_factor(forward, (0, size[0], 0, size[1]), engine.kernel)
            noise[channel, i] = smoothing * (factor[channel] * p.light.noise[channel]) ** 2
            photons[channel, i] = smoothing * factor[channel] / gain
            share = min(p.light.level[channel] / gain / p.light.noise[channel] ** 2, 1.0)
            half[channel] += 0.5 * factor[channel] / gain * share / n
    found = {name: np.zeros((channels, *size), np.float32) for name in PLANES}
    seeing = np.array([p.light.quality.fwhm * p.registration.transform.scale for p in placed])
    hits, seen = np.zeros(n), np.zeros(n)
    for channel in range(channels):
        as32 = (np.asarray(a, np.float32) for a in (
            factors[:, channel], [summand[channel] for _, summand in lines], weights, noise[channel], photons[channel]
        ))  # fmt: skip
        terms = FrameTerms(
            *as32, level=float(placed[base].light.level[channel] + half[channel]), seeing=seeing,
            by_light=rule.weights == "noise" and len({p.light.frame.meta.exposure for p in placed}) > 1,
        )  # fmt: skip
        result = combine_cube(cube[channel], settings.stack, terms)
        mean, variance = result.mean.copy(), result.variance.copy()
        places = np.mgrid[: size[0], : size[1]] / 32.0
        uneven = 1.0
        if engine.uneven is not None:
            uneven = map_coordinates(engine.uneven[channel].astype(float), places, order=1, mode="nearest")
        if engine.common is not None:
            variance += np.float32(engine.common[channel])
        repaired = (result.kept == 0) & (counts[channel] > 0)
        mean[repaired] = sums[channel][repaired] / counts[channel][repaired]
        common = 0.0 if engine.common is None else np.float32(engine.common[channel])
        variance[repaired] = terms.noise.max() + common
        flags[channel][repaired] |= np.uint16(Flag.INTERPOLATED)
        empty = ~np.isfinite(mean)
        flags[channel][empty] = np.uint16(Flag.NO_DATA)
        mean[empty] = variance[empty] = 0.0
        variance *= np.float32(uneven)
        for name, plane in zip(PLANES, (mean, variance, flags[channel], result.kept, result.rejected_low,
                                        result.rejected_high)):  # fmt: skip
            found[name][channel] = plane
        hits += result.hits
        seen += np.isfinite(cube[channel]).sum(axis=(1, 2))
    return found, hits / np.maximum(seen, 1)


PLANES = ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high")


def words(row):
    return "-".join(f"{value:g}" if isinstance(value, float) else str(value) for value in row.values())


@pytest.mark.parametrize("row", ROWS, ids=words)
def test_fast_is_slow(sessions, row):
    session = sessions(row["scene"])
    rule = Normalize(
        mode=row["mode"], tile=64, weights=row["weights"], formula=FORMULA if row["weights"] == "formula" else ""
    )
    settings = session.settings.model_copy(update={
        "normalize": check_weighing(rule, [p.light.frame for p in session.prepared.placed], session.folder),
        "stack": session.settings.stack.model_copy(update={k: row[k] for k in ("method", "grow", "guard")}),
        "registration": session.settings.registration.model_copy(
            update={k: row[k] for k in ("kernel", "clamp", "framing")}
        ),
    })  # fmt: skip
    engine, _ = plan_engine(session.prepared, settings)
    assert weighs_by_light(session.prepared.placed, rule) == (row["scene"] == "mixed" and row["weights"] == "noise")
    with ThreadPoolExecutor(2) as pool:
        fast = engine.run(pool, 2, 300_000)
    expected, fractions = slow(session, engine, settings)
    # A surface is added in another order of roundings: a sample that lies on a limit may fall to the other side.
    stray = 2e-4 if rule.mode == "local" else 0.0
    for name in PLANES:
        mine = getattr(fast, name)
        same = np.isclose(mine, expected[name], rtol=2e-5, atol=2e-3 if rule.mode == "local" else 1e-6)
        assert np.mean(~same) <= stray, name
    np.testing.assert_allclose(fast.rejected_fraction, fractions, atol=stray)
    assert expected["coverage"].max() > 1
    assert has(expected["flags"].astype(np.uint16), Flag.SATURATED).any()
