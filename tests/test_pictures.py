"""The pictures of docs/pictures.md, made of real frames by the commands of the page: would one hang them on a wall?"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.ndimage import median_filter

from firstlight.cli.main import run

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")


def commands(heading: str, text: str = PAGE) -> list[list[str]]:
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    firstlight ([^\n]*(?:(?<=\\)\n[^\n]*)*)", section, re.MULTILINE)
    return [shlex.split(line.replace("\\\n", " "), comments=True) for line in lines]


def made(heading: str, frames: Path, name: str, folder: Path, monkeypatch) -> list[np.ndarray]:
    """What `process` drew by itself, and the finished picture: floats 0..1 (y, x, channel)."""
    shutil.copytree(frames, folder / name)
    monkeypatch.chdir(folder)
    process, apply = commands(heading)
    for words in ([*process, "-q", "--library", "none"], apply):
        assert run(words) == 0, words
    (by_itself,) = (folder / name / "firstlight" / "pictures").glob("*.png")
    found = []
    for path in (by_itself, folder / apply[2]):
        with Pillow.open(path) as picture:
            pixels = np.asarray(picture, np.float32) / 255
        found.append(pixels if pixels.ndim == 3 else pixels[..., None])
    return found


def corners(picture: np.ndarray, size: int = 90) -> np.ndarray:
    """Median colours of the four corners (4, channel)."""
    ends = slice(10, 10 + size), slice(-10 - size, -10)
    return np.array([np.median(picture[rows, columns], axis=(0, 1)) for rows in ends for columns in ends])


def grain(picture: np.ndarray) -> float:
    """Of single pixels against their surroundings, in the middle of all values."""
    luminance = picture.mean(axis=-1)
    fine = luminance - median_filter(luminance, 5)
    return 1.4826 * float(np.median(np.abs(fine)))


def test_the_readme_shows_the_commands_of_the_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What it does")[0]
    assert commands("M 27", f"## M 27\n{readme}") == commands("One-shot colour: M 27")


@pytest.mark.slow
def test_m27(real_data, tmp_path, monkeypatch):
    frames = real_data("m27_asi224mc_als")
    by_itself, finished = made("One-shot colour: M 27", frames, "m27", tmp_path, monkeypatch)
    # The amplifier glows into the upper right corner: without darks an automatic picture shows it.
    for picture, sky in ((by_itself, np.delete(corners(by_itself), 1, axis=0)), (finished, corners(finished))):
        assert (sky > 0.1).all()
        assert (sky < 0.25).all()
        assert np.ptp(sky, axis=1).max() < 0.02, "a grey sky"
        assert np.ptp(sky, axis=0).max() < 0.04, "no gradient"
        assert (picture <= 0).all(axis=-1).mean() < 1e-4
        assert (picture >= 1).all(axis=-1).mean() < 5e-4, "cores of stars, no more"
        assert grain(picture) < 0.01, "a plain stretch has 0.027"
        luminance = picture.mean(axis=-1)
        stars = picture[(luminance > 0.55) & (luminance < 0.85)]
        low, high = np.percentile(stars[:, 0] / np.maximum(stars[:, 2], 0.01), [5, 95])
        assert high > 1.15, "some stars are orange"
        assert low < 0.9, "some are blue"
    # The nebula stands out, blue-green, with red rims.
    inside = np.median(finished[260:340, 330:430], axis=(0, 1))
    assert inside.mean() > 1.6 * corners(finished).mean()
    assert inside[2] > 1.2 * inside[0]
    rim = finished[395:410, 370:420].mean(axis=(0, 1))
    assert rim[0] > rim[1]


@pytest.mark.slow
def test_pelican(real_data, tmp_path, monkeypatch):
    frames = real_data("pelican_mono_crop800")
    by_itself, finished = made("Mono narrowband: the Pelican", frames, "pelican", tmp_path, monkeypatch)
    for picture, darkest in ((by_itself, 0.08), (finished, 0.04)):
        assert darkest < np.percentile(picture, 5) < 0.2
        assert (picture <= 0).mean() < 1e-3
        assert (picture >= 1).mean() < 1e-3
        assert grain(picture) < 0.02, "a plain stretch has 0.052"
    # The bright rim and the dark cloud below it, beside each other.
    for picture, contrast in ((by_itself, 1.4), (finished, 1.9)):
        assert np.median(picture[470:500, 420:480]) > contrast * np.median(picture[560:620, 320:400])
