"""Stacks of a session and of files get their plates when it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.read import read
from firstlight.model.image import Image
from firstlight.ops.align.plates import sky_of
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.settings import SolveStacks
from firstlight.pipeline.solve_stacks import with_solved_plate
from pipeline.sky_images import write_image

MIDDLE = np.array([[319.5, 239.5]])


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    for i in range(3):
        cards = [("IMAGETYP", "LIGHT", ""), ("OBJECT", "M 42", ""), ("FOCALLEN", 25.0, ""), ("XPIXSZ", 3.6, "")]
        write_image(folder / f"light_{i}.fits", 84.0, -2.0, cards, seed=i)
    return folder


def test_the_stack_of_a_session_is_solved(session, tmp_path):
    words = ["process", session, "-o", tmp_path, "--solve-stacks", "--solve-catalog", "gaia", "-q"]
    assert run(list(map(str, words))) == 0
    (stack,) = (tmp_path / "stacks").glob("*.fits")
    image = read(stack)
    ra, dec = sky_of(image.plate, MIDDLE)[0]
    assert ra == pytest.approx(84.0, abs=1e-3)
    assert dec == pytest.approx(-2.0, abs=1e-3)
    assert "plate 84.0" in (tmp_path / "run.json").read_text()


def test_a_stack_of_files_is_solved(session, tmp_path):
    files = sorted(map(str, session.glob("*.fits")))
    assert (
        run(["stack", *files, "-o", str(tmp_path / "s.fits"), "--solve-stacks", "--solve-catalog", "gaia", "-q"]) == 0
    )
    ra, dec = sky_of(read(tmp_path / "s.fits").plate, MIDDLE)[0]
    assert ra == pytest.approx(84.0, abs=1e-3)
    assert dec == pytest.approx(-2.0, abs=1e-3)


def test_a_stack_that_is_not_solved_stays_as_it_was():
    image = Image(np.random.default_rng(1).normal(100, 5, (200, 200)))
    same, notes = with_solved_plate("noise", image, SolveStacks(stacks=True, catalog="gaia"), Clock(Progress()))
    assert same is image
    assert notes[0].startswith("noise: no plate")
    assert with_solved_plate("noise", image, SolveStacks(), Clock(Progress())) == (image, [])
