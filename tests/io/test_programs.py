"""Programs of others are found, run, and ended in time with all that they started."""

import sys
import time

import pytest

from firstlight.errors import FrameError, InputError
from firstlight.io.programs import Program, private_folder, run_program


def test_a_program_that_is_missing_is_named_with_its_package():
    with pytest.raises(InputError, match=r"solve stars: the program no-such-thing .* apt-get install nothing-like-it"):
        Program(("no-such-thing", "nor-this"), "nothing-like-it").path("solve stars")


def test_words_reach_the_program_as_they_are(tmp_path):
    odd = "a b'c\"d;echo $HOME"
    ran = run_program([sys.executable, "-c", "import sys; print(sys.argv[1])", odd], tmp_path, seconds=60)
    assert ran.said.strip() == odd
    assert ran.code == 0


def test_what_it_started_ends_with_it(tmp_path):
    child = "import time, pathlib; time.sleep(3); pathlib.Path('late').touch()"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    with pytest.raises(FrameError, match=r"not done after 0\.5 s"):
        run_program([sys.executable, "-c", parent], tmp_path, seconds=0.5)
    time.sleep(3.2)
    assert not (tmp_path / "late").exists()


def test_last_words_are_those_that_say_something(tmp_path):
    ran = run_program(
        [sys.executable, "-c", "print('a\\n\\nb\\r\\nc\\n\\nd\\n'); raise SystemExit(3)"], tmp_path, seconds=60
    )
    assert ran.last_words == "b / c / d"
    assert ran.code == 3


def test_a_private_folder_goes_unless_it_is_kept(tmp_path):
    with private_folder() as folder:
        (folder / "x").touch()
    assert not folder.exists()
    with private_folder(tmp_path / "kept") as folder:
        (folder / "x").touch()
    assert (tmp_path / "kept" / "x").exists()
