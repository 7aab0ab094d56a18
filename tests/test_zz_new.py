"""Rules that every operation obeys. Operations are found in the registry: a new one is held to them unasked.

Each is tried with its defaults on every sky that it accepts (mono, colour, CFA mosaic), with each choice and switch on
one of them.
"""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError, SpecError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate
from firstlight.ops.registry import FAMILIES, Operation, Reach, describe, operations
from firstlight.ops.spec import Step, parse_step, step

HEIGHT, WIDTH = 56, 72
GAIN, READ_NOISE = 20.0, 4.0
BIAS = 50.0
RUNS = 40
MARGIN = 24
"""Px: an operation of reach `window` looks no further than this with its defaults."""
SCHEMA = Path(__file__).parent / "golden" / "schema.json"
PLATE = Plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 32.0, "CRPIX2": 24.0, "CRVAL1": 10.0,
               "CRVAL2": 40.0, "CD1_1": -2e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2e-4})  # fmt: skip

RAW = tuple((keyword, value, "") for keyword, value in {
    "BLACK_R": 512.0, "WBCAM_R": 1.9, "WBCAM_G": 1.0, "WBCAM_B": 1.4, "WBDAY_R": 2.1, "WBDAY_G": 1.0, "WBDAY_B": 1.3,
    "BIASSEC": "[65:72,1:56]",
}.items())  # fmt: skip
"""Cards that camera raw and observatories bring along."""

SKIES = {"mono": (1, None), "colour": (3, None), "mosaic": (1, "GRBG")}


def truth(channels: int) -> np.ndarray:
    """Sky with a gradient and stars wide enough for every operation, adu above the bias."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    light = 300.0 + 0.5 * x + 0.8 * y
    for cy, cx, peak in ((12, 40, 900), (34, 15, 600), (30, 50, 300)):
        light = light + peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 4.0**2))
    return light * np.array([1.0, 0.7, 1.2])[:channels, None, None]


def sky(name: str, seed: int = 0, *, noise: bool = True) -> Image:
    """A linear frame whose noise is that of its gain and read noise."""
    channels, cfa = SKIES[name]
    light = truth(channels)
    variance = light / GAIN + (READ_NOISE / GAIN) ** 2
    data = light + noise * np.sqrt(variance) * np.random.default_rng(seed).standard_normal(light.shape)
    meta = Meta(
        kind=Kind.LIGHT, exposure=60.0, gain=GAIN, read_noise=READ_NOISE, saturation=4000.0, cfa=cfa, cards=RAW,
        start=datetime(2026, 1, 17, 22, tzinfo=UTC), ra=83.8, dec=-5.4, latitude=48.0, longitude=11.6,
    )  # fmt: skip
    return Image(data, variance=variance, plate=PLATE, meta=meta)


def frames_for(operation: Operation, image: Image, seed: int = 0) -> list[Image]:
    """The further images that an operation takes, by the names of its arguments."""
    rng = np.random.default_rng(seed + 10_000)

    def master(level: float, sigma: float, **changes: object) -> Image:
        unit = changes.pop("unit", PixelUnit.ADU)
        noisy = level + sigma * rng.standard_normal(image.shape)
        meta = image.meta.replace(**changes)
        return Image(noisy, variance=np.full(image.shape, sigma**2), meta=meta, unit=unit)

    made: dict[str, Callable[[], Image]] = {
        "bias": lambda: master(BIAS, 1.0, kind=Kind.MASTER_BIAS),
        "dark": lambda: master(20.0, 1.5, kind=Kind.MASTER_DARK, calibrated=frozenset({"bias"})),
        "flat": lambda: master(1.0, 0.005, kind=Kind.MASTER_FLAT, unit=PixelUnit.NORMALISED),
    }

    def bad_map() -> Image:
        # Within the hole of test_nan_and_missing_regions_do_not_spread: more flags than its own would look like spread.
        marked = np.zeros(image.shape)
        marked[:, 22:24, 31:32] = 1
        return Image(marked, variance=np.zeros(image.shape), meta=image.meta, unit=PixelUnit.NORMALISED)

    def fringes() -> Image:
        wave = 8 * np.sin(np.arange(image.shape[2]) / 2.5) + 0.3 * rng.standard_normal(image.shape)
        return Image(wave, variance=np.full(image.shape, 0.3**2), meta=image.meta)

    def objects() -> Image:
        marked = np.zeros((1, *image.shape[1:]))
        marked[:, 5:20, 33:48] = 1
        return Image(marked, variance=np.zeros(marked.shape), meta=Meta(), unit=PixelUnit.NORMALISED)

    bell = np.exp(-(np.arange(-7, 8) ** 2) / 4.0)
    made |= {"psf": lambda: Image(np.outer(bell, bell)), "map": bad_map, "fringe": fringes, "mask": objects}
    lone = {n for n in operation.frames if image.shape[0] == 1 or (operation.family == "color" and n != "other")}
    others = {n: lambda n=n: sky("mono" if n in lone else "colour", seed + 77 * len(n)) for n in operation.frames}
    return [(others | made)[name]() for name in operation.frames]


def in_state(image: Image, what: Step | Operation) -> Image:
    if what.demands != State.STRETCHED:
        return image
    variance = None if image.variance is None else image.variance / 4000**2
    return image.replace(data=image.data / 4000, variance=variance, unit=PixelUnit.NORMALISED, state=State.STRETCHED)


def variants(operation: Operation) -> list[Step]:
    """Defaults, then each other choice and each switch, one at a time."""
    found = [step(operation.id)]
    for row in describe(operation.params):
        others = [not row["default"]] if row["type"] == "boolean" else row["choices"]
        for value in others:
            if value != row["default"]:
                try:
                    found.append(step(operation.id, **{row["name"]: value}))
                except SpecError:
                    continue
    return found


@cache
def cases() -> dict[str, tuple[Step, str]]:
    """Defaults on every sky that they accept, other choices on one."""
    found = {}
    for operation in operations().values():
        for k, each in enumerate(variants(operation)):
            turned = [*SKIES][k % len(SKIES) :] + [*SKIES][: k % len(SKIES)]
            for name in SKIES if k == 0 else turned:
                image = in_state(sky(name), each)
                try:
                    each(image, *frames_for(operation, image))
                except InputError:
                    continue
                found[f"{each}-{name}"] = each, name
                if k:
                    break
    return found


def run(each: Step, image: Image, seed: int = 0) -> Image:
    image = in_state(image, each)
    return each(image, *frames_for(each.operation, image, seed))


def every_operation(applies: Callable[[Operation], bool] = lambda operation: True) -> pytest.MarkDecorator:
    chosen = {name: each for name, each in operations().items() if applies(each)}
    return pytest.mark.parametrize("operation", chosen.values(), ids=list(chosen))


def every_case(applies: Callable[[Operation], bool] = lambda operation: True) -> pytest.MarkDecorator:
    chosen = {name: case for name, case in cases().items() if applies(case[0].operation)}
    return pytest.mark.parametrize(("each", "name"), chosen.values(), ids=list(chosen))


def arrays(image: Image) -> list[np.ndarray]:
    return [a for a in (image.data, image.flags, image.variance) if a is not None]


def same(one: Image, other: Image) -> bool:
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(arrays(one), arrays(other)))


@every_operation()
def test_it_runs_on_some_sky(operation):
    assert any(each.operation.id == operation.id for each, _ in cases().values()), (
        f"{operation.id} refuses mono, colour and mosaic frames with its defaults: give it defaults that work, or add "
        "the images it takes to frames_for()"
    )


@every_operation()
def test_id_folder_and_version(operation):
    assert re.fullmatch(r"[a-z]+:[a-z0-9]+", operation.id)
    folder = operation.function.__module__.split(".")[-2]
    assert folder == FAMILIES[operation.family], f"{operation.id} belongs in ops/{FAMILIES[operation.family]}"
    assert operation.version >= 1


@every_operation()
def test_every_parameter_is_described(operation):
    for row in describe(operation.params):
        assert len(row["description"]) > 10, f"{operation.id}: say what {row['name']} does in a string under it"
        assert row["type"] in ("integer", "number", "boolean", "word"), (
            f"{operation.id}: {row['name']} is {row['type']}"
        )
        if row["type"] == "number":
            assert row["unit"] or row["bounds"], f"{operation.id}: {row['name']} has neither unit nor bounds"


@every_operation()
def test_the_docstring_says_what_becomes_of_everything(operation):
    text = operation.function.__doc__ or ""
    for word in ("flags", "variance", "plate", "unit"):
        assert word in text.lower(), f"{operation.id}: the docstring does not say what becomes of the {word}"
    assert ">>>" in text, f"{operation.id}: the docstring has no example"
    assert len(operation.summary) < 120
    assert operation.summary.endswith((".", ")."))


def test_parameters_are_those_of_their_version():
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for name, operation in operations().items():
        now = json.loads(json.dumps(schema_of(operation)))
        assert name in known, f"{name} is new: run docs/generate.py, which adds it to tests/golden/schema.json"
        if now["version"] == known[name]["version"]:
            assert now == known[name], (
                f"{name}@{now['version']}: its parameters changed. Old recipes would give other pixels: raise the "
                "version; if they would not, run docs/generate.py --accept"
            )
        else:
            assert now == known[name], f"{name} is now version {now['version']}: run docs/generate.py"
    assert known.keys() <= operations().keys(), f"ids are never reused or lost: {known.keys() - operations().keys()}"


def schema_of(operation: Operation) -> dict[str, object]:
    rows = [{k: v for k, v in row.items() if k != "description"} for row in describe(operation.params)]
    return {"version": operation.version, "parameters": rows}


# ---------------------------------------------------------------- behaviour


@every_case()
def test_inputs_stay_and_results_repeat(each, name):
    image = in_state(sky(name), each)
    frames = frames_for(each.operation, image)
    before = [a.copy() for i in (image, *frames) for a in arrays(i)]
    # Not made read-only: to the compiler that is another type, and all kernels would be compiled once more.
    first = each(image, *frames)
    for kept, now in zip(before, [a for i in (image, *frames) for a in arrays(i)]):
        np.testing.assert_array_equal(kept, now)
    assert same(first, each(image, *frames))
    assert same(first, pickle.loads(pickle.dumps(each))(image, *frames))


@every_case()
def test_types_and_shapes(each, name):
    result = run(each, sky(name))
    assert result.data.dtype == np.float32
    assert result.flags.dtype == np.uint16
    assert result.data.flags.c_contiguous
    assert np.all(np.isfinite(result.data))
    if result.variance is not None:
        assert result.variance.dtype == np.float32
        assert np.all(result.variance >= 0)
    assert result.state == (each.gives or each.demands or State.LINEAR)


@every_case()
def test_history_grows_by_one_step_that_parses_back(each, name):
    image = sky(name).replace(history=("cal:something@1",))
    result = run(each, image)
    *past, entry = result.history
    assert past == ["cal:something@1"]
    for text in (entry, str(each), each.pinned()):
        back = parse_step(text)
        assert (back.operation.id, back.params) == (each.operation.id, each.params)


@every_operation(lambda operation: operation.demands is not None)
def test_the_state_it_demands_is_checked(operation):
    wrong = State.STRETCHED if operation.demands == State.LINEAR else State.LINEAR
    image = sky("mono").replace(state=wrong)
    with pytest.raises(InputError, match=f"needs {operation.demands} data"):
        step(operation.id)(image, *frames_for(operation, image))


@every_case()
def test_variance_tells_the_truth(each, name):
    """Scatter of noisy runs over the claim, within 10 % in each quarter of the pixels ordered by the claim.

    Repaired pixels are left out: they claim how well they foretell a pixel, not how they scatter.
    """
    sums = squares = claims = shift = 0.0
    for seed in range(RUNS):
        result = run(each, sky(name, seed), seed)
        if result.variance is None:
            assert "dropped" in each.operation.function.__doc__, (
                f"{each.operation.id} loses the variance: carry it, or say in the docstring that it is dropped and why"
            )
            return
        data = result.data.astype(np.float64)
        if seed == 0:
            shift = data
        sums, squares = sums + (data - shift), squares + (data - shift) ** 2
        claims = claims + result.variance.astype(np.float64)
    scatter = (squares - sums**2 / RUNS) / (RUNS - 1)
    claims = claims / RUNS
    counted = ~has(result.flags, EXCLUDED | Flag.INTERPOLATED) & (claims > 1e-3 * np.median(claims))
    order = np.argsort(claims[counted], kind="stable")
    for quarter in np.array_split(order, 4):
        ratio = np.sqrt(scatter[counted][quarter].mean() / claims[counted][quarter].mean())
        assert 0.9 < ratio < 1.1, f"{each}: pixels scatter {ratio:.2f} times what their variance says"


@every_case()
def test_flags_only_gain_bits(each, name):
    image = sky(name)
    flags = image.flags.copy()
    for k, bit in enumerate(Flag):
        flags[:, 3 + k, 5] = bit
    result = run(each, image.replace(flags=flags))
    if result.shape != image.shape:
        assert np.bitwise_or.reduce(result.flags, axis=None) & ~np.bitwise_or.reduce(flags, axis=None) == 0
    elif each.operation.family not in ("tx",):
        assert np.all(result.flags & flags == flags)


@every_case()
def test_nan_and_missing_regions_do_not_spread(each, name):
    """And what stands in pixels without data does not matter, however wild."""
    image = sky(name)
    hole = (slice(None), slice(20, 26), slice(30, 36))
    flags = image.flags.copy()
    flags[hole] = Flag.NO_DATA
    results = []
    for value in (np.nan, 0.0, 1e6):
        data = image.data.copy()
        data[hole] = value
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            results.append(run(each, image.replace(data=data, flags=flags)))
    grown = {Reach.PIXEL: 0, Reach.WINDOW: 8}.get(each.operation.reach, 4)
    most = results[0].shape[0] * (6 + 2 * grown) ** 2
    assert np.count_nonzero(~np.isfinite(results[0].data)) <= most
    assert np.count_nonzero(results[0].flags) <= most
    assert np.count_nonzero(results[1].data != results[2].data) <= most


@every_case(lambda operation: operation.reach in (Reach.PIXEL, Reach.WINDOW))
def test_tiles_equal_the_whole(each, name):
    image = in_state(sky(name), each)
    flags = image.flags.copy()
    flags[:, ::7, ::5] = Flag.HOT
    image = image.replace(flags=flags)
    frames = frames_for(each.operation, image)
    margin = 0 if each.operation.reach == Reach.PIXEL else MARGIN
    whole = each(image, *frames)
    top = 12
    first, last = max(top - margin, 0), min(30 + margin, HEIGHT)

    def cut(whole: Image) -> Image:
        part = slice(None), slice(first, last)
        return whole.replace(
            data=whole.data[part], flags=whole.flags[part],
            variance=None if whole.variance is None else whole.variance[part],
        )  # fmt: skip

    tile = each(cut(image), *(cut(frame) for frame in frames))
    for a, b in zip(arrays(tile), arrays(whole)):
        np.testing.assert_array_equal(a[:, top - first : 30 - first], b[:, top:30])


@every_case()
def test_only_what_says_so_touches_the_plate(each, name):
    result = run(each, sky(name))
    text = " ".join((each.operation.function.__doc__ or "").split())
    if re.search(r"[Pp]late(,| and) [^.:]*: kept|Plate: kept\.|and plate: kept", text):
        assert result.plate is PLATE, f"{each.operation.id}: the docstring says that the plate is kept"
    else:
        assert re.search(r"[Pp]late", text)


ODD = {
    "constant": np.full((12, 14), 7.0),
    "zeros": np.zeros((12, 14)),
    "negative": np.full((12, 14), -5.0),
    "one pixel": np.ones((1, 1)),
    "one row": np.arange(9.0)[None],
    "no number": np.full((12, 14), np.nan),
}


@every_operation()
@pytest.mark.parametrize("what", ODD)
def test_odd_images_come_through_or_are_refused(operation, what):
    """No crash, no warning, no NaN out of numbers: a result, or an error the user can act on."""
    kinds = [(channels, cfa) for channels in (1, 3) for cfa in (None, "RGGB")]
    for k, each in enumerate(variants(operation)):
        for channels, cfa in kinds if k == 0 else kinds[k % 4 :][:1]:
            data = np.stack([ODD[what]] * channels)
            meta = Meta(cfa=cfa, gain=1.0, read_noise=2.0, exposure=1.0)
            image = in_state(Image(data, variance=np.ones_like(data), meta=meta), operation)
            try:
                result = each(image, *frames_for(operation, image))
            except (InputError, FrameError):
                continue
            if what != "no number":
                assert np.all(np.isfinite(result.data)), str(each)
