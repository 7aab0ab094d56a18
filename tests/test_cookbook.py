"""The commands of the cookbook that convert camera raw do what stands beside them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile

from camera_dng import camera_dng
from firstlight import read
from firstlight.cli.main import run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cookbook.md"
BLACK, WHITE = 512, 4095
FULL = WHITE - BLACK
LIGHT = np.random.default_rng(4).integers(200, 1500, (600, 1000)).repeat(2, 0).repeat(2, 1).astype(np.uint16)
"""Grey light, the same in the four pixels of a cell."""
CAST = np.array([[0.5, 1.0], [1.0, 0.8]])
"""How much of it red, green and blue pixels see."""


def commands() -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    section = text.partition("## Convert camera raw")[2].partition("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^    firstlight (.*)$", section, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def mosaic():
    return (BLACK + LIGHT * np.tile(CAST, (600, 1000))).astype(np.uint16)


@pytest.fixture(scope="module")
def converted(tmp_path_factory, mosaic):
    """Every command run, in the order of the page: its steps and its file."""
    folder = tmp_path_factory.mktemp("raw")
    camera_dng(folder / "IMG_0001.CR2", mosaic)
    found = {}
    for number, (name, source, target, *steps) in enumerate(commands()):
        assert name == "apply"
        out = folder / f"{number}-{target}"
        assert run([name, str(folder / source), str(out), *steps]) == 0
        found[" ".join(steps)] = out
    return found


def colours(path: Path) -> np.ndarray:
    """Of a linear 16-bit TIFF: mean red, green, blue as fractions of white."""
    pixels = tifffile.imread(path)
    assert (pixels.dtype, pixels.shape) == (np.uint16, (1200, 2000, 3))
    return pixels.mean(axis=(0, 1)) / 65535


def test_all_modes_are_there(converted):
    assert len(converted) == 14


DAYLIGHT = np.array([1.05211, 1, 0.918417])
"""LibRaw's multipliers for this file (an identity matrix: D65 in sRGB)."""
SEEN = LIGHT.mean() * np.array([0.5, 1, 0.8])


def of_mode(converted, steps):
    return colours(converted[f"{steps} cal:debayer stretch:linear"])


def test_colour_is_linear_and_balanced(converted):
    region = ":source=auto,top=900,bottom=1100,left=1400,right=1800"
    for words, gains in {
        ":source=camera": (2, 1, 1.25),
        ":source=auto": (2, 1, 1.25),
        region: (2, 1, 1.25),
        ":source=none,red=2.1,blue=1.4": (2.1, 1, 1.4),
        "": DAYLIGHT,
    }.items():
        # White is where the first colour is full. Values of raw files are whole numbers: hence the tolerance.
        wanted = SEEN * gains / (FULL * min(gains))
        assert of_mode(converted, "color:whitebalance" + words) == pytest.approx(wanted, rel=2e-3)
    assert of_mode(converted, "cal:addblack") * WHITE == pytest.approx(BLACK + SEEN, rel=1e-3)


@pytest.mark.parametrize("source", ["camera", "daylight"])
def test_colour_against_libraw(converted, source):
    import rawpy

    raw_file = next(iter(converted.values())).parent / "IMG_0001.CR2"
    with rawpy.imread(str(raw_file)) as raw:
        pixels = raw.postprocess(
            gamma=(1, 1), no_auto_bright=True, output_bps=16, use_camera_wb=source == "camera", half_size=True,
            output_color=rawpy.ColorSpace.raw, user_flip=0,
        )  # fmt: skip
    words = ":source=camera" if source == "camera" else ""
    ours = of_mode(converted, "color:whitebalance" + words)
    assert ours == pytest.approx(pixels.mean(axis=(0, 1)) / 65535, rel=2e-3)


def test_grey(converted):
    grey = {steps: tifffile.imread(path) for steps, path in converted.items() if "grey" in path.name}
    by_colours, direct = grey.values()
    assert by_colours.dtype == direct.dtype == np.uint16
    balanced = SEEN * DAYLIGHT / (FULL * DAYLIGHT.min())
    assert by_colours.mean() / 65535 == pytest.approx((balanced * (0.299, 0.587, 0.114)).sum(), rel=2e-3)
    greens = direct[::2, 1::2] / 65535 * FULL * DAYLIGHT.min()
    np.testing.assert_allclose(greens, LIGHT[::2, 1::2], rtol=1e-3)


def test_split(converted, mosaic):
    cube = read(converted["cal:splitcfa"])
    places = {"red": (0, 0), "green1": (0, 1), "blue": (1, 1), "green2": (1, 0)}
    assert cube.shape == (4, 600, 1000)
    for plane, (name, (j, i)) in zip(cube.data, places.items()):
        light = mosaic[j::2, i::2].astype(float) - BLACK
        np.testing.assert_array_equal(plane, light)
        one = tifffile.imread(converted[f"cal:splitcfa:plane={name} stretch:linear"])
        np.testing.assert_allclose(one, light / FULL * 65535, atol=0.51)


def test_renormalize(converted):
    path = next(path for steps, path in converted.items() if "percentile" in steps)
    pixels = tifffile.imread(path)
    assert (pixels.min(), pixels.max()) == (0, 65535)
    # Linked: of the lowest and highest colours' percentiles.
    assert 1e-5 < (pixels == 65535).mean() < 2e-4
    assert 1e-5 < (pixels == 0).mean() < 2e-4
