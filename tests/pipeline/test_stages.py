import json

import pytest

from firstlight import process
from firstlight.errors import SpecError
from firstlight.pipeline.graph import FOLDER
from firstlight.pipeline.stages import finish_session, make_masters, measure_lights, plan_session, stack_field
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    simulate(folder / "night", preset("tiny").model_copy(update={"filters": ("L", "R"), "n_lights": 4}))
    return folder


def products(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.parent.name != FOLDER and p.suffix in (".fits", ".png", ".tif", ".csv")
    }


def test_stage_by_stage_makes_the_bytes_of_one_run(night):
    session, output = str(night / "night"), str(night / "stages")
    given = {"session": session, "settings": {"select": {"fwhm": 6.0}}, "output": output}
    todo = plan_session(**given)
    assert todo["frames"]["light"] == 8
    assert todo["fields"] == {"Tiny field": ["Tiny_field_L_60s", "Tiny_field_R_60s"]}
    masters = make_masters(**given)
    assert {m["file"].split("_")[1] for m in masters["masters"]} == {"bias", "dark", "flat"}
    lights = measure_lights(**given)
    assert len(lights["lights"]) == 8
    made = stack_field(field="Tiny field", **given)
    assert len(made["stacks"]) == 2
    done = finish_session(**given)
    # All of it was done before: nothing but the tables is left.
    record = json.loads((night / "stages" / "run.json").read_text())
    assert sum(numbers["done"] for numbers in record["steps"].values()) == 0
    assert len(done["stacks"]) == 2
    # What comes out goes into a database.
    json.dumps([todo, masters, lights, made, done])
    from firstlight.pipeline.settings import Settings

    process(session, Settings(select={"fwhm": 6.0}), output=night / "whole")
    assert products(night / "stages") == products(night / "whole")
    assert finish_session(**given)["unchanged"]


def test_what_is_not_there_is_said(night):
    with pytest.raises(SpecError, match=r"select\.fwhm"):
        plan_session(str(night / "night"), {"select": {"fwhm": -1}})
    with pytest.raises(SpecError, match="the session has Tiny field"):
        stack_field(str(night / "night"), "Tiny", output=str(night / "other"))
