"""Recipes from the first header to the last file."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image as Picture

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.pipeline.recipe import parse_recipe
from firstlight.pipeline.recipe_run import look_ahead, run_recipe
from firstlight.pipeline.runs import clean, find_runs, plan_cleaning
from firstlight.simulate.night import preset, simulate

TEXT = """
about = "Calibrated lights, pictures, the report."
[output]
pictures = false
[[then]]
do = "calibrated"
[[then]]
do = "combine"
optional = true
[[then]]
do = "pictures"
steps = "abr:localgradient stretch:midtones"
[[then]]
do = "report"
"""


def recipe(*changes):
    return parse_recipe(TEXT, "mine", "mine.toml", changes)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny").model_copy(update={"filters": ("L", "R"), "n_lights": 4}))
    return folder


@pytest.fixture(scope="module")
def run(night, tmp_path_factory):
    """Of a small recipe."""
    folder = tmp_path_factory.mktemp("out") / "run"
    return run_recipe(night, recipe(), output=folder)


def products(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "steps" and path.suffix not in (".sqlite", ".json")
    }


def test_calibrated_lights_hold_the_sky_and_its_noise(night, run):
    files = sorted((run.output / "calibrated").glob("*.fits"))
    assert len(files) == 8
    image = read(files[0])
    assert {"bias", "dark", "flat"} <= image.meta.calibrated
    assert image.history[-1].startswith("cal:repair")
    scatter = 1.4826 * np.median(np.abs(np.diff(image.data[0], axis=1))) / np.sqrt(2)
    assert scatter == pytest.approx(float(np.sqrt(np.median(image.variance))), rel=0.08)


def test_a_second_run_finds_everything_finished(night, run):
    before = products(run.output)
    again = run_recipe(night, recipe(), output=run.output)
    assert again.session.unchanged
    assert [step.kept for step in again.steps] == [True, False, True, True]
    assert "no target has the filters" in again.steps[1].missing
    assert products(run.output) == before
    assert look_ahead(night, recipe(), output=run.output).unchanged


def test_another_stretch_draws_the_pictures_alone(night, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.output, folder)
    other = recipe("pictures.steps=stretch:linear")
    again = run_recipe(night, other, output=folder)
    assert [(step.name, step.kept) for step in again.steps] == [
        ("calibrated", True),
        ("combine", False),
        ("pictures", False),
        ("report", False),
    ]
    assert products(folder)["pictures/Tiny_field_R_60s.png"] != products(run.output)["pictures/Tiny_field_R_60s.png"]
    # From a step on.
    again = run_recipe(night, other, output=folder, start="calibrated")
    assert not any(step.kept for step in again.steps)
    ahead = look_ahead(night, recipe("pictures.to=elsewhere"), output=folder)
    assert {kind for kind, _, why in ahead.steps if why} == {"pictures", "report"}


def test_pictures_show_something(run):
    with Picture.open(run.output / "pictures" / "Tiny_field_R_60s.png") as picture:
        pixels = np.asarray(picture)
    assert 40 < np.median(pixels) < 90
    assert pixels.max() == 255


def test_the_record_tells_the_recipe(run):
    record = json.loads((run.output / "run.json").read_text())
    assert record["recipe"]["name"] == "mine"
    assert "pictures/Tiny_field_R_60s.png" in record["products"]
    assert {step["step"] for step in record["recipe"]["steps"]} == {"calibrated", "combine", "pictures", "report"}


def test_a_step_that_cannot_be_done_ends_the_run_unless_it_is_optional(night, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.output, folder)
    text = '[[then]]\ndo = "apply"\nsteps = "bin:mean"\nimages = "*_Ha_*"\n'
    with pytest.raises(InputError, match=r"no image '\*_Ha_\*'"):
        run_recipe(night, parse_recipe(text, "a", "a"), output=folder)
    text += 'optional = true\n[[then]]\ndo = "export"\nnames = "{object}_{filter}"\n'
    result = run_recipe(night, parse_recipe(text, "a", "a"), output=folder)
    assert "no image" in result.steps[0].missing
    assert sorted(path.name for path in result.steps[1].files) == ["Tiny_field_L.fits", "Tiny_field_R.fits"]
    clash = '[[then]]\ndo = "export"\nnames = "{object}"\n'
    with pytest.raises(InputError, match="would both be Tiny_field"):
        run_recipe(night, parse_recipe(clash, "a", "a"), output=folder)


def test_the_runs_of_a_folder(night, run, tmp_path):
    session = tmp_path / "session"
    shutil.copytree(night, session, ignore=shutil.ignore_patterns(".truth"))
    run_recipe(session, recipe())
    (found,) = find_runs(tmp_path)
    assert (found.state, found.lights, found.stacks, found.recipe) == ("whole", 8, 2, "mine")
    shutil.copy(next((session / "Lights").rglob("*.fits")), session / "Lights" / "late.fits")
    next((session / "Darks").rglob("*.fits")).touch()
    (found,) = find_runs(tmp_path)
    assert (found.state, set(found.changed)) == ("stale", {"1 input changed", "1 input new"})
    (session / "firstlight" / "run.json").unlink()
    (found,) = find_runs(tmp_path)
    assert found.state == "unfinished"


def test_cleaning_removes_what_is_no_product(night, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.output, folder)
    run_recipe(night, recipe("pictures.to=elsewhere"), output=folder)
    (folder / ".scratch-x").mkdir()
    (folder / ".scratch-x" / "half").write_bytes(bytes(1000))
    (litter,) = plan_cleaning(tmp_path)
    names = {str(path.relative_to(folder)) for path, _ in litter.paths}
    assert {"pictures/Tiny_field_R_60s.png", ".scratch-x", "steps/results.sqlite"} <= names
    kept = {name for name in products(folder) if not name.startswith((".scratch", "pictures"))}
    assert clean([litter]) > 1000
    assert set(products(folder)) == kept
    again = run_recipe(night, recipe("pictures.to=elsewhere"), output=folder)
    assert again.session.unchanged
