"""Where results go: an impossible place is refused before anything is read, and folders that are missing are made."""

import os
from pathlib import Path

import numpy as np
import pytest

from firstlight.cli.main import COMMANDS, run
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.targets import FITS, PICTURES

ANY = (*FITS, *PICTURES)
FILES = {
    "annotate": ("annotate BAD OUT.png", PICTURES),
    "apply": ("apply BAD OUT.fits stretch:asinh", ANY),
    "apply --compare": ("apply BAD other.fits stretch:asinh --compare OUT.png", PICTURES),
    "apply --preview --compare": ("apply BAD other.png stretch:asinh --preview --compare OUT.png", PICTURES),
    "an operation": ("stretch:asinh BAD OUT.fits", ANY),
    "astromatic": ("astromatic stiff BAD -o OUT.tif", ()),
    "combine": ("combine OUT.fits BAD BAD BAD", ANY),
    "continuum": ("continuum BAD BAD -o OUT.fits", FITS),
    "cutout": ("cutout BAD OUT.fits --ra 10 --dec 10 --size 0.1", ANY),
    "observe": ("observe guide-log BAD --plot OUT.png", ()),
    "library history": ("library history -o OUT.csv", ()),
    "picture": ("picture BAD OUT.png", ANY),
    "recipe new": ("recipe new OUT.toml", ()),
    "replay": ("replay BAD OUT.fits --from BAD", ANY),
    "report": ("report BAD -o OUT.html", ()),
    "solve": ("solve BAD -o OUT.fits", ()),
    "stack": ("stack BAD -o OUT.fits", FITS),
    "wb": ("wb pcc BAD OUT.fits", ANY),
}
FOLDERS = {
    "detector": "detector BAD -o OUT",
    "inspect": "inspect BAD -o OUT",
    "library export": "library export ALL -o OUT",
    "live": "live . -o OUT --once",
    "measure": "measure BAD -o OUT",
    "meta edit": "meta edit BAD --set A=1 -o OUT",
    "organize": "organize BAD OUT",
    "photometry": "photometry BAD -o OUT",
    "process": "process BAD -o OUT -q",
    "quality": "quality BAD -o OUT",
    "recipe run": "recipe run observatory BAD -o OUT -q",
    "resample": "resample BAD -o OUT",
    "simulate": "simulate OUT --preset tiny",
    "solve": "solve BAD -o OUT",
    "stars": "stars BAD -o OUT",
    "timeseries": "timeseries BAD -o OUT",
}
ALL = {**{f"{name}, a file": line for name, (line, _) in FILES.items()}, **FOLDERS}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an image that is cut short: whoever reads it before looking at OUT tells of that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "home"))
    write_raw_fits(tmp_path / "bad.fits", np.zeros((64, 64), np.uint16), [("IMAGETYP", "LIGHT", "")])
    (tmp_path / "bad.fits").write_bytes((tmp_path / "bad.fits").read_bytes()[:4000])
    (tmp_path / "a file").write_text("in the way")
    return tmp_path


def ends(line, out, capsys):
    words = [word.replace("BAD", "bad.fits").replace("OUT", str(out)) for word in line.split()]
    before = sorted(Path.cwd().rglob("*"))
    assert run(words) == 2
    assert sorted(Path.cwd().rglob("*")) == before
    return capsys.readouterr().err


def test_every_command_that_writes_is_in_a_table():
    named = {line.split()[0] for line in ALL.values()}
    only_read = {"aavso", "catalogs", "cite", "clean", "clear", "completion", "config", "explain", "history", "info",
                 "ops", "plan", "reproduce", "runs"}  # fmt: skip
    assert set(COMMANDS) - only_read - {"flow"} == {name for name in named if ":" not in name}


@pytest.mark.parametrize("name", ALL)
def test_a_file_where_a_folder_is_needed(name, place, capsys):
    told = ends(ALL[name], place / "a file" / "deeper" / "out", capsys)
    assert "a file is a file, where a folder is needed" in told


@pytest.mark.parametrize("name", ALL)
def test_a_folder_that_cannot_be_written_to(name, place, capsys, monkeypatch):
    (place / "locked").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked" and real(path, mode))
    assert "locked cannot be written to; look at the permissions" in ends(ALL[name], place / "locked" / "out", capsys)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_has_the_name(name, place, capsys):
    line, _ = FILES[name]
    ending = next(word for word in line.split() if word.startswith("OUT")).removeprefix("OUT")
    (place / f"out{ending}").mkdir()
    assert "is a folder; give the name of a file" in ends(line, place / "out", capsys)


@pytest.mark.parametrize("name", [name for name, (_, endings) in FILES.items() if endings])
def test_an_ending_that_cannot_be_written(name, place, capsys):
    line, endings = FILES[name]
    ending = next(word for word in line.split() if word.startswith("OUT")).removeprefix("OUT")
    told = ends(line.replace(f"OUT{ending}", "OUT.gif"), place / "out", capsys)
    assert f"the suffix is '.gif'; {', '.join(endings)[:5]}" in told or "the suffix is '.gif'" in told


@pytest.mark.parametrize("line", ["apply GOOD OUT.fits stretch:asinh", "stretch:asinh GOOD OUT.fits",
                                  "picture GOOD OUT.png", "stack GOOD -o OUT.fits",
                                  "apply GOOD OUT.fits stretch:asinh --compare OUT_b.png"])  # fmt: skip
def test_missing_folders_are_made(line, place, capsys):
    write_raw_fits(place / "good.fits", np.random.default_rng(1).integers(900, 1100, (64, 64)).astype(np.uint16))
    words = [word.replace("GOOD", "good.fits").replace("OUT", "new/deeper/out") for word in line.split()]
    assert run(words) == 0, capsys.readouterr().err
    assert all(Path(word).is_file() for word in words if word.startswith("new/"))
