"""What every command says of a file that is no image: one paragraph, exit code 2, and nothing written under OUT."""

import os

import numpy as np
import pytest

from firstlight.cli.main import COMMANDS, run
from firstlight.io.fits_writer import write_raw_fits
from firstlight.pipeline.stages import finish_session

COMMAND_LINES = {
    "aavso": "aavso BAD",
    "annotate": "annotate BAD OUT.png",
    "apply": "apply BAD OUT.fits stretch:asinh",
    "apply, a chain": "apply GOOD OUT.fits --chain BAD",
    "an operation": "stretch:asinh BAD OUT.fits",
    "an operation, another frame": "cal:subtractdark GOOD OUT.fits --dark BAD",
    "astromatic": "astromatic stiff BAD -o OUT.tif",
    "cite": "cite BAD",
    "clear": "clear BAD -y",
    "combine": "combine OUT.fits BAD BAD BAD",
    "continuum": "continuum GOOD BAD -o OUT.fits",
    "cutout": "cutout BAD OUT.fits --ra 10 --dec 10 --size 0.1",
    "detector": "detector BAD -o OUT",
    "explain": "explain BAD",
    "flow": "flow run BAD -o OUT",
    "history": "history BAD",
    "info": "info BAD",
    "inspect": "inspect BAD -o OUT",
    "library build": "library build -s BAD",
    "library import": "library import BAD",
    "library show": "library show BAD",
    "live": "live BAD -o OUT --once",
    "measure": "measure BAD -o OUT",
    "meta": "meta show BAD",
    "meta edit": "meta edit BAD --set OBJECT=M1",
    "observe": "observe guide-log BAD",
    "organize": "organize BAD OUT",
    "photometry": "photometry BAD -o OUT",
    "picture": "picture BAD OUT.png",
    "plan": "plan BAD",
    "process": "process BAD -o OUT -q",
    "quality": "quality BAD -o OUT",
    "recipe run": "recipe run observatory BAD -o OUT -q",
    "recipe check": "recipe check BAD",
    "replay": "replay BAD OUT.fits",
    "report": "report BAD -o OUT.html",
    "reproduce": "reproduce BAD",
    "resample": "resample BAD -o OUT",
    "solve": "solve BAD --no-write",
    "stack": "stack BAD BAD BAD -o OUT.fits",
    "stars": "stars BAD -o OUT",
    "timeseries": "timeseries BAD -o OUT",
    "wb": "wb pcc BAD OUT.fits",
}
NO_FILE = {"catalogs", "completion", "config", "ops", "simulate"}
FOLDERS = {"clean", "runs"}
"""Take any folder, and say that there is nothing in it."""
ANSWERS = {("aavso", "empty"): 1, ("aavso", "text"): 1, ("live", "folder"): 1}
"""A text without observations breaks the rules of reports, which is what was asked; a folder may still fill."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    good = folder / "good.fits"
    write_raw_fits(good, np.random.default_rng(1).integers(900, 1100, (64, 64)).astype(np.uint16))
    whole = good.read_bytes()
    (folder / "cut.fits").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.fits").touch()
    (folder / "text.fits").write_text("not an image\n" * 300)
    (folder / "folder.fits").mkdir()
    return folder


def test_every_command_is_in_the_table():
    named = {line.split()[0] for line in COMMAND_LINES.values()}
    assert set(COMMANDS) - NO_FILE - FOLDERS == {name for name in named if ":" not in name}


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "text", "folder"])
@pytest.mark.parametrize("name", COMMAND_LINES)
def test_a_bad_file_ends_with_2(name, kind, files, tmp_path, capsys, monkeypatch):
    # Without Prefect, whose server takes seconds to start: the last stage alone does a whole session.
    monkeypatch.setattr("firstlight.pipeline.flow.run_flow", lambda s, o, v, dask: finish_session(s, v, o))
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "home"))
    given = {"BAD": files / f"{kind}.fits", "GOOD": files / "good.fits"}
    words = [str(given.get(word, word)).replace("OUT", str(tmp_path / "out")) for word in COMMAND_LINES[name].split()]
    assert run(words) == ANSWERS.get((name, kind), 2)
    said = capsys.readouterr()
    assert f"{kind}.fits" in said.err + said.out or (name, kind) == ("live", "folder")
    assert "Traceback" not in said.err
    assert not [path for path in tmp_path.glob("out.*") if os.path.lexists(path)]
