"""The graph of a run: what is finished is not done again, and what a run leaves is what a fresh one would."""

import hashlib
import json
import shutil

import pytest

from firstlight.errors import SpecError
from firstlight.pipeline.graph import FOLDER, JOURNAL, Graph, Step, key_of, read_journal
from firstlight.pipeline.outlook import outlook
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Calibrate, Output, Select, Settings
from firstlight.simulate.night import preset, simulate

QUICK = Settings(output=Output(pictures=False))


def products(folder):
    """Content of every product; the record of the run tells times, and the finished steps are not products."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != FOLDER and path.suffix not in (".sqlite", ".json", ".html")
    }


def done(result):
    return {kind: numbers["done"] for kind, numbers in result.record["steps"].items() if numbers["done"]}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Two filters, of one of them fewer lights (the reference is of the other), and a broken dark."""
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny").model_copy(update={"filters": ("L", "R"), "n_lights": 4}))
    lights_of(folder, "R")[0].unlink()
    dark = sorted((folder / "Darks").iterdir())[0]
    dark.write_bytes(dark.read_bytes()[:20_000])
    return folder


@pytest.fixture
def session(night, tmp_path):
    shutil.copytree(night, tmp_path / "session", ignore=shutil.ignore_patterns(".truth"))
    return tmp_path / "session"


def lights_of(session, name):
    return sorted(path for path in (session / "Lights").rglob("*.fits") if f"_{name}_" in path.name)


def test_one_more_light_is_measured_alone_and_its_stack_alone_is_made(session, tmp_path):
    late = lights_of(session, "R")[-1]
    aside = tmp_path / late.name
    late.rename(aside)
    first = process(session, output=tmp_path / "run")
    assert done(first)["measure"] == 6
    aside.rename(late)
    ahead = outlook(session, output=tmp_path / "run")
    assert [name for kind, name, why in ahead.steps if kind == "measure" and why] == [str(late)]
    second = process(session, output=tmp_path / "run")
    assert done(second) == {"measure": 1, "register": 1, "stack": 1, "picture": 1}
    fresh = process(session, output=tmp_path / "fresh")
    assert products(tmp_path / "run") == products(tmp_path / "fresh")
    assert [stack.summary() for stack in second.stacks] == [stack.summary() for stack in fresh.stacks]
    assert second.set_aside == fresh.set_aside
    assert fresh.set_aside


def test_another_stretch_makes_the_pictures_alone(session, tmp_path):
    process(session, output=tmp_path / "run")
    stretched = Settings(output=Output(picture_steps="stretch:midtones"))
    again = process(session, stretched, output=tmp_path / "run")
    assert done(again) == {"picture": 2}
    process(session, stretched, output=tmp_path / "fresh")
    assert products(tmp_path / "run") == products(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"select": Select(everything=True)}, {"stack"}),
        ({"calibrate": Calibrate(cosmic_rays=True, banding="rows")}, {"measure", "register", "stack"}),
    ],
)
def test_other_settings_do_again_what_depends_on_them(session, tmp_path, settings, kinds):
    process(session, QUICK, output=tmp_path / "run")
    other = QUICK.model_copy(update=settings)
    assert set(done(process(session, other, output=tmp_path / "run"))) == kinds
    # And what was measured so is measured so when it is asked for once more.
    process(session, other.model_copy(update={"select": Select(stars=1.0)}), output=tmp_path / "run")
    process(session, other, output=tmp_path / "run")
    process(session, other, output=tmp_path / "fresh")
    assert products(tmp_path / "run") == products(tmp_path / "fresh")


def test_files_of_another_time_but_equal_bytes_change_nothing(session, tmp_path):
    process(session, QUICK, output=tmp_path / "run")
    before = products(tmp_path / "run")
    for path in session.rglob("*.fits"):
        path.touch()
    again = process(session, QUICK, output=tmp_path / "run")
    assert not again.unchanged
    assert done(again) == {}
    assert products(tmp_path / "run") == before


def test_a_product_that_was_changed_or_is_gone_is_made_again(session, tmp_path):
    process(session, QUICK, output=tmp_path / "run")
    before = products(tmp_path / "run")
    stack = next((tmp_path / "run" / "stacks").glob("*_R_*"))
    stack.write_bytes(b"x" + stack.read_bytes()[1:])
    assert done(process(session, QUICK, output=tmp_path / "run")) == {"stack": 1}
    stack.unlink()
    assert done(process(session, QUICK, output=tmp_path / "run")) == {"stack": 1}
    assert products(tmp_path / "run") == before


def test_a_damaged_store_costs_time_only(session, tmp_path):
    process(session, QUICK, output=tmp_path / "run")
    before = products(tmp_path / "run")
    lights_of(session, "R")[0].touch()
    (tmp_path / "run" / FOLDER / "results.sqlite").write_bytes(b"no database" * 500)
    again = process(session, QUICK, output=tmp_path / "run")
    assert done(again)["measure"] == 7
    assert products(tmp_path / "run") == before


def test_from_a_step_on(session, tmp_path):
    process(session, QUICK, output=tmp_path / "run")
    before = products(tmp_path / "run")
    assert set(done(process(session, QUICK, output=tmp_path / "run", start="register"))) == {"register", "stack"}
    one = process(session, QUICK, output=tmp_path / "run", start="stack Tiny_field_R_60s")
    assert done(one) == {"stack": 1}
    assert products(tmp_path / "run") == before
    with pytest.raises(SpecError, match="did you mean stack"):
        process(session, QUICK, output=tmp_path / "run", start="stak")
    with pytest.raises(SpecError, match="did you mean Tiny_field_R_60s"):
        process(session, QUICK, output=tmp_path / "run", start="stack Tiny_field_R_60")


def test_looking_ahead_writes_nothing(session, tmp_path):
    ahead = outlook(session, QUICK)
    assert not (session / "firstlight").exists()
    assert {kind for kind, _, why in ahead.steps if why} == {"master", "measure", "stack"}
    process(session, QUICK)
    assert outlook(session, QUICK).unchanged
    other = outlook(session, QUICK.model_copy(update={"select": Select(everything=True)}))
    assert {kind for kind, _, why in other.steps if why} == {"stack"}


def test_a_torn_line_of_the_journal_is_skipped(tmp_path):
    step = Step("stack", "M31", key_of("a"))
    with Graph(tmp_path) as graph:
        graph.finish(step)
    journal = tmp_path / FOLDER / JOURNAL
    journal.write_bytes(journal.read_bytes() + json.dumps({"step": "stack"}).encode()[:9])
    with Graph(tmp_path) as graph:
        assert graph.held(step) is not None
        graph.finish(Step("stack", "M33", key_of("b")))
    assert [name for _, name in read_journal(tmp_path)] == ["M31", "M33"]


def test_what_a_killed_run_left_half_made_is_removed(tmp_path):
    for name in (".scratch-abc/light.raw", "stacks/.M31.0a1b2c3d.fits"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
    (tmp_path / ".masters.sqlite").write_text("kept")
    with Graph(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.rglob(".*")) == [".masters.sqlite"]
