"""The end of the program: nothing is lost by its haste."""

import os
import subprocess
import sys

import numpy as np
import pytest

from firstlight.io.fits_writer import write_raw_fits

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


@pytest.mark.parametrize(
    "words",
    ["ops", "--help", "--version", "stretch:midtones --help", "wb list", "meta sites", "recipe show observatory",
     "ops --json", "recipe list --json", "completion bash", "config --all", "catalogs list", "info {file}",
     "info --header {file}", "meta show {file} --json", "history {file}"],
)  # fmt: skip
def test_a_reader_that_has_gone_ends_a_command_in_silence(words, tmp_path):
    file = tmp_path / "a.fits"
    write_raw_fits(file, np.zeros((8, 8), np.uint16))
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, "-m", "firstlight", *words.format(file=file).split()]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_that_nobody_reads_is_no_fault(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, "-m", "firstlight", "info", str(tmp_path / "nowhere.fits")]
    assert subprocess.run(program, stdout=writer, stderr=writer, check=False).returncode == 141
    os.close(writer)
