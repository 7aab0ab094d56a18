"""Recipes as files: sections, steps, errors that name the line, changes from outside."""

import pytest

from firstlight.errors import InputError, SpecError
from firstlight.pipeline.recipe import known_recipes, load_recipe, own_folder, parse_recipe, presets
from firstlight.pipeline.recipe_text import every_option, explain_recipe, recipe_as_toml
from firstlight.pipeline.settings import Settings

NIGHT = """
about = "A night"

[session]
library = "none"

[stacking]
rejection = "linearfit"
low = 4

[select]
fwhm = 3.0

[[then]]
do = "apply"
steps = ["abr:localgradient:scale=512", "stretch:midtones"]

[[then]]
do = "pictures"
optional = true
formats = "png jpg"
"""


def test_sections_have_the_observers_words_and_those_of_the_settings():
    recipe = parse_recipe(NIGHT, "night", "night.toml")
    assert recipe.settings.stack.method == "linear"
    assert recipe.settings.stack.low == 4
    assert recipe.settings.select.fwhm == 3
    assert recipe.settings.library == "none"
    assert recipe.settings.normalize == Settings().normalize
    assert [(s.name, s.optional) for s in recipe.steps] == [("apply", False), ("pictures", True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[stackin]\nmethod = 'mean'", "a.toml, line 1: no section 'stackin'; did you mean stacking?"),
        ("\n[stacking]\nmethd = 'mean'", "a.toml, line 3: [stacking] has no option 'methd'; did you mean method?"),
        ("[stacking]\nlow = -1", "a.toml, line 2: stack.low = -1: input should be greater than or equal to 0"),
        ("[stacking]\nrejection = 'best'", "a.toml, line 2: stack.method = 'best': input should be"),
        ("[selection]\nstars = 'many'", "a.toml, line 2: select.stars = 'many': input should be a valid number"),
        ("[[then]]\ndo = 'aply'", "a.toml, line 2: no step 'aply'; did you mean apply?"),
        ("[[then]]\nsteps = 'bin:mean'", "a.toml, line 1: a step needs do = "),
        ("[[then]]\ndo = 'apply'\nstep = 'x'", "a.toml, line 3: apply has no option 'step'; did you mean steps?"),
        ("[[then]]\ndo = 'apply'\nsteps = 'bin:meen'", "a.toml, line 1: unknown operation 'bin:meen'; did you mean"),
        ("[[then]]\ndo = 'export'\nnames = '{objekt}'", "{objekt}; did you mean object?"),
        ("[[then]]\ndo = 'pictures'\n[[then]]\ndo = 'pictures'", "a.toml, line 3: a second step 'pictures'"),
        ("[stacking\nmethod = 1", "a.toml: expected"),
        ("kind = 'lve'", "a.toml, line 1: kind 'lve'; did you mean live?"),
        ("then = 3", "a.toml, line 1: write each step as [[then]]"),
        ("[comet]\nfollow = true", "a.toml, line 2: [comet] has no option 'follow'"),
    ],
)  # fmt: skip
def test_errors_name_the_line_and_the_nearest(text, words):
    with pytest.raises(SpecError) as caught:
        parse_recipe(text, "a", "a.toml")
    assert words in str(caught.value)


def test_changes_reach_the_session_and_the_steps():
    recipe = load_recipe(
        "astrophoto-osc",
        ["stack.rejection=linearfit", "calibration.scale_darks=no", "first=3", "pictures.formats=jpg",
         "sky.optional=yes"],
    )  # fmt: skip
    assert (recipe.settings.stack.method, recipe.settings.calibrate.scale_darks, recipe.settings.first) == (
        "linear", False, 3,
    )  # fmt: skip
    steps = {step.name: step for step in recipe.steps}
    assert steps["pictures"].params.formats == "jpg"
    assert steps["sky"].optional
    for change, words in (("stak.low=1", "did you mean stack?"), ("pictures.size=1", "pictures has no option 'size'"),
                          ("stack", "SECTION.OPTION=VALUE")):  # fmt: skip
        with pytest.raises(SpecError) as caught:
            load_recipe("astrophoto-osc", [change])
        assert words in str(caught.value)


@pytest.mark.parametrize("name", presets())
def test_every_recipe_that_comes_with_the_program_is_right_and_survives_as_text(name):
    recipe = load_recipe(name)
    assert recipe.about
    again = parse_recipe(recipe_as_toml(recipe), name, name)
    assert (again.settings, again.steps, again.about) == (recipe.settings, recipe.steps, recipe.about)
    assert recipe.about in explain_recipe(recipe)


def test_the_list_of_every_option_is_a_recipe():
    text = every_option(["stack.method=mean"])
    recipe = parse_recipe(text, "new", "new")
    assert recipe.settings == Settings(stack={"method": "mean"})
    # With every option switched on it still is the default.
    options = [line for line in text.splitlines() if "[[" not in line and "# do" not in line and "# steps" not in line]
    switched = [line.removeprefix("# ") if " = " in line[:40] else line for line in options]
    assert parse_recipe("\n".join(switched), "new", "new").settings == Settings(stack={"method": "mean"})


def test_own_recipes_are_found_by_name_and_may_be_like_another(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path))
    own_folder().mkdir(parents=True)
    (own_folder() / "mine.toml").write_text('like = "astrophoto-osc"\n[stacking]\nmethod = "median"\n')
    recipe = load_recipe("mine")
    assert "mine" in known_recipes()
    assert recipe.settings.stack.method == "median"
    assert recipe.settings.calibrate.scale_darks
    assert [step.name for step in recipe.steps] == ["colours", "sky", "pictures", "report"]
    with pytest.raises(InputError, match="did you mean mine"):
        load_recipe("mine2")
    (own_folder() / "ring.toml").write_text('like = "ring"\n')
    with pytest.raises(SpecError, match="in a ring"):
        load_recipe("ring")
