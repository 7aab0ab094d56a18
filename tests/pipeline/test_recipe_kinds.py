"""Every kind of step: its options can be listed and checked; those of the other commands are theirs."""

import numpy as np
import pytest

from firstlight.ops.field_texts import field_texts
from firstlight.ops.registry import describe
from firstlight.pipeline.recipe import parse_recipe
from firstlight.pipeline.recipe_kinds import KINDS
from firstlight.pipeline.recipe_run import run_recipe
from firstlight.pipeline.series_settings import SeriesSettings
from firstlight.simulate.night import load_truth, preset, simulate

ALL = """
[output]
pictures = false
[[then]]
do = "quality"
[[then]]
do = "continuum"
images = "*_R_*"
broad = "*_L_*"
optional = true
[[then]]
do = "photometry"
catalog = "none"
completeness = 0
images = "*_60s"
[[then]]
do = "timeseries"
target = "{target}"
reference = "light_L_60s_0001.fits"
catalog = "none"
optional = true
[[then]]
do = "report"
"""


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_described(name):
    kind = KINDS[name]
    rows = describe(kind.params())
    assert kind.summary.endswith(".")
    assert all(row["description"] for row in rows)


def test_options_of_other_commands_are_not_written_twice():
    mine, theirs = field_texts(KINDS["timeseries"].params()), field_texts(SeriesSettings)
    assert {"target", "detrend", "event"} <= set(mine)
    assert all(mine[name] == theirs[name] for name in mine)


def test_the_steps_of_other_commands_are_done_and_found_finished(tmp_path):
    night = tmp_path / "night"
    simulate(night, preset("tiny").model_copy(update={"filters": ("L", "R"), "n_lights": 5}))
    truth = load_truth(night)
    positions = truth.star_positions(truth[night / "Lights" / "light_L_60s_0001.fits"])
    inside = (positions > 40).all(axis=1) & (positions < (260, 160)).all(axis=1)
    flux = np.where(inside, truth.stars["flux_L"].reshape(len(positions), -1)[:, 0], 0)
    x, y = positions[np.argsort(flux)[-4]]
    recipe = parse_recipe(ALL.replace("{target}", f"{x:.1f},{y:.1f}"), "all", "all.toml")
    result = run_recipe(night, recipe, output=tmp_path / "run")
    made = {step.name: {path.name for path in step.files} for step in result.steps}
    assert {"quality.csv", "kept.txt"} <= made["quality"]
    assert "report.html" in made["report"]
    assert any(name.endswith("_photometry.ecsv") for name in made["photometry"])
    assert any(name.endswith(".csv") for name in made["timeseries"]), result.steps[3].missing
    again = run_recipe(night, recipe, output=tmp_path / "run")
    assert all(step.kept or step.missing for step in again.steps)
