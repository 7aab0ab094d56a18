"""The end of the program: nothing is lost by its haste."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from firstlight.cli.leave import leave
atexit.register(lambda: print("registered"))
print("said " * 5000)
{more}
leave({code})
"""


def ended(code, more=""):
    run = subprocess.run([sys.executable, "-c", PROGRAM.format(code=code, more=more)], capture_output=True, text=True)
    return run.returncode, run.stdout.replace("said", "").split(), run.stdout.count("said")


@pytest.mark.parametrize("code", [0, 2, 130])
def test_all_is_said_and_what_was_registered_is_done(code):
    assert ended(code) == (code, ["registered"], 5000)


def test_threads_end_their_work_first():
    more = "threading.Thread(target=lambda: (time.sleep(0.3), print('worked'))).start()"
    assert ended(0, more) == (0, ["worked", "registered"], 5000)


def test_profilers_see_the_end():
    more = "sys.setprofile(lambda *event: None)"
    assert ended(3, more) == (3, ["registered"], 5000)
