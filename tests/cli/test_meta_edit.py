"""`meta edit`, `organize` and `clear` on the command line."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.content import content_hash
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import find_files, open_frame


@pytest.fixture
def night(tmp_path):
    folder = tmp_path / "night é 1"
    folder.mkdir()
    for number, name in enumerate(("a b.fits", "b.fits")):
        write_raw_fits(folder / name, np.full((8, 8), number), [("OBJECT", "M 1", ""), ("IMAGETYP", "LIGHT", "")])
    return folder


def test_edit_says_first_and_writes_when_told(night, tmp_path, capsys):
    before = {path: content_hash(path) for path in find_files(night)}
    assert run(["meta", "edit", str(night), "--set", "target=M 2", "--set", "GAIN='2'", "--remove", "IMAGETYP"]) == 0
    shown = capsys.readouterr().out
    assert "all 2 files:" in shown
    assert "OBJECT 'M 1' -> 'M 2'" in shown
    assert "Nothing was written" in shown
    out = tmp_path / "out"
    assert run(["meta", "edit", str(night), "--set", "target=M 2", "--set", "EXPTIME=5", "-o", str(out)]) == 0
    assert [(open_frame(p).meta.target, open_frame(p).meta.exposure) for p in find_files(out)] == [("M 2", 5.0)] * 2
    assert {path: content_hash(path) for path in find_files(night)} == before
    assert run(["meta", "edit", str(night), "--set", "FILTER=V", "--in-place"]) == 0
    assert run(["meta", "edit", str(night), "--restore"]) == 0
    assert {path: content_hash(path) for path in find_files(night)} == before


def test_many_different_changes_are_told_for_the_first_files(tmp_path, capsys):
    for number in range(9):
        cards = [("OBJECT", f"M {number}", ""), ("DATE-OBS", f"2026-01-17T2{number % 4}:{number}0:00", "")]
        write_raw_fits(tmp_path / f"{number}.fits", np.full((8, 8), number), cards)
    assert run(["meta", "edit", str(tmp_path), "--set", "OBJECT=M 31"]) == 0
    shown = capsys.readouterr().out
    assert "4 more files: OBJECT (--all tells each)" in shown
    assert run(["meta", "edit", str(tmp_path), "--set", "OBJECT=M 31", "--all"]) == 0
    assert capsys.readouterr().out.count("OBJECT") == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "FILTER"], "write KEY=VALUE"),
        (["--set", "NAXIS1=5"], "stays as it is"),
        (["--set", "EXPTIME=abc"], "EXPTIME: 'abc' was given; a number of seconds from 0 to 1e8 is allowed"),
        (["--add", "start=yesterday"], "a date and time in UTC such as 2026-01-17T21:05:00 is allowed"),
        ([], "nothing to change"),
        (["--set", "A=1", "-o", "x", "--in-place"], "exclude one another"),
        (["--restore", "--set", "A=1"], "stands alone"),
        (["--restore"], "no .original beside it"),
        (["--set", "A=1", "--site", "Atlantis"], "not in the table"),
    ],
)
def test_edit_mistakes(night, arguments, words, capsys):
    assert run(["meta", "edit", str(night), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_organize_and_clear(night, tmp_path, capsys, monkeypatch):
    out = tmp_path / "collection"
    assert run(["organize", str(night), str(out), "--dry-run", "-q"]) == 0
    assert not out.exists()
    assert run(["organize", str(night), str(out), "--by", "object", "-q"]) == 0
    assert "2 hard links made" in capsys.readouterr().out
    assert len(find_files(out)) == 2
    assert run(["clear", str(out)]) == 2
    assert "give --yes" in capsys.readouterr().err
    assert run(["clear", str(out), "--dry-run"]) == 0
    assert len(find_files(out)) == 2
    assert run(["clear", str(out), "--yes"]) == 0
    assert not out.exists()
    assert len(find_files(night)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["organize", "only-one"], "give what to sort"),
        (["organize", "missing", "out"], "there is no such"),
        (["organize", "empty", "out"], "no frames here"),
        (["organize", ".", "out", "--by", "colour"], "sorted by"),
        (["organize", ".", "out", "--only", "object"], "LEVEL=VALUE"),
        (["clear", "missing"], "no such folder"),
    ],
)
def test_mistakes(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert run(arguments) == 2
    assert words in capsys.readouterr().err
