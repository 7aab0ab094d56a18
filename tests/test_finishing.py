"""The picture of docs/finishing.md: by the recipe and by the page's single commands, the same pixels."""

import glob
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import firstlight as fl
from firstlight.cli.main import run
from firstlight.simulate.night import Camera, preset, simulate

PAGE = Path(__file__).resolve().parent.parent / "docs" / "finishing.md"


def pixels(path):
    with Pillow.open(path) as picture:
        return np.asarray(picture)


def commands():
    """Those of the section on a night in four filters, as lists of words."""
    section = PAGE.read_text(encoding="utf-8").partition("## A night in four filters")[2].partition("![The picture]")[0]
    lines = re.findall(r"^    (firstlight [^\n]*(?:(?<=\\)\n[^\n]*)*)", section, re.MULTILINE)
    return [shlex.split(line.replace("\\\n", " "), comments=True)[1:] for line in lines]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finishing")
    small = {"n_lights": 3, "n_darks": 3, "n_bias": 3, "n_flats": 3, "camera": Camera(width=360, height=280)}
    simulate(folder / "night", preset("lrgb").model_copy(update=small))
    return folder


@pytest.mark.slow
def test_recipe_and_single_commands_give_the_same_picture(night, monkeypatch, capsys):
    simulated, by_recipe, by_hand, *finish = commands()
    assert simulated[:2] == ["simulate", "night"]
    monkeypatch.chdir(night)
    assert run([*by_recipe, "-o", "recipe", "--library", "none", "-q"]) == 0, capsys.readouterr().err
    assert run([*by_hand, "-o", "hand", "--library", "none", "-q"]) == 0, capsys.readouterr().err
    monkeypatch.chdir(night / "hand" / "stacks")
    for words in finish:
        expanded = [each for word in words for each in (sorted(glob.glob(word)) if word.startswith("*") else [word])]
        assert run(expanded) == 0, capsys.readouterr().err
    made = night / "recipe"
    pairs = {
        "combined/*_SLUM.fits": "slum.fits",
        "combined/*_RGB.fits": "rgb.fits",
        "combined/*_LRGB.fits": "lrgb.fits",
        "finished/*_LRGB.fits": "sky.fits",
    }
    for theirs, mine in pairs.items():
        one, other = fl.read(next(made.glob(theirs))), fl.read(mine)
        np.testing.assert_array_equal(one.data, other.data, err_msg=mine)
        np.testing.assert_array_equal(one.flags, other.flags, err_msg=mine)
        assert one.history == other.history
    assert fl.read("lrgb.fits").meta.filter == "L+R+G+B"
    picture, by_commands = pixels(next(made.glob("pictures/*.png"))), pixels("picture.png")
    np.testing.assert_array_equal(picture, by_commands)

    # A dark neutral sky, and nothing burnt out but stars.
    luminance = picture.mean(axis=-1)
    dark = picture[luminance < np.percentile(luminance, 20)]
    assert dark.mean() < 50
    assert np.ptp(np.median(dark, axis=0)) < 15
    assert (luminance > 247).mean() < 0.01
    assert np.percentile(luminance, 90) > 60
